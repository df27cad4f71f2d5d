//! Gauges: CPU, memory, queue depth (judge.md 8). Weaker promises than those of counts.

mod compare;
mod limit;
mod trend;

pub use compare::{GaugeCompare, GaugeCompareShown};
pub use limit::{GaugeLimit, GaugeLimitShown};
pub use trend::{MOST_TREND_POINTS, Trend, trend};
