//! Rules about counted events: ratios and quantiles of histograms, against limits and baselines.

mod alarm;
mod decision;
mod evidence;
mod share;
mod windowed;
mod words;

pub(super) use decision::Decision;
pub use evidence::{Arms, BASELINE_IDLE, CountsEvidence};
pub use windowed::WindowedCounts;
pub(super) use words::Words;
