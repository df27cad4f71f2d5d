//! Arithmetic with logarithms of weights that may be too large or too small to write out. All logarithms are natural.

/// Logarithm of a weight that has not begun: finite, so that it can be written as JSON, and far below everything else.
pub(super) const NEVER: f64 = -1e300;

/// Stands for "held": above every threshold (judge.md 8).
pub(super) const CERTAIN: f64 = 700.0;

/// ln(exp(a) + exp(b)); minus infinity adds nothing.
pub(super) fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY {
        high
    } else {
        high + (low - high).exp().ln_1p()
    }
}

/// ln(sum of exp(x)); minus infinity for no terms at all.
pub(super) fn log_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        top
    } else {
        top + terms.map(|term| (term - top).exp()).sum::<f64>().ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_weights() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} instead of {b}");
        near(log_add(2.0_f64.ln(), 3.0_f64.ln()), 5.0_f64.ln());
        near(log_add(NEVER, 1.5), 1.5);
        near(log_add(f64::NEG_INFINITY, -4.0), -4.0);
        near(
            log_sum([1.0_f64, 2.0, 4.0].map(f64::ln).into_iter()),
            7.0_f64.ln(),
        );
        near(log_sum([NEVER, NEVER, 0.25].into_iter()), 0.25);
        assert!(log_sum(std::iter::empty()) == f64::NEG_INFINITY);
    }

    #[test]
    fn huge_logarithms_neither_overflow_nor_vanish() {
        assert!((log_add(1e5, 1e5) - 1e5 - 2.0_f64.ln()).abs() < 1e-9);
        assert!((log_sum([-1e5, -1e5].into_iter()) + 1e5 - 2.0_f64.ln()).abs() < 1e-9);
    }
}
