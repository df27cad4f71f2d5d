//! Differencing on our side: from cumulative counters, as a source reads them, to exact counts per series and tick.
//!
//! `rate` and `increase` of a source miss the first event of a new series, and guess at the edges. Here every series
//! is counted from the sample before, resets are seen per pod, and what cannot be counted is left out and named.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::PodName;
use crate::observation::{
    Cause, Cumulative, Levels, Observation, Reading, SeriesKey, SeriesReading,
};

mod cadence;
mod counts;
mod histogram;
mod increases;
mod levels;
mod origins;
mod pods;
mod series;
#[cfg(test)]
mod tests;
pub mod text;

pub use counts::{Counts, RatioCounts};
pub use histogram::{HistogramCounts, same_bounds};
pub use increases::{Increase, Increases, Look, Unusable, never_seen_reason};
pub use levels::{apart, combined};
pub use pods::{KnownPod, KnownPods};

use cadence::Cadence;
use origins::Origins;
use series::{Base, SeriesState, Step, Usable};

/// Sample times that go back by no more than this are one server's jitter.
const JITTER: SignedDuration = SignedDuration::from_millis(500);
/// How long nothing is counted after sample times went back.
const DISTRUST: SignedDuration = SignedDuration::from_secs(60);
/// A sample from further in the future than this is not believed. The sources refuse clocks that are off by 30 s.
const FUTURE: SignedDuration = SignedDuration::from_secs(60);
/// Series of pods that are known no more are forgotten after this long without a sample.
const FORGET_PODS: SignedDuration = SignedDuration::from_mins(15);
/// Other series are forgotten after this long without a sample.
const FORGET_OTHERS: SignedDuration = SignedDuration::from_hours(6);
/// Series of values that the interval between samples is measured with.
const MOST_READ: usize = 100;
/// Series that one measurement remembers at most.
const MOST_SERIES: usize = 20_000;

/// The state of one question about one target between looks: where its counters stood.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// When the source first answered, be it with nothing.
    first_look: Option<Timestamp>,
    /// The ratio's part, or something of its shape, was seen on some pod of the target.
    shape_seen: bool,
    /// A series that is not of a pod was forgotten: a label value that looks new may be an old one.
    forgot_labels: bool,
    /// When sample times last went back.
    went_back: Option<Timestamp>,
    cadence: Cadence,
    #[serde(with = "as_list")]
    series: AllSeries,
    /// When values were last sampled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    read: Vec<(SeriesKey, Timestamp)>,
}

/// By the key and, where that is no pod, by the pod within it: looked up without making a key.
type AllSeries = BTreeMap<SeriesKey, BTreeMap<Option<PodName>, SeriesState>>;

impl Measurement {
    /// A measurement that has not looked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The measured interval between samples: unknown for the first looks, then fixed.
    pub fn interval(&self) -> Option<Duration> {
        self.cadence.interval()
    }

    /// Whether the ratio's part, or anything of its shape, was ever seen on a pod of the target.
    pub fn shape_seen(&self) -> bool {
        self.shape_seen
    }

