//! Shares of bad events: against a limit, against the baseline, and both (judge.md 4, 5).

mod beside;
mod compare;
mod limit;
mod pairing;
mod test;

pub use beside::{RatioLimitBeside, RatioLimitBesideShown};
pub use compare::{RatioCompare, RatioCompareShown, Tolerance};
pub use limit::{RatioLimit, RatioLimitShown};

#[cfg(test)]
pub(super) use {compare::raw as raw_compare, limit::raw as raw_limit, test::step};
