//! Verdicts: what the evidence says of a release, and when the guards let the rollback begin.

use std::sync::Arc;

use jiff::SignedDuration;

use super::live::Live;
use super::preflight::{self, Looked};
use super::{
    Objects, Turn, finish, hold, nodes, people, progress, releases, stepping, suspending, tell,
};
use crate::analysis::{Analysis, Ending, WayBack};
use crate::guard::{ActionContext, Approvals, Hold, holds};
use crate::ids::TargetId;
use crate::judge::{BASELINE_IDLE, Phase};
use crate::ledger::TargetLedger;
use crate::notice::Problem;
use crate::record::Record;
use crate::saga::plan_of;
use crate::share::{Summary, WishedAction};
use crate::time::elapsed;

/// Evidence is recorded at least this often.
const CHECKPOINT: SignedDuration = SignedDuration::from_secs(60);

pub(super) fn judge(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    // What the cluster looks like is not known yet: nothing can be decided, and there is nothing to tell.
    if live.state.is_none() {
        return;
    }
    let Some(mut analysis) = turn.known(target).and_then(|known| known.analysis.clone()) else {
        return;
    };
    if baseline_is_gone(turn, live, &analysis) {
        analysis.phase = Phase::Alone;
        for rule in &mut live.rules {
            rule.evidence.stand_alone(&Arc::clone(&rule.rule));
            rule.changed = true;
        }
        turn.record(Record::BaselineGone {
            target: target.clone(),
        });
    }
    live.judge_release(analysis.phase, turn.now);
    let due = |last| turn.now < last || elapsed(last, turn.now) >= CHECKPOINT;
    if live.checkpoint.is_none_or(due) {
        turn.record(live.checkpoint(turn.now));
    }
    let fails = live.fails();
    let still = live.still_fails();
    if fails && analysis.failed.is_none() {
        analysis.failed = Some(turn.now);
        fail(turn, target, live, &analysis);
    }
    let failed = analysis.failed.is_some();
    if failed {
        // Its traffic goes first.
        stepping::tend(turn, target, live, &Objects::new());
    }
    if turn.past && failed {
        // What follows from it is decided now, where the guards see whether it still fails.
        return;
    }
    if failed && !live.watch.on_fail.rollback {
        tell::failed_only(turn, live, &analysis);
        releases::end(turn, live, target, Ending::Fail);
        return;
    }
    let mut held = hold::of_evidence(turn, live, &analysis);
    if failed {
        let mut action = of_action(turn, target, live, &analysis, still);
        if action.is_empty() {
            match look_at_way_back(turn, target, live, &analysis) {
                // What was said to be held stays so until the answer is there.
                Looked::Awaited => return,
                Looked::Holds(holds) => action = holds,
            }
        }
        if action.is_empty() {
            if nodes::waits(turn, target, live, &analysis) {
                return;
            }
            let cause = analysis.id.as_str();
            action.extend(turn.permission(target, WishedAction::Rollback, cause));
        }
        if action.is_empty() {
            let to = turn
                .known(target)
                .and_then(|known| known.destination(&analysis.canary, live.state.as_ref()))
                .map(|to| to.revision);
            if suspending::lets_begin(turn, target, live, &analysis, to.as_ref()) {
                progress::roll_back(turn, target, live, &analysis);
            }
            return;
        }
        people::ask(turn, target, live, &analysis, &action);
        held.extend(action);
    } else {
        held.extend(hold::of_dry_rules(live));
    }
    hold::hold(turn, target, live, &analysis, held);
    finish::finish(turn, target, live, &analysis);
}

fn look_at_way_back(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    analysis: &Analysis,
) -> Looked {
    let known = turn.known(target);
    let to = known.and_then(|known| known.destination(&analysis.canary, live.state.as_ref()));
    match to {
        Some(to) => preflight::look(turn, &mut live.way_back, target, &to),
        None => Looked::Holds(Vec::new()),
    }
}

fn fail(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, analysis: &Analysis) {
    turn.record(live.checkpoint(turn.now));
    let way_back = turn
        .known(target)
        .and_then(|known| known.destination(&analysis.canary, live.state.as_ref()));
    turn.record(Record::Failed {
        target: target.clone(),
        analysis: analysis.id.clone(),
        findings: live.findings(),
        way_back,
    });
}

