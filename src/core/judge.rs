//! Evidence per rule, and what it says now. Fed by exact counts per arm and tick, and by nothing else.
//!
//! A release is called bad, or passes, by the tests of [`ReleaseEvidence`] alone, which keep their error rates however
//! often they are looked at (`sequential`). Beside them stand the counts of a window, and of its end alone: they are what
//! people read, what says that there are too few data or that the baseline is bad as well, and what judges the time
//! after a rollback and between releases. A share is called above what is allowed there when it is so by more than
//! [`SIGMAS`] standard errors, and still is without its worst tick: no single tick decides.

mod continuous;
mod counts;
mod evidence;
mod finding;
mod level;
mod release;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use continuous::Continuous;
pub use counts::{Arms, BASELINE_IDLE, CountsEvidence, WindowedCounts};
pub use evidence::{Before, Beginning, Evidence};
pub use finding::{Finding, Limits, Measured, Proof, Seen, State};
pub use level::{Compared, LevelArms, LevelEvidence, RateArms, Sample};
pub use release::{FALSE_PASSES, InAll, Pace, Past, ReleaseEvidence, TrialShown};

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
