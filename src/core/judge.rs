//! Evidence per rule, and what it says now. Fed by exact counts per arm and tick, and by nothing else.
//!
//! The statistics are plain: the counts of a window, and of its end alone, and a share is called above what is allowed
//! when it is so by more than [`SIGMAS`] standard errors, and still is, as it stands, without its worst tick: no single
//! tick decides. This is no sequential test: it promises no rate of false alarms over a whole watch. The evidence is a value of its
//! own so that a better judge fits behind the same seam.

mod continuous;
mod counts;
mod evidence;
mod finding;
mod level;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use continuous::Continuous;
pub use counts::{Arms, BASELINE_IDLE, CountsEvidence, WindowedCounts};
pub use evidence::{Before, Evidence};
pub use finding::{Finding, Measured, Seen, State};
pub use level::{LevelArms, LevelEvidence, RateArms, Sample};

/// How long counts are looked at. Longer where samples or events are few: see [`CountsEvidence`].
pub const WINDOW: SignedDuration = SignedDuration::from_secs(30);
/// The end of the window, which is looked at by itself: a fault that begins late would else hide behind what came before.
pub const RECENT: SignedDuration = SignedDuration::from_secs(10);
/// How many standard errors a share must be above what is allowed.
pub const SIGMAS: f64 = 3.0;
/// The same for the end of the window alone: it is short, and every look is another chance to be wrong. With 3 one
/// service in fifty that ran at 4 % for a quarter of an hour was found above its limit of 5 %.
pub const RECENT_SIGMAS: f64 = 4.0;
/// Ticks with data that the window holds at least: no single tick decides.
pub const CONFIRM: usize = 2;
/// A comparison with the time before the release allows the service's own rate to have risen by this factor.
pub const DRIFT: f64 = 1.5;

/// Whether a baseline runs beside the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    Beside,
    Alone,
}