    /// Counts up to what the source answered at `now`.
    ///
    /// Each event is counted in exactly one call, however often and unevenly this is called, unless it is lost to a
    /// reset, or happened before the first look at a pod that ran before.
    pub fn advance<'a>(
        &mut self,
        now: Timestamp,
        observation: &'a Observation,
        known: &KnownPods,
    ) -> Increases<'a> {
        match observation {
            Observation::Unavailable { cause, reason } => Increases::new(Look::Unavailable {
                cause: *cause,
                reason: reason.clone(),
            }),
            Observation::NoData { reason } => {
                self.first_look.get_or_insert(now);
                // Of two servers the one that is behind knows no new pod yet: that is not the end of the trouble.
                Increases::new(match self.distrusted(now, &[]) {
                    Some(reason) => Look::Unavailable {
                        cause: Cause::Clock,
                        reason,
                    },
                    None => Look::NoData {
                        reason: reason.clone(),
                    },
                })
            }
            Observation::Reading(reading) => self.advance_reading(now, reading, known),
            Observation::Levels(levels) => self.advance_levels(now, levels, known),
        }
    }

    /// Values are no counters: there is nothing to count, but how often they come.
    fn advance_levels<'a>(
        &mut self,
        now: Timestamp,
        levels: &'a Levels,
        known: &KnownPods,
    ) -> Increases<'a> {
        self.first_look.get_or_insert(now);
        let mut increases = Increases::new(Look::Measured);
        for reason in &levels.unusable {
            increases.unusable(&SeriesKey::Whole, reason.clone());
        }
        let mut last: BTreeMap<SeriesKey, Timestamp> = self.read.drain(..).collect();
        let mut read: BTreeMap<&SeriesKey, Timestamp> = BTreeMap::new();
        let mut spacings = Vec::new();
        for reading in &levels.readings {
            if now.duration_until(reading.at) > FUTURE {
                increases.unusable(&reading.key, future(reading.at));
            }
        }
        for reading in levels::usable(now, levels, known) {
            let earlier = last.insert(reading.key.clone(), reading.at);
            if earlier.is_some_and(|earlier| reading.at.duration_until(earlier) > JITTER) {
                increases.unusable(
                    &reading.key,
                    "the time of its sample went back: it counts again when it has passed the last one",
                );
            }
            spacings.extend(earlier.map(|earlier| earlier.duration_until(reading.at)));
            if read.len() < MOST_READ {
                read.insert(&reading.key, reading.at);
            }
        }
        self.read = read
            .into_iter()
            .map(|(key, at)| (key.clone(), at))
            .collect();
        self.cadence.learn(spacings);
        increases
    }

    fn advance_reading<'a>(
        &mut self,
        now: Timestamp,
        reading: &'a Reading,
        known: &KnownPods,
    ) -> Increases<'a> {
        let first_look = *self.first_look.get_or_insert(now);
        let mut increases = Increases::new(Look::Measured);
        let mut mine: Vec<&'a SeriesReading> = Vec::with_capacity(reading.series.len());
        for series in &reading.series {
            if of_pod(&series.key) && known.of(&series.key).is_none() {
                increases.unknown_pods += 1;
            } else if now.duration_until(series.at) > FUTURE {
                increases.unusable(&series.key, future(series.at));
            } else {
                mine.push(series);
            }
        }
        if let Some(reason) = self.distrusted(now, &mine) {
            increases.look = Look::Unavailable {
                cause: Cause::Clock,
                reason,
            };
            return increases;
        }
        self.shape_seen |= mine.iter().any(|series| shows_shape(&series.value));

        let origins = Origins::new(first_look, known, &self.series, !self.forgot_labels);
        let mut spacings = Vec::new();
        let mut held = self.series.values().map(BTreeMap::len).sum();
        for series in mine {
            let spacing = self.advance_series(series, &origins, &mut held, &mut increases);
            spacings.extend(spacing.filter(|_| !self.cadence.is_fixed()));
        }
        self.cadence.learn(spacings);
        self.forget(now, known);
        increases
    }

    /// Counts one series, of those of which so many are `held`; the spacing between its samples, if there was one
    /// before.
    fn advance_series<'a>(
        &mut self,
        series: &'a SeriesReading,
        origins: &Origins<'_>,
        held: &mut usize,
        increases: &mut Increases<'a>,
    ) -> Option<SignedDuration> {
        let key = &series.key;
        let sample = match Usable::of(&series.value) {
            Ok(sample) => sample,
            Err(reason) => {
                increases.unusable(key, reason);
                return None;
            }
        };
        let created = origins.created(series);
        let begins = |base: Base| SeriesState {
            at: created.map_or(series.at, |created| created.min(series.at)),
            seen: series.at,
            created,
            base,
        };
        let there = self
            .series
            .get_mut(key)
            .and_then(|members| members.get_mut(&series.member));
        let (state, spaced) = if let Some(state) = there {
            if state.created.is_some() && created > state.created {
                if origins::may_be_of_the_pod_before(series, created) {
                    return None;
                }
                // A pod that was deleted and made anew under its old name is another pod.
                *state = begins(sample.zero_base()?);
                (state, false)
            } else {
                state.created = state.created.or(created);
                if series.at <= state.at {
                    return None;
                }
                (state, true)
            }
        } else {
            if *held >= MOST_SERIES {
                increases.unusable(key, format!("there are more than {MOST_SERIES} series"));
                return None;
            }
            if created.is_some_and(|created| series.at < created) {
                // The pod before it had the same name, as in a StatefulSet.
                return None;
            }
            let from_zero = origins.begins_at_zero(series, created);
            let state = begins(if from_zero {
                sample.zero_base()?
            } else {
                sample.as_base()?
            });
            *held += 1;
            let state = self
                .series
                .entry(key.clone())
                .or_default()
                .entry(series.member.clone())
                .or_insert(state);
            if !from_zero {
                state.at = series.at;
                return None;
            }
            (state, false)
        };
        let since = state.at;
        let step = state.base.step(sample)?;
        state.at = series.at;
        match step {
            Step::Reset => increases.resets.push(key.clone()),
            Step::Rebased(reason) => increases.unusable(key, reason),
            Step::Counted {
                counts,
                absent,
                excess,
            } => {
                if excess {
                    increases.unusable(
                        key,
                        "there is more of the part than of the total: only as much as the total is counted",
                    );
                }
                let increase = Increase {
                    counts,
                    since,
                    at: series.at,
                    part_never_seen: absent && !self.shape_seen,
                };
                increases.add(key, increase);
            }
        }
        // The birth of a pod is no sample: the stretch since then says nothing about the interval.
        spaced.then(|| since.duration_until(series.at))
    }

    /// Why sample times cannot be trusted now: those of a series went back, lately. Nothing is counted meanwhile,
    /// and nothing is lost: the next trusted look counts from where the last one stood.
    fn distrusted(&mut self, now: Timestamp, readings: &[&SeriesReading]) -> Option<String> {
        for series in readings {
            if let Cumulative::Unusable { .. } = series.value {
                continue;
            }
            let members = self.series.get_mut(&series.key);
            if let Some(state) = members.and_then(|members| members.get_mut(&series.member)) {
                // Where several processes are added up, the newest sample's time also goes back when one of them
                // goes away. The sum drops then, and two servers show as drops as well: nothing wrong is counted.
                let of_one_pod = of_pod(&series.key) || series.member.is_some();
                if of_one_pod && series.at.duration_until(state.seen) > JITTER {
                    self.went_back = Some(now);
                }
                state.seen = series.at;
            }
        }
        let went_back = self.went_back?;
        if went_back.duration_until(now) > DISTRUST {
            self.went_back = None;
            return None;
        }
        Some(
            "the times of its samples went back: two servers seem to answer at one address. \
             Pin one of them: give the address of a single replica"
                .to_owned(),
        )
    }

    fn forget(&mut self, now: Timestamp, known: &KnownPods) {
        let forgot_labels = &mut self.forgot_labels;
        self.series.retain(|key, members| {
            members.retain(|_, state| {
                let unseen = state.seen.duration_until(now);
                match key {
                    SeriesKey::Pod { .. } => unseen <= FORGET_PODS || known.of(key).is_some(),
                    SeriesKey::Label(_) | SeriesKey::Whole => {
                        let keep = unseen <= FORGET_OTHERS;
                        *forgot_labels |= !keep;
                        keep
                    }
                }
            });
            !members.is_empty()
        });
    }
}

