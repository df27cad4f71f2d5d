//! Verdicts and guards: what the evidence says of a release, what holds it back, and when the watch is over.

use jiff::{SignedDuration, Timestamp};

use super::{Live, Turn, progress, releases, tell};
use crate::analysis::{Analysis, Ending, Phase, elapsed, later};
use crate::guard::{ActionContext, Guard, Hold, holds};
use crate::ids::TargetId;
use crate::judge::{Finding, State, WINDOW};
use crate::record::Record;
use crate::rule::{Metric, Rule};
use crate::wording::{count, plural};

/// Evidence is recorded at least this often.
const CHECKPOINT: SignedDuration = SignedDuration::from_secs(60);
/// A guard on the evidence is told when it has held for this long: the first seconds of a release are no news.
const TOLD_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// Without traffic of the baseline for this long, it has gone.
const BASELINE_IDLE: SignedDuration = SignedDuration::from_secs(10);
/// A rule without data is told when its target had traffic for this long.
const NO_DATA_AFTER: SignedDuration = SignedDuration::from_secs(30);

pub(super) fn judge(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    baseline_goes(turn, target, live);
    let Some(analysis) = analysis(turn, target) else {
        return;
    };
    let watch = live.watch.clone();
    live.findings = watch
        .rules
        .iter()
        .filter_map(|rule| {
            Some(
                live.evidence
                    .get(&rule.name)?
                    .finding(rule, analysis.phase, turn.now),
            )
        })
        .collect();
    if live
        .checkpoint
        .is_none_or(|last| elapsed(last, turn.now) >= CHECKPOINT)
    {
        checkpoint(turn, target, live);
    }
    let failing = |dry: bool| {
        live.findings.iter().any(|finding| {
            finding.state == State::Failing
                && watch
                    .rules
                    .iter()
                    .any(|rule| rule.name == finding.rule && rule.dry_run == dry)
        })
    };
    let (fails, fails_dry) = (failing(false), failing(true));
    if fails && analysis.failed.is_none() {
        fail(turn, target, live, &analysis);
    }
    let Some(analysis) = self::analysis(turn, target) else {
        return;
    };
    let mut now_held = evidence_holds(turn, target, live, &analysis);
    if analysis.failed.is_some() && watch.on_fail.rollback {
        let action = action_holds(turn, target, live, &analysis, fails);
        if action.is_empty() {
            progress::roll_back(turn, target, live, &analysis);
            return;
        }
        now_held.extend(action.into_iter().map(|hold| (hold, true)));
    } else if fails_dry {
        let rule = live
            .findings
            .iter()
            .find(|finding| finding.state == State::Failing);
        let hold = Hold {
            guard: Guard::DryRun,
            rule: rule.map(|finding| finding.rule.clone()),
            reason: "the rule says `dryRun: true`: it would have failed the release".to_owned(),
            until: None,
        };
        now_held.push((hold, true));
    }
    hold(turn, target, live, now_held);
    finish(turn, target, live);
}

fn analysis(turn: &Turn<'_>, target: &TargetId) -> Option<Analysis> {
    turn.ledger.targets.get(target)?.analysis.clone()
}

fn checkpoint(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    live.checkpoint = Some(turn.now);
    turn.record(Record::Checkpoint {
        target: target.clone(),
        evidence: live.evidence.clone(),
    });
}

fn fail(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, analysis: &Analysis) {
    checkpoint(turn, target, live);
    let way_back = turn
        .ledger
        .targets
        .get(target)
        .and_then(|known| known.way_back(&analysis.canary));
    turn.record(Record::Failed {
        target: target.clone(),
        analysis: analysis.id.clone(),
        findings: live.findings.clone(),
        way_back,
    });
    if !live.watch.on_fail.rollback {
        tell::failed_only(turn, live, analysis);
        releases::end(turn, live, target, Ending::Fail);
    }
}

