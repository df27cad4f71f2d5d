//! Bounds and counts of a histogram: which bound stands for a limit, what lies above it, and the quantile shown
//! (judge.md 7). Counts are per bucket, not cumulative; the last lies above all bounds.
//!
//! Bounds within 1e-12 of their size are equal: `0.1` written by two libraries is one bound.

use super::settings::ParameterError;
use super::tally::usable;

/// Bounds are the same within this part of their size.
const SAME: f64 = 1e-12;
/// More bounds than any histogram has; each may carry two comparisons.
pub(super) const MOST_BOUNDS: usize = 512;
/// Bounds that a comparison uses when it may choose.
const TELLING: usize = 5;

/// Refuses bounds that are no bounds.
pub(super) fn check_bounds(bounds: &[f64]) -> Result<(), ParameterError> {
    let refuse = |why: String| {
        Err(ParameterError::Bounds {
            most: MOST_BOUNDS,
            why,
        })
    };
    if bounds.is_empty() || bounds.len() > MOST_BOUNDS {
        return refuse(format!("there are {}", bounds.len()));
    }
    if let Some(odd) = bounds.iter().find(|bound| !bound.is_finite()) {
        return refuse(format!("{odd} is among them"));
    }
    let pairs = bounds.iter().zip(bounds.iter().skip(1));
    for (low, high) in pairs {
        if low >= high {
            return refuse(format!("{high} comes after {low}"));
        }
    }
    Ok(())
}

/// Index of the smallest bound that is not below `x`.
pub(super) fn next_up(bounds: &[f64], x: f64) -> Option<usize> {
    bounds.iter().position(|bound| *bound >= x * (1.0 - SAME))
}

/// Index of the largest bound that is not above `x`.
pub(super) fn next_down(bounds: &[f64], x: f64) -> Option<usize> {
    bounds.iter().rposition(|bound| *bound <= x * (1.0 + SAME))
}

/// Events above the bound with this index; all of them for no bound.
pub fn over(counts: &[f64], bound: Option<usize>) -> f64 {
    let skipped = bound.map_or(0, |index| index.saturating_add(1));
    counts.iter().skip(skipped).sum()
}

/// All events of a histogram with so many bounds; `None` when its length or one of its counts is not what it must be.
pub(super) fn total(counts: &[f64], bounds: usize) -> Option<f64> {
    let sum = counts.iter().sum();
    let whole = counts.len() == bounds + 1 && counts.iter().all(|count| usable(*count));
    (whole && usable(sum)).then_some(sum)
}

/// The quantile `q`, interpolated in its bucket as Prometheus' `histogram_quantile` does; the last bound when it lies
/// above all. `None` without events or bounds, or for a `q` outside 0..=1.
pub fn quantile(q: f64, bounds: &[f64], counts: &[f64]) -> Option<f64> {
    let events: f64 = counts.iter().sum();
    let last = *bounds.last()?;
    if !(events > 0.0 && (0.0..=1.0).contains(&q)) {
        return None;
    }
    let rank = q * events;
    let mut seen = 0.0;
    for (index, count) in counts.iter().enumerate() {
        if *count > 0.0 && seen + count >= rank {
            let Some(&high) = bounds.get(index) else {
                return Some(last);
            };
            let low = match index.checked_sub(1).and_then(|before| bounds.get(before)) {
                Some(low) => *low,
                None => high.min(0.0),
            };
            return Some(low + (high - low) * (rank - seen) / count);
        }
        seen += count;
    }
    Some(last)
}

/// Whether a comparison with this factor can see a shift: some bound used has its next bound up of `factor` times it at
/// most 1.5 times beyond that. `used`: indices of bounds; `None`: all.
pub fn shows(factor: f64, bounds: &[f64], used: Option<&[usize]>) -> bool {
    let seen = |bound: f64| {
        let moved = factor * bound;
        next_up(bounds, moved)
            .and_then(|up| bounds.get(up))
            .is_some_and(|up| *up <= 1.5 * moved * (1.0 + SAME))
    };
    match used {
        Some(used) => used
            .iter()
            .filter_map(|index| bounds.get(*index))
            .any(|bound| seen(*bound)),
        None => bounds.iter().any(|bound| seen(*bound)),
    }
}

