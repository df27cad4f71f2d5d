//! Plans under way: their steps, what they wait for, and whether they helped.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Effect, Live, Turn, observe, releases, tell};
use crate::analysis::Phase;
use crate::analysis::{Analysis, Ending, later};
use crate::ids::{ChannelName, TargetId};
use crate::judge::{Finding, State};
use crate::plan::StepOutcome;
use crate::record::Record;
use crate::saga::{Advance, PlanEnd, PlanState, rollback};
use crate::verify::{VERIFY_TIME, Verification, VerificationEnd};

/// After a start: hands out again what was in hand, and the notices that have not ended. Steps are idempotent;
/// notices are marked as possible repeats.
pub(super) fn resume(turn: &mut Turn<'_>, channels: &[ChannelName]) {
    let now = turn.now;
    let in_hand = turn
        .ledger
        .targets
        .values()
        .filter_map(|known| known.plan.as_ref());
    let commands: Vec<_> = in_hand
        .filter(|plan| plan.in_hand)
        .filter_map(|plan| plan.command(now))
        .collect();
    turn.output
        .effects
        .extend(commands.into_iter().map(Effect::Step));
    for (notice, left) in turn.ledger.pending.values() {
        let channels: Vec<ChannelName> = left
            .iter()
            .filter(|channel| channels.contains(channel))
            .cloned()
            .collect();
        if !channels.is_empty() {
            turn.output.effects.push(Effect::Notify {
                notice: notice.clone(),
                channels,
                repeat: true,
            });
        }
    }
}

pub(super) fn step_ended(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    outcome: StepOutcome,
) {
    let found = turn.ledger.targets.iter().find_map(|(target, known)| {
        let plan = known
            .plan
            .as_ref()
            .filter(|plan| plan.plan.id == outcome.plan)?;
        Some((target.clone(), plan.clone()))
    });
    // A result that came twice, or after the plan had ended, changes nothing.
    let Some((target, plan)) = found else { return };
    if !plan.in_hand || plan.next != outcome.index {
        return;
    }
    let end = plan.end_by(&outcome.result);
    turn.record(Record::StepEnded(outcome));
    if let Some(end) = end
        && let Some(live) = lives.get_mut(&target)
    {
        ended(turn, &target, live, &plan, end);
    }
}

/// Begins the rollback of a failed revision: every guard has let it pass.
pub(super) fn roll_back(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    analysis: &Analysis,
) {
    let Some(known) = turn.ledger.targets.get(target) else {
        return;
    };
    let (Some(way_back), Some(state)) = (known.way_back(&analysis.canary), &live.state) else {
        return;
    };
    let held = known.holds.clone();
    for hold in held {
        turn.record(Record::HoldEnded {
            target: target.clone(),
            hold,
        });
    }
    let plan = rollback(analysis, state, &way_back);
    let findings = live.findings.clone();
    turn.record(Record::PlanBegan {
        plan: Box::new(plan.clone()),
    });
    tell::rolling_back(turn, live, analysis, &plan, &findings);
    releases::end(turn, live, target, Ending::Fail);
    live.findings = findings;
    advance(turn, target, live);
}

/// Takes a plan as far as it goes now.
pub(super) fn advance(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    // A plan has fewer steps than this; the bound keeps a mistake from looping.
    for _ in 0..16 {
        let plan = turn
            .ledger
            .targets
            .get(target)
            .and_then(|known| known.plan.clone());
        let Some(plan) = plan else { return };
        match plan.advance(turn.now, live.state.as_ref()) {
            Advance::Wait => return,
            Advance::Execute(command) => {
                turn.record(Record::StepBegun(command.clone()));
                turn.output.effects.push(Effect::Step(command));
                return;
            }
            Advance::Awaited => {
                turn.record(Record::Awaited {
                    plan: plan.plan.id.clone(),
                    index: plan.next,
                });
            }
            Advance::End(end) => {
                ended(turn, target, live, &plan, end);
                return;
            }
        }
    }
}

fn ended(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, plan: &PlanState, end: PlanEnd) {
    turn.record(Record::PlanEnded {
        target: target.clone(),
        plan: plan.plan.id.clone(),
        end: end.clone(),
    });
    match end {
        PlanEnd::Done => begin_verification(turn, target, live, plan),
        PlanEnd::Fenced { reason } | PlanEnd::Stuck { reason } => {
            tell::rollback_failed(turn, live, plan, &reason);
        }
    }
}

fn begin_verification(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, plan: &PlanState) {
    let rules: Vec<_> = live
        .findings
        .iter()
        .filter(|finding| finding.state == State::Failing)
        .map(|finding| finding.rule.clone())
        .collect();
    // After a restart the findings are gone: then every rule is looked at.
    let rules = if rules.is_empty() {
        live.watch
            .rules
            .iter()
            .map(|rule| rule.name.clone())
            .collect()
    } else {
        rules
    };
    observe::restart_evidence(live, None);
    let verification = Verification {
        target: target.clone(),
        analysis: plan.plan.analysis.clone(),
        plan: Some(plan.plan.id.clone()),
        revision: plan.plan.to.revision.clone(),
        rules,
        began: turn.now,
        evidence: live.evidence.clone(),
    };
    turn.record(Record::VerificationBegan {
        verification: Box::new(verification),
    });
}

/// Looks whether the symptom is gone; tells, and stops either way: no further revision is tried.
pub(super) fn verify(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    let known = turn.ledger.targets.get(target);
    let Some(verification) = known.and_then(|known| known.verification.clone()) else {
        return;
    };
    let watch = live.watch.clone();
    let findings: Vec<Finding> = watch
        .rules
        .iter()
        .filter(|rule| verification.rules.contains(&rule.name))
        .filter_map(|rule| {
            Some(
                live.evidence
                    .get(&rule.name)?
                    .finding(rule, Phase::Alone, turn.now),
            )
        })
        .collect();
    live.findings.clone_from(&findings);
    let Some(end) = verified(turn.now, &verification, &findings) else {
        return;
    };
    turn.record(Record::VerificationEnded {
        target: target.clone(),
        end: end.clone(),
        findings: findings.clone(),
    });
    tell::verified(turn, live, &verification, &end, &findings);
    live.findings.clear();
}

fn verified(
    now: Timestamp,
    verification: &Verification,
    findings: &[Finding],
) -> Option<VerificationEnd> {
    if let Some(finding) = findings
        .iter()
        .find(|finding| finding.state == State::Failing)
    {
        return Some(VerificationEnd::Remains {
            reason: finding.sentence.clone(),
        });
    }
    if !findings.is_empty()
        && findings
            .iter()
            .all(|finding| finding.state == State::Within)
    {
        return Some(VerificationEnd::Gone);
    }
    if now < later(verification.began, VERIFY_TIME) {
        return None;
    }
    let reason = findings
        .iter()
        .find(|finding| finding.state != State::Within)
        .map_or_else(
            || "there is nothing to look at".to_owned(),
            |finding| finding.sentence.clone(),
        );
    Some(VerificationEnd::Unknown { reason })
}
