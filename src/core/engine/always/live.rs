//! What is known of the rules between releases since the agent started: their counters and their evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Looked;
use crate::engine::Answer;
use crate::engine::alerts;
use crate::engine::arms::sum;
use crate::engine::levels::{Values, rate};
use crate::engine::live::{Looking, MOST_RECORDED_BYTES, UNKNOWN_INTERVAL, patience};
use crate::engine::observe::looked;
use crate::engine::resume::SHORT;
use crate::hook::Reported;
use crate::ids::{PlanId, RuleName, TargetId};
use crate::incident::IncidentState;
use crate::judge::{Continuous, Finding, LevelArms, Seen, State};
use crate::ledger::{AlwaysCheckpoint, AlwaysLedger};
use crate::measurement::{Increases, KnownPods};
use crate::record::Record;
use crate::rule::{Always, Check, Question, ScaleTarget, Watch};
use crate::snapshot::Doing;
use crate::target::TargetState;
use crate::time::elapsed;

/// Rules between releases of one target.
#[derive(Debug, Default)]
pub(in crate::engine) struct AlwaysLive {
    pub(in crate::engine) rules: Vec<AlwaysRule>,
    /// They count for themselves: what an analysis has counted goes with the evidence of the analysis.
    pub(in crate::engine) measurements: BTreeMap<Arc<Question>, Looking>,
    pub(super) recorded: Option<Timestamp>,
    /// Something was going on when the evidence was recorded last.
    pub(super) was_busy: bool,
    /// When the cluster was last asked about a workload, and how often in a row it could not say.
    pub(super) asked: BTreeMap<ScaleTarget, Asking>,
    /// A release explains what is broken.
    pub(super) explained: bool,
    /// Past answers from then on are about these rules.
    pub(in crate::engine) past_from: Option<Timestamp>,
    /// When the run before looked at them.
    pub(super) looked: Option<Timestamp>,
    /// Plans whose step this process handed to the executor.
    pub(super) handed: BTreeSet<PlanId>,
}

/// How it stands with questions to the cluster about one workload.
#[derive(Debug, Default)]
pub(super) struct Asking {
    pub(super) at: Option<Timestamp>,
    pub(super) failures: u32,
}

/// One rule between releases.
#[derive(Debug)]
pub(in crate::engine) struct AlwaysRule {
    pub(in crate::engine) always: Always,
    pub(in crate::engine) question: Arc<Question>,
    evidence: Continuous,
    seen: Option<Seen>,
    changed: bool,
    /// When it was first looked at, and when it last had something to say.
    pub(super) first: Option<Timestamp>,
    pub(super) last_data: Option<Timestamp>,
}

impl AlwaysLive {
    pub(in crate::engine) fn new(watch: &Watch) -> Self {
        let rules: Vec<AlwaysRule> = watch
            .always
            .iter()
            .map(|always| AlwaysRule {
                question: Arc::new(Question::of(&always.rule)),
                evidence: Continuous::new(&always.rule),
                always: always.clone(),
                seen: None,
                changed: true,
                first: None,
                last_data: None,
            })
            .collect();
        let measurements = rules
            .iter()
            .map(|rule| (rule.question.clone(), Looking::default()))
            .collect();
        Self {
            rules,
            measurements,
            ..Self::default()
        }
    }

    /// How far back what they say of now reaches; `None`: there are none.
    pub(super) fn reach(&self) -> Option<SignedDuration> {
        let signed = |span| SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        let reach = |rule: &AlwaysRule| {
            signed(rule.always.window).saturating_add(signed(rule.always.rule.lasting))
        };
        self.rules.iter().map(reach).max()
    }

    /// Goes on with what `old` knows: the evidence of rules that are the same, and the counters of questions that are
    /// still asked of the same source.
    pub(in crate::engine) fn take_over(
        &mut self,
        mut old: Self,
        same_source: impl Fn(&Question) -> bool,
    ) {
        for rule in &mut self.rules {
            let same = |before: &AlwaysRule| {
                before.always.rule == rule.always.rule && before.always.window == rule.always.window
            };
            if let Some(place) = old.rules.iter().position(same) {
                // What is done about it, and who hears of it, may have changed.
                let always = rule.always.clone();
                *rule = AlwaysRule {
                    always,
                    ..old.rules.swap_remove(place)
                };
            }
        }
        for (question, looking) in &mut self.measurements {
            if same_source(question)
                && let Some(known) = old.measurements.remove(question)
            {
                *looking = known;
            }
        }
        self.recorded = old.recorded;
        self.was_busy = old.was_busy;
        self.asked = old.asked;
        self.explained = old.explained;
        self.handed = old.handed;
    }

