//! The seam `Clock`: the only way in which the adapters learn the time.

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time now.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The system's clock.
pub fn system() -> Clock {
    Arc::new(Timestamp::now)
}
