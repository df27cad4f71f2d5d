//! The evidence of one rule about counts in one release: beside the baseline, and alone once that has gone.
//!
//! Counts come in at every look. A tick of the judge is as long as lies between two samples: what came in meanwhile is
//! judged together, so that pods that are read one after the other make one tick and not several.
//! Each phase has tests of its own (judge.md 9, 10); the one that has not begun, or is over, keeps what it said.

mod in_all;
mod past;
#[cfg(test)]
mod tests;
mod trial;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use in_all::InAll;
pub use past::Past;
pub use trial::TrialShown;

use super::{Arms, BASELINE_IDLE, Phase};
use crate::measurement::Counts;
use crate::rule::{CountsCheck, Judging};
use crate::sequential::{Doubt, Reading, Settings, Span};
use crate::time::elapsed;
use trial::{Parts, Trial};

/// False passes (judge.md 2): a missed fault is still seen to the end of the watch, a tighter one only delays.
pub const FALSE_PASSES: f64 = 0.05;
/// A tick is over a little before the next sample is due: looks come at whole seconds, and not quite.
pub(super) const EARLY: SignedDuration = SignedDuration::from_millis(200);

/// Evidence of one rule in one release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseEvidence {
    settings: Settings,
    /// The analysis began beside a baseline.
    began_beside: bool,
    beside: Option<Trial>,
    alone: Option<Trial>,
    /// Whether the phase alone has begun.
    stands_alone: bool,
    /// What was counted since the last tick of the judge.
    canary: Option<Counts>,
    baseline: Option<Counts>,
    /// Since when only the canary has had events.
    #[serde(default)]
    lonely: Option<Timestamp>,
    /// When a tick was judged last.
    judged: Option<Timestamp>,
    /// Events of the canary that were judged.
    events: f64,
    /// What was measured before the release, as long as the tests wait for the first buckets.
    #[serde(skip)]
    past: Option<Box<Past>>,
}

/// How long a release is watched, how often there are samples, how sure a verdict has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    pub watch: Duration,
    /// Between two samples.
    pub tick: Duration,
    pub false_alarms: f64,
}

impl Pace {
    /// How long a tick of the judge is.
    pub(super) fn tick(self) -> Duration {
        self.tick
            .clamp(Duration::from_millis(100), Duration::from_hours(1))
    }

    /// Ticks of the watch.
    pub(super) fn ticks(self) -> u64 {
        let ticks = self
            .watch
            .as_millis()
            .div_ceil(self.tick().as_millis())
            .max(1);
        // A watch is at most a day long.
        u64::try_from(ticks).unwrap_or(1_000_000)
    }

    fn settings(self) -> Settings {
        Settings {
            alpha: self.false_alarms,
            beta: FALSE_PASSES,
            tick: self.tick().as_secs_f64(),
            span: Span::Release {
                horizon: self.ticks(),
            },
            ..Settings::default()
        }
    }
}

impl ReleaseEvidence {
    /// Evidence at the beginning of an analysis.
    pub fn new(
        check: &CountsCheck,
        judging: Judging,
        phase: Phase,
        pace: Pace,
        past: Past,
    ) -> Self {
        let mut evidence = Self {
            settings: pace.settings(),
            began_beside: phase == Phase::Beside,
            beside: None,
            alone: None,
            stands_alone: phase == Phase::Alone,
            canary: None,
            baseline: None,
            lonely: None,
            judged: None,
            events: 0.0,
            past: Some(Box::new(past)),
        };
        evidence.begin(check, judging, None);
        evidence
    }

    /// Makes the tests, as soon as the buckets of a histogram are known.
    fn begin(&mut self, check: &CountsCheck, judging: Judging, first: Option<&Counts>) {
        if self.alone.is_some() {
            return;
        }
        let past = self.past.take().unwrap_or_default();
        let counts = first.or_else(|| past.sum());
        if self.began_beside {
            self.beside = Trial::beside(check, judging, self.settings, counts, &past);
        }
        self.alone = Trial::alone(check, self.settings, counts, &past);
        if self.alone.is_none() {
            self.past = Some(past);
        }
    }

    /// Takes in what one look counted.
    pub fn take(&mut self, check: &CountsCheck, judging: Judging, arms: &Arms) {
        let first = arms.canary.as_ref().or(arms.baseline.as_ref());
        if let Some(first) = first {
            self.begin(check, judging, Some(first));
        }
        for (sum, counts) in [
            (&mut self.canary, &arms.canary),
            (&mut self.baseline, &arms.baseline),
        ] {
            match (sum, counts) {
                (Some(sum), Some(counts)) => sum.add(counts),
                (sum @ None, Some(counts)) => *sum = Some(counts.clone()),
                (_, None) => {}
            }
        }
    }