/// As soon as no baseline pod is ready, or none had traffic for a while, the canary is judged alone.
fn baseline_goes(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    let Some(analysis) = analysis(turn, target) else {
        return;
    };
    if analysis.phase == Phase::Alone || analysis.first_traffic.is_none() {
        return;
    }
    let Some(state) = &live.state else { return };
    let ready = state
        .pods
        .iter()
        .any(|pod| pod.ready && !pod.terminating && Some(&pod.hash) == analysis.baseline.as_ref());
    let interval = live
        .measurements
        .values()
        .filter_map(|looking| looking.measurement.interval())
        .max();
    let interval = interval.and_then(|interval| SignedDuration::try_from(interval).ok());
    let patience = interval.map_or(BASELINE_IDLE, |interval| (interval * 2).max(BASELINE_IDLE));
    let last = live
        .baseline_traffic
        .or(analysis.first_traffic)
        .unwrap_or(turn.now);
    // Silence of the source is no silence of the baseline.
    let canary_goes_on = live.evidence.values().any(|evidence| {
        evidence
            .last_data
            .is_some_and(|at| elapsed(last, at) >= patience)
    });
    if ready && !canary_goes_on {
        return;
    }
    for rule in &live.watch.clone().rules {
        if let Some(evidence) = live.evidence.get_mut(&rule.name) {
            evidence.stand_alone(rule);
        }
    }
    turn.record(Record::BaselineGone {
        target: target.clone(),
    });
}

/// What holds a decision back: data that is missing, too little, or bad in both arms. With each, whether it is told
/// at once.
fn evidence_holds(
    turn: &Turn<'_>,
    target: &TargetId,
    live: &Live,
    analysis: &Analysis,
) -> Vec<(Hold, bool)> {
    let mut held = Vec::new();
    if let Some((_, reason)) = live
        .measurements
        .values()
        .find_map(|looking| looking.trouble.as_ref())
    {
        held.push((
            Hold::action(Guard::SourceUnavailable, reason.clone(), None),
            false,
        ));
    }
    for finding in &live.findings {
        let Some(rule) = live
            .watch
            .rules
            .iter()
            .find(|rule| rule.name == finding.rule)
        else {
            continue;
        };
        let hold = |guard, reason| Hold {
            guard,
            rule: Some(rule.name.clone()),
            reason,
            until: None,
        };
        match finding.state {
            State::BaselineAlsoBad => {
                held.push((
                    hold(Guard::BaselineAlsoBad, finding.sentence.clone()),
                    false,
                ));
            }
            State::TooLittle if beyond(rule, finding) => {
                held.push((hold(Guard::TooLittleData, finding.sentence.clone()), false));
            }
            State::NoData => {
                let traffic = analysis
                    .first_traffic
                    .is_some_and(|at| elapsed(at, turn.now) >= NO_DATA_AFTER);
                let looking = live.measurements.get(&rule.metric.question(&rule.arms));
                let trouble = looking.is_some_and(|looking| looking.trouble.is_some());
                let silent = elapsed(analysis.began, turn.now) >= NO_DATA_AFTER
                    && canary_ready(live, analysis);
                if (traffic || silent) && !trouble {
                    let reason = looking
                        .and_then(|looking| looking.no_data.clone())
                        .unwrap_or_else(|| {
                            format!(
                                "there is no new sample of revision {} of {target}",
                                analysis.canary
                            )
                        });
                    held.push((
                        hold(Guard::NoData, format!("`{}`: {reason}", rule.name)),
                        false,
                    ));
                }
            }
            State::TooLittle | State::Within | State::Suspected | State::Failing => {}
        }
    }
    held
}

fn canary_ready(live: &Live, analysis: &Analysis) -> bool {
    live.state.as_ref().is_some_and(|state| {
        state
            .pods
            .iter()
            .any(|pod| pod.hash == analysis.canary && pod.ready && !pod.terminating)
    })
}

/// Whether the value alone, however few events it comes from, is beyond the limit.
fn beyond(rule: &Rule, finding: &Finding) -> bool {
    finding.canary.value.is_some_and(|value| {
        rule.max.is_some_and(|max| value > max)
            || (matches!(rule.metric, Metric::Ratio(_)) && rule.min.is_some_and(|min| value < min))
    })
}

fn action_holds(
    turn: &Turn<'_>,
    target: &TargetId,
    live: &Live,
    analysis: &Analysis,
    still_failing: bool,
) -> Vec<Hold> {
    let Some(known) = turn.ledger.targets.get(target) else {
        return Vec::new();
    };
    let way_back = known.way_back(&analysis.canary);
    let evidence_at = live
        .evidence
        .values()
        .filter_map(|evidence| evidence.last_data)
        .max();
    holds(&ActionContext {
        now: turn.now,
        settings: &turn.settings.guards,
        analysis,
        watch_dry_run: live.watch.dry_run,
        state: live.state.as_ref(),
        plan: known.plan.as_ref(),
        way_back: way_back.as_ref(),
        last_action: known.last_action,
        actions: &turn.ledger.actions,
        evidence_at,
        still_failing,
    })
}