    pub(in crate::engine) fn index_of(&self, rule: &RuleName) -> Option<usize> {
        self.rules
            .iter()
            .position(|own| own.always.rule.name == *rule)
    }

    /// Whether it has asked the cluster about one of these workloads.
    pub(in crate::engine) fn awaits(&self, looked: &Looked) -> bool {
        looked
            .keys()
            .any(|workload| self.asked.contains_key(workload))
    }

    /// Gives the rules about alerts what was reported.
    pub(super) fn hear(
        &mut self,
        reported: &Reported,
        live: (&TargetId, &KnownPods, Option<&TargetState>),
        now: Timestamp,
    ) {
        for rule in &mut self.rules {
            let definition = &rule.always.rule;
            if let Some(tick) = alerts::of_whole_target(reported, definition, live, now) {
                rule.evidence.update_level(definition, &tick);
                rule.changed = true;
            }
        }
    }

    /// What the rules say now. Computed anew only where something changed.
    pub(super) fn judge(&mut self, now: Timestamp) {
        for rule in &mut self.rules {
            let interval = self
                .measurements
                .get(&rule.question)
                .and_then(|looking| looking.measurement.interval())
                .and_then(|interval| SignedDuration::try_from(interval).ok());
            rule.judge(now, interval);
        }
    }

    /// Whether some rule is not simply kept, or silent.
    pub(super) fn is_busy(&self) -> bool {
        self.rules.iter().any(|rule| match rule.state() {
            Some(State::Unsure | State::Suspected | State::Failing | State::BaselineAlsoBad) => {
                true
            }
            Some(State::Within | State::NoData | State::TooLittle) | None => false,
        })
    }

    /// Forgets what was measured for rules that have no open incident.
    pub(super) fn begin_anew(&mut self, open: impl Fn(&RuleName) -> bool) {
        for rule in &mut self.rules {
            if !open(&rule.always.rule.name) {
                rule.evidence = Continuous::new(&rule.always.rule);
                rule.seen = None;
                rule.changed = true;
            }
        }
    }

    pub(in crate::engine) fn why_no_data(&self, index: usize) -> String {
        let looking = self
            .rules
            .get(index)
            .and_then(|rule| self.measurements.get(&rule.question));
        looking
            .and_then(|looking| {
                let trouble = looking.trouble.as_ref().map(|trouble| &trouble.reason);
                trouble.or(looking.no_data.as_ref()).cloned()
            })
            .unwrap_or_else(|| "there is no new sample".to_owned())
    }

    /// The evidence so far as a record. What is too large for a record is left out, and begins anew after a restart.
    pub(in crate::engine) fn checkpoint(&mut self, target: &TargetId, now: Timestamp) -> Record {
        self.recorded = Some(now);
        let mut left = MOST_RECORDED_BYTES;
        let mut fits = |bytes: usize| {
            let fits = bytes <= left;
            left = left.saturating_sub(bytes);
            fits
        };
        // A piece of a window is as large as one series; eight of them are recorded.
        let of_rule = |rule: &AlwaysRule| {
            let series = self.measurements.get(&rule.question);
            1_000 + 8 * series.map_or(0, |looking| looking.largest)
        };
        let evidence = self
            .rules
            .iter()
            .filter(|rule| fits(of_rule(rule)))
            .map(|rule| (rule.always.rule.name.clone(), rule.evidence.compact()))
            .collect();
        let measurements = self
            .measurements
            .iter()
            .filter(|(_, looking)| fits(looking.bytes))
            .map(|(question, looking)| (question.clone(), looking.measurement.clone()))
            .collect();
        Record::AlwaysCheckpoint {
            target: target.clone(),
            evidence,
            measurements,
        }
    }

    /// Takes up recorded evidence, and counts on where the counters stood if that was not long ago.
    pub(super) fn restore(&mut self, checkpoint: &AlwaysCheckpoint, now: Timestamp) {
        self.recorded = Some(checkpoint.at);
        self.was_busy = true;
        for rule in &mut self.rules {
            let recorded = checkpoint.evidence.get(&rule.always.rule.name);
            if let Some(evidence) = recorded.filter(|evidence| evidence.fits(&rule.always.rule)) {
                rule.evidence = evidence.clone();
            }
        }
        if elapsed(checkpoint.at, now) > SHORT {
            return;
        }
        for (question, measurement) in &checkpoint.measurements {
            if let Some(looking) = self.measurements.get_mut(question) {
                looking.measurement = measurement.clone();
            }
        }
    }
}

