//! The statistic at many shifts of one search, each cheaper than the one before: a value's place among the other side's
//! lies between its places at the two shifts that enclose the root. Where these are the same it is settled, and no
//! later shift of the search looks at it again.

use super::tally::{Tally, crossed, ties};
use super::{Ranked, Side};
use crate::kayenta::mann_whitney::AllTied;

/// A distinct value of the experiment, and how many distinct values of the control are below it, by shift.
#[derive(Debug, Clone, Copy)]
struct Sample {
    value: f64,
    count: u32,
    /// At the smaller of the enclosing shifts; as many or more than at any shift between.
    at_low: u32,
    /// At the larger one.
    at_high: u32,
    /// At the shift that was tried last.
    at: u32,
    /// Whether it is tied with the control there.
    tied: bool,
    tied_at_low: bool,
}

impl Sample {
    /// Whether shifts between the enclosing ones can differ for this value.
    ///
    /// Where they cannot, none of them ties it either: what is above it at the smaller shift is above it at all.
    fn open(&self) -> bool {
        self.at_low != self.at_high || self.tied_at_low
    }
}

/// Evaluates the statistic between the smallest and the largest shift that can matter.
#[derive(Debug)]
pub(in crate::kayenta) struct Search<'a> {
    ranked: &'a Ranked,
    /// `t^3 - t` within the sides, which no shift changes as long as values are [plain](is_plain).
    ties: u128,
    plain: bool,
    /// The smallest shift, at which (but for rounding) all of the experiment is above the control; and the largest.
    ends: (f64, f64),
    /// All values, enclosed by the ends.
    all: Vec<Sample>,
    /// The values that are not settled, enclosed by `low` and `high`, which for now enclose the root.
    open: Vec<Sample>,
    low: f64,
    high: f64,
    /// Twice the pairs that settled values have above the control.
    settled: u64,
    /// What was asked for last. With infinite values a search can ask for NaN a thousand times.
    last: Option<(f64, Tally)>,
}

impl<'a> Search<'a> {
    /// `None` if a side is empty.
    pub(in crate::kayenta) fn new(ranked: &'a Ranked) -> Option<Self> {
        let Ranked {
            experiment,
            control,
        } = ranked;
        let ends = (
            experiment.values.first()? - control.values.last()?,
            experiment.values.last()? - control.values.first()?,
        );
        let plain = is_plain(experiment, control, ends);
        let distinct = u32::try_from(control.values.len()).unwrap_or(u32::MAX);
        let values = experiment.values.iter().zip(&experiment.counts);
        let all: Vec<Sample> = values
            .take(if plain { usize::MAX } else { 0 })
            .map(|(value, count)| Sample {
                value: *value,
                count: *count,
                at_low: distinct,
                at_high: 0,
                at: 0,
                tied: false,
                tied_at_low: false,
            })
            .collect();
        Some(Self {
            ranked,
            ties: ties(experiment) + ties(control),
            plain,
            ends,
            open: Vec::with_capacity(all.len()),
            all,
            low: ends.0,
            high: ends.1,
            settled: 0,
            last: None,
        })
    }

    /// The smallest and the largest shift.
    pub(in crate::kayenta) fn ends(&self) -> (f64, f64) {
        self.ends
    }

    /// The statistic at the smallest and at the largest shift.
    pub(in crate::kayenta) fn at_ends(&mut self) -> Result<(f64, f64), AllTied> {
        let at_low = self.at_end(self.ends.0);
        for sample in &mut self.all {
            sample.at_low = sample.at;
            sample.tied_at_low = sample.tied;
        }
        let at_high = self.at_end(self.ends.1);
        for sample in &mut self.all {
            sample.at_high = sample.at;
        }
        let sizes = self.ranked.sizes();
        Ok((
            at_low.standardised(sizes, 0.0)?,
            at_high.standardised(sizes, 0.0)?,
        ))
    }

    fn at_end(&mut self, shift: f64) -> Tally {
        if !self.plain {
            return self.merged(shift);
        }
        let mut tally = Tally {
            twice_above: 0,
            ties: self.ties,
        };
        walk_up(&mut self.all, &self.ranked.control, shift, &mut tally);
        tally
    }

    /// Begins the search for another root.
    pub(in crate::kayenta) fn restart(&mut self) {
        self.open.clone_from(&self.all);
        (self.low, self.high) = self.ends;
        self.settled = 0;
    }

