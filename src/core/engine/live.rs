//! What is known of a target since the agent started, and does not last: its state, counters, evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::EngineSettings;
use super::always::AlwaysLive;
use super::nodes::Nodes;
use super::preflight::Look;
use super::stepping::SteppingLive;
use super::verdict::Together;
use crate::guard::{Failing, Hold};
use crate::history::History;
use crate::ids::PlanId;
use crate::judge::{Before, Beginning, Evidence, Finding, Pace, Phase, Seen, State, WINDOW};
use crate::measurement::{KnownPods, Measurement};
use crate::record::Record;
use crate::rule::{Check, Question, Rule, SourceKind, Watch};
use crate::target::TargetState;
use crate::time::elapsed;

/// A target of which nothing comes is looked at this often: what only time brings waits no longer.
const SOON: SignedDuration = SignedDuration::from_millis(500);
/// While the scrape interval is not known, a rule is called silent after this long.
pub(super) const UNKNOWN_INTERVAL: SignedDuration = SignedDuration::from_mins(2);
/// A rule is called silent after this long, whatever the interval seems to be.
const MOST_PATIENCE: SignedDuration = SignedDuration::from_mins(10);
/// Samples of a value below which nothing is called good.
const LEAST_SAMPLES: f64 = 3.0;
/// Counters in a checkpoint take at most about this many bytes: a record has a largest size.
pub(super) const MOST_RECORDED_BYTES: usize = 250_000;

#[derive(Debug)]
pub(super) struct Live {
    pub(super) watch: Arc<Watch>,
    /// The rules between releases.
    pub(super) always: AlwaysLive,
    pub(super) rules: Vec<LiveRule>,
    pub(super) state: Option<TargetState>,
    /// The evidence of the process before was taken up.
    pub(super) restored: bool,
    /// Past answers from then on are about a release.
    pub(super) past_from: Option<Timestamp>,
    pub(super) pods: KnownPods,
    pub(super) measurements: BTreeMap<Arc<Question>, Looking>,
    pub(super) checkpoint: Option<Timestamp>,
    /// When the baseline arm last had traffic in this analysis; the start of the agent, if that was later.
    pub(super) baseline_traffic: Option<Timestamp>,
    /// When pods of a revision that somebody took back were last seen serving.
    pub(super) bad_served: Option<Timestamp>,
    /// Holds that are true now, since when: only those that last are told.
    pub(super) candidates: Vec<(Hold, Timestamp)>,
    /// What it depends on, and fails now.
    pub(super) dependencies: Vec<Failing>,
    pub(super) nodes: Nodes,
    /// The step that this process handed to the executor last.
    pub(super) handed: Option<(PlanId, usize)>,
    /// Index of the write of a pause that this process handed out last.
    pub(super) handed_pause: Option<usize>,
    /// The last look at the way back.
    pub(super) way_back: Option<Look>,
    /// The same of what a person has ordered.
    pub(super) ordered_way_back: Option<Look>,
    /// The same of a suspension.
    pub(super) handed_sync: Option<usize>,
    /// Something came for this target that has not been looked at.
    pub(super) news: bool,
    /// When it was looked at last.
    pub(super) looked: Option<Timestamp>,
    /// Some rule is about alerts.
    pub(super) hears_alerts: bool,
    /// The rules of the release together; `None`: none is judged.
    pub(super) together: Option<Together>,
    /// The traffic of a stepped release.
    pub(super) stepping: SteppingLive,
}

/// One rule of the watch.
#[derive(Debug, Clone)]
pub(super) struct LiveRule {
    pub(super) rule: Arc<Rule>,
    pub(super) question: Arc<Question>,
    pub(super) history: History,
    /// Evidence of the analysis, or of the verification.
    pub(super) evidence: Evidence,
    /// What the evidence said last, without the tests of a release.
    pub(super) looked: Option<Seen>,
    /// The same, as the release is judged by it.
    pub(super) seen: Option<Seen>,
    /// Since when the tests of the release call it bad without a break.
    pub(super) bad_since: Option<Timestamp>,
    /// What it sees of an arm is traffic: it counts events, or no rule of the watch does.
    pub(super) tells_traffic: bool,
    /// Its metric does not tell arms apart: it is always judged as if the canary were alone.
    pub(super) one_arm: bool,
    /// The evidence has changed since then.
    pub(super) changed: bool,
}

