//! Labels that a channel puts on every alert.

use std::collections::BTreeMap;

use crate::spec::fields;
use crate::spec::labels;
use crate::spec::report::Report;
use crate::spec::tree::Node;

const PLACE: labels::Place = labels::Place {
    most: 20,
    help: HELP,
    keep: "keep those that an alert is routed by",
};
const LONGEST: usize = 200;
const HELP: &str = "write `labels: {team: payments}`";
/// What Recant sets itself: two alerts that differ in nothing else must stay two.
const OURS: &[&str] = &[
    "alertname",
    "severity",
    "namespace",
    "watch",
    "target",
    "source",
    "incident",
];

/// Reads labels and their values.
pub(super) fn read(node: &Node, report: &mut Report<'_>) -> Option<BTreeMap<String, String>> {
    let entries = PLACE.entries(node, report)?;
    let mut labels = BTreeMap::new();
    let mut good = true;
    for entry in entries {
        let name = entry.key.as_str();
        let problem = if OURS.contains(&name) {
            Some("this label is set by Recant")
        } else if is_label(name) {
            None
        } else {
            Some("this is not the name of a label")
        };
        if let Some(problem) = problem {
            report.error(entry.key_span, problem).help(format!(
                "write letters, digits and `_`, with no digit in front, and none of {}",
                fields::listed(OURS)
            ));
            good = false;
            continue;
        }
        let Some(value) = fields::text(&entry.value, name, HELP, report) else {
            good = false;
            continue;
        };
        if value.is_empty() || value.chars().count() > LONGEST {
            report
                .error(
                    entry.value.span,
                    format!("the value of a label has 1 to {LONGEST} characters"),
                )
                .help("Alertmanager drops a label without a value: leave it out");
            good = false;
            continue;
        }
        labels.insert(name.to_owned(), value.to_owned());
    }
    good.then_some(labels)
}

fn is_label(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
