//! Alerts as symptoms: what Alertmanager reported, as samples of the rules about alerts. Nothing is asked for it.
//!
//! An alert that fires is a reason against a release, if it began after that; that it is over is known when Alertmanager
//! says so. Where nothing was reported nothing is known, and no sample is made of that: silence is no proof (P7).

use jiff::{SignedDuration, Timestamp};

use super::Turn;
use super::arms::{Arm, arm_of};
use super::live::Live;
use super::observe::serves;
use crate::analysis::Analysis;
use crate::hook::{Alert, Reported};
use crate::ids::TargetId;
use crate::judge::{Evidence, LevelArms, Sample};
use crate::measurement::KnownPods;
use crate::observation::SeriesKey;
use crate::rule::{AlertOf, AlertSelector, ArmsBy, Check, Level, Rule, Sampled};
use crate::target::TargetState;
use crate::time::later;

/// An alert that begins later than now by more than this has another clock: nothing is decided by it until then.
const FUTURE: SignedDuration = SignedDuration::from_secs(30);
/// Alertmanager tells of the end of an alert after its `group_interval`: one that ended so shortly before a rollback was
/// complete tells that the symptom is gone.
const ENDED_LATELY: SignedDuration = SignedDuration::from_mins(10);

/// What is known of the alerts that a rule is about.
#[derive(Debug, Default)]
struct Known {
    /// Of the arm under test: those that began with the release, and those from before.
    new: usize,
    old: usize,
    /// Of the baseline's pods.
    baseline: usize,
    /// One was reported to be over, and none fires.
    ended: bool,
}

/// Gives the rules about alerts of one target what was reported.
pub(super) fn take_in(turn: &Turn<'_>, target: &TargetId, live: &mut Live) {
    let Some(known) = turn.ledger.targets.get(target) else {
        return;
    };
    let Live {
        rules, pods, state, ..
    } = live;
    let reported = &turn.ledger.reported;
    for rule in rules.iter_mut() {
        let definition = rule.rule.clone();
        let Some(selector) = selector(&definition) else {
            continue;
        };
        let about = About {
            reported,
            selector,
            target,
            pods,
            state: state.as_ref(),
            now: turn.now,
        };
        let (found, before) = if let Some(analysis) = &known.analysis {
            let found = about.of_release(analysis);
            (found, true)
        } else if let Some(verification) = &known.verification {
            if !verification.rules.contains(&definition.name) {
                continue;
            }
            (about.of_verification(verification.began), false)
        } else {
            continue;
        };
        rule.one_arm = found.baseline == 0;
        if before
            && found.old > 0
            && let Evidence::Level(evidence) = &mut rule.evidence
        {
            evidence.see_before(true);
        }
        if let Some(tick) = found.tick(turn.now) {
            rule.evidence.update_level(&definition, &tick);
            rule.changed = true;
        }
    }
}

/// Whether the target as a whole has such an alert, between releases.
pub(super) fn of_whole_target(
    reported: &Reported,
    rule: &Rule,
    live: (&TargetId, &KnownPods, Option<&TargetState>),
    now: Timestamp,
) -> Option<LevelArms> {
    let (target, pods, state) = live;
    let about = About {
        reported,
        selector: selector(rule)?,
        target,
        pods,
        state,
        now,
    };
    about.since(Timestamp::MIN, Timestamp::MIN).tick(now)
}

/// The alert that a rule is about.
pub(super) fn selector(rule: &Rule) -> Option<&AlertSelector> {
    match &rule.check {
        Check::Counts(_) => None,
        Check::Level(check) => match &check.metric.sampled {
            Sampled::Level(Level::Alert(selector)) => Some(selector),
            Sampled::Level(
                Level::Gauge(_)
                | Level::Promql(_)
                | Level::Kubernetes(_)
                | Level::HttpJson(_)
                | Level::Redis(_),
            )
            | Sampled::Rate { .. } => None,
        },
    }
}

