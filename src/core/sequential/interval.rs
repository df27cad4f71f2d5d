//! The interval of a rate that may be read at any tick: for display, verdicts never use it (judge.md 3.5).
//!
//! A mixture of all rates, Beta(1/2, 1/2), against each rate p, inverted (Robbins, "Statistical methods related to the
//! law of the iterated logarithm", 1970).

/// The rates that `events` in `trials` do not speak against, as (low, high). `level`: ln(1/alpha) for a share alpha of
/// intervals that ever miss. (0, 1) without data.
pub fn interval(events: f64, trials: f64, level: f64) -> (f64, f64) {
    if !(trials >= f64::MIN_POSITIVE && trials.is_finite() && events >= 0.0) {
        return (0.0, 1.0);
    }
    let bad = events.min(trials);
    let fine = trials - bad;
    let likeliest = bad / trials;
    // Both sides are taken relative to the likeliest rate: absolute logarithms of 10^12 events drown the level.
    let floor = relative_mixture(bad, fine) - level;
    let inside = |rate: f64| {
        relative(bad, rate, likeliest) + relative(fine, 1.0 - rate, fine / trials) >= floor
    };
    (edge(0.0, likeliest, inside), edge(1.0, likeliest, inside))
}

/// The end of the interval between a rate outside and one inside; `outside` itself when it is not.
fn edge(mut outside: f64, mut within: f64, inside: impl Fn(f64) -> bool) -> f64 {
    if inside(outside) {
        return outside;
    }
    for _ in 0..100 {
        let middle = f64::midpoint(outside, within);
        if inside(middle) {
            within = middle;
        } else {
            outside = middle;
        }
    }
    within
}

/// events * ln(rate / likeliest); nothing without events.
fn relative(events: f64, rate: f64, likeliest: f64) -> f64 {
    if events <= 0.0 {
        0.0
    } else if rate > likeliest / 2.0 {
        events * ((rate - likeliest) / likeliest).ln_1p()
    } else {
        events * (rate / likeliest).ln()
    }
}

/// ln(B(s + 1/2, f + 1/2) / pi) - s ln(s/n) - f ln(f/n), with n = s + f: by Stirling's series with its remainder,
/// in which the large terms cancel on paper.
fn relative_mixture(s: f64, f: f64) -> f64 {
    let n = s + f;
    let half = |x: f64| {
        if x > 1e-300 {
            x * (0.5 / x).ln_1p()
        } else {
            0.0
        }
    };
    half(s) + half(f) - n * (1.0 / n).ln_1p() - 0.5 * n.ln_1p()
        + 0.5 * std::f64::consts::TAU.ln()
        + remainder(s + 0.5)
        + remainder(f + 0.5)
        - remainder(n + 1.0)
        - std::f64::consts::PI.ln()
}

/// lgamma(x) - ((x - 1/2) ln x - x + ln(2 pi)/2) for x >= 1/2 (Abramowitz & Stegun 6.1.41).
fn remainder(x: f64) -> f64 {
    // Below 10 the series is not exact enough: the remainder is carried up by lgamma(x) = lgamma(x + 1) - ln x.
    let (mut x, mut carried) = (x, 0.0);
    while x < 10.0 {
        carried += (x + 0.5) * (1.0 / x).ln_1p() - 1.0;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = (1.0 / 12.0
        - square
            * (1.0 / 360.0
                - square
                    * (1.0 / 1260.0
                        - square
                            * (1.0 / 1680.0
                                - square * (1.0 / 1188.0 - square * 691.0 / 360_360.0)))))
        / x;
    carried + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(actual: f64, expected: f64) {
        let scale = expected.abs().max(1e-300);
        assert!(
            (actual - expected).abs() <= 1e-12 * scale.max(1.0),
            "{actual} instead of {expected}"
        );
    }

    #[test]
    fn the_remainder_is_that_of_known_factorials() {
        // lgamma(1/2) = ln(pi)/2, lgamma(1) = 0, lgamma(7) = ln 720.
        let stirling = |x: f64| (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln();
        near(
            stirling(0.5) + remainder(0.5),
            0.5 * std::f64::consts::PI.ln(),
        );
        near(stirling(1.0) + remainder(1.0), 0.0);
        near(stirling(7.0) + remainder(7.0), 720.0_f64.ln());
        near(
            stirling(20.0) + remainder(20.0),
            121_645_100_408_832_000.0_f64.ln(),
        );
    }

    #[test]
    fn it_holds_the_share_and_narrows_with_data() {
        let mut width = 1.0;
        for n in [10.0, 1e3, 1e6, 1e9, 1e12, 1e15] {
            let (low, high) = interval(0.03 * n, n, 4.6);
            assert!(
                low < 0.03 && 0.03 < high && high - low < width,
                "{n}: {low}..{high}"
            );
            width = high - low;
        }
        // At 1e15 events the width is known: 2 sqrt(2 (level + ln(pi n p (1-p))/2 + ..) p (1-p) / n).
        assert!((1e-9..1e-6).contains(&width), "{width}");
    }

    #[test]
    fn nonsense_is_no_data() {
        for (events, trials) in [
            (0.0, 0.0),
            (f64::NAN, 5.0),
            (1.0, f64::NAN),
            (-1.0, 5.0),
            (1.0, f64::INFINITY),
        ] {
            assert_eq!(interval(events, trials, 4.6), (0.0, 1.0));
        }
        assert!(interval(0.0, 3.0, 4.6).0 == 0.0);
        assert!(interval(3.0, 3.0, 4.6).1 >= 1.0);
    }
}
