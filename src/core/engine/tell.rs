//! Words for people: what each notice says. A person who reads only the message knows what was wrong, what was done,
//! whether it helped, and where to look.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Effect, Live, Turn};
use crate::analysis::{Analysis, Ending, Phase, WayBack, elapsed};
use crate::guard::{Guard, Hold};
use crate::ids::{AnalysisId, ChannelName, NoticeId, RevisionHash, TargetId};
use crate::judge::{Finding, State};
use crate::notice::{Fact, Notice, NoticeKind, Severity};
use crate::plan::Step;
use crate::record::Record;
use crate::rule::SourceKind;
use crate::saga::{Plan, PlanState};
use crate::verify::{Verification, VerificationEnd};
use crate::wording::span;

/// What differs between notices about one target.
struct Told<'a> {
    kind: NoticeKind,
    severity: Severity,
    correlation: Option<&'a AnalysisId>,
    headline: String,
    sentences: Vec<String>,
    facts: Vec<Fact>,
}

fn send(turn: &mut Turn<'_>, live: &Live, channels: &[ChannelName], told: Told<'_>) {
    let notice = Notice {
        id: NoticeId(String::new()),
        at: turn.now,
        kind: told.kind,
        severity: told.severity,
        watch: Some(live.watch.name.clone()),
        target: Some(live.watch.target.clone()),
        correlation: told.correlation.cloned(),
        headline: told.headline,
        sentences: told.sentences,
        facts: told.facts,
        links: live.watch.links.clone(),
        channels: channels.to_vec(),
    };
    emit(turn, notice);
}

/// Records the notice, also when nobody is to be told: the journal is the audit trail.
fn emit(turn: &mut Turn<'_>, mut notice: Notice) {
    let subject = match (&notice.correlation, &notice.target) {
        (Some(analysis), _) => analysis.to_string(),
        (None, Some(target)) => format!("{}-{}", target.name, turn.now.as_second()),
        (None, None) => format!("recant-{}", turn.now.as_second()),
    };
    notice.id = NoticeId(format!("{subject}-n{}", turn.ledger.notices + 1));
    let channels = notice.channels.clone();
    turn.record(Record::Noticed(Box::new(notice.clone())));
    if !channels.is_empty() {
        turn.output.effects.push(Effect::Notify {
            notice,
            channels,
            repeat: false,
        });
    }
}

