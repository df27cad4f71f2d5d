//! Actions that change something: `scale`, `setEnv`, `annotate`, `webhook`, and `run`, which names a `Runbook`.

mod manifest;
mod webhook;

use std::time::Duration;

use super::actions::Action;
use super::always::read_scale;
use super::drafts::{Site, TaskDraft, What};
use super::excerpt::quoted;
use super::fields::{self, Fields, NameKind};
use super::nearest::nearest;
use super::report::Report;
use super::traffic;
use super::tree::Node;
use crate::change::ObjectRef;
use crate::rule::{EvidenceRule, Task};

/// Kinds whose `apiVersion` need not be written.
const KINDS: [(&str, &str); 9] = [
    ("Deployment", "apps/v1"),
    ("StatefulSet", "apps/v1"),
    ("DaemonSet", "apps/v1"),
    ("Rollout", "argoproj.io/v1alpha1"),
    ("CronJob", "batch/v1"),
    ("Service", "v1"),
    ("ConfigMap", "v1"),
    ("Ingress", "networking.k8s.io/v1"),
    ("HorizontalPodAutoscaler", "autoscaling/v2"),
];
/// Kinds that have containers.
const WITH_PODS: [&str; 5] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Rollout",
    "CronJob",
];
/// The longest value of a variable; far below what an object may hold.
const LONGEST_VALUE: usize = 4096;
/// Lines of a log that are kept, when the document does not say, and at most.
const LINES: u32 = 1000;
const MOST_LINES: u64 = 100_000;
/// Pods that are not ready after this long never will be.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Reads an action, if it is one that changes something. Objects lie in the namespace of the watch, which is looked up
/// later where `namespace` is not given.
pub(super) fn read(
    action: &Action<'_>,
    namespace: Option<&str>,
    file: usize,
    report: &mut Report<'_>,
) -> Option<TaskDraft> {
    let (what, node, undo) = match action {
        Action::Rollback(..) | Action::Notify(_) => return None,
        Action::Scale(node) => {
            let scale = read_scale(node, namespace, report);
            let ready = wait(node, report);
            let evidence = evidence(node, report);
            let scale = scale?;
            let undo = scale.undo_after;
            let task = Task::Scale {
                scale,
                ready,
                evidence,
            };
            (What::Task(Box::new(task)), node, undo)
        }
        Action::SetEnv(node) => {
            let (task, undo) = set_env(node, namespace, report)?;
            (What::Task(Box::new(task)), node, undo)
        }
        Action::Annotate(node) => {
            let (task, undo) = annotate(node, namespace, report)?;
            (What::Task(Box::new(task)), node, undo)
        }
        Action::Apply(node) => (
            What::Task(Box::new(manifest::read(node, namespace, report)?)),
            node,
            None,
        ),
        Action::Shift(node) => {
            let (task, undo) = traffic::read_shift(node, namespace, report)?;
            (What::Task(Box::new(task)), node, undo)
        }
        Action::Webhook(node) => (
            What::Task(Box::new(webhook::read(node, namespace, report)?)),
            node,
            None,
        ),
        Action::Switch(node) => {
            let (task, undo) = traffic::read_switch(node, namespace, report)?;
            (What::Task(Box::new(task)), node, undo)
        }
        Action::Run(node) => {
            const HELP: &str = "name a document of kind Runbook: `run: emergency`";
            let name = fields::text(node, "run", HELP, report)?;
            (What::Run(name.to_owned()), node, None)
        }
    };
    Some(TaskDraft {
        what,
        undo,
        site: Site {
            file,
            span: node.span,
        },
    })
}

/// How long the next step waits for the pods of a scaling.
fn wait(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let super::tree::Kind::Map(entries) = &node.kind else {
        return None;
    };
    let entry = entries.iter().find(|entry| entry.key == "wait")?;
    let wait = fields::duration(&entry.value, "wait", report)?;
    if wait > LONGEST_WAIT {
        report
            .error(entry.value.span, "`wait` is at most 1h")
            .help("write how long pods may take to get ready, such as `2m`");
        return None;
    }
    Some(wait)
}

/// What is kept before all pods go.
fn evidence(node: &Node, report: &mut Report<'_>) -> Option<EvidenceRule> {
    const HELP: &str = "write `evidence: {}`, or `evidence: {lines: 500, required: true}`";
    let super::tree::Kind::Map(entries) = &node.kind else {
        return None;
    };
    let entry = entries.iter().find(|entry| entry.key == "evidence")?;
    if entry.value.is_null() {
        report
            .error(entry.key_span, "`evidence` has no value")
            .help(HELP);
        return None;
    }
    let known = ["lines", "required", "folder"];
    let fields = Fields::open(&entry.value, "`evidence`", &known, report)?;
    let lines = fields
        .get("lines")
        .and_then(|node| fields::integer(node, "lines", (1, MOST_LINES), report));
    let required = fields
        .get("required")
        .and_then(|node| fields::boolean(node, "required", report));
    let folder = match fields.get("folder") {
        None => None,
        Some(node) => Some(evidence_folder(node, report)?),
    };
    Some(EvidenceRule {
        lines: lines
            .and_then(|lines| u32::try_from(lines).ok())
            .unwrap_or(LINES),
        required: required.unwrap_or(false),
        folder,
    })
}

