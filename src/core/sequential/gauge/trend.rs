//! Where a gauge is heading (judge.md 8): advice, never a verdict.
//!
//! The median of the slopes between all pairs of points (Theil 1950; Sen, "Estimates of the regression coefficient based
//! on Kendall's tau", 1968): a few odd samples do not bend it.

/// Points that are looked at at most: the last ones.
pub const MOST_TREND_POINTS: usize = 60;

/// The slope, and when the limit will be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Units per second; 0 when there are no two points in time.
    pub slope: f64,
    /// Seconds until the limit is reached; 0 when it has been; `None` when it will not be.
    pub reaches_in: Option<f64>,
}

impl Trend {
    const FLAT: Self = Self {
        slope: 0.0,
        reaches_in: None,
    };
}

/// The trend of points (seconds, value) in order of time; what is no number is left out.
pub fn trend(points: &[(f64, f64)], limit: f64) -> Trend {
    let known = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let mut points: Vec<(f64, f64)> = points
        .iter()
        .rev()
        .filter(known)
        .take(MOST_TREND_POINTS)
        .copied()
        .collect();
    points.reverse();
    let mut slopes: Vec<f64> = Vec::new();
    for (index, (t1, v1)) in points.iter().enumerate() {
        let later = points.iter().skip(index + 1).filter(|(t2, _)| t2 > t1);
        slopes.extend(later.map(|(t2, v2)| (v2 - v1) / (t2 - t1)));
    }
    let (Some(slope), Some((last, _))) = (median(&mut slopes), points.last().copied()) else {
        return Trend::FLAT;
    };
    let mut rest: Vec<f64> = points.iter().map(|(t, v)| v - slope * t).collect();
    let Some(base) = median(&mut rest) else {
        return Trend::FLAT;
    };
    let now = base + slope * last;
    let reaches_in = if now >= limit {
        Some(0.0)
    } else {
        (slope > 0.0).then(|| (limit - now) / slope)
    };
    Trend { slope, reaches_in }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        Some(upper)
    } else {
        let lower = *values.get(middle.checked_sub(1)?)?;
        Some(f64::midpoint(lower, upper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_sample_does_not_bend_it() {
        let points: Vec<(f64, f64)> = (0..20_u32)
            .map(|t| {
                (
                    f64::from(t),
                    if t == 7 { 900.0 } else { 2.0 * f64::from(t) },
                )
            })
            .collect();
        let found = trend(&points, 100.0);
        assert!((found.slope - 2.0).abs() < 1e-9, "{found:?}");
        assert!(
            (found.reaches_in.expect("it rises") - 31.0).abs() < 1e-9,
            "{found:?}"
        );
    }

    #[test]
    fn nonsense_says_nothing() {
        let odd = [(f64::NAN, 1.0), (0.0, f64::INFINITY), (3.0, f64::NAN)];
        assert_eq!(trend(&odd, 1.0), Trend::FLAT);
        assert_eq!(trend(&[(1.0, 9.0), (1.0, 9.0)], 1.0), Trend::FLAT);
        assert_eq!(trend(&[], 1.0), Trend::FLAT);
    }
}
