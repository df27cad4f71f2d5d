//! Notices about a `GitOps` tool whose self-heal is suspended for a rollback.

use super::{Role, Told, facts, send};
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::notice::{NoticeKind, Severity};
use crate::suspension::Suspension;
use crate::wording::capitalised;

fn owner(suspension: &Suspension) -> String {
    let object = crate::git_sync::object_ref(&suspension.owner);
    format!("{} ({object})", suspension.tool)
}

/// How anybody resumes it, with Recant or without.
fn by_hand(suspension: &Suspension) -> String {
    let object = crate::git_sync::object_ref(&suspension.owner);
    format!(
        "By hand: `recant resume --all --namespace {}`, or switch it on again in the {} yourself.",
        object.namespace, object.kind
    )
}

fn tell(
    turn: &mut Turn<'_>,
    live: &Live,
    suspension: &Suspension,
    (severity, headline): (Severity, String),
    sentences: Vec<String>,
) {
    let told = Told {
        kind: NoticeKind::HeldAgainstGit,
        severity,
        correlation: Some(&suspension.analysis),
        headline,
        sentences,
        facts: facts(live, &[Role::Bad(&suspension.fence.judged)], turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

/// A reminder.
pub(in crate::engine) fn still_suspended(
    turn: &mut Turn<'_>,
    live: &Live,
    suspension: &Suspension,
) {
    let target = &suspension.fence.target;
    let mut sentences = vec![format!(
        "Recant suspended {} so that the rollback of {target} holds, and Git still asks for revision {}.",
        owner(suspension),
        suspension.fence.judged
    )];
    sentences.extend(super::gitops::what_to_commit(
        turn,
        live,
        &suspension.fence.judged,
    ));
    sentences.push(by_hand(suspension));
    let headline = format!("{target}: {} is still suspended", suspension.tool);
    tell(
        turn,
        live,
        suspension,
        (Severity::Warning, headline),
        sentences,
    );
}

/// It is as it was.
pub(in crate::engine) fn sync_resumed(
    turn: &mut Turn<'_>,
    live: &Live,
    suspension: &Suspension,
    reason: &str,
) {
    let target = &suspension.fence.target;
    let headline = format!("{target}: {} goes on", suspension.tool);
    let sentences = vec![
        format!("{}.", capitalised(reason)),
        format!("{} is no longer suspended by Recant.", owner(suspension)),
    ];
    tell(
        turn,
        live,
        suspension,
        (Severity::Info, headline),
        sentences,
    );
}

/// It cannot be resumed now.
pub(in crate::engine) fn not_resumed(
    turn: &mut Turn<'_>,
    live: &Live,
    suspension: &Suspension,
    reason: &str,
) {
    let target = &suspension.fence.target;
    let headline = format!("{target}: {} cannot be resumed", suspension.tool);
    let sentences = vec![
        format!("{}.", capitalised(reason)),
        "Recant tries again every minute.".to_owned(),
        by_hand(suspension),
    ];
    tell(
        turn,
        live,
        suspension,
        (Severity::Critical, headline),
        sentences,
    );
}