pub(super) fn rolling_back(
    turn: &mut Turn<'_>,
    live: &Live,
    analysis: &Analysis,
    plan: &Plan,
    findings: &[Finding],
) {
    let target = &analysis.target;
    let mut sentences = reasons(findings, State::Failing);
    sentences.push(judged_against(analysis));
    sentences.push(what_is_done(plan));
    sentences.extend(way_back_words(&plan.to));
    let told = Told {
        kind: NoticeKind::RollingBack,
        severity: Severity::Critical,
        correlation: Some(&analysis.id),
        headline: format!("Rolling back {target}: revision {} is bad", analysis.canary),
        sentences,
        facts: facts(live, &analysis.canary, Some(&plan.to.revision), turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

/// The release failed, and the watch asks for no action.
pub(super) fn failed_only(turn: &mut Turn<'_>, live: &Live, analysis: &Analysis) {
    let mut sentences = reasons(&live.findings, State::Failing);
    sentences.push(judged_against(analysis));
    sentences.push("Nothing is done: the watch's `onFail` asks for no rollback.".to_owned());
    let told = Told {
        kind: NoticeKind::Held,
        severity: Severity::Critical,
        correlation: Some(&analysis.id),
        headline: format!("{}: revision {} is bad", analysis.target, analysis.canary),
        sentences,
        facts: facts(live, &analysis.canary, None, turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

pub(super) fn rollback_failed(turn: &mut Turn<'_>, live: &Live, plan: &PlanState, reason: &str) {
    let Plan {
        analysis,
        fence,
        to,
        ..
    } = &plan.plan;
    let told = Told {
        kind: NoticeKind::RollbackFailed,
        severity: Severity::Critical,
        correlation: Some(analysis),
        headline: format!("Rollback of {} was not carried out", fence.target),
        sentences: vec![
            format!("{}.", capitalised(reason)),
            format!(
                "The plan was to go from revision {} to {}; it stopped at step {} of {}.",
                fence.judged,
                to.revision,
                plan.next + 1,
                plan.plan.steps.len()
            ),
            "Recant tries nothing further on this release: a person has to look.".to_owned(),
        ],
        facts: facts(live, &fence.judged, Some(&to.revision), turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

pub(super) fn verified(
    turn: &mut Turn<'_>,
    live: &Live,
    verification: &Verification,
    end: &VerificationEnd,
    findings: &[Finding],
) {
    let target = &verification.target;
    let revision = &verification.revision;
    let after = span(elapsed(verification.began, turn.now));
    let who = if verification.plan.is_some() {
        "rolled back"
    } else {
        "taken back by somebody"
    };
    let (kind, severity, headline, mut sentences) = match end {
        VerificationEnd::Gone => (
            NoticeKind::Restored,
            Severity::Info,
            format!("{target} is restored: {who} to revision {revision}, and the symptom is gone"),
            vec![format!("Verified {after} after the last bad pod had gone.")],
        ),
        VerificationEnd::Remains { reason } => (
            NoticeKind::NotRestored,
            Severity::Critical,
            format!("{target} was {who} to revision {revision}, and the symptom remains"),
            vec![
                format!("{reason}."),
                "The release may not be the cause. Recant goes no further back: a person has to look."
                    .to_owned(),
            ],
        ),
        VerificationEnd::Unknown { reason } => (
            NoticeKind::NotRestored,
            Severity::Warning,
            format!("{target} was {who} to revision {revision}; not verified"),
            vec![format!("Whether it helped is not known after {after}: {reason}.")],
        ),
    };
    if matches!(end, VerificationEnd::Gone) {
        sentences.extend(
            findings
                .iter()
                .map(|finding| format!("{}.", finding.sentence)),
        );
    }
    let told = Told {
        kind,
        severity,
        correlation: Some(&verification.analysis),
        headline,
        sentences,
        facts: facts(live, revision, None, turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

/// Holds that people have not been told of yet, in one message.
pub(super) fn held(turn: &mut Turn<'_>, target: &TargetId, live: &Live, holds: Vec<Hold>) {
    // A lost source is told once for all its targets.
    let lost = turn
        .ledger
        .lost_sources
        .contains_key(&live.source(&turn.settings));
    let holds: Vec<Hold> = holds
        .into_iter()
        .filter(|hold| !(lost && hold.guard == Guard::SourceUnavailable))
        .collect();
    let Some(analysis) = turn
        .ledger
        .targets
        .get(target)
        .and_then(|known| known.analysis.clone())
    else {
        return;
    };
    for hold in &holds {
        if let (Guard::NoData, Some(rule)) = (hold.guard, &hold.rule) {
            turn.record(Record::RuleWithoutData {
                target: target.clone(),
                rule: rule.clone(),
                reason: hold.reason.clone(),
            });
        }
    }
    if holds.is_empty() {
        return;
    }
    let failed = analysis.failed.is_some();
    let mut sentences = if failed {
        reasons(&live.findings, State::Failing)
    } else {
        Vec::new()
    };
    for hold in &holds {
        let until = hold
            .until
            .map_or_else(String::new, |until| format!(" Until {until}."));
        sentences.push(format!(
            "Held by guard \"{}\": {}.{until}",
            hold.guard, hold.reason
        ));
    }
    if failed
        && let Some(way_back) = turn
            .ledger
            .targets
            .get(target)
            .and_then(|known| known.way_back(&analysis.canary))
    {
        sentences.push(format!(
            "Without the hold it would go back to revision {}.",
            way_back.revision
        ));
    }
    let only_data = !failed && holds.iter().all(|hold| hold.guard == Guard::NoData);
    let guards: BTreeSet<&str> = holds.iter().map(|hold| hold.guard.as_str()).collect();
    let guards = guards.into_iter().collect::<Vec<_>>().join(", ");
    let (kind, severity, headline) = if failed {
        let headline = format!(
            "{target}: revision {} is bad, and the rollback is held ({guards})",
            analysis.canary
        );
        (NoticeKind::Held, Severity::Critical, headline)
    } else if only_data {
        let headline = format!(
            "{target}: revision {} is watched without data",
            analysis.canary
        );
        (NoticeKind::RuleWithoutData, Severity::Warning, headline)
    } else {
        let headline = format!(
            "{target}: no decision on revision {} ({guards})",
            analysis.canary
        );
        (NoticeKind::Held, Severity::Warning, headline)
    };
    let told = Told {
        kind,
        severity,
        correlation: Some(&analysis.id),
        headline,
        sentences,
        facts: facts(live, &analysis.canary, None, turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

pub(super) fn finished(
    turn: &mut Turn<'_>,
    live: &Live,
    analysis: &Analysis,
    ending: &Ending,
    findings: &[Finding],
) {
    let target = &analysis.target;
    let canary = &analysis.canary;
    let watched = span(elapsed(
        analysis.first_traffic.unwrap_or(analysis.began),
        turn.now,
    ));
    let measured = findings
        .iter()
        .map(|finding| format!("{}.", finding.sentence));
    let (kind, severity, headline, channels, sentences) = match ending {
        Ending::Pass => (
            NoticeKind::Passed,
            Severity::Info,
            format!("{target}: revision {canary} is known good"),
            &live.watch.on_pass,
            std::iter::once(format!("Watched for {watched}; no rule failed."))
                .chain(measured)
                .collect(),
        ),
        Ending::Inconclusive { reason } => (
            NoticeKind::Inconclusive,
            Severity::Warning,
            format!("{target}: no verdict on revision {canary}"),
            &live.watch.on_fail.notify,
            vec![
                format!("Watched for {watched}: {reason}."),
                "It is left as it is, and does not become a way back.".to_owned(),
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
        facts: facts(live, canary, None, turn.now),
    };
    send(turn, live, &channels.clone(), told);
}

pub(super) fn failed_revision_back(
    turn: &mut Turn<'_>,
    live: &Live,
    target: &TargetId,
    revision: &RevisionHash,
    failed: Timestamp,
) {
    let told = Told {
        kind: NoticeKind::FailedRevisionBack,
        severity: Severity::Warning,
        correlation: None,
        headline: format!("{target}: revision {revision}, which failed before, is back"),
        sentences: vec![
            format!("It failed at {failed}."),
            "Somebody shipped it again, so it is not judged and not rolled back: watch it yourself.".to_owned(),
        ],
        facts: facts(live, revision, None, turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

pub(super) fn source_lost(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    source: SourceKind,
    reason: &str,
) {
    let headline = format!("Recant cannot look: {} is unavailable", source_name(source));
    let sentences = vec![
        format!("{}.", capitalised(reason)),
        "No release is judged and nothing is rolled back until it answers again; Recant keeps asking.".to_owned(),
    ];
    about_source(
        turn,
        lives,
        source,
        NoticeKind::SourceUnavailable,
        Severity::Warning,
        headline,
        sentences,
    );
}

pub(super) fn source_back(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    source: SourceKind,
) {
    let headline = format!("Recant can look again: {} answers", source_name(source));
    let sentences = vec!["Releases are judged again.".to_owned()];
    about_source(
        turn,
        lives,
        source,
        NoticeKind::SourceRecovered,
        Severity::Info,
        headline,
        sentences,
    );
}

fn about_source(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    source: SourceKind,
    kind: NoticeKind,
    severity: Severity,
    headline: String,
    sentences: Vec<String>,
) {
    let settings = turn.settings;
    let concerned = lives
        .values()
        .filter(|live| live.source(&settings) == source);
    let channels: BTreeSet<&ChannelName> = concerned
        .flat_map(|live| &live.watch.on_fail.notify)
        .collect();
    let notice = Notice {
        id: NoticeId(String::new()),
        at: turn.now,
        kind,
        severity,
        watch: None,
        target: None,
        correlation: None,
        headline,
        sentences,
        facts: Vec::new(),
        links: Vec::new(),
        channels: channels.into_iter().cloned().collect(),
    };
    emit(turn, notice);
}

fn source_name(source: SourceKind) -> &'static str {
    match source {
        SourceKind::Prometheus => "Prometheus",
        SourceKind::Scrape => "scraping the pods",
    }
}

fn reasons(findings: &[Finding], state: State) -> Vec<String> {
    findings
        .iter()
        .filter(|finding| finding.state == state)
        .map(|finding| format!("{}.", finding.sentence))
        .collect()
}

fn judged_against(analysis: &Analysis) -> String {
    match (analysis.phase, &analysis.baseline) {
        (Phase::Beside, Some(baseline)) => {
            format!("Judged beside revision {baseline}, which ran at the same time.")
        }
        (Phase::Beside, None) | (Phase::Alone, _) => {
            "Judged without a baseline beside it: the old pods had gone.".to_owned()
        }
    }
}

fn what_is_done(plan: &Plan) -> String {
    let to = &plan.to.revision;
    match plan.steps.first() {
        Some(Step::AbortRollout) => format!(
            "The Rollout is aborted: traffic returns to revision {to}. The bad template is still in its spec: commit a good one."
        ),
        Some(Step::UndoRollout { .. }) => {
            format!(
                "The promoted Rollout is undone to revision {to} and promoted in full, without its steps."
            )
        }
        Some(Step::UndoDeployment { .. }) => format!(
            "The Deployment is undone to revision {to}, as `kubectl rollout undo` would. What applied the bad template may do so again."
        ),
        Some(Step::AwaitCurrent { .. } | Step::PromoteFull { .. } | Step::AwaitRestored) | None => {
            format!("It goes back to revision {to}.")
        }
    }
}

fn way_back_words(to: &WayBack) -> Option<String> {
    (!to.known_good).then(|| {
        format!(
            "Revision {} has not passed an analysis of Recant; it is what was stable before the release.",
            to.revision
        )
    })
}

fn facts(
    live: &Live,
    revision: &RevisionHash,
    back_to: Option<&RevisionHash>,
    now: Timestamp,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |label: &str, value: String| {
        facts.push(Fact {
            label: label.to_owned(),
            value,
        });
    };
    fact("Revision", described(live, revision, now));
    if let Some(to) = back_to {
        fact("Back to", described(live, to, now));
    }
    if let Some(state) = &live.state {
        let of = |hash: &RevisionHash| {
            state
                .pods
                .iter()
                .filter(|pod| pod.hash == *hash && pod.ready && !pod.terminating)
                .count()
        };
        let all = state.pods.iter().filter(|pod| !pod.terminating).count();
        fact(
            "Ready pods",
            format!("{} of revision {revision}, {all} pods in all", of(revision)),
        );
    }
    facts
}

fn described(live: &Live, hash: &RevisionHash, now: Timestamp) -> String {
    let revision = live.state.as_ref().and_then(|state| {
        state
            .revisions
            .iter()
            .find(|revision| revision.hash == *hash)
    });
    match revision {
        Some(revision) => format!(
            "{hash} (number {}, {}, {} old)",
            revision.number,
            revision.images.join(", "),
            span(elapsed(revision.created, now))
        ),
        None => hash.to_string(),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
