//! Notices about a rollback: that it begins and why, that it stopped, and whether it helped.

use super::{Role, Told, facts, full, judged_against, send, sentences_of_findings, way_back};
use crate::engine::live::Live;
use crate::engine::{Turn, preflight};
use crate::guard::Hold;
use crate::ids::TargetId;
use crate::judge::Finding;
use crate::ledger::Judged;
use crate::notice::{Fact, NoticeKind, Severity};
use crate::plan::Step;
use crate::saga::{Plan, PlanState, by_hand};
use crate::time::elapsed;
use crate::verify::{Verification, VerificationEnd};
use crate::wording::{capitalised, span};

pub(in crate::engine) fn rolling_back(
    turn: &mut Turn<'_>,
    live: &Live,
    judged: &Judged,
    plan: &Plan,
) {
    let target = &plan.fence.target;
    let mut sentences = full(judged.sentences.iter().map(String::as_str));
    sentences.push(judged_against(judged.phase, judged.baseline.as_ref()));
    sentences.push(what_is_done(plan));
    sentences.extend(about_stuck_pods(live, judged, plan));
    sentences.extend(super::gitops::before_rollback(turn, live, plan));
    sentences.extend(preflight::notes(live.way_back.as_ref()));
    sentences.push(what_comes_next(target, plan));
    let mut facts = facts(
        live,
        &[Role::Bad(&judged.canary), Role::Good(&plan.to.revision)],
        turn.now,
    );
    let odds = live.odds();
    facts.extend(odds.map(|value| Fact {
        label: "Evidence".to_owned(),
        value,
    }));
    let told = Told {
        kind: NoticeKind::RollingBack,
        severity: Severity::Critical,
        correlation: Some(&plan.analysis),
        headline: format!("Rolling back {target}: {}", why(judged)),
        sentences,
        facts,
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

/// The rollback that a person ordered; `overridden`: what would have held it.
pub(in crate::engine) fn rolling_back_for(
    turn: &mut Turn<'_>,
    live: &Live,
    plan: &Plan,
    reason: &str,
    overridden: &[Hold],
) {
    let target = &plan.fence.target;
    let by = plan.by.as_deref().unwrap_or("somebody");
    let mut sentences = vec![match reason {
        "" => format!("{by} ordered it, and gave no reason."),
        reason => format!("{by} ordered it: \"{reason}\"."),
    }];
    sentences.extend(overridden.iter().map(|hold| {
        format!(
            "Guard `{}` was overridden by that order: {}.",
            hold.guard, hold.reason
        )
    }));
    sentences.extend(preflight::notes(live.ordered_way_back.as_ref()));
    sentences.push(what_is_done(plan));
    sentences.push(what_comes_next(target, plan));
    let told = Told {
        kind: NoticeKind::RollingBack,
        severity: Severity::Critical,
        correlation: Some(&plan.analysis),
        headline: format!("Rolling back {target}: {by} ordered it"),
        sentences,
        facts: facts(
            live,
            &[
                Role::Plain(&plan.fence.judged),
                Role::Plain(&plan.to.revision),
            ],
            turn.now,
        ),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

/// Short enough for a headline.
fn why(judged: &Judged) -> String {
    const LONGEST: usize = 40;
    match judged.rules.as_slice() {
        [rule] if rule.as_str().chars().count() <= LONGEST => {
            format!("revision {} fails `{rule}`", judged.canary)
        }
        [_] | [] => format!("revision {} is bad", judged.canary),
        rules => format!("revision {} fails {} rules", judged.canary, rules.len()),
    }
}

fn what_is_done(plan: &Plan) -> String {
    let to = way_back(&plan.to);
    let judged = &plan.fence.judged;
    match plan.steps.first() {
        Some(Step::AbortRollout) => {
            format!("Recant aborts the Rollout: all traffic returns to {to}.")
        }
        Some(Step::UndoRollout { .. }) => format!(
            "Recant undoes the Rollout from revision {judged} and promotes in full, without its steps, {to}."
        ),
        Some(
            Step::UndoDeployment { .. }
            | Step::ApplyRevision { .. }
            | Step::AwaitStuck
            | Step::DeleteStuckPods { .. }
            | Step::AwaitCurrent { .. }
            | Step::PromoteFull { .. }
            | Step::AwaitRestored,
        )
        | None => format!("Recant puts back, as `kubectl rollout undo` would, {to}."),
    }
}

/// That pods will not be replaced by their controller, and what is done about it.
fn about_stuck_pods(live: &Live, judged: &Judged, plan: &Plan) -> Option<String> {
    let state = live.state.as_ref()?;
    let advice = by_hand(state, &judged.canary)?;
    let deletes = |step: &Step| matches!(step, Step::DeleteStuckPods { .. });
    if plan.steps.iter().any(deletes) && state.partitioned(&judged.canary).next().is_none() {
        return Some(
            "Unready pods of the bad revision, which would block that, are deleted.".to_owned(),
        );
    }
    Some(format!("{advice}."))
}

fn what_comes_next(target: &TargetId, plan: &Plan) -> String {
    let cause = match plan.steps.first() {
        Some(Step::AbortRollout) => {
            "The bad template is still in the Rollout's spec: commit a good one."
        }
        _ => {
            "What shipped the bad revision may ship it again (a GitOps tool does): give it a good one."
        }
    };
    let kind = target.kind;
    format!(
        "{cause} A message follows when it is done. To keep Recant's hands off the {kind}, annotate it with \
         `recant.dev/kill-switch=true`."
    )
}

pub(in crate::engine) fn rollback_failed(
    turn: &mut Turn<'_>,
    live: &Live,
    plan: &PlanState,
    reason: &str,
) {
    let Plan {
        analysis,
        fence,
        to,
        steps,
        ..
    } = &plan.plan;
    let how_far = match (plan.next, plan.in_hand) {
        (0, None) => "was not carried out",
        (0, Some(_)) => "may have been carried out in part",
        (_, _) => "was begun and not completed",
    };
    let step = plan.step().map_or("its end", Step::in_words);
    let told = Told {
        kind: NoticeKind::RollbackFailed,
        severity: Severity::Critical,
        correlation: Some(analysis),
        headline: format!("The rollback of {} {how_far}", fence.target),
        sentences: vec![
            format!("{}.", capitalised(reason)),
            format!(
                "It was to go from revision {} back to {}, and stopped at step {} of {}: {step}.",
                fence.judged,
                to.revision,
                (plan.next + 1).min(steps.len()),
                steps.len(),
            ),
            "Recant does nothing more about this release: a person has to look.".to_owned(),
        ],
        facts: facts(
            live,
            &[Role::Bad(&fence.judged), Role::Good(&to.revision)],
            turn.now,
        ),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

impl Step {
    /// What the step does, for people.
    fn in_words(&self) -> &'static str {
        match self {
            Self::UndoDeployment { .. } | Self::UndoRollout { .. } | Self::ApplyRevision { .. } => {
                "putting the earlier template back"
            }
            Self::AbortRollout => "aborting the Rollout",
            Self::AwaitCurrent { .. } => "waiting for the controller to take up the template",
            Self::PromoteFull { .. } => "promoting the earlier revision in full",
            Self::AwaitStuck => "waiting for pods of the bad revision to go",
            Self::DeleteStuckPods { .. } => "deleting unready pods of the bad revision",
            Self::AwaitRestored => "waiting until no pod of the bad revision serves",
        }
    }
}

pub(in crate::engine) fn verified(
    turn: &mut Turn<'_>,
    live: &Live,
    verification: &Verification,
    end: &VerificationEnd,
    findings: &[Finding],
) {
    let target = &verification.target;
    let revision = &verification.revision;
    let ours = verification.plan.is_some();
    let judged = turn
        .known(target)
        .and_then(|known| known.judged.clone())
        .filter(|judged| judged.analysis == verification.analysis);
    let mut sentences = vec![match (&judged, ours) {
        (Some(judged), true) => format!(
            "Recant took revision {} back: {} after it was found bad, no pod of it served.",
            judged.canary,
            span(elapsed(judged.at, verification.began)),
        ),
        (Some(judged), false) => format!(
            "Somebody took revision {} back, {} after it was found bad.",
            judged.canary,
            span(elapsed(judged.at, verification.began)),
        ),
        (None, true) => format!("Recant took revision {} back.", verification.from),
        (None, false) => format!(
            "Somebody took revision {} back, which looked bad.",
            verification.from
        ),
    }];
    let (kind, severity, headline) = match end {
        VerificationEnd::Gone => {
            sentences.extend(sentences_of_findings(findings));
            (
                NoticeKind::Restored,
                Severity::Info,
                format!(
                    "{target} is restored: revision {revision} serves, and the symptom is gone"
                ),
            )
        }
        VerificationEnd::Remains { reason } => {
            sentences.push(format!("{reason}."));
            sentences.push(
                "So the release may not be the cause. Recant goes no further back: a person has to look."
                    .to_owned(),
            );
            (
                NoticeKind::NotRestored,
                Severity::Critical,
                format!("{target} is back at revision {revision}, and the symptom remains"),
            )
        }
        VerificationEnd::Unknown { reason } => {
            sentences.push(format!(
                "Whether that helped could not be told in {}: {reason}.",
                span(elapsed(verification.began, turn.now)),
            ));
            sentences.push("Recant does nothing more about it: please look.".to_owned());
            (
                NoticeKind::NotRestored,
                Severity::Warning,
                format!(
                    "{target} is back at revision {revision}; whether that helped is not known"
                ),
            )
        }
    };
    let serving = match end {
        VerificationEnd::Gone => Role::Good(revision),
        VerificationEnd::Remains { .. } | VerificationEnd::Unknown { .. } => Role::Plain(revision),
    };
    let roles = [serving, Role::Bad(&verification.from)];
    let told = Told {
        kind,
        severity,
        correlation: Some(&verification.analysis),
        headline,
        sentences,
        facts: facts(live, &roles, turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}
