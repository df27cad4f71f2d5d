//! The first tick: goes on with what the process before had begun, wherever its journal was cut off.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::live::Live;
use super::on_request;
use super::verdict::Together;
use super::{Effect, Turn, always, pausing, people, releases, suspending, tell};
use crate::analysis::Ending;
use crate::ids::{ChannelName, TargetId};
use crate::judge::Phase;
use crate::notice::{Delivery, DeliveryOutcome, Notice, NoticeKind};
use crate::record::Record;
use crate::rule::SourceKind;
use crate::saga::PlanEnd;
use crate::time::later;
use crate::verify::VerificationEnd;

/// Counters of longer ago are not counted on from: hours would be one tick's counts.
pub(super) const SHORT: SignedDuration = SignedDuration::from_mins(5);

/// Once for all targets, before anything else.
pub(super) fn begin(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    channels: &[ChannelName],
) {
    send_again(turn, lives, channels);
    people::resume(turn, lives);
    if turn.settings.ends_unwatched {
        forget_unwatched(turn, lives);
    }
}

/// Each target; those that were looked back at have been taken up with that.
pub(super) fn resume(turn: &mut Turn<'_>, lives: &mut BTreeMap<TargetId, Live>) {
    always::resume(turn, lives);
    mended(turn, lives);
    for (target, live) in lives.iter_mut() {
        if !live.restored {
            restore(turn, target, live);
        }
        finish_beginning(turn, target, live);
    }
}

/// Notices that have not ended are sent again, marked as possible repeats.
fn send_again(turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>, channels: &[ChannelName]) {
    let mut gone = Vec::new();
    let mut pending: Vec<_> = turn.ledger.pending.iter().collect();
    // As they were made, which the order of their ids is not: what ends an incident must not overtake what began it.
    pending.sort_by_key(|(id, (notice, _))| (notice.at, id.number()));
    for (id, (notice, left)) in pending {
        if !turn.settings.ends_unwatched && !ours(notice, left, lives, channels) {
            continue;
        }
        let (there, removed): (Vec<_>, Vec<_>) = left
            .iter()
            .cloned()
            .partition(|channel| channels.contains(channel));
        gone.extend(removed.into_iter().map(|channel| Delivery {
            notice: id.clone(),
            channel,
            outcome: DeliveryOutcome::GivenUp {
                reason: "the channel is not configured any more".to_owned(),
            },
        }));
        if !there.is_empty() {
            turn.output.effects.push(Effect::Notify {
                notice: notice.clone(),
                channels: there,
                repeat: true,
            });
        }
    }
    for delivery in gone {
        turn.record(Record::NoticeEnded(delivery));
    }
}

/// Whether a notice of a shared ledger is this process' business.
pub(super) fn ours(
    notice: &Notice,
    left: &BTreeSet<ChannelName>,
    lives: &BTreeMap<TargetId, Live>,
    channels: &[ChannelName],
) -> bool {
    let watched = |target: &TargetId| lives.contains_key(target);
    notice.target.as_ref().is_none_or(watched)
        && left.iter().any(|channel| channels.contains(channel))
}

/// What no watch names any more is ended: found again months later, it must not go on where it stood.
pub(super) fn forget_unwatched(turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>) {
    let mut ended = Vec::new();
    for (target, known) in &turn.ledger.targets {
        if lives.contains_key(target) {
            continue;
        }
        if let Some(plan) = &known.plan {
            ended.push(Record::PlanEnded {
                target: target.clone(),
                plan: plan.plan.id.clone(),
                end: PlanEnd::Stuck {
                    reason: format!("no watch names {target} any more"),
                },
            });
        }
        if let Some(analysis) = &known.analysis {
            ended.push(Record::AnalysisEnded {
                target: target.clone(),
                analysis: analysis.id.clone(),
                revision: analysis.canary.clone(),
                ending: Ending::Superseded {
                    reason: format!("no watch names {target} any more"),
                },
                findings: Vec::new(),
            });
        }
        if known.verification.is_some() {
            ended.push(Record::VerificationEnded {
                target: target.clone(),
                end: VerificationEnd::Unknown {
                    reason: format!("no watch names {target} any more"),
                },
                findings: Vec::new(),
            });
        }
    }
    for record in ended {
        turn.record(record);
    }
    let_go(turn, lives, true);
    on_request::forget(turn, lives);
    let settings = &turn.settings;
    let used = |source: SourceKind| {
        lives
            .values()
            .any(|live| live.sources(settings).contains(&source))
    };
    let unused: Vec<SourceKind> = turn
        .ledger
        .lost_sources
        .keys()
        .copied()
        .filter(|source| !used(*source))
        .collect();
    for source in unused {
        turn.record(Record::SourceBack { source });
    }
}

