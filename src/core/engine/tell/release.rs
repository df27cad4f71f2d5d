//! Notices about a release that nothing is done about: it passed, it is unclear, or it is bad and stays.

use jiff::Timestamp;

use super::{Role, Told, facts, full, judged_against, send, sentences_of, sentences_of_findings};
use crate::analysis::{Analysis, Ending};
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::ids::RevisionHash;
use crate::judge::State;
use crate::notice::{NoticeKind, Severity};
use crate::time::elapsed;
use crate::wording::span;

/// The release failed, and the watch asks for no action.
pub(in crate::engine) fn failed_only(turn: &mut Turn<'_>, live: &Live, analysis: &Analysis) {
    let mut sentences = sentences_of(live, State::Failing);
    sentences.push(judged_against(analysis.phase, analysis.baseline.as_ref()));
    sentences.push(
        "Nothing is done: the `onFail` of the watch asks for no rollback. Take it back by hand."
            .to_owned(),
    );
    let told = Told {
        kind: NoticeKind::Held,
        severity: Severity::Critical,
        correlation: Some(&analysis.id),
        headline: format!("{}: revision {} is bad", analysis.target, analysis.canary),
        sentences,
        facts: facts(live, &[Role::Bad(&analysis.canary)], turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

/// The release failed, the rollback was held back, and now the watch is over.
pub(in crate::engine) fn never_rolled_back(turn: &mut Turn<'_>, live: &Live, analysis: &Analysis) {
    let known = turn.known(&analysis.target);
    let held = known.map_or_else(Vec::new, |known| known.holds.clone());
    let judged = known.and_then(|known| known.judged.clone());
    let mut sentences = judged.map_or_else(Vec::new, |judged| {
        vec![format!(
            "It was found bad {} ago.",
            span(elapsed(judged.at, turn.now))
        )]
        .into_iter()
        .chain(full(judged.sentences.iter().map(String::as_str)))
        .collect()
    });
    sentences.extend(held.iter().map(|hold| {
        format!(
            "The rollback was held to the end by guard `{}`: {}.",
            hold.guard, hold.reason
        )
    }));
    sentences.push(
        "Recant does nothing more about it: take it back by hand, or ship a good version."
            .to_owned(),
    );
    let told = Told {
        kind: NoticeKind::Held,
        severity: Severity::Critical,
        correlation: Some(&analysis.id),
        headline: format!(
            "{}: the watch of revision {} is over; it failed, and is still there",
            analysis.target, analysis.canary
        ),
        sentences,
        facts: facts(live, &[Role::Bad(&analysis.canary)], turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

/// The watch ended with Pass, or without a verdict.
pub(in crate::engine) fn finished(
    turn: &mut Turn<'_>,
    live: &Live,
    analysis: &Analysis,
    ending: &Ending,
) {
    let target = &analysis.target;
    let canary = &analysis.canary;
    let since = analysis.first_traffic.unwrap_or(analysis.began);
    let watched = span(elapsed(since, turn.now));
    let (kind, severity, headline, channels, sentences) = match ending {
        Ending::Pass => {
            let mut sentences = vec![format!("It was watched for {watched}, and no rule failed.")];
            sentences.extend(sentences_of_findings(&live.findings()));
            (
                NoticeKind::Passed,
                Severity::Info,
                format!("{target}: revision {canary} is known good"),
                &live.watch.on_pass,
                sentences,
            )
        }
        Ending::Inconclusive { reason } => (
            NoticeKind::Inconclusive,
            Severity::Warning,
            format!("{target}: no verdict on revision {canary}"),
            &live.watch.on_fail.notify,
            vec![
                format!("It was watched for {watched}: {reason}."),
                "It stays as it is, and does not count as known good.".to_owned(),
            ],
        ),
        Ending::Fail | Ending::Superseded { .. } => return,
    };
    let told = Told {
        kind,
        severity,
        correlation: Some(&analysis.id),
        headline,
        sentences,
        facts: facts(live, &[Role::Plain(canary)], turn.now),
    };
    send(turn, live, channels, told);
}

/// A revision that failed is shipped again.
pub(in crate::engine) fn failed_revision_back(
    turn: &mut Turn<'_>,
    live: &Live,
    revision: &RevisionHash,
    failed: Timestamp,
) {
    let target = &live.watch.target;
    let known = turn.known(target);
    let judged = known
        .and_then(|known| known.judged.clone())
        .filter(|judged| judged.canary == *revision);
    let found_by = known.and_then(|known| known.failed_by(revision).cloned());
    let mut sentences = vec![format!(
        "It failed {} ago.",
        span(elapsed(failed, turn.now))
    )];
    if let Some(judged) = &judged {
        sentences.extend(full(judged.sentences.iter().map(String::as_str)));
    }
    sentences.push(super::gitops::shipped_again(live));
    sentences.extend(super::gitops::what_to_commit(turn, live, revision));
    let told = Told {
        kind: NoticeKind::FailedRevisionBack,
        severity: Severity::Warning,
        correlation: found_by.as_ref(),
        headline: format!("{target}: revision {revision}, which failed before, is back"),
        sentences,
        facts: facts(live, &[Role::Bad(revision)], turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}