/// The bounds that tell most of the quantile `q`: at most five, whose share above lies nearest (in logarithm) to 1-q in
/// what the baseline has shown before. Ascending; without history all.
pub fn most_telling_bounds(q: f64, bounds: &[f64], history: &[f64]) -> Vec<usize> {
    let Some(events) = total(history, bounds.len()).filter(|events| *events > 0.0) else {
        return (0..bounds.len()).collect();
    };
    let distance = |index: usize| (over(history, Some(index)) / events / (1.0 - q)).ln().abs();
    let mut near: Vec<usize> = (0..bounds.len()).collect();
    near.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    near.truncate(TELLING);
    near.sort_unstable();
    near
}

/// Counts over `from` as counts over `to`, into `counts` (one longer than `to`); false, and all zero, when a bound of
/// `to` is missing in `from`: what lies above it is then not known. For buckets that change between ticks.
pub fn rebucket(from: &[f64], measured: &[f64], to: &[f64], counts: &mut [f64]) -> bool {
    counts.fill(0.0);
    if total(measured, from.len()).is_none() || counts.len() != to.len() + 1 {
        return false;
    }
    let same = |a: f64, b: f64| (a - b).abs() <= SAME * a.abs().max(b.abs());
    if !to
        .iter()
        .all(|bound| from.iter().any(|other| same(*bound, *other)))
    {
        return false;
    }
    for (index, count) in measured.iter().enumerate() {
        let bucket = from.get(index).map_or(to.len(), |upper| {
            let above = |bound: &f64| *bound > *upper || same(*bound, *upper);
            to.iter().position(above).unwrap_or(to.len())
        });
        if let Some(sum) = counts.get_mut(bucket) {
            *sum += count;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_are_none_are_refused() {
        let many: Vec<f64> = (0..600_u32).map(f64::from).collect();
        for bad in [
            &[][..],
            &[0.1, 0.1],
            &[0.5, 0.1],
            &[f64::NAN],
            &[1.0, f64::INFINITY],
            &many,
        ] {
            assert!(check_bounds(bad).is_err(), "{bad:?}");
        }
        assert_eq!(check_bounds(&[-1.0, 0.0, 0.5]), Ok(()));
    }

    #[test]
    fn the_most_telling_bounds_lie_round_the_quantile() {
        let bounds = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
        let history = [100.0, 200.0, 300.0, 250.0, 100.0, 40.0, 9.0, 1.0];
        // Shares above: 0.9, 0.7, 0.4, 0.15, 0.05, 0.01, 0.001.
        assert_eq!(
            most_telling_bounds(0.95, &bounds, &history),
            [1, 2, 3, 4, 5]
        );
        assert_eq!(
            most_telling_bounds(0.999, &bounds, &history),
            [2, 3, 4, 5, 6]
        );
        assert_eq!(most_telling_bounds(0.95, &bounds, &[0.0; 8]).len(), 7);
        assert_eq!(most_telling_bounds(0.95, &bounds, &[1.0; 3]).len(), 7);
    }

    #[test]
    fn changed_buckets_are_folded_or_refused() {
        let mut counts = [7.0; 3];
        assert!(rebucket(
            &[0.1, 0.2, 0.5, 1.0],
            &[1.0, 2.0, 3.0, 4.0, 5.0],
            &[0.2, 0.5],
            &mut counts
        ));
        assert_eq!(
            counts.map(f64::to_bits),
            [3.0_f64, 3.0, 9.0].map(f64::to_bits)
        );
        assert!(!rebucket(
            &[0.1, 0.5],
            &[1.0, 2.0, 3.0],
            &[0.2, 0.5],
            &mut counts
        ));
        assert!(
            counts.iter().all(|count| *count == 0.0),
            "a bound that is gone leaves nothing to judge"
        );
        assert!(!rebucket(
            &[0.2, 0.5],
            &[1.0, f64::NAN, 3.0],
            &[0.2, 0.5],
            &mut counts
        ));
        assert!(!rebucket(
            &[0.2, 0.5],
            &[1.0, 2.0],
            &[0.2, 0.5],
            &mut counts
        ));
    }
}