/// One question about one target.
#[derive(Debug, Clone, Default)]
pub(super) struct Looking {
    pub(super) measurement: Measurement,
    pub(super) asked: Option<Timestamp>,
    pub(super) trouble: Option<Trouble>,
    /// Why there are no data, if the source says so.
    pub(super) no_data: Option<String>,
    /// About how many bytes the counters take in a record.
    pub(super) bytes: usize,
    /// The same of the largest series.
    pub(super) largest: usize,
}

/// The last answers could not be used.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) looks: u32,
    pub(super) reason: String,
}

impl Live {
    pub(super) fn new(watch: Arc<Watch>) -> Self {
        let always = watch.always.iter().map(|always| &always.rule);
        let hears_alerts = watch
            .rules
            .iter()
            .chain(always)
            .any(|rule| rule.only_accuses());
        let counts = |rule: &Arc<Rule>| rule.counts().is_some();
        let none_counts = !watch.rules.iter().any(counts);
        let rules: Vec<LiveRule> = watch
            .rules
            .iter()
            .map(|rule| LiveRule {
                rule: rule.clone(),
                question: Arc::new(Question::of(rule)),
                history: History::default(),
                evidence: Evidence::new(rule),
                looked: None,
                seen: None,
                bad_since: None,
                tells_traffic: (none_counts && !rule.only_accuses()) || counts(rule),
                one_arm: false,
                changed: true,
            })
            .collect();
        let measurements = rules
            .iter()
            .map(|rule| (rule.question.clone(), Looking::default()))
            .collect();
        Self {
            always: AlwaysLive::new(&watch),
            watch,
            rules,
            state: None,
            restored: false,
            past_from: None,
            pods: KnownPods::default(),
            measurements,
            checkpoint: None,
            baseline_traffic: None,
            bad_served: None,
            candidates: Vec::new(),
            dependencies: Vec::new(),
            nodes: Nodes::default(),
            handed: None,
            handed_pause: None,
            way_back: None,
            ordered_way_back: None,
            handed_sync: None,
            news: true,
            looked: None,
            hears_alerts,
            together: None,
            stepping: SteppingLive::default(),
        }
    }

    /// Whether it is to be looked at: something came, or time may have brought something. Ticks come several times a
    /// second where much is watched, each with news of a few targets.
    pub(super) fn due(&mut self, now: Timestamp) -> bool {
        let due = std::mem::take(&mut self.news)
            || self
                .looked
                .is_none_or(|looked| now < looked || elapsed(looked, now) >= SOON);
        if due {
            self.looked = Some(now);
        }
        due
    }

    pub(super) fn see(&mut self, state: TargetState) {
        self.news = true;
        self.pods = KnownPods::new(&state.id, &state.pods);
        self.state = Some(state);
    }

    /// The source that answers a question of this watch.
    pub(super) fn source_of(&self, question: &Question, settings: &EngineSettings) -> SourceKind {
        source_of(&self.watch, question, settings)
    }

    /// All sources that this watch needs.
    pub(super) fn sources(&self, settings: &EngineSettings) -> BTreeSet<SourceKind> {
        self.measurements
            .keys()
            .chain(self.always.measurements.keys())
            .map(|question| self.source_of(question, settings))
            .collect()
    }

    /// For looking back: pods that have gone meanwhile are known by the names of their revisions.
    pub(super) fn see_back(&mut self, state: TargetState) {
        self.pods = KnownPods::with_revisions(&state.id, &state.pods, &state.revisions);
        self.state = Some(state);
    }