    /// The rule's metric is one that only the new revision has: nothing runs beside it, as far as it goes.
    fn has_no_baseline(&mut self, now: Timestamp, tick: SignedDuration) -> bool {
        let has = |counts: &Option<Counts>| counts.as_ref().is_some_and(|sum| sum.total() > 0.0);
        if has(&self.baseline) {
            self.lonely = None;
            return false;
        }
        if self.stands_alone || !has(&self.canary) {
            return false;
        }
        let since = *self.lonely.get_or_insert(now);
        let patience = tick
            .checked_mul(2)
            .unwrap_or(SignedDuration::MAX)
            .max(BASELINE_IDLE);
        elapsed(since, now) >= patience
    }

    /// Judges what came in, once so much time has passed as lies between two samples. True when it judged.
    pub fn tick(&mut self, check: &CountsCheck, phase: Phase, now: Timestamp) -> bool {
        if phase == Phase::Alone {
            self.stand_alone();
        }
        let tick = SignedDuration::try_from_secs_f64(self.settings.tick)
            .unwrap_or(SignedDuration::from_secs(1));
        // Without anything new it is not over before something should have come, or that would find no tick left.
        let nothing = self.canary.is_none() && self.baseline.is_none();
        let least = if nothing {
            tick.checked_mul(2).unwrap_or(SignedDuration::MAX)
        } else {
            tick - EARLY
        };
        let over = self
            .judged
            .is_none_or(|last| now < last || elapsed(last, now) >= least);
        if !over || (nothing && self.judged.is_none()) {
            return false;
        }
        self.judged = Some(now);
        if self.has_no_baseline(now, tick) {
            self.stand_alone();
        }
        let (canary, baseline) = (self.canary.take(), self.baseline.take());
        self.events += canary.as_ref().map_or(0.0, Counts::total);
        if self.stands_alone {
            if let Some(trial) = &mut self.beside {
                trial.update_carried(check, canary.as_ref());
            }
            if let Some(trial) = &mut self.alone {
                trial.update_alone(check, canary.as_ref());
            }
        } else if let Some(trial) = &mut self.beside {
            trial.update_beside(check, canary.as_ref(), baseline.as_ref());
        }
        true
    }

    fn stand_alone(&mut self) {
        let before = std::mem::replace(&mut self.stands_alone, true);
        if let (false, Some(trial)) = (before, &mut self.beside) {
            trial.carry_on();
        }
    }

    /// How much it says against the release, and for it. Below `least` events it says neither.
    pub fn reading(&self, check: &CountsCheck) -> Reading {
        let beside = self.beside.as_ref().map(Trial::parts);
        let alone = self.alone.as_ref().map(Trial::parts);
        let parts = match (beside, alone) {
            (Some(beside), Some(alone)) if self.stands_alone => Some(beside.then(alone)),
            (Some(beside), _) => Some(beside),
            (None, alone) => alone.filter(|_| self.stands_alone),
        };
        let reading = parts.map_or(Reading::SILENT, Parts::reading);
        if self.events >= check.least as f64 {
            return reading;
        }
        Reading {
            log_bad: reading.log_bad.min(0.0),
            log_good: reading.log_good.min(0.0),
            progress: None,
        }
    }

    /// The same for a record.
    pub(super) fn compact(&self) -> Self {
        Self {
            past: None,
            ..self.clone()
        }
    }

    /// What keeps it from passing.
    pub fn doubt(&self) -> Option<Doubt> {
        match self.trial() {
            Some(trial) => trial.doubt(-FALSE_PASSES.ln()),
            None => Some(Doubt::NoData),
        }
    }

    /// The tests of the phase that it is in.
    fn trial(&self) -> Option<&Trial> {
        if self.stands_alone {
            self.alone.as_ref()
        } else {
            self.beside.as_ref()
        }
    }

    /// What it was judged from, for people; `None` before the first counts. Finds the ends of intervals, which is dear.
    pub fn shown(&self) -> Option<TrialShown> {
        self.trial().map(Trial::shown)
    }

    /// The share of bad events that is allowed by what was before the release, where that is the baseline of a ratio.
    pub fn allowed_by_past(&self) -> Option<f64> {
        self.trial()?.allowed_by_past()
    }

    /// The chance that was given to calling a release bad that is not, 0..1.
    pub fn false_alarms(&self) -> f64 {
        self.settings.alpha
    }

    /// Events of the canary that were judged.
    pub fn events(&self) -> f64 {
        self.events
    }
}
