//! `Runbook` documents: steps that are done as one, and that watches name with `run`.

use super::actions::{Action, actions, notify};
use super::document::{self, Namespaced};
use super::drafts::{RunbookDraft, Site, TaskDraft, What};
use super::fields::{self, Fields};
use super::report::Report;
use super::tasks;
use super::tree::Node;
use crate::rule::WhenStuck;

const RUNBOOK: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "steps",
    "undo",
    "whenStuck",
];

/// Reads a runbook; `None` when it has no readable name.
pub(super) fn read(node: &Node, file: usize, report: &mut Report<'_>) -> Option<RunbookDraft> {
    const HELP: &str = "write the steps in order: `steps: [{scale: {target: Deployment/api, replicas: 10}}, {notify: [oncall]}]`";
    let fields = Fields::open(node, "a runbook", RUNBOOK, report)?;
    let metadata = document::metadata(&fields, Namespaced::Maybe, report);
    let before = report.errors();
    let mut tasks: Vec<TaskDraft> = Vec::new();
    let mut channels = Vec::new();
    let known = [
        "scale", "setEnv", "annotate", "apply", "shift", "switch", "webhook", "run", "notify",
    ];
    let list = fields.need("steps", HELP, report);
    for action in list.map_or_else(Vec::new, |node| {
        actions(node, "steps", "a step of a runbook", &known, HELP, report)
    }) {
        match &action {
            Action::Notify(node) => notify(node, &mut channels, file, report),
            // In which namespace, the watch says that runs it.
            _ => tasks.extend(tasks::read(&action, Some(""), file, report)),
        }
    }
    if let Some((namespace, _)) = metadata.namespace {
        for draft in &mut tasks {
            if let What::Task(task) = &mut draft.what {
                task.belong_to(namespace);
            }
        }
    }
    if let (Some(node), true) = (list, tasks.is_empty() && report.errors() == before) {
        report
            .error(node.span, "this runbook changes nothing")
            .help(HELP);
    }
    let undo = fields
        .get("undo")
        .and_then(|node| fields::duration(node, "undo", report));
    let when_stuck = fields
        .get("whenStuck")
        .and_then(|node| read_when_stuck(node, report))
        .unwrap_or_default();
    let (name, at) = metadata.name?;
    Some(RunbookDraft {
        name: name.to_owned(),
        namespace: metadata
            .namespace
            .map(|(namespace, _)| namespace.to_owned()),
        site: Site {
            file,
            span: at.span,
        },
        tasks,
        channels,
        undo,
        when_stuck,
    })
}

fn read_when_stuck(node: &Node, report: &mut Report<'_>) -> Option<WhenStuck> {
    const HELP: &str = "write `stop` (the default), `goOn` or `undo`";
    let text = fields::text(node, "whenStuck", HELP, report)?;
    Some(match text {
        "stop" => WhenStuck::Stop,
        "goOn" => WhenStuck::GoOn,
        "undo" => WhenStuck::Undo,
        _ => {
            report
                .error(
                    node.span,
                    format!("`whenStuck` cannot be {}", super::excerpt::quoted(text)),
                )
                .help(HELP);
            return None;
        }
    })
}
