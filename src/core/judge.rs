//! Evidence per rule, and what it says now. Fed by exact counts per arm and tick, and by nothing else.
//!
//! The statistics are plain: the counts of the last [`WINDOW`], and a share is called above what is allowed when it
//! is so by more than [`SIGMAS`] standard errors, on two looks in a row. This is no sequential test: it promises no
//! rate of false alarms over a whole watch. The evidence is a value of its own so that a better judge fits behind
//! the same seam.

mod evidence;
mod finding;
mod share;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use evidence::{Arms, Evidence};
pub use finding::{Finding, Measured, State};

/// How long counts are looked at.
pub const WINDOW: SignedDuration = SignedDuration::from_secs(30);
/// How many standard errors a share must be above what is allowed.
pub const SIGMAS: f64 = 3.0;
/// Looks with new data in a row that must say the same: no single tick decides.
pub const CONFIRM: u32 = 2;
/// A comparison with the time before the release allows the service's own rate to have risen by this factor.
pub const DRIFT: f64 = 1.5;

/// Whether a baseline runs beside the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    Beside,
    Alone,
}
