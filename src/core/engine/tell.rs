//! Words for people: what each notice says. A person who reads only the message knows what was wrong, what was done,
//! whether it helped, and where to look.

mod approval;
mod gitops;
mod held;
mod incident;
mod operation;
mod ordered;
mod pause;
mod release;
mod reload;
mod rollback;
mod source;
mod stepping;
mod suspension;

pub(super) use approval::approval_asked;
pub(super) use gitops::held_against_git;
pub(super) use held::held;
pub(super) use incident::{
    incident_began, incident_ended, not_scaled, scaled, scaling_failed, scaling_held, undone,
    without_data,
};
pub(super) use operation::{
    operation, operation_held, operation_left, operation_settled, operation_undo_held,
};
pub(super) use ordered::ordered;
pub(super) use pause::{left_paused, pause_ended, paused};
pub(super) use release::{failed_only, failed_revision_back, finished, never_rolled_back};
pub(super) use reload::{reload_refused, reloaded};
pub(super) use rollback::{rollback_failed, rolling_back, rolling_back_for, verified};
pub(super) use source::{source_back, source_lost};
pub(super) use stepping::stepping;
pub(super) use suspension::{not_resumed, still_suspended, sync_resumed};

use jiff::Timestamp;

use super::live::Live;
use super::{Effect, Turn, silences};
use crate::analysis::WayBack;
use crate::ids::{AnalysisId, ChannelName, NoticeId, RevisionHash};
use crate::judge::Phase;
use crate::judge::{Finding, State};
use crate::notice::{Fact, Notice, NoticeKind, Severity};
use crate::record::Record;
use crate::time::elapsed;
use crate::wording::{listed, plural, short, span};

/// A message has at most this many sentences,
const MOST_SENTENCES: usize = 24;
/// and each at most this many characters: some quote texts from outside.
const LONGEST_SENTENCE: usize = 700;

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
    let target = &live.watch.target;
    if once(told.kind)
        && told.correlation.is_some()
        && turn.known(target).is_some_and(|known| {
            known.latest.as_ref() == told.correlation && known.said.contains(&told.kind)
        })
    {
        // It was told by the process before, of which the journal was cut off behind the notice.
        return;
    }
    let notice = Notice {
        id: NoticeId(String::new()),
        at: turn.now,
        kind: told.kind,
        severity: told.severity,
        watch: Some(live.watch.name.clone()),
        target: Some(target.clone()),
        correlation: told.correlation.cloned(),
        headline: told.headline,
        sentences: told.sentences,
        facts: told.facts,
        links: live.watch.links.clone(),
        channels: channels.to_vec(),
    };
    emit(turn, notice);
}

/// Kinds of which there is one at most in an incident.
fn once(kind: NoticeKind) -> bool {
    match kind {
        NoticeKind::RollingBack
        | NoticeKind::Restored
        | NoticeKind::NotRestored
        | NoticeKind::RollbackFailed
        | NoticeKind::Passed
        | NoticeKind::Paused
        | NoticeKind::PauseEnded
        | NoticeKind::LeftPaused
        | NoticeKind::Inconclusive => true,
        NoticeKind::Held
        | NoticeKind::SourceUnavailable
        | NoticeKind::SourceRecovered
        | NoticeKind::RuleWithoutData
        | NoticeKind::FailedRevisionBack
        | NoticeKind::HeldAgainstGit
        | NoticeKind::IncidentBegan
        | NoticeKind::Scaled
        | NoticeKind::ScalingHeld
        | NoticeKind::ScalingFailed
        | NoticeKind::ScalingUndone
        | NoticeKind::IncidentEnded
        | NoticeKind::OperationBegan
        | NoticeKind::OperationEnded
        | NoticeKind::OperationHeld
        | NoticeKind::OperationUndone
        | NoticeKind::Traffic
        | NoticeKind::TrafficHeld
        | NoticeKind::Ordered
        | NoticeKind::ReloadFailed
        | NoticeKind::Reloaded => false,
    }
}

/// An id that no notice had before.
pub(super) fn id_of(turn: &Turn<'_>, notice: &Notice) -> NoticeId {
    let subject = match (&notice.correlation, &notice.target) {
        (Some(analysis), _) => analysis.to_string(),
        (None, Some(target)) => format!("{}-{}", target.name, turn.now.as_second()),
        (None, None) => format!("recant-{}", turn.now.as_second()),
    };
    NoticeId(format!("{subject}-n{}", turn.ledger.notices + 1))
}

