//! The sources against servers that answer, and servers that fail.

mod fixture;
mod http_json;
mod native_histograms;
mod prometheus;
mod prometheus_faults;
mod range;
mod redis;
pub(crate) mod same_counts;
mod scrape;
mod values;
