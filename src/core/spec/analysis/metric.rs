//! The `metrics` of a template or a run: types, and what the controller would end the run for.

use super::super::report::Report;
use super::part::{Part, TypeOf};
use super::{convert, provider};
use crate::argo::expression::Expression;
use crate::argo::json::Json;
use crate::argo::metric::Metric;
use crate::argo::validate::{Invalid, validate};

const FIELDS: [(&str, TypeOf); 11] = [
    ("name", TypeOf::Text),
    ("interval", TypeOf::Text),
    ("initialDelay", TypeOf::Text),
    ("count", TypeOf::TextOrWhole),
    ("successCondition", TypeOf::Text),
    ("failureCondition", TypeOf::Text),
    ("failureLimit", TypeOf::TextOrWhole),
    ("inconclusiveLimit", TypeOf::TextOrWhole),
    ("consecutiveErrorLimit", TypeOf::TextOrWhole),
    ("consecutiveSuccessLimit", TypeOf::TextOrWhole),
    ("provider", TypeOf::Object),
];

/// Reads them as they are written, placeholders included.
pub(super) fn read(spec: &Part<'_>, report: &mut Report<'_>) -> Vec<Json> {
    let mut metrics: Vec<Json> = Vec::new();
    for item in spec.list("metrics", report) {
        let known = FIELDS.map(|(name, _)| name);
        let Some(part) = Part::open(item, "a metric", &known, report) else {
            continue;
        };
        let before = report.errors();
        for (name, wanted) in FIELDS {
            part.typed(name, wanted, report);
        }
        let name = part.text("name", report);
        if part.get("name").is_none() {
            report
                .error(part.span, "a metric has no `name`")
                .help("name it: its result is told by its name");
        }
        let twice = metrics
            .iter()
            .any(|other| other.get("name").and_then(Json::as_str) == name.as_deref());
        if let (Some(name), true, Some(node)) = (&name, twice, part.get("name")) {
            report
                .error(node.span, format!("two metrics have the name `{name}`"))
                .help("give each metric a name of its own");
        }
        provider::check(&part, report);
        let mut written = convert::json(item);
        if let Json::Object(fields) = &mut written {
            fields.retain(|name, _| known.contains(&name.as_str()));
        }
        if report.errors() == before {
            conditions(&part, report);
            limits(&part, &written, report);
        }
        metrics.push(written);
    }
    metrics
}

fn has_placeholder(text: &str) -> bool {
    text.contains("{{")
}

fn conditions(part: &Part<'_>, report: &mut Report<'_>) {
    for name in ["successCondition", "failureCondition"] {
        let (Some(text), Some(node)) = (part.text(name, report), part.get(name)) else {
            continue;
        };
        if has_placeholder(&text) {
            continue;
        }
        if let Some(error) = Expression::new(&text).syntax_error() {
            report
                .warn(node.span, format!("`{name}` cannot be read: {error}"))
                .help("mend it: as it is, every measurement ends as Error");
        }
    }
}

/// What the controller ends the run for before it measures, as far as no argument decides it.
fn limits(part: &Part<'_>, written: &Json, report: &mut Report<'_>) {
    let open = FIELDS.iter().any(|(name, _)| {
        !matches!(*name, "successCondition" | "failureCondition" | "provider")
            && written
                .get(name)
                .and_then(Json::as_str)
                .is_some_and(has_placeholder)
    });
    let Ok(metric) = Metric::of(written) else {
        return;
    };
    if open {
        return;
    }
    if let Err(Invalid::Metric { fault, .. }) = validate(std::slice::from_ref(&metric)) {
        report
            .warn(part.span, format!("the metric is invalid: {fault}"))
            .help("mend it: as it is, the run ends as Error before anything is measured");
    }
}