/// Records the notice, also when nobody is to be told: the journal is the audit trail.
fn emit(turn: &mut Turn<'_>, mut notice: Notice) {
    notice.id = id_of(turn, &notice);
    notice.sentences.truncate(MOST_SENTENCES);
    for sentence in &mut notice.sentences {
        *sentence = short(sentence, LONGEST_SENTENCE);
    }
    if !notice.channels.is_empty() {
        let Some(told) = silences::hold(turn, notice) else {
            return;
        };
        notice = told;
    }
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

/// What the rules of a state say, one sentence each; of those that decide.
fn sentences_of(live: &Live, state: State) -> Vec<String> {
    let findings = live.findings();
    let deciding = findings
        .iter()
        .filter(|finding| finding.state == state && !finding.dry_run);
    full(deciding.map(|finding| finding.sentence.as_str()))
}

/// Sentences with their full stop. Beyond ten they are counted.
fn full<'a>(sentences: impl Iterator<Item = &'a str>) -> Vec<String> {
    const SHOWN: usize = 10;
    let all: Vec<&str> = sentences.collect();
    let mut full: Vec<String> = all
        .iter()
        .take(SHOWN)
        .map(|sentence| format!("{sentence}."))
        .collect();
    if all.len() > SHOWN {
        full.push(format!("And {}.", plural(all.len() - SHOWN, "more rule")));
    }
    full
}

fn sentences_of_findings(findings: &[Finding]) -> Vec<String> {
    full(findings.iter().map(|finding| finding.sentence.as_str()))
}

/// What the verdict was made from besides the numbers.
fn judged_against(phase: Phase, baseline: Option<&RevisionHash>) -> String {
    match (phase, baseline) {
        (Phase::Beside, Some(baseline)) => {
            format!("It was judged beside revision {baseline}, which ran at the same time.")
        }
        (Phase::Beside, None) | (Phase::Alone, _) => {
            "No pod of the old revision was left to judge it beside.".to_owned()
        }
    }
}

/// A way back with what is known of it.
pub(super) fn way_back(to: &WayBack) -> String {
    if to.known_good {
        format!("revision {}, the last one known good", to.revision)
    } else {
        format!(
            "revision {}, which was stable before the release; it has not passed a watch of Recant",
            to.revision
        )
    }
}

/// How a revision is called in the facts of a notice.
#[derive(Debug, Clone, Copy)]
enum Role<'a> {
    Bad(&'a RevisionHash),
    Good(&'a RevisionHash),
    Plain(&'a RevisionHash),
}

impl Role<'_> {
    fn label(self, noun: &str) -> String {
        match self {
            Self::Bad(_) => format!("Bad {noun}"),
            Self::Good(_) => format!("Good {noun}"),
            Self::Plain(_) => crate::wording::capitalised(noun),
        }
    }

    fn hash(&self) -> &RevisionHash {
        match self {
            Self::Bad(hash) | Self::Good(hash) | Self::Plain(hash) => hash,
        }
    }
}

/// Revisions with their images and pods, as far as they are known.
fn facts(live: &Live, roles: &[Role<'_>], now: Timestamp) -> Vec<Fact> {
    let mut facts = Vec::new();
    for role in roles {
        let hash = role.hash();
        let revisions = live.state.iter().flat_map(|state| &state.revisions);
        let revision = revisions
            .into_iter()
            .find(|revision| revision.hash == *hash);
        let Some(revision) = revision else {
            facts.push(Fact {
                label: role.label("revision"),
                value: hash.to_string(),
            });
            continue;
        };
        facts.push(Fact {
            label: role.label("revision"),
            value: format!(
                "{hash} (number {}, {} old)",
                revision.number,
                span(elapsed(revision.created, now))
            ),
        });
        if !revision.images.is_empty() {
            let images: Vec<String> = revision
                .images
                .iter()
                .map(|image| short(image, 120))
                .collect();
            facts.push(Fact {
                label: role.label("image"),
                value: listed(&images),
            });
        }
    }
    if let (Some(state), Some(role)) = (&live.state, roles.first()) {
        let pods = || state.pods.iter().filter(|pod| !pod.terminating);
        let of_it = pods().filter(|pod| pod.hash == *role.hash()).count();
        facts.push(Fact {
            label: format!("Pods of the {}", role.label("revision").to_lowercase()),
            value: format!("{of_it} of {}", pods().count()),
        });
    }
    facts
}
