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

/// A part of `most`, in whole milliseconds, that is always the same for the same text: what many do for the same reason is
/// spread over that time by it, and a replay spreads it alike. FNV-1a.
pub fn spread(text: &str, most: SignedDuration) -> SignedDuration {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let Ok(most) = u64::try_from(most.as_millis()) else {
        return SignedDuration::ZERO;
    };
    let hash = text.bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    // The low bits of FNV-1a are not well mixed for short texts.
    let mixed = (hash ^ (hash >> 32)) % most.saturating_add(1);
    SignedDuration::from_millis(i64::try_from(mixed).unwrap_or(0))
}

/// How long what is done after `after` may be put off, so that not all of it comes at once: a tenth of it, and at most a
/// minute.
pub fn leeway(after: SignedDuration) -> SignedDuration {
    const MOST: SignedDuration = SignedDuration::from_mins(1);
    (after / 10).clamp(SignedDuration::ZERO, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_spread_over_all_of_the_time_and_always_alike() {
        let most = SignedDuration::from_secs(60);
        let mut tenths = [0; 10];
        for number in 0..1000 {
            let id = format!("shop-worker-{number}-undo");
            let at = spread(&id, most);
            assert!(at >= SignedDuration::ZERO && at <= most);
            assert_eq!(at, spread(&id, most));
            let tenth = usize::try_from(at.as_millis() / 6001).expect("small");
            tenths[tenth] += 1;
        }
        assert!(tenths.iter().all(|count| *count > 60), "{tenths:?}");
        assert_eq!(spread("a", SignedDuration::ZERO), SignedDuration::ZERO);
        assert_eq!(
            leeway(SignedDuration::from_mins(2)),
            SignedDuration::from_secs(12)
        );
        assert_eq!(leeway(SignedDuration::MAX), SignedDuration::from_mins(1));
    }
}