/// An absolute path on the agent's own disk.
fn evidence_folder(node: &Node, report: &mut Report<'_>) -> Option<String> {
    const HELP: &str = "write `evidence: {folder: /var/lib/recant/evidence}`";
    if report.is_of_a_team() {
        report
            .error(
                node.span,
                "`folder` is on the agent's own disk, and this document is not the agent's",
            )
            .help("leave it out: then the evidence is kept in a ConfigMap of this namespace");
        return None;
    }
    let folder = fields::text(node, "folder", HELP, report)?;
    let good = folder.starts_with('/')
        && folder.len() <= 1000
        && !folder.chars().any(char::is_control)
        && folder.split('/').all(|part| part != "..");
    if !good {
        report
            .error(node.span, "`folder` is no absolute path of a folder")
            .help(HELP);
    }
    good.then(|| folder.to_owned())
}

fn set_env(
    node: &Node,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Option<(Task, Option<Duration>)> {
    const HELP: &str = "write `setEnv: {target: Deployment/api, name: LOG_LEVEL, value: DEBUG}`";
    const KNOWN: [&str; 6] = ["target", "apiVersion", "container", "name", "value", "undo"];
    let fields = Fields::open(node, "`setEnv`", &KNOWN, report)?;
    let object = target(&fields, &WITH_PODS, HELP, namespace, report);
    let container = fields
        .get("container")
        .and_then(|node| fields::name(node, "container", NameKind::Label, report));
    let name = fields.need("name", HELP, report).and_then(|node| {
        let name = fields::text(node, "name", HELP, report)?;
        let good = !name.is_empty()
            && name.len() <= 256
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
            && !name.starts_with(|first: char| first.is_ascii_digit());
        if !good {
            report
                .error(
                    node.span,
                    format!("no variable can be called {}", quoted(name)),
                )
                .help("letters, digits, `_`, `-` and `.`, and no digit first: `LOG_LEVEL`");
        }
        good.then(|| name.to_owned())
    });
    let value = fields
        .need("value", HELP, report)
        .and_then(|node| text(node, report));
    let undo = undo(&fields, report);
    let task = Task::SetEnv {
        object: object?,
        container: container.map(str::to_owned),
        name: name?,
        value: value?,
    };
    Some((task, undo))
}

fn annotate(
    node: &Node,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Option<(Task, Option<Duration>)> {
    const HELP: &str = "write `annotate: {target: Service/api, key: example.org/mode, value: maintenance}`; without `value` it is removed";
    const KNOWN: [&str; 5] = ["target", "apiVersion", "key", "value", "undo"];
    let fields = Fields::open(node, "`annotate`", &KNOWN, report)?;
    let object = target(&fields, &[], HELP, namespace, report);
    let key = fields.need("key", HELP, report).and_then(|node| {
        let key = fields::text(node, "key", HELP, report)?;
        if key.starts_with("recant.dev/") {
            report
                .error(node.span, "annotations `recant.dev/…` are Recant's own")
                .help("a kill switch is set by a person; choose a key of your own");
            return None;
        }
        let name = key.rsplit('/').next().unwrap_or_default();
        let good = !name.is_empty()
            && name.len() <= 63
            && key.len() <= 317
            && key.matches('/').count() <= 1
            && key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
        if !good {
            report
                .error(
                    node.span,
                    format!("no annotation can be called {}", quoted(key)),
                )
                .help("write a name, or one behind a domain: `example.org/mode`");
        }
        good.then(|| key.to_owned())
    });
    let value = fields.get("value").map(|node| text(node, report));
    let undo = undo(&fields, report);
    let value = match value {
        None => None,
        Some(value) => Some(value?),
    };
    let task = Task::Annotate {
        object: object?,
        key: key?,
        value,
    };
    Some((task, undo))
}

fn text(node: &Node, report: &mut Report<'_>) -> Option<String> {
    const HELP: &str = "write the text, in quotes where it looks like something else: `\"true\"`";
    let text = fields::text(node, "value", HELP, report)?;
    if text.len() > LONGEST_VALUE {
        report
            .error(
                node.span,
                format!("`value` has more than {LONGEST_VALUE} bytes"),
            )
            .help("keep long texts in a ConfigMap, and name that");
        return None;
    }
    Some(text.to_owned())
}

fn undo(fields: &Fields<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let node = fields.get("undo")?;
    fields::duration(node, "undo", report)
}

/// `Deployment/api`; other kinds with their `apiVersion`. `among`: only these kinds; empty: all.
fn target(
    fields: &Fields<'_>,
    among: &[&str],
    help: &str,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Option<ObjectRef> {
    let version = fields
        .get("apiVersion")
        .and_then(|node| fields::text(node, "apiVersion", "such as `v1`", report));
    let node = fields.need("target", help, report)?;
    let text = fields::text(node, "target", help, report)?;
    let parts = text.split_once('/');
    let Some((kind, name)) = parts.filter(|(_, name)| fields::is_name(name, NameKind::Subdomain))
    else {
        report
            .error(node.span, format!("`target` cannot be {}", quoted(text)))
            .help(help);
        return None;
    };
    if !among.is_empty() && !among.contains(&kind) {
        report
            .error(node.span, format!("{} has no containers", quoted(kind)))
            .help(match nearest(kind, among.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the kinds are {}", fields::listed(among)),
            });
        return None;
    }
    let known = KINDS.iter().find(|(known, _)| *known == kind);
    let Some(api_version) = version.or(known.map(|(_, version)| *version)) else {
        let kinds = KINDS.iter().map(|(kind, _)| *kind);
        report
            .error(
                node.span,
                format!("the API version of {} is not known here", quoted(kind)),
            )
            .help(match nearest(kind, kinds) {
                Some(near) => format!("did you mean `{near}`? Else write its `apiVersion` besides"),
                None => "write its `apiVersion` besides, such as `apiVersion: example.org/v1`"
                    .to_owned(),
            });
        return None;
    };
    Some(ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace?.to_owned(),
        name: name.to_owned(),
    })
}
