//! The statistic at many shifts of one search, each cheaper than the one before: a value's place among the other side's
//! lies between its places at the two shifts that enclose the root, and these soon are the same.

use super::tally::{Tally, crossed, ties};
use super::{Ranked, Side};
use crate::kayenta::mann_whitney::AllTied;

/// A shift, and for each distinct value of the experiment how many distinct values of the control are below it there.
#[derive(Debug)]
struct Places {
    shift: f64,
    below: Vec<u32>,
}

impl Places {
    /// As `clone_from`, into the memory that is there.
    fn become_like(&mut self, other: &Self) {
        self.shift = other.shift;
        self.below.copy_from_slice(&other.below);
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
    ends: (Places, Places),
    /// The shifts that enclose the root for now.
    low: Places,
    high: Places,
    spare: Vec<u32>,
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
        let (low, high) = (
            experiment.values.first()? - control.values.last()?,
            experiment.values.last()? - control.values.first()?,
        );
        let plain = is_plain(experiment, control, low, high);
        let size = if plain { experiment.values.len() } else { 0 };
        let places = |shift, below| Places {
            shift,
            below: vec![below; size],
        };
        let all = u32::try_from(control.values.len()).unwrap_or(u32::MAX);
        Some(Self {
            ranked,
            ties: ties(experiment) + ties(control),
            plain,
            ends: (places(low, all), places(high, 0)),
            low: places(f64::NEG_INFINITY, all),
            high: places(f64::INFINITY, 0),
            spare: vec![0; size],
            last: None,
        })
    }

    /// The smallest and the largest shift.
    pub(in crate::kayenta) fn ends(&self) -> (f64, f64) {
        (self.ends.0.shift, self.ends.1.shift)
    }

    /// The statistic at the smallest shift.
    pub(in crate::kayenta) fn at_low(&mut self) -> Result<f64, AllTied> {
        let shift = self.ends.0.shift;
        let tally = self.tally(shift);
        self.ends.0.below.copy_from_slice(&self.spare);
        tally.standardised(self.ranked.sizes(), 0.0)
    }

    /// The statistic at the largest shift.
    pub(in crate::kayenta) fn at_high(&mut self) -> Result<f64, AllTied> {
        let shift = self.ends.1.shift;
        let tally = self.tally(shift);
        self.ends.1.below.copy_from_slice(&self.spare);
        tally.standardised(self.ranked.sizes(), 0.0)
    }

    /// Begins the search for another root.
    pub(in crate::kayenta) fn restart(&mut self) {
        self.low.become_like(&self.ends.0);
        self.high.become_like(&self.ends.1);
    }

    /// The statistic less `quantile` at `shift`, which then is the nearest on its side of the root.
    pub(in crate::kayenta) fn value(&mut self, shift: f64, quantile: f64) -> Result<f64, AllTied> {
        let enclosed = self.low.shift < shift && shift < self.high.shift;
        let tally = self.tally(shift);
        let value = tally.standardised(self.ranked.sizes(), quantile)?;
        if self.plain && enclosed {
            // What the search does next lies between the last shifts above and below the root.
            let nearest = if value > 0.0 {
                &mut self.low
            } else {
                &mut self.high
            };
            nearest.shift = shift;
            std::mem::swap(&mut nearest.below, &mut self.spare);
        }
        Ok(value)
    }

    fn tally(&mut self, shift: f64) -> Tally {
        if self.plain && self.low.shift < shift && shift < self.high.shift {
            return self.enclosed(shift);
        }
        if let Some((last, tally)) = self.last
            && (last.to_bits() == shift.to_bits() || (last.is_nan() && shift.is_nan()))
        {
            return tally;
        }
        let tally = Tally::merged(&self.ranked.experiment, &self.ranked.control, shift);
        self.last = Some((shift, tally));
        tally
    }

    /// Counts at a shift between the enclosing two; leaves the places in `spare`.
    ///
    /// Values ascend, and so do their places: from the end that is nearer, one walk over both sides at most.
    fn enclosed(&mut self, shift: f64) -> Tally {
        let Ranked {
            experiment,
            control,
        } = self.ranked;
        let mut tally = Tally {
            twice_above: 0,
            ties: self.ties,
        };
        let samples = experiment.values.iter().zip(&experiment.counts);
        let bounds = self.high.below.iter().zip(&self.low.below);
        let each = samples.zip(bounds).zip(&mut self.spare);
        let values = control.values.as_slice();
        if self.high.shift - shift < shift - self.low.shift {
            let mut reached = 0;
            for (((value, count), (least, most)), place) in each {
                let value = value - shift;
                let mut at = (*least).max(reached);
                while at < *most && values[at as usize] < value {
                    at += 1;
                }
                reached = at;
                *place = at;
                add(&mut tally, control, at, value, *count);
            }
        } else {
            let mut reached = u32::MAX;
            for (((value, count), (least, most)), place) in each.rev() {
                let value = value - shift;
                let mut at = (*most).min(reached);
                while at > *least && values[at as usize - 1] >= value {
                    at -= 1;
                }
                reached = at;
                *place = at;
                add(&mut tally, control, at, value, *count);
            }
        }
        tally
    }
}

/// Adds `count` samples with `at` distinct values of the control below them.
#[inline]
fn add(tally: &mut Tally, control: &Side, at: u32, value: f64, count: u32) {
    let at = at as usize;
    let mut twice = 2 * u64::from(control.before[at]);
    #[expect(clippy::float_cmp, reason = "tied is equal to the last bit")]
    if at < control.values.len() && control.values[at] == value {
        let tied = control.counts[at];
        twice += u64::from(tied);
        tally.ties += crossed(count, tied);
    }
    tally.twice_above += u64::from(count) * twice;
}

/// Whether distinct values stay distinct at every shift between `low` and `high`, and compare as numbers do: all
/// finite, none -0.0, and neighbours further apart than a difference can be rounded.
fn is_plain(experiment: &Side, control: &Side, low: f64, high: f64) -> bool {
    let both = || experiment.values.iter().chain(&control.values);
    if both().any(|value| !value.is_finite() || value.to_bits() == (-0.0_f64).to_bits()) {
        return false;
    }
    let furthest = experiment
        .values
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    // Twice the rounding of each of two differences, and some.
    let rounding = (furthest + low.abs().max(high.abs())) * (4.0 * f64::EPSILON);
    rounding.is_finite()
        && experiment
            .values
            .windows(2)
            .all(|pair| pair[1] - pair[0] > rounding)
}
