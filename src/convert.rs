//! Turns Argo's analysis templates into rules of Recant's own, with a note for everything that differs.
//!
//! What a metric asks is recognised where Recant has a better question for it (a share of counted events, a quantile,
//! a value); any other expression is taken as it is. What cannot be converted is refused by name, and the rest still
//! converts. Nothing is asked of anybody.

mod arguments;
mod condition;
mod expression;
mod metric;
mod promql;
mod shape;
mod web;
mod yaml;

use std::time::Duration;

use recant_core::argo::argument::Argument;
use recant_core::argo::json::Json;
use recant_core::argo::metric::Metric;
use recant_core::argo::run::RunSpec;
use recant_core::argo::template::Template;

use self::arguments::Arguments;

pub use self::yaml::{rule_set, watch};

/// How long a release is watched when nothing says how long the analysis took.
const DEFAULT_WATCH: Duration = Duration::from_mins(30);
/// Below this a release has hardly had any traffic.
const SHORTEST_WATCH: Duration = Duration::from_mins(5);
const LONGEST_WATCH: Duration = Duration::from_hours(24);

/// What became of one template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// Of the template.
    pub template: String,
    /// Of the rule set.
    pub name: String,
    /// About the template as a whole.
    pub notes: Vec<String>,
    pub rules: Vec<Rule>,
    pub refused: Vec<Refused>,
    /// How long a release has to be watched for the longest metric.
    pub watch: Duration,
    /// Other templates that this one brings along.
    pub others: Vec<String>,
    /// The namespace of the template.
    pub namespace: Option<String>,
}

/// A rule, as fields in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    /// The metric that it was.
    pub metric: String,
    /// About the rule as a whole.
    pub notes: Vec<String>,
    pub fields: Vec<Field>,
}

/// A field of a rule, with what differs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    /// As YAML on one line.
    pub value: String,
    pub notes: Vec<String>,
}

/// A metric, or a condition of one, that became no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub metric: String,
    pub reason: String,
}

impl Rule {
    fn set(&mut self, name: &'static str, value: String, notes: Vec<String>) {
        self.fields.push(Field { name, value, notes });
    }
}

/// Converts a template; `given` are values of its arguments.
pub fn template(template: &Template, given: &[(String, String)]) -> Converted {
    let mut converted = of_parts(
        &template.own.name,
        &template.metrics,
        &template.args,
        &template.dry_run,
        given,
    );
    if template.own.cluster {
        converted.name = label(&format!("{}-cluster", template.own.name));
    }
    converted.namespace.clone_from(&template.namespace);
    for other in &template.templates {
        let name = if other.cluster {
            format!("{}-cluster", other.name)
        } else {
            other.name.clone()
        };
        converted.others.push(label(&name));
    }
    let kept = !template.measurement_retention.is_empty();
    retention(kept, &mut converted);
    converted
}

/// Converts the spec of a run.
pub fn run(name: &str, spec: &RunSpec, given: &[(String, String)]) -> Converted {
    let mut converted = of_parts(name, &spec.metrics, &spec.args, &spec.dry_run, given);
    retention(!spec.measurement_retention.is_empty(), &mut converted);
    converted
}

fn retention(kept: bool, converted: &mut Converted) {
    if kept {
        converted.notes.push(
            "`measurementRetention` has no counterpart: Recant keeps its evidence in the journal"
                .to_owned(),
        );
    }
}

fn of_parts(
    name: &str,
    metrics: &[Json],
    args: &[Argument],
    dry_run: &[String],
    given: &[(String, String)],
) -> Converted {
    let arguments = Arguments::new(args, given);
    let mut converted = Converted {
        template: name.to_owned(),
        name: label(name),
        notes: arguments.notes(),
        rules: Vec::new(),
        refused: Vec::new(),
        watch: Duration::ZERO,
        others: Vec::new(),
        namespace: None,
    };
    let mut names: Vec<String> = Vec::new();
    for written in metrics {
        match Metric::of(written) {
            Ok(metric) => {
                names.push(metric.name.clone());
                metric::convert(&metric, &arguments, dry_run, &mut converted);
            }
            Err(error) => converted.refused.push(Refused {
                metric: written
                    .get("name")
                    .and_then(Json::as_str)
                    .unwrap_or("?")
                    .to_owned(),
                reason: error.to_string(),
            }),
        }
    }
    for rule in dry_run {
        if !names.iter().any(|name| metric::matches(rule, name)) {
            converted.notes.push(format!(
                "`dryRun` names `{rule}`, which is the name of no metric (names are regular expressions, and a bare `*` is none): the controller ends such a run as Error"
            ));
        }
    }
    unique(&mut converted.rules);
    converted.watch = if converted.watch.is_zero() {
        DEFAULT_WATCH
    } else {
        converted.watch.clamp(SHORTEST_WATCH, LONGEST_WATCH)
    };
    converted
}

/// Rule sets have names of their own.
pub fn name_apart(converted: &mut [Converted]) {
    let mut taken: Vec<String> = Vec::new();
    for one in converted {
        let mut name = one.name.clone();
        let mut count = 1;
        while taken.contains(&name) {
            count += 1;
            name = format!("{}-{count}", one.name);
        }
        taken.push(name.clone());
        one.name = name;
    }
}

/// Rules of one set have names of their own.
fn unique(rules: &mut [Rule]) {
    let mut taken: Vec<String> = Vec::new();
    for rule in rules {
        let mut name = rule.name.clone();
        let mut count = 1;
        while taken.contains(&name) {
            count += 1;
            name = format!("{}-{count}", rule.name);
        }
        taken.push(name.clone());
        rule.name = name;
    }
}

/// A name that a rule or a rule set can have: lower-case letters, digits and `-`.
fn label(name: &str) -> String {
    const MOST: usize = 60;
    let mut out = String::new();
    for character in name.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            out.push(character);
        } else if !out.ends_with('-') {
            out.push('-');
        }
        if out.len() >= MOST {
            break;
        }
    }
    let out = out.trim_matches('-');
    if out.is_empty() { "converted" } else { out }.to_owned()
}
