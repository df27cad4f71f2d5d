//! What one shift is judged by: how many pairs are in order, and how many values are tied.

use super::Side;
use crate::kayenta::mann_whitney::AllTied;

/// Counts for one shift. They are integers, so that no order of adding them up matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Twice the pairs in which the shifted experiment is above the control, ties counting half: twice Mann and
    /// Whitney's U.
    pub(super) twice_above: u64,
    /// The sum of `t^3 - t` over all groups of tied values in both sides together.
    pub(super) ties: u128,
}

impl Tally {
    /// Merges both sides with the experiment shifted down; holds for any values and any shift.
    ///
    /// A difference that is NaN (infinity less infinity) ranks as infinity, as with Commons Math's
    /// `NaturalRanking(MAXIMAL, AVERAGE)`. A shift never changes the order, but rounding may make neighbours equal.
    pub(super) fn merged(experiment: &Side, control: &Side, shift: f64) -> Self {
        let shifted = |value: &f64| {
            let difference = value - shift;
            if difference.is_nan() {
                f64::INFINITY
            } else {
                difference
            }
        };
        let mut tally = Self {
            twice_above: 0,
            ties: ties(control),
        };
        let mut samples = experiment
            .values
            .iter()
            .map(shifted)
            .zip(&experiment.counts)
            .peekable();
        let mut controls = control
            .values
            .iter()
            .zip(control.counts.iter().zip(&control.before))
            .peekable();
        while let Some((value, count)) = samples.next() {
            let mut count = *count;
            while let Some((_, more)) =
                samples.next_if(|(next, _)| next.to_bits() == value.to_bits())
            {
                count += *more;
            }
            while controls
                .next_if(|(control, _)| control.total_cmp(&value).is_lt())
                .is_some()
            {}
            let (below, tied) = match controls.peek() {
                Some((control, (count, before))) if control.to_bits() == value.to_bits() => {
                    (**before, **count)
                }
                Some((_, (_, before))) => (**before, 0),
                None => (control.size(), 0),
            };
            tally.twice_above += u64::from(count) * (2 * u64::from(below) + u64::from(tied));
            tally.ties += cubed(count) + crossed(count, tied);
        }
        tally
    }

    /// The statistic of the test, standardised with corrections for continuity and ties, less `quantile`
    /// (Hollander and Wolfe 1973, chapter 4; the order of operations is Kayenta's).
    pub(super) fn standardised(self, sizes: (f64, f64), quantile: f64) -> Result<f64, AllTied> {
        let (n1, n2) = sizes;
        let n = n1 + n2;
        let dz = self.twice_above as f64 / 2.0 - n1 * n2 / 2.0;
        let correction = if dz > 0.0 {
            0.5
        } else if dz < 0.0 {
            -0.5
        } else {
            0.0
        };
        let ties = self.ties as f64;
        let sigma = ((n1 * n2 / 12.0) * ((n + 1.0) - ties / (n * (n - 1.0)))).sqrt();
        if sigma == 0.0 {
            return Err(AllTied);
        }
        Ok((dz - correction) / sigma - quantile)
    }
}

/// The sum of `t^3 - t` within one side.
pub(super) fn ties(side: &Side) -> u128 {
    side.counts.iter().map(|count| cubed(*count)).sum()
}

/// `t^3 - t`
fn cubed(count: u32) -> u128 {
    let count = u128::from(count);
    count * count * count - count
}

/// What tied groups of both sides add when they meet: `(a + b)^3 - (a + b)` less `a^3 - a` and `b^3 - b`.
pub(super) fn crossed(a: u32, b: u32) -> u128 {
    let (a, b) = (u128::from(a), u128::from(b));
    3 * a * b * (a + b)
}