    pub(super) fn watch_time(&self) -> SignedDuration {
        SignedDuration::try_from(self.watch.watch).unwrap_or(SignedDuration::MAX)
    }

    /// The longest measured interval between samples.
    pub(super) fn interval(&self) -> Option<SignedDuration> {
        self.measurements
            .values()
            .filter_map(|looking| looking.measurement.interval())
            .max()
            .and_then(|interval| SignedDuration::try_from(interval).ok())
    }

    /// How old data may be that something is done about: a few samples, when they are known to come seldom.
    pub(super) fn freshness(&self) -> SignedDuration {
        self.interval().map_or(WINDOW, patience)
    }

    /// Whether every rule that decides has data of just now.
    pub(super) fn sees(&self, now: Timestamp) -> bool {
        let fresh = |rule: &LiveRule| {
            let last = rule.evidence.last_data();
            last.is_some_and(|last| elapsed(last, now) <= self.freshness())
        };
        self.rules
            .iter()
            .filter(|rule| !rule.rule.dry_run && !rule.rule.only_accuses())
            .all(fresh)
    }

    /// What the rules say now, in their order. Computed anew only where something changed.
    pub(super) fn judge(&mut self, phase: Phase, now: Timestamp) {
        for rule in &mut self.rules {
            let interval = self
                .measurements
                .get(&rule.question)
                .and_then(|looking| looking.measurement.interval())
                .and_then(|interval| SignedDuration::try_from(interval).ok());
            rule.judge(phase, now, interval.map_or(UNKNOWN_INTERVAL, patience));
        }
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        self.rules.iter().filter_map(LiveRule::finding).collect()
    }

    /// Whether the release is bad, as of the last tick.
    pub(super) fn fails(&self) -> bool {
        self.together.as_ref().is_some_and(Together::fails)
    }

    /// Whether what it fails by is to be seen just now, too.
    pub(super) fn still_fails(&self) -> bool {
        self.fails()
            && self.rules.iter().any(|rule| {
                let broken = rule.looked.is_some_and(|seen| seen.state != State::Within);
                rule.fails() && (broken || rule.evidence.is_worse())
            })
    }

    /// Starts the evidence of all rules afresh, each with what was measured before the release. `release`: when the
    /// release that is judged began, and beside what.
    pub(super) fn restart(
        &mut self,
        before: impl Fn(&LiveRule) -> Before,
        release: Option<(Phase, Timestamp, SignedDuration)>,
    ) {
        self.baseline_traffic = None;
        self.candidates.clear();
        let paces: Vec<Option<Beginning>> = (0..self.rules.len())
            .map(|index| release.and_then(|begun| self.beginning(index, begun)))
            .collect();
        for (rule, beginning) in self.rules.iter_mut().zip(paces) {
            rule.evidence = Evidence::after(&rule.rule, before(rule), beginning);
            rule.looked = None;
            rule.seen = None;
            rule.bad_since = None;
            rule.changed = true;
        }
        self.together = release.map(|_| Together::of(&self.rules, &self.watch));
    }

    /// Begins the tests of rules that come while a release is judged; the others go on.
    pub(super) fn join(&mut self, release: Option<(Phase, Timestamp, SignedDuration)>) {
        let Some(begun) = release else {
            return;
        };
        for index in 0..self.rules.len() {
            let beginning = self.beginning(index, begun);
            if let Some(rule) = self.rules.get_mut(index) {
                rule.evidence.join(&rule.rule, beginning);
            }
        }
        self.together = Some(Together::of(&self.rules, &self.watch));
    }

    /// How the tests of one rule begin.
    fn beginning(
        &self,
        index: usize,
        (phase, now, interval): (Phase, Timestamp, SignedDuration),
    ) -> Option<Beginning> {
        let rule = self.rules.get(index)?;
        Some(Beginning {
            phase: rule.phase(phase),
            pace: Pace {
                watch: self.watch.watch,
                tick: self.tick_of(rule, interval).unsigned_abs(),
                false_alarms: self.watch.assurance.false_alarms,
            },
            ticks: rule.history.ticks(now),
        })
    }