/// Nobody looks at the evidence of these any more: what is paused goes on. `first`: what is in hand is not this process'.
pub(super) fn let_go(turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>, first: bool) {
    let paused: Vec<TargetId> = turn
        .ledger
        .targets
        .iter()
        .filter(|(target, known)| {
            (known.pause.is_some() || known.suspension.is_some()) && !lives.contains_key(*target)
        })
        .map(|(target, _)| target.clone())
        .collect();
    for target in paused {
        pausing::let_go(turn, &target, first);
        suspending::let_go(turn, &target, first);
    }
}

/// Files were refused when they changed, and by the start they could be read.
fn mended(turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>) {
    if turn.ledger.refused.is_some() {
        tell::reloaded(turn, lives, &[]);
        turn.record(Record::Reloaded {
            digest: String::new(),
            watches: lives.len(),
            new: 0,
            changed: 0,
            gone: 0,
            need_restart: Vec::new(),
        });
    }
}

/// Takes up the evidence of the last checkpoint, and counts on where the counters stood if that was not long ago. In the
/// past only if it was not later either: what is read again from before would go back.
pub(super) fn restore(turn: &Turn<'_>, target: &TargetId, live: &mut Live) {
    live.restored = true;
    let Some(known) = turn.known(target) else {
        return;
    };
    if known
        .analysis
        .as_ref()
        .is_some_and(|analysis| analysis.phase == Phase::Beside)
    {
        // The baseline was silent only as far as this process knows.
        live.baseline_traffic = Some(turn.now);
    }
    let Some(checkpoint) = &known.checkpoint else {
        return;
    };
    live.checkpoint = Some(checkpoint.at);
    if known.analysis.is_some() {
        live.together = Some(Together::of(&live.rules, &live.watch));
    }
    for rule in &mut live.rules {
        let recorded = checkpoint.evidence.get(&rule.rule.name);
        if let Some(evidence) = recorded.filter(|evidence| evidence.fits(&rule.rule)) {
            rule.evidence = evidence.clone();
        }
    }
    let later_than_read = turn.past && checkpoint.at > turn.now;
    if checkpoint.at < later(turn.now, -SHORT) || later_than_read {
        return;
    }
    for (question, measurement) in &checkpoint.measurements {
        if let Some(looking) = live.measurements.get_mut(question) {
            looking.measurement = measurement.clone();
        }
    }
}

/// A rollback that was decided, and of which the journal was cut off before it was told and its analysis ended.
fn finish_beginning(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    let Some(known) = turn.known(target) else {
        return;
    };
    let (plan, judged) = (known.plan.clone(), known.judged.clone());
    if let Some(plan) = plan.as_ref().filter(|plan| plan.plan.by.is_some()) {
        people::finish_beginning(turn, target, live, &plan.plan);
        return;
    }
    let (Some(plan), Some(judged)) = (plan, judged) else {
        return;
    };
    if plan.plan.analysis != judged.analysis || known.latest.as_ref() != Some(&judged.analysis) {
        return;
    }
    let told = known.said.contains(&NoticeKind::RollingBack);
    let analysed = known
        .analysis
        .as_ref()
        .is_some_and(|analysis| analysis.id == judged.analysis);
    if analysed {
        releases::end(turn, live, target, Ending::Fail);
    }
    if !told {
        tell::rolling_back(turn, live, &judged, &plan.plan);
    }
}
