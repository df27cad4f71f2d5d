//! What holds a decision or an action back: recorded when it begins and ends, and told once per analysis.

use jiff::{SignedDuration, Timestamp};

use super::live::{Live, LiveRule};
use super::observe::serves;
use super::{Turn, tell};
use crate::analysis::Analysis;
use crate::guard::{Guard, Hold};
use crate::ids::TargetId;
use crate::judge::{Seen, State, WINDOW};
use crate::record::Record;
use crate::rule::{Check, Metric, Rule};
use crate::time::elapsed;

/// A hold that may pass by itself is told when it has lasted this long: the first seconds of a release are no news.
const TOLD_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// A source in trouble is asked at least this often before it is news.
const TROUBLED_LOOKS: u32 = 2;

/// What holds the decision back: data that are missing, too few, or bad in both arms.
pub(super) fn of_evidence(turn: &Turn<'_>, live: &Live, analysis: &Analysis) -> Vec<Hold> {
    let mut held = troubles(live);
    for rule in &live.rules {
        let Some(seen) = rule.seen else {
            continue;
        };
        let hold = |guard, reason| Hold {
            guard,
            rule: Some(rule.rule.name.clone()),
            reason,
            until: None,
        };
        match seen.state {
            State::BaselineAlsoBad => {
                held.push(hold(Guard::BaselineAlsoBad, seen.sentence(&rule.rule)));
            }
            State::TooLittle if beyond(&rule.rule, &seen) => {
                held.push(hold(Guard::TooLittleData, seen.sentence(&rule.rule)));
            }
            // Nothing was reported, which is as it should be.
            State::NoData if rule.rule.only_accuses() => {}
            State::NoData => {
                let why = no_data(turn, live, rule, analysis);
                held.extend(why.map(|why| hold(Guard::NoData, why)));
            }
            State::TooLittle
            | State::Within
            | State::Unsure
            | State::Suspected
            | State::Failing => {}
        }
    }
    held
}

/// Questions that the source does not answer: one hold if that are all, else one for each rule.
fn troubles(live: &Live) -> Vec<Hold> {
    let trouble = |rule: &LiveRule| {
        live.measurements
            .get(&rule.question)
            .and_then(|looking| looking.trouble.as_ref())
            .filter(|trouble| trouble.looks >= TROUBLED_LOOKS)
    };
    let asking = || live.rules.iter().filter(|rule| !rule.rule.only_accuses());
    let mut all = asking().map(trouble);
    if let Some(Some(first)) = all.next()
        && all.all(|trouble| trouble.is_some())
    {
        return vec![Hold::action(
            Guard::SourceUnavailable,
            first.reason.clone(),
            None,
        )];
    }
    live.rules
        .iter()
        .filter_map(|rule| {
            let trouble = trouble(rule)?;
            Some(Hold {
                guard: Guard::SourceUnavailable,
                rule: Some(rule.rule.name.clone()),
                reason: format!("`{}`: {}", rule.rule.name, trouble.reason),
                until: None,
            })
        })
        .collect()
}

/// Why a rule has no data although it should have some by now.
fn no_data(turn: &Turn<'_>, live: &Live, rule: &LiveRule, analysis: &Analysis) -> Option<String> {
    let looking = live.measurements.get(&rule.question)?;
    if looking.trouble.is_some() {
        return None;
    }
    let long_ago = |since: Timestamp| elapsed(since, turn.now) >= WINDOW;
    let should = analysis.first_traffic.is_some_and(long_ago)
        || (long_ago(analysis.began) && serves(turn.then(), live.state.as_ref(), analysis));
    should.then(|| {
        let reason = looking.no_data.clone().unwrap_or_else(|| {
            format!(
                "there is no new sample of revision {} of {}",
                analysis.canary, analysis.target
            )
        });
        format!("`{}`: {reason}", rule.rule.name)
    })
}

/// Whether the value alone, however few events it comes from, is beyond the limit.
fn beyond(rule: &Rule, seen: &Seen) -> bool {
    seen.canary.value.is_some_and(|value| match &rule.check {
        Check::Counts(check) => {
            check.max.is_some_and(|max| value > max)
                || (matches!(check.metric, Metric::Ratio(_))
                    && check.min.is_some_and(|min| value < min))
        }
        Check::Level(check) => check.limit.is_beyond(value),
    })
}

/// Rules that only tell, and would have failed the release.
pub(super) fn of_dry_rules(live: &Live) -> Vec<Hold> {
    live.rules
        .iter()
        .filter(|rule| rule.rule.dry_run && rule.state() == Some(State::Failing))
        .map(|rule| Hold {
            guard: Guard::DryRun,
            rule: Some(rule.rule.name.clone()),
            reason: format!(
                "rule `{}` says `dryRun: true`; it would have failed the release",
                rule.rule.name
            ),
            until: None,
        })
        .collect()
}

/// Records which holds began and ended, and tells each once per analysis.
pub(super) fn hold(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    analysis: &Analysis,
    now_held: Vec<Hold>,
) {
    let now = turn.now;
    let candidates: Vec<(Hold, Timestamp)> = now_held
        .into_iter()
        .map(|hold| {
            let since = live
                .candidates
                .iter()
                .find(|(held, _)| held.same(&hold))
                .map_or(now, |(_, since)| *since);
            (hold, since)
        })
        .collect();
    live.candidates.clone_from(&candidates);
    if turn.past {
        return;
    }
    let Some(known) = turn.known(target) else {
        return;
    };
    if candidates.is_empty() && known.holds.is_empty() {
        return;
    }
    let (recorded, told) = (known.holds.clone(), known.told.clone());
    let lost = turn
        .ledger
        .lost_sources
        .keys()
        .any(|lost| live.sources(&turn.settings).contains(lost));
    for held in &recorded {
        if !candidates.iter().any(|(hold, _)| hold.same(held)) {
            turn.record(Record::HoldEnded {
                target: target.clone(),
                hold: held.clone(),
            });
        }
    }
    let new: Vec<Hold> = candidates
        .into_iter()
        .filter(|(hold, since)| {
            hold.told_at_once()
                || hold.guard == Guard::Approval
                || elapsed(*since, now) >= TOLD_AFTER
        })
        .map(|(hold, _)| hold)
        .filter(|hold| !recorded.iter().any(|held| held.same(hold)))
        .collect();
    let news: Vec<&Hold> = new
        .iter()
        .filter(|hold| !told.iter().any(|told| told.same(hold)))
        // A lost source is told once for all its targets.
        .filter(|hold| !(lost && hold.guard == Guard::SourceUnavailable))
        // It was asked for in words of its own.
        .filter(|hold| hold.guard != Guard::Approval)
        .collect();
    if !news.is_empty() {
        tell::held(turn, live, analysis, &news);
    }
    for hold in new {
        if let (Guard::NoData, Some(rule)) = (hold.guard, &hold.rule) {
            turn.record(Record::RuleWithoutData {
                target: target.clone(),
                rule: rule.clone(),
                reason: hold.reason.clone(),
            });
        }
        turn.record(Record::HoldBegan {
            target: target.clone(),
            hold,
        });
    }
}
