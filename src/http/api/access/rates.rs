//! How much is taken of each caller: requests per second, requests at work, and failed attempts of one address. Everything
//! that is remembered is bounded, whoever comes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Callers and addresses that are remembered; all that come when it is full share one place.
const MOST: usize = 1024;
/// Attempts of one address with what opens nothing.
const FAILURES_PER_SECOND: f64 = 5.0;
const FAILURES_AT_ONCE: f64 = 100.0;
/// Requests that are at work at the same time.
const AT_WORK: usize = 256;
const DEFAULT_PER_SECOND: u32 = 1000;

/// The bounds, and how near everybody is to them.
#[derive(Debug)]
pub struct Rates {
    per_second: f64,
    callers: Buckets<Key>,
    failures: Buckets<IpAddr>,
    at_work: Arc<Semaphore>,
}

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A caller that is known.
    Caller(Arc<str>),
    /// Where nobody has to say who he is.
    Address(IpAddr),
}

impl Default for Rates {
    fn default() -> Self {
        Self::new(DEFAULT_PER_SECOND)
    }
}

impl Rates {
    /// So many requests of one caller per second, and twice as many at once.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second: per_second.into(),
            callers: Buckets::default(),
            failures: Buckets::default(),
            at_work: Arc::new(Semaphore::new(AT_WORK)),
        }
    }

    /// Whether one more request of this caller is taken.
    pub(super) fn take(&self, key: Key) -> bool {
        self.callers
            .take(key, self.per_second, self.per_second * 2.0)
    }

    /// Whether one more attempt of this address may fail. `None`: nobody knows where it comes from.
    pub(super) fn may_fail(&self, address: Option<IpAddr>) -> bool {
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.failures
            .take(whole(address), FAILURES_PER_SECOND, FAILURES_AT_ONCE)
    }

    /// A place for a request, until it is dropped.
    pub(super) fn work(&self) -> Option<OwnedSemaphorePermit> {
        self.at_work.clone().try_acquire_owned().ok()
    }
}

/// Who has one address of IPv6 has a whole network of 64 bits.
fn whole(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let network = six.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
    }
}

/// Token buckets by key.
#[derive(Debug)]
struct Buckets<K>(Mutex<Kept<K>>);

#[derive(Debug)]
struct Kept<K> {
    by_key: HashMap<K, Bucket>,
    /// Of all others, while there is no room.
    others: Option<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Mutex::new(Kept {
            by_key: HashMap::new(),
            others: None,
        }))
    }
}

impl<K: std::hash::Hash + Eq> Buckets<K> {
    fn take(&self, key: K, per_second: f64, most: f64) -> bool {
        let now = Instant::now();
        let full = Bucket {
            left: most,
            at: now,
        };
        // Nothing in here can panic half way.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.by_key.contains_key(&key) && kept.by_key.len() >= MOST {
            // Who is full again has been away: a new bucket is the same.
            let away = Duration::from_secs_f64(most / per_second);
            kept.by_key
                .retain(|_, bucket| now.duration_since(bucket.at) < away);
        }
        let room = kept.by_key.len() < MOST || kept.by_key.contains_key(&key);
        let bucket = if room {
            kept.by_key.entry(key).or_insert(full)
        } else {
            kept.others.get_or_insert(full)
        };
        let grown = now.duration_since(bucket.at).as_secs_f64() * per_second;
        bucket.left = (bucket.left + grown).min(most);
        bucket.at = now;
        let taken = bucket.left >= 1.0;
        if taken {
            bucket.left -= 1.0;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_has_its_share_and_no_others() {
        let rates = Rates::new(10);
        let ci = || Key::Caller("ci".into());
        let taken =
            |key: &dyn Fn() -> Key, tries: usize| (0..tries).filter(|_| rates.take(key())).count();
        assert_eq!(taken(&ci, 50), 20);
        assert_eq!(taken(&|| Key::Address(address(1)), 50), 20);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(taken(&ci, 50), 10);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(taken(&ci, 50), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_what_is_remembered_is_bounded() {
        let rates = Rates::new(10);
        for number in 0..100_000 {
            rates.take(Key::Address(address(number)));
            rates.may_fail(Some(address(number)));
        }
        assert_eq!(
            rates.failures.0.lock().expect("no panic").by_key.len(),
            MOST
        );
        assert_eq!(rates.callers.0.lock().expect("no panic").by_key.len(), MOST);
        // All that found no room share what one has.
        assert!(!rates.take(Key::Address(address(5_000_000))));
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(rates.take(Key::Address(address(5_000_000))));
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let text = |text: &str| whole(text.parse().expect("an address"));
        assert_eq!(text("2001:db8::1"), text("2001:db8::ffff:1"));
        assert_ne!(text("2001:db8:0:1::1"), text("2001:db8:0:2::1"));
        assert_eq!(text("10.0.0.1"), address(0x0a00_0001));
    }
}
