//! Arithmetic on moments that cannot overflow. There is no clock here: the time is always an argument.

use jiff::{SignedDuration, Timestamp};

/// `at + by`, at the end of time at the latest.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// `to - from`, never negative.
pub fn elapsed(from: Timestamp, to: Timestamp) -> SignedDuration {
    to.duration_since(from).max(SignedDuration::ZERO)
}