/// Records which holds began and ended, and tells each once per analysis.
fn hold(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, now_held: Vec<(Hold, bool)>) {
    let now = turn.now;
    let candidates: Vec<(Hold, Timestamp)> = now_held
        .iter()
        .map(|(hold, _)| {
            let since = live
                .candidates
                .iter()
                .find(|(held, _)| held.same(hold))
                .map(|(_, since)| *since);
            (hold.clone(), since.unwrap_or(now))
        })
        .collect();
    live.candidates.clone_from(&candidates);
    let Some(known) = turn.ledger.targets.get(target) else {
        return;
    };
    let (recorded, told) = (known.holds.clone(), known.told.clone());
    for held in &recorded {
        if !now_held.iter().any(|(hold, _)| hold.same(held)) {
            turn.record(Record::HoldEnded {
                target: target.clone(),
                hold: held.clone(),
            });
        }
    }
    let mut new: Vec<Hold> = Vec::new();
    for ((hold, at_once), (_, since)) in now_held.into_iter().zip(candidates) {
        let due = at_once || elapsed(since, now) >= TOLD_AFTER;
        if due && !recorded.iter().any(|held| held.same(&hold)) {
            turn.record(Record::HoldBegan {
                target: target.clone(),
                hold: hold.clone(),
            });
            if !told.iter().any(|told| told.same(&hold)) {
                new.push(hold);
            }
        }
    }
    tell::held(turn, target, live, new);
}

/// Ends the analysis when its watch is over.
fn finish(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    let Some(analysis) = analysis(turn, target) else {
        return;
    };
    let ends = analysis.ends(live.watch_time());
    if turn.now < ends {
        return;
    }
    if analysis.failed.is_some() {
        releases::end(turn, live, target, Ending::Fail);
        return;
    }
    let suspected = live
        .findings
        .iter()
        .any(|finding| finding.state == State::Suspected);
    if suspected && turn.now < later(ends, WINDOW) {
        return;
    }
    let ending = match doubt(turn, live, &analysis) {
        None => Ending::Pass,
        Some(reason) => Ending::Inconclusive { reason },
    };
    let findings = live.findings.clone();
    checkpoint(turn, target, live);
    releases::end(turn, live, target, ending.clone());
    tell::finished(turn, live, &analysis, &ending, &findings);
}

/// Why the watch cannot end with a Pass.
fn doubt(turn: &Turn<'_>, live: &Live, analysis: &Analysis) -> Option<String> {
    if analysis.first_traffic.is_none() {
        return Some(no_traffic(live, analysis));
    }
    if analysis.target.kind == crate::ids::TargetKind::Rollout && analysis.promoted.is_none() {
        return Some("the Rollout was not promoted within 24 h".to_owned());
    }
    for (rule, finding) in live.watch.rules.iter().zip(&live.findings) {
        if rule.dry_run {
            continue;
        }
        let evidence = live.evidence.get(&rule.name)?;
        let fresh = evidence
            .last_data
            .is_some_and(|at| elapsed(at, turn.now) < WINDOW * 2);
        match finding.state {
            _ if evidence.events < rule.least as f64 => {
                return Some(format!(
                    "`{}` saw {} requests, at least {} are needed",
                    rule.name,
                    count(evidence.events),
                    rule.least
                ));
            }
            _ if !fresh => {
                return Some(format!(
                    "`{}` has no data at the end of the watch",
                    rule.name
                ));
            }
            State::BaselineAlsoBad | State::Suspected | State::Failing => {
                return Some(finding.sentence.clone());
            }
            State::NoData | State::TooLittle | State::Within => {}
        }
    }
    None
}

fn no_traffic(live: &Live, analysis: &Analysis) -> String {
    let unready: Vec<String> = live
        .state
        .iter()
        .flat_map(|state| &state.pods)
        .filter(|pod| pod.hash == analysis.canary && !pod.ready && !pod.terminating)
        .map(|pod| match &pod.unready_reason {
            Some(reason) => format!("`{}` ({reason})", pod.name),
            None => format!("`{}`", pod.name),
        })
        .collect();
    if unready.is_empty() {
        return format!("revision {} had no traffic", analysis.canary);
    }
    let shown: Vec<String> = unready.iter().take(5).cloned().collect();
    format!(
        "revision {} had no traffic; {} not ready: {}",
        analysis.canary,
        plural(unready.len(), "pod"),
        shown.join(", ")
    )
}
