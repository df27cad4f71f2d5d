//! The actions `shift` and `switch`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::always::read_target;
use super::super::excerpt::quoted;
use super::super::fields::{self, Fields, NameKind};
use super::super::report::Report;
use super::super::tree::{Kind, Node};
use super::{percent, read_route};
use crate::change::ObjectRef;
use crate::rule::{Colour, ScaleUp, Task};

/// How long the pods of a colour may take when the document does not say.
const DEFAULT_WAIT: Duration = Duration::from_mins(5);
const MOST_WAIT: Duration = Duration::from_hours(1);
/// How long the old colour stays, where it goes at all.
const LEAST_AFTER: Duration = Duration::from_secs(1);
const MOST_AFTER: Duration = Duration::from_hours(7 * 24);
const MOST_PODS: u64 = 10_000;
const MOST_LABELS: usize = 10;

/// Reads `shift`, and after how long it is taken back.
pub(in crate::spec) fn read_shift(
    node: &Node,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Option<(Task, Option<Duration>)> {
    const KNOWN: [&str; 5] = ["route", "canary", "stable", "to", "undo"];
    const HELP: &str = "write `shift: {route: {kind: HTTPRoute, name: checkout}, canary: checkout-canary, to: 0%}`";
    let fields = Fields::open(node, "`shift`", &KNOWN, report)?;
    let route = read_route(&fields, namespace, report);
    let to = fields
        .need("to", HELP, report)
        .and_then(|node| percent(node, "to", report));
    let undo = fields
        .get("undo")
        .and_then(|node| fields::duration(node, "undo", report));
    let task = Task::Shift {
        route: route?,
        percent: to?,
    };
    Some((task, undo))
}

/// Reads `switch`, and after how long it is taken back.
pub(in crate::spec) fn read_switch(
    node: &Node,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Option<(Task, Option<Duration>)> {
    const KNOWN: [&str; 11] = [
        "service",
        "ingress",
        "host",
        "path",
        "to",
        "target",
        "present",
        "min",
        "wait",
        "undo",
        "thenScaleDown",
    ];
    const HELP: &str = "write `switch: {service: checkout, to: {color: blue}, target: Deployment/checkout-blue, min: 3}`";
    let fields = Fields::open(node, "`switch`", &KNOWN, report)?;
    let (api_version, kind, entry) = match (fields.entry("service"), fields.entry("ingress")) {
        (Some(_), Some(entry)) => {
            report
                .error(entry.key_span, "`switch` has both `service` and `ingress`")
                .help("write one action for each");
            return None;
        }
        (Some(entry), None) => ("v1", "Service", entry),
        (None, Some(entry)) => ("networking.k8s.io/v1", "Ingress", entry),
        (None, None) => {
            fields.need("service", HELP, report)?;
            return None;
        }
    };
    let name = fields::name(&entry.value, &entry.key, NameKind::Subdomain, report);
    let to = fields.need("to", HELP, report);
    let to = if kind == "Service" {
        for field in ["host", "path"] {
            if let Some(entry) = fields.entry(field) {
                report
                    .error(entry.key_span, format!("`{field}` is one of an Ingress"))
                    .help("leave it out: a Service is switched by its labels");
            }
        }
        to.and_then(|node| read_labels(node, report))
    } else {
        to.and_then(|node| read_backend(&fields, node, report))
    };
    let up = read_up(&fields, name, to.as_ref(), namespace, report);
    let undo = fields
        .get("undo")
        .and_then(|node| fields::duration(node, "undo", report));
    let task = Task::Switch {
        object: ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace?.to_owned(),
            name: name?.to_owned(),
        },
        to: to?,
        up: Some(up?),
    };
    Some((task, undo))
}

fn read_labels(node: &Node, report: &mut Report<'_>) -> Option<Colour> {
    const HELP: &str = "write the labels that the Service shall select: `to: {color: blue}`";
    let Kind::Map(entries) = &node.kind else {
        if !matches!(node.kind, Kind::Reported) {
            report
                .error(
                    node.span,
                    format!("`to` must be a mapping, and is {}", node.describe()),
                )
                .help(HELP);
        }
        return None;
    };
    if entries.is_empty() || entries.len() > MOST_LABELS {
        report
            .error(node.span, format!("`to` has 1 to {MOST_LABELS} labels"))
            .help(HELP);
        return None;
    }
    let mut labels = BTreeMap::new();
    let mut whole = true;
    for entry in entries {
        let Some(value) = fields::text(&entry.value, &entry.key, HELP, report) else {
            whole = false;
            continue;
        };
        let of_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if value.len() > 63 || !value.bytes().all(of_label) {
            report
                .error(
                    entry.value.span,
                    format!("no label has the value {}", quoted(value)),
                )
                .help("write at most 63 letters, digits, `-`, `_` and `.`");
            whole = false;
        }
        labels.insert(entry.key.clone(), value.to_owned());
    }
    whole.then_some(Colour::Labels { labels })
}

fn read_backend(switch: &Fields<'_>, node: &Node, report: &mut Report<'_>) -> Option<Colour> {
    const HELP: &str =
        "write the Service that the path shall lead to: `to: {service: checkout-blue}`";
    let fields = Fields::open(node, "`to`", &["service"], report)?;
    let service = fields.need("service", HELP, report)?;
    let service = fields::name(service, "service", NameKind::Subdomain, report)?;
    let mut text = |field: &str| {
        let node = switch.get(field)?;
        fields::text(node, field, "write it as the Ingress does", report).map(ToOwned::to_owned)
    };
    Some(Colour::Service {
        host: text("host"),
        path: text("path"),
        service: service.to_owned(),
    })
}

/// Reads what is scaled up before, and waited for: traffic is never led to a colour that is not ready.
fn read_up(
    fields: &Fields<'_>,
    name: Option<&str>,
    to: Option<&Colour>,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Option<ScaleUp> {
    let least = fields
        .get("min")
        .and_then(|node| fields::integer(node, "min", (1, MOST_PODS), report));
    let present = fields
        .get("present")
        .and_then(|node| read_target(node, namespace, report));
    let wait = fields
        .get("wait")
        .and_then(|node| fields::duration(node, "wait", report));
    let then_down = read_then_down(fields, report);
    if let (Some(wait), Some(node)) = (wait, fields.get("wait"))
        && wait > MOST_WAIT
    {
        report
            .error(node.span, "`wait` is at most 1h")
            .help("write how long pods may take to get ready, such as `2m`");
        return None;
    }
    let Some(node) = fields.get("target") else {
        report
            .error(
                fields.span,
                "`switch` has no `target`: the workload that has to be ready before the traffic is led to it",
            )
            .help(format!(
                "write the workload of the new colour: `target: Deployment/{}`",
                likely(name, to)
            ));
        return None;
    };
    let target = read_target(node, namespace, report)?;
    let then_down = then_down?;
    if fields.get("min").is_some() && least.is_none() {
        return None;
    }
    Some(ScaleUp {
        target,
        present,
        least: u32::try_from(least.unwrap_or(1)).unwrap_or(1),
        within: wait.unwrap_or(DEFAULT_WAIT),
        then_down,
    })
}

/// Reads after how long what has had the traffic goes; inside, `None`: never.
#[expect(
    clippy::option_option,
    reason = "a mistake is something else than nothing"
)]
fn read_then_down(fields: &Fields<'_>, report: &mut Report<'_>) -> Option<Option<Duration>> {
    const HELP: &str = "write after how long: `thenScaleDown: {after: 30m}`";
    let Some(entry) = fields.entry("thenScaleDown") else {
        return Some(None);
    };
    let then = Fields::open(&entry.value, "`thenScaleDown`", &["after"], report)?;
    let after = then.need("after", HELP, report)?;
    let time = fields::duration(after, "after", report)?;
    if !(LEAST_AFTER..=MOST_AFTER).contains(&time) {
        report
            .error(after.span, "`after` is from 1s to 7d")
            .help("write how long the new colour has to do well, such as `30m`");
        return None;
    }
    if fields.get("present").is_none() {
        report
            .error(
                entry.key_span,
                "`thenScaleDown` needs `present`: which workload has the traffic now",
            )
            .help("write the workload of the old colour: `present: Deployment/checkout-green`");
        return None;
    }
    Some(Some(time))
}

/// What the workload of a colour may be called: an example, and no default. A name that was guessed wrong would only show in
/// an incident.
fn likely(name: Option<&str>, to: Option<&Colour>) -> String {
    match (name, to) {
        (_, Some(Colour::Service { service, .. })) => service.clone(),
        (Some(name), Some(Colour::Labels { labels })) => match labels.values().next() {
            Some(colour) if labels.len() == 1 => format!("{name}-{colour}"),
            Some(_) | None => format!("{name}-blue"),
        },
        (_, _) => "checkout-blue".to_owned(),
    }
}