fn future(at: Timestamp) -> String {
    format!("the sample's time {at} lies in the future")
}

fn of_pod(key: &SeriesKey) -> bool {
    match key {
        SeriesKey::Pod { .. } => true,
        SeriesKey::Label(_) | SeriesKey::Whole => false,
    }
}

/// Whether the ratio's part is there, or at least its metric with the labels that it asks for.
fn shows_shape(value: &Cumulative) -> bool {
    match value {
        Cumulative::Ratio {
            part, part_shape, ..
        } => part.is_some() || *part_shape,
        Cumulative::Histogram(_) | Cumulative::Unusable { .. } => false,
    }
}

/// Maps with structured keys, as lists of pairs: JSON has text keys only.
mod as_list {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{AllSeries, PodName, SeriesKey, SeriesState};

    pub(super) fn serialize<S: Serializer>(
        all: &AllSeries,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all.iter().flat_map(|(key, members)| {
            members
                .iter()
                .map(move |(member, state)| ((key, member), state))
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<AllSeries, D::Error> {
        let list = Vec::<((SeriesKey, Option<PodName>), SeriesState)>::deserialize(deserializer)?;
        let mut all = AllSeries::new();
        for ((key, member), state) in list {
            all.entry(key).or_default().insert(member, state);
        }
        Ok(all)
    }
}
