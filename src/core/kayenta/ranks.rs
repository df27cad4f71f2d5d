//! The rank statistic as a function of the shift, without ranking anew: both sides are sorted once, a shift keeps their
//! order.

mod search;
mod tally;

pub(super) use search::Search;

use tally::Tally;

/// One side: its distinct values in ascending order, and how often each occurs.
#[derive(Debug, Clone)]
struct Side {
    values: Vec<f64>,
    counts: Vec<u32>,
    /// How many samples lie before each distinct value; one entry more than values, the last is the size.
    before: Vec<u32>,
}

impl Side {
    /// Order and ties are those of Java's `Double.compare`: -0.0 is below 0.0.
    fn new(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut side = Self {
            values: Vec::with_capacity(sorted.len()),
            counts: Vec::with_capacity(sorted.len()),
            before: Vec::with_capacity(sorted.len() + 1),
        };
        let mut seen: u32 = 0;
        for value in sorted {
            match (side.values.last(), side.counts.last_mut()) {
                (Some(last), Some(count)) if last.to_bits() == value.to_bits() => *count += 1,
                _ => {
                    side.values.push(value);
                    side.counts.push(1);
                    side.before.push(seen);
                }
            }
            seen += 1;
        }
        side.before.push(seen);
        side
    }

    fn size(&self) -> u32 {
        self.before.last().copied().unwrap_or_default()
    }
}

/// Both sides, ready to be shifted.
#[derive(Debug, Clone)]
pub(super) struct Ranked {
    experiment: Side,
    control: Side,
}

impl Ranked {
    /// Takes samples without NaN, in any order.
    pub(super) fn new(experiment: &[f64], control: &[f64]) -> Self {
        Self {
            experiment: Side::new(experiment),
            control: Side::new(control),
        }
    }

    /// Whether both sides hold the same values equally often; -0.0 is 0.0 here (Scala compares them as numbers).
    pub(super) fn same(&self) -> bool {
        self.experiment.size() == self.control.size()
            && expanded(&self.experiment).eq(expanded(&self.control))
    }

    /// The value of each side if it has only one; -0.0 is 0.0 here, too.
    pub(super) fn constants(&self) -> Option<(f64, f64)> {
        let constant = |side: &Side| {
            let (first, last) = (*side.values.first()?, *side.values.last()?);
            #[expect(clippy::float_cmp, reason = "the same value, or another one")]
            (first == last).then_some(first)
        };
        Some((constant(&self.experiment)?, constant(&self.control)?))
    }

    /// For how many of all pairs the experiment's sample is above the control's; ties count half. Twice that.
    pub(super) fn twice_above(&self) -> f64 {
        Tally::merged(&self.experiment, &self.control, 0.0).twice_above as f64
    }

    /// The statistic at a shift, by the plain merge that holds for all values.
    #[cfg(test)]
    pub(super) fn statistic(&self, shift: f64, quantile: f64) -> Result<f64, super::AllTied> {
        Tally::merged(&self.experiment, &self.control, shift).standardised(self.sizes(), quantile)
    }

    /// Samples of experiment and control.
    pub(super) fn sizes(&self) -> (f64, f64) {
        (
            f64::from(self.experiment.size()),
            f64::from(self.control.size()),
        )
    }
}

/// All samples in ascending order.
fn expanded(side: &Side) -> impl Iterator<Item = f64> + '_ {
    side.values
        .iter()
        .zip(&side.counts)
        .flat_map(|(value, count)| std::iter::repeat_n(*value, *count as usize))
}
