//! Whether the symptom is gone after a release was taken back. Told either way, and then Recant stops: no further
//! revision is tried.

use jiff::Timestamp;

use super::live::{Live, LiveRule};
use super::{Turn, tell};
use crate::analysis::Analysis;
use crate::ids::{RevisionHash, RuleName, TargetId};
use crate::judge::Phase;
use crate::judge::{Before, Finding, State};
use crate::record::Record;
use crate::saga::PlanState;
use crate::time::later;
use crate::verify::{VERIFY_TIME, Verification, VerificationEnd};

/// Begins to look after a plan was carried out.
pub(super) fn begin_after(turn: &mut Turn<'_>, live: &mut Live, plan: &PlanState) {
    let target = plan.plan.fence.target.clone();
    let Some(known) = turn.known(&target) else {
        return;
    };
    let begun = known
        .verification
        .as_ref()
        .is_some_and(|found| found.plan.as_ref() == Some(&plan.plan.id));
    if begun {
        return;
    }
    let rules = known
        .judged
        .as_ref()
        .filter(|judged| judged.analysis == plan.plan.analysis)
        .map(|judged| judged.rules.clone());
    // Of what a person took back nothing was found: every rule says how the service is now.
    let all = || {
        let deciding = live.rules.iter().map(|rule| &rule.rule);
        let deciding = deciding.filter(|rule| !rule.dry_run && !rule.only_accuses());
        deciding.map(|rule| rule.name.clone()).collect()
    };
    let rules = match (rules, &plan.plan.by) {
        (Some(rules), _) => rules,
        (None, Some(_)) => all(),
        (None, None) => Vec::new(),
    };
    let verification = Verification {
        target,
        analysis: plan.plan.analysis.clone(),
        plan: Some(plan.plan.id.clone()),
        revision: plan.plan.to.revision.clone(),
        from: plan.plan.fence.judged.clone(),
        rules,
        began: turn.now,
    };
    begin(turn, live, verification);
}

/// Begins to look after somebody took a suspected release back.
pub(super) fn begin_after_somebody(
    turn: &mut Turn<'_>,
    live: &mut Live,
    analysis: Analysis,
    revision: RevisionHash,
    rules: Vec<RuleName>,
) {
    let verification = Verification {
        target: live.watch.target.clone(),
        analysis: analysis.id,
        plan: None,
        revision,
        from: analysis.canary,
        rules,
        began: turn.now,
    };
    begin(turn, live, verification);
}

fn begin(turn: &mut Turn<'_>, live: &mut Live, verification: Verification) {
    live.bad_served = None;
    // What was before the release is still what the service is compared with.
    live.restart(
        |rule| match rule.evidence.before() {
            before @ Before::Counts(_) => before,
            // Whoever was to blame: the value has to come back within its limit.
            Before::Level { .. } => Before::Level {
                beyond: false,
                incomparable: verification.rules.contains(&rule.rule.name)
                    && rule.evidence.failed_by_comparison(&rule.rule),
            },
        },
        None,
    );
    // First the empty evidence: that of the bad release must not be taken for this one's after a restart.
    turn.record(live.checkpoint(turn.now));
    turn.record(Record::VerificationBegan {
        verification: Box::new(verification),
    });
}

/// Looks, once a tick, until there is enough for an answer or the time is over.
pub(super) fn verify(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    let known = turn.known(target);
    let Some(verification) = known.and_then(|known| known.verification.clone()) else {
        return;
    };
    if verification.plan.is_none() && still_serves(live, &verification) {
        live.bad_served = Some(turn.now);
    }
    live.judge(Phase::Alone, turn.now);
    let findings: Vec<Finding> = live
        .rules
        .iter()
        .filter(|rule| verification.rules.contains(&rule.rule.name))
        .filter_map(LiveRule::finding)
        .collect();
    let over = turn.now >= later(since(live, &verification), VERIFY_TIME);
    let Some(end) = outcome(&findings, over) else {
        return;
    };
    tell::verified(turn, live, &verification, &end, &findings);
    turn.record(Record::VerificationEnded {
        target: target.clone(),
        end,
        findings,
    });
}

/// Since when only what serves now counts: a person's undo needs its time to be carried out.
pub(super) fn since(live: &Live, verification: &Verification) -> Timestamp {
    live.bad_served
        .map_or(verification.began, |served| served.max(verification.began))
}

/// Whether pods of the revision that was taken back still serve.
pub(super) fn still_serves(live: &Live, verification: &Verification) -> bool {
    live.state
        .iter()
        .flat_map(|state| &state.pods)
        .any(|pod| pod.hash == verification.from && pod.ready && !pod.terminating)
}

fn outcome(findings: &[Finding], over: bool) -> Option<VerificationEnd> {
    let failing: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.state == State::Failing)
        .map(|finding| finding.sentence.as_str())
        .collect();
    if !failing.is_empty() {
        return Some(VerificationEnd::Remains {
            reason: failing.join("; "),
        });
    }
    let open: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.state != State::Within)
        .collect();
    if !findings.is_empty() && open.is_empty() {
        return Some(VerificationEnd::Gone);
    }
    if !over {
        return None;
    }
    let sentences = |open: &[&Finding]| {
        open.iter()
            .map(|finding| finding.sentence.as_str())
            .collect::<Vec<_>>()
            .join("; ")
    };
    Some(match open.as_slice() {
        [] => VerificationEnd::Unknown {
            reason: "none of the rules that had failed is watched any more".to_owned(),
        },
        open if open
            .iter()
            .all(|finding| finding.state == State::BaselineAlsoBad) =>
        {
            VerificationEnd::Remains {
                reason: sentences(open),
            }
        }
        open => VerificationEnd::Unknown {
            reason: sentences(open),
        },
    })
}

/// Ends the verification early: there is nothing left to look at. Whether that is told is the caller's business.
pub(super) fn end(turn: &mut Turn<'_>, target: &TargetId, live: &Live, reason: String, told: Told) {
    let known = turn.known(target);
    let Some(verification) = known.and_then(|known| known.verification.clone()) else {
        return;
    };
    let end = VerificationEnd::Unknown { reason };
    match told {
        Told::Here => tell::verified(turn, live, &verification, &end, &[]),
        Told::Elsewhere => {}
    }
    turn.record(Record::VerificationEnded {
        target: target.clone(),
        end,
        findings: Vec::new(),
    });
}

/// Where people read that a verification ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Here,
    Elsewhere,
}