    /// How long a tick of the judge is: as far apart as samples are.
    pub(super) fn tick_of(&self, rule: &LiveRule, interval: SignedDuration) -> SignedDuration {
        let looking = self.measurements.get(&rule.question);
        looking.map_or(interval, |looking| looking.tick(interval))
    }

    /// The evidence so far as a record.
    pub(super) fn checkpoint(&mut self, now: Timestamp) -> Record {
        self.checkpoint = Some(now);
        let mut left = MOST_RECORDED_BYTES;
        Record::Checkpoint {
            target: self.watch.target.clone(),
            evidence: self
                .rules
                .iter()
                .map(|rule| (rule.rule.name.clone(), rule.evidence.compact()))
                .collect(),
            findings: self.findings(),
            measurements: self
                .measurements
                .iter()
                .filter(|(_, looking)| {
                    let fits = looking.bytes <= left;
                    left = left.saturating_sub(looking.bytes);
                    fits
                })
                .map(|(question, looking)| (question.clone(), looking.measurement.clone()))
                .collect(),
        }
    }
}

impl Looking {
    /// How long a tick of the judge is: as far apart as samples are, but not less than looks and a second.
    pub(super) fn tick(&self, interval: SignedDuration) -> SignedDuration {
        self.measurement
            .interval()
            .and_then(|measured| SignedDuration::try_from(measured).ok())
            .map_or(interval, |measured| measured.max(interval))
            .max(SignedDuration::from_secs(1))
    }
}

/// The source that answers a question of a watch.
pub(super) fn source_of(
    watch: &Watch,
    question: &Question,
    settings: &EngineSettings,
) -> SourceKind {
    let typed = || watch.source.unwrap_or(settings.source);
    question.source().unwrap_or_else(typed)
}

impl LiveRule {
    /// How the rule is judged: a metric without arms has nothing beside it.
    pub(super) fn phase(&self, phase: Phase) -> Phase {
        if self.one_arm { Phase::Alone } else { phase }
    }

    fn judge(&mut self, phase: Phase, now: Timestamp, patience: SignedDuration) {
        let silent = self.evidence.silent(now, patience);
        let was_silent = self.looked.map(|seen| seen.state == State::NoData);
        let waits = self
            .looked
            .is_some_and(|seen| self.evidence.waits(&self.rule, &seen));
        if self.changed || waits || was_silent != Some(silent) {
            let phase = self.phase(phase);
            self.looked = Some(self.evidence.judge(&self.rule, phase, now, patience));
            self.changed = false;
        }
        self.seen = self.looked;
    }

    /// Whether the value is beyond its limit; `None`: it was not read lately, or is no value.
    pub(super) fn beyond(&self, now: Timestamp) -> Option<bool> {
        match &self.evidence {
            Evidence::Level(evidence) => {
                (!evidence.silent(now, MOST_PATIENCE)).then(|| evidence.is_beyond())
            }
            Evidence::Counts(_) => None,
        }
    }

    /// Events, or samples, below which nothing is decided.
    pub(super) fn least(&self) -> f64 {
        match &self.rule.check {
            Check::Counts(check) => check.least as f64,
            Check::Level(_) => LEAST_SAMPLES,
        }
    }

    /// What the rule said last.
    pub(super) fn state(&self) -> Option<State> {
        self.seen.map(|seen| seen.state)
    }

    /// Whether the release fails by this rule.
    pub(super) fn fails(&self) -> bool {
        self.state() == Some(State::Failing) && !self.rule.dry_run
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        Some(self.seen?.finding(&self.rule))
    }
}

/// Three missed samples are silence, but not sooner than the window's length.
pub(super) fn patience(interval: SignedDuration) -> SignedDuration {
    interval
        .checked_mul(3)
        .unwrap_or(MOST_PATIENCE)
        .clamp(WINDOW, MOST_PATIENCE)
}
