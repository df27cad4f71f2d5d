//! Lists of actions, as in `onFail` and `onPass` of a watch: what is done, and who is told.

use super::drafts::{Reference, Site, TaskDraft};
use super::excerpt::quoted;
use super::fields::{self, Fields};
use super::report::{Report, Span};
use super::tasks;
use super::tree::{Kind, Node};
use crate::rule::StuckPods;

/// What `onFail` says.
pub(super) struct OnFailDraft {
    pub(super) rollback: bool,
    pub(super) stuck_pods: StuckPods,
    pub(super) tasks: Vec<TaskDraft>,
    pub(super) approval: bool,
    pub(super) notify: Vec<Reference>,
}

/// Reads `onFail`; left out, a failed release is taken back.
pub(super) fn read_on_fail(
    watch: &Fields<'_>,
    namespace: Option<&str>,
    file: usize,
    report: &mut Report<'_>,
) -> OnFailDraft {
    const HELP: &str =
        "write `onFail: [{rollback: {}}, {notify: [oncall]}]`; left out it is `[{rollback: {}}]`";
    let mut draft = OnFailDraft {
        rollback: false,
        stuck_pods: StuckPods::Tell,
        tasks: Vec::new(),
        approval: false,
        notify: Vec::new(),
    };
    let Some(entry) = watch.entry("onFail") else {
        // Taking a bad release back is what a watch is for (semantics.md: the default is to act).
        draft.rollback = true;
        return draft;
    };
    if matches!(&entry.value.kind, Kind::List(items) if items.is_empty()) {
        report
            .warn(
                entry.value.span,
                "with an empty `onFail` a failed release is neither taken back nor told",
            )
            .help(HELP);
        return draft;
    }
    for action in actions(
        &entry.value,
        "onFail",
        "an action of `onFail`",
        &[
            "rollback", "scale", "setEnv", "annotate", "apply", "shift", "switch", "webhook",
            "run", "notify",
        ],
        HELP,
        report,
    ) {
        match action {
            Action::Notify(channels) => notify(channels, &mut draft.notify, file, report),
            Action::Scale(_)
            | Action::SetEnv(_)
            | Action::Annotate(_)
            | Action::Shift(_)
            | Action::Switch(_)
            | Action::Run(_)
            | Action::Webhook(_)
            | Action::Apply(_) => {
                draft
                    .tasks
                    .extend(tasks::read(&action, namespace, file, report));
            }
            Action::Rollback(node, key) => {
                if draft.rollback {
                    report
                        .error(key, "`rollback` is given twice")
                        .help("leave one of them out");
                }
                draft.rollback = true;
                if node.is_null() {
                    report
                        .error(key, "`rollback` has no value")
                        .help("write `rollback: {}`");
                } else {
                    (draft.stuck_pods, draft.approval) = read_rollback(node, report);
                }
            }
        }
    }
    draft
}

/// Reads what is in `rollback`: what is done with stuck pods, and whether a person has to agree.
fn read_rollback(node: &Node, report: &mut Report<'_>) -> (StuckPods, bool) {
    let known = ["deleteStuckPods", "approval"];
    let Some(fields) = Fields::open(node, "`rollback`", &known, report) else {
        return (StuckPods::Tell, false);
    };
    let delete = fields
        .get("deleteStuckPods")
        .and_then(|node| fields::boolean(node, "deleteStuckPods", report));
    let stuck_pods = if delete == Some(true) {
        StuckPods::Delete
    } else {
        StuckPods::Tell
    };
    let approval = fields.get("approval");
    let approval = approval.is_some_and(|node| read_approval(node, report));
    (stuck_pods, approval)
}

fn read_approval(node: &Node, report: &mut Report<'_>) -> bool {
    const HELP: &str =
        "write `rollback: {approval: required}`, or leave it out: then the settings say";
    match fields::text(node, "approval", HELP, report) {
        Some("required") => true,
        Some(other) => {
            report
                .error(node.span, format!("`approval` cannot be {}", quoted(other)))
                .help(HELP);
            false
        }
        None => false,
    }
}

/// Reads `onPass`: the channels that are told.
pub(super) fn read_on_pass(
    watch: &Fields<'_>,
    file: usize,
    report: &mut Report<'_>,
) -> Vec<Reference> {
    const HELP: &str = "write `onPass: [{notify: [deployments]}]`, or leave it out";
    let mut channels = Vec::new();
    let Some(entry) = watch.entry("onPass") else {
        return channels;
    };
    if matches!(&entry.value.kind, Kind::List(items) if items.is_empty()) {
        return channels;
    }
    for action in actions(
        &entry.value,
        "onPass",
        "an action of `onPass`",
        &["notify"],
        HELP,
        report,
    ) {
        if let Action::Notify(node) = action {
            notify(node, &mut channels, file, report);
        }
    }
    channels
}