    /// The statistic less `quantile` at `shift`, which then is the nearest on its side of the root.
    pub(in crate::kayenta) fn value(&mut self, shift: f64, quantile: f64) -> Result<f64, AllTied> {
        let sizes = self.ranked.sizes();
        if !(self.plain && self.low < shift && shift < self.high) {
            return self.merged(shift).standardised(sizes, quantile);
        }
        let mut tally = Tally {
            twice_above: self.settled,
            ties: self.ties,
        };
        let control = &self.ranked.control;
        if self.high - shift < shift - self.low {
            walk_up(&mut self.open, control, shift, &mut tally);
        } else {
            walk_down(&mut self.open, control, shift, &mut tally);
        }
        let value = tally.standardised(sizes, quantile)?;
        // What the search does next lies between its last shifts above and below the root.
        if value > 0.0 {
            self.low = shift;
            self.settle(|sample| {
                sample.at_low = sample.at;
                sample.tied_at_low = sample.tied;
            });
        } else {
            self.high = shift;
            self.settle(|sample| sample.at_high = sample.at);
        }
        Ok(value)
    }

    /// Moves an end to the shift that was tried last, and sets aside what can no longer change.
    fn settle(&mut self, narrow: impl Fn(&mut Sample)) {
        let before = &self.ranked.control.before;
        let mut settled = 0;
        self.open.retain_mut(|sample| {
            narrow(sample);
            let open = sample.open();
            if !open {
                settled += 2 * u64::from(sample.count) * u64::from(before[sample.at_low as usize]);
            }
            open
        });
        self.settled += settled;
    }

    fn merged(&mut self, shift: f64) -> Tally {
        if let Some((last, tally)) = self.last
            && (last.to_bits() == shift.to_bits() || (last.is_nan() && shift.is_nan()))
        {
            return tally;
        }
        let tally = Tally::merged(&self.ranked.experiment, &self.ranked.control, shift);
        self.last = Some((shift, tally));
        tally
    }
}

/// Finds the places of samples at `shift` from those at the larger end of theirs. Values ascend and so do places, so
/// that this is one walk over both sides at most.
fn walk_up(samples: &mut [Sample], control: &Side, shift: f64, tally: &mut Tally) {
    let values = control.values.as_slice();
    let mut reached = 0;
    for sample in samples {
        let value = sample.value - shift;
        let mut at = sample.at_high.max(reached);
        while at < sample.at_low && values[at as usize] < value {
            at += 1;
        }
        reached = at;
        place(sample, control, at, value, tally);
    }
}

/// The same from the smaller end.
fn walk_down(samples: &mut [Sample], control: &Side, shift: f64, tally: &mut Tally) {
    let values = control.values.as_slice();
    let mut reached = u32::MAX;
    for sample in samples.iter_mut().rev() {
        let value = sample.value - shift;
        let mut at = sample.at_low.min(reached);
        while at > sample.at_high && values[at as usize - 1] >= value {
            at -= 1;
        }
        reached = at;
        place(sample, control, at, value, tally);
    }
}

/// Notes that `at` distinct values of the control are below a sample, and counts it.
#[inline]
fn place(sample: &mut Sample, control: &Side, at: u32, value: f64, tally: &mut Tally) {
    sample.at = at;
    sample.tied = false;
    let at = at as usize;
    let mut twice = 2 * u64::from(control.before[at]);
    #[expect(clippy::float_cmp, reason = "tied is equal to the last bit")]
    if at < control.values.len() && control.values[at] == value {
        let tied = control.counts[at];
        sample.tied = true;
        twice += u64::from(tied);
        tally.ties += crossed(sample.count, tied);
    }
    tally.twice_above += u64::from(sample.count) * twice;
}

/// Whether distinct values stay distinct at every shift between the ends, and compare as numbers do: all finite, none
/// -0.0, and neighbours further apart than a difference can be rounded.
fn is_plain(experiment: &Side, control: &Side, ends: (f64, f64)) -> bool {
    let mut both = experiment.values.iter().chain(&control.values);
    if both.any(|value| !value.is_finite() || value.to_bits() == (-0.0_f64).to_bits()) {
        return false;
    }
    let furthest = experiment
        .values
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    // Twice the rounding of each of two differences, and some.
    let rounding = (furthest + ends.0.abs().max(ends.1.abs())) * (4.0 * f64::EPSILON);
    rounding.is_finite()
        && experiment
            .values
            .windows(2)
            .all(|pair| pair[1] - pair[0] > rounding)
}
