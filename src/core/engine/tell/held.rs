//! Notices about what is held back, and by which guards.

use std::collections::BTreeSet;

use super::{Role, Told, facts, send, sentences_of};
use crate::analysis::Analysis;
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::guard::{Guard, Hold};
use crate::judge::State;
use crate::notice::{NoticeKind, Severity};
use crate::wording::capitalised;

/// Holds that people have not been told of yet, in one message.
pub(in crate::engine) fn held(
    turn: &mut Turn<'_>,
    live: &Live,
    analysis: &Analysis,
    holds: &[&Hold],
) {
    let target = &analysis.target;
    let canary = &analysis.canary;
    let guards: BTreeSet<&str> = holds.iter().map(|hold| hold.guard.as_str()).collect();
    let guards = guards.into_iter().collect::<Vec<_>>().join(", ");
    let only = |guard: Guard| holds.iter().all(|hold| hold.guard == guard);
    let failed = analysis.failed.is_some();
    let mut sentences = Vec::new();
    if failed {
        sentences.extend(sentences_of(live, State::Failing));
    }
    sentences.extend(holds.iter().map(|hold| sentence(hold)));
    let (kind, severity, headline) = if only(Guard::SymptomGone) {
        sentences = vec![
            "Nothing is rolled back while no rule fails. Should it fail again before the watch is over, Recant rolls \
             back by itself."
                .to_owned(),
        ];
        (
            NoticeKind::Held,
            Severity::Warning,
            format!("{target}: revision {canary} failed, and has stopped failing"),
        )
    } else if failed {
        sentences.extend(what_would_be_done(turn, live, analysis, holds));
        (
            NoticeKind::Held,
            Severity::Critical,
            format!("{target}: revision {canary} is bad, and the rollback is held ({guards})"),
        )
    } else if only(Guard::DryRun) {
        let findings = live.findings();
        let failing = findings
            .iter()
            .filter(|found| found.state == State::Failing && found.dry_run);
        sentences.splice(0..0, failing.map(|found| format!("{}.", found.sentence)));
        sentences.push("Nothing is done.".to_owned());
        (
            NoticeKind::Held,
            Severity::Warning,
            format!("{target}: revision {canary} would have failed (dry run)"),
        )
    } else if only(Guard::NoData) {
        sentences.push(
            "No data is neither good nor bad: nothing is rolled back for it, and without data the revision does not \
             become known good."
                .to_owned(),
        );
        (
            NoticeKind::RuleWithoutData,
            Severity::Warning,
            format!("{target}: revision {canary} is watched without data"),
        )
    } else {
        sentences.push("Nothing is rolled back for it; Recant keeps looking.".to_owned());
        (
            NoticeKind::Held,
            Severity::Warning,
            format!("{target}: no verdict on revision {canary} for now ({guards})"),
        )
    };
    let role = if failed {
        Role::Bad(canary)
    } else {
        Role::Plain(canary)
    };
    let told = Told {
        kind,
        severity,
        correlation: Some(&analysis.id),
        headline,
        sentences,
        facts: facts(live, &[role], turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

fn sentence(hold: &Hold) -> String {
    let until = hold
        .until
        .map_or_else(String::new, |until| format!(" It ends at {until}."));
    if hold.rule.is_some() {
        return format!("{}.{until}", capitalised(&hold.reason));
    }
    format!("Held by guard `{}`: {}.{until}", hold.guard, hold.reason)
}

/// Where it would go back to, and what ends the hold.
fn what_would_be_done(
    turn: &Turn<'_>,
    live: &Live,
    analysis: &Analysis,
    holds: &[&Hold],
) -> Vec<String> {
    let known = turn.known(&analysis.target);
    let to = known.and_then(|known| known.destination(&analysis.canary, live.state.as_ref()));
    let Some(to) = to else { return Vec::new() };
    let any = |guard: Guard| holds.iter().any(|hold| hold.guard == guard);
    if any(Guard::NoWayBack) {
        return Vec::new();
    }
    let commit = any(Guard::GitOps)
        .then(|| super::gitops::lines(live, &analysis.canary, &to.revision))
        .flatten();
    let to = super::way_back(&to);
    if any(Guard::DryRun) {
        return vec![format!("Without the dry run it would go back to {to}.")];
    }
    if any(Guard::GitOps) {
        let without = format!("Without that it would go back to {to}.");
        return std::iter::once(without).chain(commit).collect();
    }
    vec![
        format!("Without the hold it would go back to {to}."),
        "When the hold ends while the rule still fails, Recant rolls back by itself.".to_owned(),
    ]
}