/// One action of a list, with the place of its name where that is needed.
pub(super) enum Action<'n> {
    Rollback(&'n Node, Span),
    Scale(&'n Node),
    SetEnv(&'n Node),
    Annotate(&'n Node),
    Shift(&'n Node),
    Switch(&'n Node),
    Run(&'n Node),
    Apply(&'n Node),
    Webhook(&'n Node),
    Notify(&'n Node),
}

/// The actions of a list, one in each entry.
pub(super) fn actions<'n>(
    node: &'n Node,
    field: &str,
    what: &'static str,
    known: &[&str],
    help: &str,
    report: &mut Report<'_>,
) -> Vec<Action<'n>> {
    let mut actions = Vec::new();
    for item in fields::list(node, field, help, report).unwrap_or_default() {
        if let Kind::Scalar(scalar) = &item.kind
            && known.contains(&scalar.text.as_str())
        {
            let fix = match scalar.text.as_str() {
                "rollback" => "write `- rollback: {}`",
                "scale" => "write `- scale: {target: Deployment/worker, replicas: 5}`",
                "setEnv" => {
                    "write `- setEnv: {target: Deployment/api, name: LOG_LEVEL, value: DEBUG}`"
                }
                "annotate" => {
                    "write `- annotate: {target: Service/api, key: example.org/mode, value: a}`"
                }
                "apply" => "write `- apply: {manifest: {apiVersion: v1, kind: ConfigMap, …}}`",
                "shift" => {
                    "write `- shift: {route: {kind: HTTPRoute, name: checkout}, canary: checkout-canary, to: 0%}`"
                }
                "switch" => {
                    "write `- switch: {service: checkout, to: {color: blue}, target: Deployment/checkout-blue}`"
                }
                "webhook" => "write `- webhook: {url: 'https://hooks.example.org/drain'}`",
                "run" => "write `- run: emergency`, with the name of a Runbook",
                _ => "write `- notify: [oncall]`, with names of channels",
            };
            report
                .error(
                    item.span,
                    format!("{what} must be a mapping, and is a single value"),
                )
                .help(fix);
            continue;
        }
        let Some(fields) = Fields::open(item, what, known, report) else {
            continue;
        };
        let Kind::Map(entries) = &item.kind else {
            continue;
        };
        match entries.as_slice() {
            [] => {
                report
                    .error(item.span, format!("{what} is empty"))
                    .help(help);
            }
            [_] => {}
            [_, second, ..] => {
                if !fields.unclear() {
                    report
                        .error(second.key_span, format!("{what} has more than one field"))
                        .help("begin each action with a `-` of its own");
                }
            }
        }
        for entry in entries {
            match entry.key.as_str() {
                "rollback" if known.contains(&"rollback") => {
                    actions.push(Action::Rollback(&entry.value, entry.key_span));
                }
                "scale" if known.contains(&"scale") => {
                    actions.push(Action::Scale(&entry.value));
                }
                "setEnv" if known.contains(&"setEnv") => {
                    actions.push(Action::SetEnv(&entry.value));
                }
                "annotate" if known.contains(&"annotate") => {
                    actions.push(Action::Annotate(&entry.value));
                }
                "apply" if known.contains(&"apply") => {
                    actions.push(Action::Apply(&entry.value));
                }
                "shift" if known.contains(&"shift") => {
                    actions.push(Action::Shift(&entry.value));
                }
                "switch" if known.contains(&"switch") => {
                    actions.push(Action::Switch(&entry.value));
                }
                "webhook" if known.contains(&"webhook") => {
                    actions.push(Action::Webhook(&entry.value));
                }
                "run" if known.contains(&"run") => {
                    actions.push(Action::Run(&entry.value));
                }
                "notify" => actions.push(Action::Notify(&entry.value)),
                _ => {}
            }
        }
    }
    actions
}

pub(super) fn notify(
    node: &Node,
    channels: &mut Vec<Reference>,
    file: usize,
    report: &mut Report<'_>,
) {
    const HELP: &str = "write a list of channels: `notify: [oncall]`";
    let items = fields::list(node, "notify", HELP, report).unwrap_or_default();
    references(items, "notify", HELP, channels, file, report);
}

/// Adds the names in a list to `references`.
pub(super) fn references(
    items: &[Node],
    field: &str,
    help: &str,
    references: &mut Vec<Reference>,
    file: usize,
    report: &mut Report<'_>,
) {
    for item in items {
        let Some(name) = fields::text(item, field, help, report) else {
            continue;
        };
        if references.iter().any(|other| other.name == name) {
            report
                .error(item.span, format!("{} is named twice", quoted(name)))
                .help("leave one of them out");
            continue;
        }
        // Enough for every watch; and the search above stays quick.
        if references.len() >= 1_000 {
            report
                .error(item.span, format!("`{field}` names more than 1000 things"))
                .help("is this the right file?");
            break;
        }
        references.push(Reference {
            name: name.to_owned(),
            site: Site {
                file,
                span: item.span,
            },
        });
    }
}
