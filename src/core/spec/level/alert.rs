//! `alert`: an alert of Alertmanager as a symptom.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rule::{AlertScope, AlertSelector, PLACEHOLDERS};
use crate::spec::excerpt::quoted;
use crate::spec::fields::{self, Fields};
use crate::spec::labels;
use crate::spec::nearest::nearest;
use crate::spec::report::Report;
use crate::spec::tree::{Kind, Node};

const HELP: &str =
    "write `alert: HighErrorRate`, or `alert: {name: HighErrorRate, labels: {service: '${name}'}}`";
const LABELS: &str = "write `labels: {service: '${name}', severity: critical}`";
const PLACE: labels::Place = labels::Place {
    most: 20,
    help: LABELS,
    keep: "name those that tell which service the alert is about",
};
/// Bytes of a name or a value.
const LONGEST: usize = 200;
/// Alerting rules hardly wait longer; what began a day before a release is no news.
const LONGEST_PENDING: Duration = Duration::from_hours(24);

/// `alert: NAME` or `alert: {name: NAME, labels: {…}, scope: target, pending: 5m}`.
pub(super) fn read(node: &Node, report: &mut Report<'_>) -> Option<AlertSelector> {
    if let Kind::Scalar(_) = &node.kind {
        return Some(AlertSelector {
            name: name(node, "alert", report)?,
            labels: BTreeMap::new(),
            scope: AlertScope::Target,
            pending: Duration::ZERO,
        });
    }
    let known = ["name", "labels", "scope", "pending"];
    let fields = Fields::open(node, "`alert`", &known, report)?;
    let name = fields
        .need("name", HELP, report)
        .and_then(|node| name(node, "name", report));
    let labels = match fields.get("labels") {
        None => Some(BTreeMap::new()),
        Some(node) => read_labels(node, report),
    };
    let scope = match fields.get("scope") {
        None => Some(AlertScope::Target),
        Some(node) => scope(node, report),
    };
    let pending = match fields.get("pending") {
        None => Some(Duration::ZERO),
        Some(node) => pending(node, report),
    };
    if let (Some(AlertScope::Namespace), Some(labels), Some(entry)) =
        (scope, &labels, fields.entry("scope"))
        && labels.is_empty()
    {
        report
            .warn(
                entry.value.span,
                "with this scope every alert of that name in the namespace speaks against every release there",
            )
            .help("say by `labels` which alerts are meant, such as `labels: {service: web}`");
    }
    Some(AlertSelector {
        name: name?,
        labels: labels?,
        scope: scope?,
        pending: pending?,
    })
}

fn name(node: &Node, field: &str, report: &mut Report<'_>) -> Option<String> {
    let text = fields::text(node, field, HELP, report)?;
    let problem = if text.len() > LONGEST {
        format!("`{field}` has more than {LONGEST} bytes")
    } else if text.contains(['{', '}', '=', '"']) {
        format!("`{field}` is the name of an alert, and this looks like a selector")
    } else {
        return Some(text.to_owned());
    };
    report.error(node.span, problem).help(HELP);
    None
}

fn read_labels(node: &Node, report: &mut Report<'_>) -> Option<BTreeMap<String, String>> {
    let entries = PLACE.entries(node, report)?;
    let mut labels = BTreeMap::new();
    let mut good = true;
    for entry in entries {
        let problem = match entry.key.as_str() {
            "alertname" => Some("the label `alertname` is what `name` says"),
            // Of the target, whatever the rule says.
            "namespace" => Some("the namespace is that of the target already"),
            "pod" => Some("which pods are the target's is known already"),
            key if key.is_empty() || key.len() > LONGEST => Some("this is not the name of a label"),
            _ => None,
        };
        if let Some(problem) = problem {
            report
                .error(entry.key_span, problem)
                .help(format!("leave it out, or {LABELS}"));
            good = false;
            continue;
        }
        match value(&entry.value, &entry.key, report) {
            Some(value) => {
                labels.insert(entry.key.clone(), value);
            }
            None => good = false,
        }
    }
    good.then_some(labels)
}

fn value(node: &Node, label: &str, report: &mut Report<'_>) -> Option<String> {
    let text = fields::text(node, label, LABELS, report)?;
    if text.len() > LONGEST {
        report
            .error(
                node.span,
                format!("the value has more than {LONGEST} bytes"),
            )
            .help(LABELS);
        return None;
    }
    if text.contains("{{") {
        report
            .error(node.span, "templates of Prometheus have no meaning here")
            .help("write `${name}` and `${namespace}` for those of the target");
        return None;
    }
    for (at, _) in text.match_indices("${") {
        let rest = text.get(at + 2..).unwrap_or_default();
        let found = rest.split_once('}').map(|(name, _)| name);
        if found.is_some_and(|name| PLACEHOLDERS.contains(&name)) {
            continue;
        }
        let shown = quoted(text);
        report
            .error(
                node.span,
                format!("{shown} holds a placeholder that is not known"),
            )
            .help(match found.and_then(|name| nearest(name, PLACEHOLDERS)) {
                Some(near) => format!("did you mean `${{{near}}}`?"),
                None => "the placeholders are `${namespace}` and `${name}`".to_owned(),
            });
        return None;
    }
    Some(text.to_owned())
}

fn scope(node: &Node, report: &mut Report<'_>) -> Option<AlertScope> {
    const HELP: &str = "write `scope: target` (the alert must name the target), or `scope: namespace` (every alert of its namespace with these labels counts)";
    match fields::text(node, "scope", HELP, report)? {
        "target" => Some(AlertScope::Target),
        "namespace" => Some(AlertScope::Namespace),
        other => {
            report
                .error(node.span, format!("`scope` cannot be {}", quoted(other)))
                .help(match nearest(other, ["target", "namespace"]) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => HELP.to_owned(),
                });
            None
        }
    }
}

fn pending(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let pending = fields::duration(node, "pending", report)?;
    if pending > LONGEST_PENDING {
        report
            .error(node.span, "`pending` is at most 24h")
            .help("write the `for` of the alerting rule, such as `5m`");
        return None;
    }
    Some(pending)
}
