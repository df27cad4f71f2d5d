//! The sequential judge: evidence that may be looked at on every tick without losing its error rate.
//!
//! Every statistical rule keeps two e-processes as logarithms: `log_bad` speaks against "within what is allowed",
//! `log_good` against "beyond what is allowed". By Ville's inequality (Ville 1939; Ramdas, Grünwald, Vovk, Shafer,
//! "Game-theoretic statistics and safe anytime-valid inference", 2023) the chance that `log_bad` ever reaches
//! ln(1/alpha) while the bound is kept is at most alpha, however often one looks.
//!
//! Everything here is a plain value: updated in place without allocation, written down and read back to the same bits.
//! It knows nothing of sources, targets or time of day, and cannot fail on what was measured.

mod analysis;
mod array;
mod before;
mod clumps;
mod doubt;
mod endless;
mod gate;
mod gauge;
mod grid;
mod histogram;
mod interval;
mod logs;
mod mixture;
mod native;
mod parameters;
mod phases;
mod quantile;
mod ratio;
mod reading;
mod rule;
mod settings;
mod tally;
#[cfg(test)]
mod tests;

pub use analysis::{Analysis, State, Verdict, WhenUnclear};
pub use before::before_limit;
pub use doubt::Doubt;
pub use endless::{EndlessChange, EndlessLimit};
pub use gauge::{
    GaugeCompare, GaugeCompareShown, GaugeLimit, GaugeLimitShown, MOST_TREND_POINTS, Trend, trend,
};
pub use histogram::{most_telling_bounds, over, quantile, rebucket, shows};
pub use interval::interval;
pub use native::{NativeBuckets, NativeLayout};
pub use parameters::{Class, RuleParameters};
pub use phases::Phased;
pub use quantile::{
    QuantileCompare, QuantileCompareShown, QuantileLimit, QuantileLimitBeside,
    QuantileLimitBesideShown, QuantileLimitShown, QuantileTolerance,
};
pub use ratio::{
    RatioCompare, RatioCompareShown, RatioLimit, RatioLimitBeside, RatioLimitBesideShown,
    RatioLimitShown, Tolerance,
};
pub use reading::{Progress, Reading};
pub use rule::{JudgeRule, Measured, Shown};
pub use settings::{ParameterError, Settings, Span};
pub use tally::MOST_EVENTS;