impl AlwaysRule {
    fn take_in(&mut self, now: Timestamp, increases: &Increases<'_>, values: Option<&Values<'_>>) {
        let rule = &self.always.rule;
        match (&rule.check, values) {
            (Check::Level(check), Some(values)) => {
                let tick = LevelArms {
                    canary: values.of_whole_target(check),
                    ..LevelArms::default()
                };
                self.evidence.update_level(rule, &tick);
            }
            (Check::Level(_), None) => {
                let Some(counts) = sum(rule, increases, |_, _| true) else {
                    return;
                };
                let counted = rate(now, Some(&counts), None);
                self.evidence.update_rate(rule, counted);
            }
            (Check::Counts(_), _) => {
                let Some(counts) = sum(rule, increases, |_, _| true) else {
                    return;
                };
                self.evidence
                    .update_counts(rule, self.always.window, now, &counts);
            }
        }
        self.changed = true;
    }

    /// `interval`: how far samples lie apart, once that is known.
    fn judge(&mut self, now: Timestamp, interval: Option<SignedDuration>) {
        let rule = &self.always.rule;
        let patience = interval.map_or(UNKNOWN_INTERVAL, patience);
        if let Some(interval) = interval {
            self.evidence.tick(rule, now, interval);
        }
        let silent = self.evidence.silent(now, patience);
        let was_silent = self.state().map(|state| state == State::NoData);
        let waits = !rule.lasting.is_zero() && self.seen.is_some_and(|seen| seen.since().is_some());
        if self.changed || waits || was_silent != Some(silent) {
            let window = self.always.window;
            self.seen = Some(self.evidence.judge(rule, window, now, patience));
            self.changed = false;
        }
    }

    pub(in crate::engine) fn state(&self) -> Option<State> {
        self.seen.map(|seen| seen.state)
    }

    pub(in crate::engine) fn finding(&self) -> Option<Finding> {
        Some(self.seen?.finding(&self.always.rule))
    }

    pub(super) fn is_silent(&self) -> bool {
        self.state().is_none_or(|state| state == State::NoData)
    }

    /// Remembers whether it has something to say; when it was first looked at.
    pub(super) fn heard(&mut self, now: Timestamp) -> Timestamp {
        if !self.is_silent() {
            self.last_data = Some(now);
        }
        *self.first.get_or_insert(now)
    }

    /// Where a scaling because of this rule is, or its undo.
    pub(in crate::engine) fn doing(&self, known: &AlwaysLedger, now: Timestamp) -> Option<Doing> {
        let name = &self.always.rule.name;
        let incident = known.incidents.get(name);
        let scaled = known.scaled.get(name);
        let scales = |state: &IncidentState| state.scaling.is_some() && state.settled.is_none();
        if incident.is_some_and(scales) || scaled.is_some_and(|scaled| scaled.undo.is_some()) {
            return Some(Doing::Acting);
        }
        let due = match (incident, scaled) {
            (Some(state), _) => {
                let scales = state.incident.scale.is_some() && state.settled.is_none();
                let operates = state.incident.run.is_some() && !state.operated;
                (scales || operates) && self.state() == Some(State::Failing)
            }
            (None, Some(scaled)) => {
                let after = SignedDuration::try_from(scaled.undo_after);
                self.kept_for(after.unwrap_or(SignedDuration::MAX), now)
            }
            (None, None) => false,
        };
        due.then_some(Doing::Deciding)
    }

    /// Whether the limit is kept now, and has been for this long without a break.
    pub(super) fn kept_for(&self, least: SignedDuration, now: Timestamp) -> bool {
        self.state() == Some(State::Within)
            && self
                .evidence
                .kept_since()
                .is_some_and(|since| elapsed(since, now) >= least)
    }
}

/// Takes one answer in, for the rules between releases that ask this question.
pub(in crate::engine) fn take_in(
    live: &mut AlwaysLive,
    pods: &KnownPods,
    now: Timestamp,
    answer: &Answer,
) -> Option<String> {
    let AlwaysLive {
        rules,
        measurements,
        ..
    } = live;
    let looking = measurements.get_mut(&answer.question)?;
    let increases = looking.measurement.advance(now, &answer.observation, pods);
    let trouble = looked(looking, &answer.question, &answer.observation, &increases);
    let values = Values::of(&answer.observation, now, pods, &looking.measurement);
    for rule in rules
        .iter_mut()
        .filter(|rule| rule.question == answer.question)
    {
        rule.take_in(now, &increases, values.as_ref());
    }
    trouble
}
