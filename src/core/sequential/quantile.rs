//! Quantiles: "p95 is at most 500 ms" means that at most 5 % of the events are slower, so they are shares of events above
//! bounds of a histogram (judge.md 7).

mod beside;
mod compare;
mod limit;

pub use beside::{QuantileLimitBeside, QuantileLimitBesideShown};
pub use compare::{QuantileCompare, QuantileCompareShown, QuantileTolerance};
pub use limit::{QuantileLimit, QuantileLimitShown};
