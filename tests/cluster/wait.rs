//! Waiting on conditions: bounded, level-triggered, and a failure says what was seen last.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(50);

/// Looks until `look` returns a value; panics with the last `Err` when that takes longer than `within`.
pub(crate) async fn wait_for<T, F>(what: &str, within: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + within;
    let mut last = "nothing yet".to_owned();
    loop {
        let Ok(looked) = timeout_at(deadline, look()).await else {
            panic!("waited {within:?} for {what}; it hung; last seen: {last}");
        };
        match looked {
            Ok(value) => return value,
            Err(seen) => last = seen,
        }
        assert!(
            Instant::now() < deadline,
            "waited {within:?} for {what}; last seen: {last}"
        );
        sleep(PERIOD).await;
    }
}