impl Known {
    /// `None`: nothing is known.
    fn tick(&self, now: Timestamp) -> Option<LevelArms> {
        let sample = |alerts: usize| Sample {
            at: now,
            value: alerts as f64,
        };
        let fires = self.new + self.old;
        if fires == 0 && self.baseline == 0 && !self.ended {
            return None;
        }
        Some(LevelArms {
            canary: if fires > 0 || self.ended {
                vec![sample(fires)]
            } else {
                Vec::new()
            },
            baseline: if self.baseline > 0 {
                vec![sample(self.baseline)]
            } else {
                Vec::new()
            },
            means: (None, None),
        })
    }
}

/// The alerts of one rule about one target.
struct About<'a> {
    reported: &'a Reported,
    selector: &'a AlertSelector,
    target: &'a TargetId,
    pods: &'a KnownPods,
    state: Option<&'a TargetState>,
    now: Timestamp,
}

impl<'a> About<'a> {
    /// Those that are about the target, and of what of it.
    fn all(&self) -> impl Iterator<Item = (&'a Alert, SeriesKey)> {
        let Self {
            reported,
            selector,
            target,
            ..
        } = *self;
        let now = self.now;
        reported
            .named(&selector.name)
            .filter(move |alert| now.duration_until(alert.starts) <= FUTURE)
            .filter_map(move |alert| {
                let key = match selector.about(&alert.labels, target)? {
                    AlertOf::Whole => SeriesKey::Whole,
                    AlertOf::Pod(pod) => SeriesKey::Pod {
                        namespace: target.namespace.clone(),
                        pod,
                    },
                };
                Some((alert, key))
            })
    }

    /// Whether a pod that is named is the target's, be it that it has gone.
    fn is_own(&self, key: &SeriesKey) -> bool {
        match key {
            SeriesKey::Whole | SeriesKey::Label(_) => true,
            SeriesKey::Pod { .. } => self.pods.of(key).is_some() || self.of_gone(key).is_some(),
        }
    }

    /// The pods of the target with those that have gone.
    fn of_gone(&self, key: &SeriesKey) -> Option<()> {
        let state = self.state?;
        let pods = KnownPods::with_revisions(self.target, &state.pods, &state.revisions);
        pods.of(key).map(|_| ())
    }

    /// What is said of a release.
    fn of_release(&self, analysis: &Analysis) -> Known {
        let pending = SignedDuration::try_from(self.selector.pending).unwrap_or_default();
        let mut known = Known::default();
        let mut ended = false;
        // Before a pod of it serves, what the service as a whole shows is the old revision.
        let serves = serves(None, self.state, analysis);
        let begins = later(analysis.began, pending);
        for (alert, key) in self.all() {
            let arm = arm_of(&key, &ArmsBy::Pod, self.pods, analysis);
            let fires = self.reported.fires(alert, self.now);
            match arm {
                Some(arm @ (Arm::Canary | Arm::Whole)) if fires => {
                    if begins <= alert.starts && (serves || arm == Arm::Canary) {
                        known.new += 1;
                    } else {
                        known.old += 1;
                    }
                }
                Some(Arm::Baseline) if fires => known.baseline += 1,
                Some(Arm::Canary | Arm::Whole) => {
                    ended |= alert.ended.is_some_and(|ended| ended >= analysis.began);
                }
                Some(Arm::Baseline) | None => {}
            }
        }
        known.ended = ended && known.new + known.old == 0;
        known
    }

    /// What is said of a target after it was taken back: that an alert from before still fires says nothing yet, since
    /// Alertmanager tells of its end minutes later.
    fn of_verification(&self, began: Timestamp) -> Known {
        let ended = began.saturating_sub(ENDED_LATELY).unwrap_or(began);
        let mut known = self.since(began, ended);
        known.ended &= known.old == 0;
        known.old = 0;
        known
    }

    /// What is said of the whole target; ends before `ended` are no news.
    fn since(&self, begins: Timestamp, since: Timestamp) -> Known {
        let mut known = Known::default();
        let mut ended = false;
        for (alert, key) in self.all() {
            if !self.is_own(&key) {
                continue;
            }
            if self.reported.fires(alert, self.now) {
                if alert.starts >= begins {
                    known.new += 1;
                } else {
                    known.old += 1;
                }
            } else {
                ended |= alert.ended.is_some_and(|ended| ended >= since);
            }
        }
        known.ended = ended && known.new == 0;
        known
    }
}
