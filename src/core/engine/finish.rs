//! The end of a watch: Pass, Inconclusive with a reason, or a Fail that was held back to the end.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::live::{Live, LiveRule};
use super::operations::Wish;
use super::{Turn, releases, tell, unproven};
use crate::analysis::{Analysis, Ending, LONGEST};
use crate::ids::{PlanId, TargetId, TargetKind};
use crate::judge::{State, WINDOW};
use crate::operation::Cause;
use crate::rule::{Check, WhenUnclear};
use crate::time::{elapsed, later};
use crate::wording::{count, span, unready};

/// A rule that has no data just then may have some again soon.
const SILENCE: SignedDuration = SignedDuration::from_mins(5);

/// Ends the analysis when its watch is over.
pub(super) fn finish(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live, analysis: &Analysis) {
    // The traffic may have begun in this very tick.
    let Some(analysis) = turn
        .known(target)
        .and_then(|known| known.analysis.as_ref())
        .filter(|found| found.id == analysis.id)
    else {
        return;
    };
    let ends = analysis.ends(live.watch_time());
    if turn.now < ends {
        return;
    }
    let analysis = analysis.clone();
    if analysis.failed.is_some() {
        tell::never_rolled_back(turn, live, &analysis);
        releases::end(turn, live, target, Ending::Fail);
        return;
    }
    let unclear = live.watch.assurance.when_unclear;
    let ending = match doubt(turn, live, &analysis)
        .or_else(|| unproven::unproven(live, &analysis, turn.now).map(stays))
    {
        None => Ending::Pass,
        // Nothing was found against it, and the watch says that this is enough.
        Some(doubt) if unclear == WhenUnclear::Pass && doubt.may_pass.is_zero() => Ending::Pass,
        Some(doubt) if turn.now < later(ends, doubt.may_pass) => return,
        Some(doubt) => Ending::Inconclusive {
            reason: doubt.reason,
        },
    };
    turn.record(live.checkpoint(turn.now));
    tell::finished(turn, live, &analysis, &ending);
    releases::end(turn, live, target, ending);
}

/// Why the watch cannot end with a Pass.
struct Doubt {
    reason: String,
    /// It may be gone within this time, for which the end is put off.
    may_pass: SignedDuration,
}

fn stays(reason: String) -> Doubt {
    Doubt {
        reason,
        may_pass: SignedDuration::ZERO,
    }
}

fn doubt(turn: &Turn<'_>, live: &Live, analysis: &Analysis) -> Option<Doubt> {
    if live.rules.iter().all(|rule| rule.rule.only_accuses()) {
        let reason =
            "only alerts speak of it, and that none was reported is no proof that all is well";
        return Some(stays(reason.to_owned()));
    }
    if analysis.first_traffic.is_none() {
        return Some(stays(no_traffic(live, analysis)));
    }
    if analysis.target.kind == TargetKind::Rollout && analysis.promoted.is_none() {
        return Some(stays(format!(
            "the Rollout was not promoted within {}",
            span(LONGEST)
        )));
    }
    if analysis.stepped && analysis.in_full.is_none() {
        return Some(stays(format!(
            "its traffic did not get through all its steps within {}",
            span(LONGEST)
        )));
    }
    let mut deciding = live
        .rules
        .iter()
        .filter(|rule| !rule.rule.dry_run)
        .peekable();
    if deciding.peek().is_none() {
        return Some(stays("every rule is a dry run, so none decides".to_owned()));
    }
    let settled = later(analysis.ends(live.watch_time()), WINDOW);
    deciding.find_map(|rule| doubt_of(turn, live, rule, settled))
}

fn doubt_of(turn: &Turn<'_>, live: &Live, rule: &LiveRule, settled: Timestamp) -> Option<Doubt> {
    let name = &rule.rule.name;
    let evidence = &rule.evidence;
    let only_accuses = rule.rule.only_accuses();
    if evidence.events() < rule.least() && !only_accuses {
        let why = because(live, rule);
        let events = match &rule.rule.check {
            Check::Counts(_) => "events",
            Check::Level(_) => "samples",
        };
        return Some(stays(format!(
            "`{name}` saw {} of the {} {events} that it needs{why}",
            count(evidence.events()),
            count(rule.least())
        )));
    }
    let Some(seen) = rule.seen else {
        return (!only_accuses).then(|| stays(format!("`{name}` was never judged")));
    };
    match seen.state {
        State::NoData if only_accuses => None,
        State::NoData => {
            let silent = evidence.last_sample().map_or_else(String::new, |last| {
                format!(" for {}", span(elapsed(last, turn.now)))
            });
            Some(Doubt {
                reason: format!(
                    "`{name}` has had no new sample{silent}, at the end of the watch{}",
                    because(live, rule)
                ),
                may_pass: SILENCE,
            })
        }
        // What comes next tells; and what was measured in all, if a few bad events are just so many too many.
        State::Unsure | State::Suspected
            if turn.now < settled || !evidence.keeps_limit(&rule.rule) =>
        {
            let lasting =
                SignedDuration::try_from(rule.rule.lasting).unwrap_or(SignedDuration::MAX);
            Some(Doubt {
                reason: seen.sentence(&rule.rule),
                // Whether it lasts is known when it has lasted.
                may_pass: lasting.max(WINDOW),
            })
        }
        State::TooLittle | State::BaselineAlsoBad | State::Failing => {
            Some(stays(seen.sentence(&rule.rule)))
        }
        State::Within | State::Unsure | State::Suspected => None,
    }
}

fn no_traffic(live: &Live, analysis: &Analysis) -> String {
    let canary = &analysis.canary;
    let pods = live.state.iter().flat_map(|state| &state.pods);
    if let Some(unready) = unready(pods.filter(|pod| pod.hash == *canary)) {
        return format!("revision {canary} had no traffic; {unready}");
    }
    let unanswered = live.rules.iter().find_map(|rule| why_no_data(live, rule));
    match unanswered {
        Some(reason) => format!("no traffic of revision {canary} was seen ({reason})"),
        None => format!("revision {canary} had no traffic"),
    }
}

/// The same in brackets, if the source says so.
fn because(live: &Live, rule: &LiveRule) -> String {
    why_no_data(live, rule).map_or_else(String::new, |reason| format!(" ({reason})"))
}

/// Why the source gives no data for a rule, as far as it says so.
fn why_no_data<'a>(live: &'a Live, rule: &LiveRule) -> Option<&'a String> {
    let looking = live.measurements.get(&rule.question)?;
    let trouble = looking.trouble.as_ref().map(|trouble| &trouble.reason);
    trouble.or(looking.no_data.as_ref())
}

/// What a failed release asks for besides its rollback: once that is over, or if there is none.
pub(super) fn follow_up(turn: &mut Turn<'_>, target: &TargetId, live: &Live) {
    let Some(runbook) = &live.watch.on_fail.run else {
        return;
    };
    let Some(known) = turn.known(target).filter(|known| known.plan.is_none()) else {
        return;
    };
    let Some(analysis) = known.owes.clone() else {
        return;
    };
    turn.wish(Wish {
        id: PlanId(format!("{analysis}-run")),
        target: target.clone(),
        cause: Cause::Release { analysis },
        runbook: Arc::clone(runbook),
        dry_rule: None,
        follows: None,
    });
}
