//! What the shape of a document cannot say, in CEL, for `x-kubernetes-validations`: an API server then refuses the
//! document with a sentence. "Exactly one of" is not here: `structural` makes those sentences from the shape.
//!
//! Only what is cheap to say and surely wrong. The reader of the documents (`recant_core::spec`) knows all of it, and says
//! the rest in the conditions.

use serde_json::{Value, json};

/// One sentence, and the expression that must hold.
fn must(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}

/// Metrics of a rule whose type CEL can see (`promql`, `kubernetes` and `alert` are a text or a mapping), and that need a
/// limit.
const LIMITED: &str = "(has(self.ratio) || has(self.histogram) || has(self.gauge) || has(self.rate) || has(self.httpJson) || has(self.redis))";
const COUNTED: &str = "(has(self.ratio) || has(self.histogram))";
const VALUES: &str = "(has(self.gauge) || has(self.rate) || has(self.httpJson) || has(self.redis))";

/// Of one rule.
pub(super) fn rule() -> Value {
    let limited = format!("has(self.max) || has(self.min) || has(self.compare) || !{LIMITED}");
    // Comparing texts is cheap for an API server; a number made of a text is not.
    let share = |field: &str| {
        format!(
            "!has(self.ratio) || !has(self.{field}) || (type(self.{field}) == string && self.{field}.endsWith('%') && self.{field} != '0%' && self.{field} != '100%')"
        )
    };
    json!([
        must(
            "has(self.histogram) == has(self.quantile)",
            "`histogram` and `quantile` go together: write `quantile: 95%`, or leave it out",
        ),
        must(
            "!has(self.unit) || has(self.histogram)",
            "`unit` belongs to a `histogram`: leave it out",
        ),
        must(
            &limited,
            "this rule says nothing that must hold: add `max`, `min` or `compare`",
        ),
        must(
            &share("max"),
            "`max` of a ratio is a percentage above 0% and below 100%, such as `5%`",
        ),
        must(
            &share("min"),
            "`min` of a ratio is a percentage above 0% and below 100%, such as `99%`",
        ),
        must(
            &format!("!(has(self.max) && has(self.min)) || !{VALUES}"),
            "a value has one limit: make two rules of `max` and `min`",
        ),
        must(
            &format!("!has(self.least) || !{VALUES}"),
            "`least` belongs to rules that count events: leave it out",
        ),
        must(
            &format!("!has(self.over) || !{COUNTED}"),
            "`over` has no meaning here, the events of all pods are added up: leave it out",
        ),
    ])
}

/// Of a watch.
pub(super) fn watch() -> Value {
    json!([
        must(
            "has(self.rules) || has(self.always)",
            "a watch without rules does nothing: add `rules`, such as `rules: [http]`, or `always`",
        ),
        must(
            "!has(self.targets) || !has(self.always)",
            "`always` does not go with `targets`: write a Watch with `target` for each workload",
        ),
    ])
}
