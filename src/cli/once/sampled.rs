//! Values without a past: what objects, documents and queues say is known of now only. A rule about one that has to be
//! broken, or kept, for some time is looked at for that long within the round.

use std::collections::BTreeMap;
use std::time::Duration;

use recant_core::ids::RuleName;
use recant_core::judge::State;
use recant_core::rule::{Check, Question, Rule, RuleBook, Sampled, Scale, Watch};
use recant_core::snapshot::{AlwaysSnapshot, TargetSnapshot};

/// Beyond the time that a rule asks for: the samples at both ends.
const MARGIN: Duration = Duration::from_secs(5);

/// How long a rule without a past has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// Before it counts as broken.
    pub(super) broken: Duration,
    /// Once it was broken, before it counts as recovered.
    pub(super) recovered: Duration,
    /// Before what was scaled because of it is taken back.
    pub(super) undo: Option<Duration>,
}

/// Those rules of a watch.
pub(super) fn rules(watch: &Watch) -> impl Iterator<Item = (&RuleName, Times)> {
    let undo = |scale: &Scale| scale.undo_after;
    let always = watch.always.iter().map(move |always| {
        let times = Times {
            broken: always.rule.lasting,
            recovered: always.recovers_after(),
            undo: always.scale.as_ref().and_then(undo),
        };
        (&always.rule, times)
    });
    let of_release = watch.rules.iter().map(|rule| {
        let times = Times {
            broken: rule.lasting,
            recovered: rule.lasting,
            undo: None,
        };
        (rule, times)
    });
    let all = of_release.chain(always);
    all.filter(|(rule, _)| !has_past(rule))
        .map(|(rule, times)| (&rule.name, times))
}

fn has_past(rule: &Rule) -> bool {
    match &rule.check {
        Check::Counts(_) => true,
        Check::Level(check) => match check.metric.sampled {
            Sampled::Rate { .. } => true,
            // A range query shows its own past at every look.
            Sampled::Level(_) => {
                let question = Question::of(rule);
                question.has_past() || question.shows_past()
            }
        },
    }
}

/// How long a round looks at them.
#[derive(Debug, Clone, Default)]
pub(super) struct Sampling(BTreeMap<RuleName, Times>);

impl Sampling {
    pub(super) fn new(book: &RuleBook) -> Self {
        let all = book.watches.iter().flat_map(rules);
        Self(all.map(|(rule, times)| (rule.clone(), times)).collect())
    }

    /// Whether one of them was not looked at for long enough to say what it is about to say.
    pub(super) fn looks_on(&self, target: &TargetSnapshot, looked: Duration) -> bool {
        let lasts =
            |wanted: Option<Duration>| wanted.is_some_and(|wanted| looked < wanted + MARGIN);
        let mut of_release = target.analysis.iter().flat_map(|found| &found.findings);
        let released = of_release.any(|finding| {
            let times = self.0.get(&finding.rule);
            lasts(times.and_then(|times| wanted(*times, finding.state, None)))
        });
        let mut between = target.always.iter();
        released
            || between.any(|rule| {
                let state = rule.finding.as_ref().map(|finding| finding.state);
                let times = self.0.get(&rule.rule).zip(state);
                lasts(times.and_then(|(times, state)| wanted(*times, state, Some(rule))))
            })
    }
}

/// How long a rule is to be looked at in all, given what it says.
fn wanted(times: Times, state: State, between: Option<&AlwaysSnapshot>) -> Option<Duration> {
    let open = between.is_some_and(|rule| rule.incident.is_some());
    let scaled = between.is_some_and(|rule| rule.scaled.is_some());
    match state {
        State::Unsure | State::Suspected => Some(times.broken),
        State::Within if open => Some(times.recovered),
        State::Within if scaled => times.undo,
        State::Within
        | State::NoData
        | State::TooLittle
        | State::Failing
        | State::BaselineAlsoBad => None,
    }
}
