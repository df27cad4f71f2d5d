//! No concurrent baseline (judge.md 10): a comparison becomes a limit taken from the hour before the release.
//!
//! It keeps alpha if the release's own allowed share is within psi0 times a rate that rose by itself at most `drift`
//! times. Nothing can tell a release from a shock that coincides with it without a second arm.

use super::interval::interval;
use super::settings::{ParameterError, check_errors, within};
use super::tally::usable;

/// No limit stands above this share.
const HIGHEST: f64 = 0.999;

/// The limit that stands for a baseline: the upper end of the interval of what was counted before, times `drift` and
/// `psi0`, plus the tolerance. The limit's own test then gets `alpha / 2`.
///
/// `n`, `e`: events before, and bad ones among them; `clump`: how many of these came together; `drift`: how much the
/// service's rate may rise by itself (usual 1.5, at least 1); `alpha`: of the rule.
pub fn before_limit(
    n: f64,
    e: f64,
    psi0: f64,
    plus: f64,
    drift: f64,
    clump: f64,
    alpha: f64,
) -> Result<f64, ParameterError> {
    check_errors(alpha, 0.05)?;
    within(psi0 > 0.0 && psi0.is_finite(), "psi0", psi0, "above 0")?;
    within((0.0..=1.0).contains(&plus), "plus", plus, "0 to 1")?;
    within((1.0..=1e6).contains(&drift), "drift", drift, "1 to 1000000")?;
    within((1.0..=1e6).contains(&clump), "clump", clump, "1 to 1000000")?;
    let (n, e) = if usable(n) && usable(e) {
        (n, e)
    } else {
        (0.0, 0.0)
    };
    let (_, high) = interval(e / clump, n / clump, (2.0 / alpha).ln());
    Ok((psi0 * drift * high + plus).min(HIGHEST))
}