/// As soon as no baseline pod is ready, or none had traffic for a while, the canary is judged alone.
fn baseline_is_gone(turn: &Turn<'_>, live: &Live, analysis: &Analysis) -> bool {
    let Some(first_traffic) = analysis.first_traffic else {
        return false;
    };
    let Some(state) = live
        .state
        .as_ref()
        .filter(|_| analysis.phase == Phase::Beside)
    else {
        return false;
    };
    let ready = state
        .pods
        .iter()
        .any(|pod| pod.ready && !pod.terminating && Some(&pod.hash) == analysis.baseline.as_ref());
    // Which pods were ready then is not known; whether they had traffic is.
    if !ready && !turn.past {
        return true;
    }
    // Two ticks without traffic, but not a mere lull of a quiet service.
    let patience = live
        .interval()
        .and_then(|interval| interval.checked_mul(2))
        .map_or(BASELINE_IDLE, |interval| interval.max(BASELINE_IDLE));
    let last = live.baseline_traffic.unwrap_or(first_traffic);
    // Silence of the source, or of the whole service, is no silence of the baseline: the canary must have gone on.
    live.rules
        .iter()
        .filter(|rule| rule.tells_traffic)
        .any(|rule| {
            rule.evidence
                .last_data()
                .is_some_and(|at| at <= turn.now && elapsed(last, at) >= patience)
        })
}

fn of_action(
    turn: &Turn<'_>,
    target: &TargetId,
    live: &Live,
    analysis: &Analysis,
    still_failing: bool,
) -> Vec<Hold> {
    let Some(known) = turn.known(target) else {
        return Vec::new();
    };
    let destination = known.destination(&analysis.canary, live.state.as_ref());
    let evidence_at = live
        .rules
        .iter()
        .filter(|rule| rule.fails())
        .filter_map(|rule| rule.evidence.last_data())
        .max()
        .or_else(|| {
            let all = live
                .rules
                .iter()
                .filter_map(|rule| rule.evidence.last_data());
            all.max()
        });
    let all = turn.of_all();
    holds(&ActionContext {
        evidence_at,
        still_failing,
        ..context(turn, live, known, analysis, destination.as_ref(), &all)
    })
}

/// What the guards look at, without evidence.
pub(super) fn context<'a>(
    turn: &'a Turn<'_>,
    live: &'a Live,
    known: &'a TargetLedger,
    analysis: &'a Analysis,
    way_back: Option<&'a WayBack>,
    all: &'a Summary,
) -> ActionContext<'a> {
    let target = &analysis.target;
    ActionContext {
        now: turn.now,
        settings: &turn.settings.guards,
        analysis,
        watch_dry_run: live.watch.dry_run,
        state: live.state.as_ref(),
        plan: known.plan.as_ref(),
        way_back,
        never_ran: known.never_ran.as_ref(),
        ran: &known.ran,
        seen: known.seen,
        last_action: known.last_action,
        actions: &all.actions,
        rollbacks: &known.rollbacks,
        setbacks: &all.setbacks,
        failures: &all.failures,
        others_under_way: all
            .under_way
            .iter()
            .filter(|other| *other != target)
            .count(),
        watched: all.watched,
        evidence_at: None,
        patience: live.freshness(),
        still_failing: false,
        silence: turn.silence_of(Problem::BadRelease, &live.watch.name, target),
        people: (turn.ledger.people).concerning(turn.now, &target.namespace, target),
        gitops: live.watch.gitops.unwrap_or(turn.settings.guards.gitops),
        reverted: known.reverted.as_ref(),
        not_suspended: known.suspension.as_ref().and_then(|held| held.refused()),
        approvals: Approvals {
            required: live.watch.on_fail.approval || turn.settings.guards.approval.required,
            asked: turn.ledger.people.approvals.get(&plan_of(&analysis.id)),
        },
        dependencies: &live.dependencies,
        nodes: live.nodes.fresh(turn.now),
    }
}
