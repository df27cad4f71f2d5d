//! What a service really did: the truth that everything measured is compared with. Kept after the pod has gone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use super::mesh::Mesh;

/// Upper bounds of the histogram's buckets, in seconds.
const BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// One answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) status: u16,
    pub(super) took: Duration,
    /// It took as long as it did because the version is slow.
    pub(super) slowed: bool,
}

/// All answers of one service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    counters: BTreeMap<(String, String, u16), u64>,
    histograms: BTreeMap<(String, String), Histogram>,
    mesh: Mesh,
    /// When the first request was answered.
    pub(crate) first_answer: Option<Timestamp>,
    /// When the first bad answer was given: a 5xx, or a slowed one.
    pub(crate) first_bad: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
struct Histogram {
    /// Not cumulative; the last is for what no bucket takes.
    buckets: [u64; BUCKETS.len() + 1],
    sum: f64,
}

impl Ledger {
    pub(super) fn note(&mut self, answer: &Answer<'_>, now: Timestamp) {
        let (method, path) = (answer.method.to_owned(), answer.path.to_owned());
        let histogram = self
            .histograms
            .entry((method.clone(), path.clone()))
            .or_default();
        let seconds = answer.took.as_secs_f64();
        let bucket = BUCKETS.partition_point(|bound| *bound < seconds);
        if let Some(count) = histogram.buckets.get_mut(bucket) {
            *count += 1;
        }
        histogram.sum += seconds;
        self.mesh.note(answer.status, answer.took);
        *self
            .counters
            .entry((method, path, answer.status))
            .or_default() += 1;
        self.first_answer.get_or_insert(now);
        if answer.status >= 500 || answer.slowed {
            self.first_bad.get_or_insert(now);
        }
    }

    /// How many requests were answered.
    pub(crate) fn requests(&self) -> u64 {
        self.counters.values().sum()
    }

    /// How many answers were a 5xx.
    pub(crate) fn errors(&self) -> u64 {
        let bad = self
            .counters
            .iter()
            .filter(|((_, _, status), _)| *status >= 500);
        bad.map(|(_, count)| count).sum()
    }

    /// The text format 0.0.4 of Prometheus. As in a real service, a series appears when it is first used. `service` is
    /// the name of the Kubernetes Service in front of it.
    pub(super) fn exposition(&self, service: &str) -> String {
        let mut text = String::new();
        self.write(&mut text)
            .and_then(|()| self.mesh.write(&mut text, service))
            .expect("a String takes everything");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let name = "http_requests_total";
        writeln!(
            text,
            "# HELP {name} Requests that were answered.\n# TYPE {name} counter"
        )?;
        for ((method, path, status), count) in &self.counters {
            writeln!(
                text,
                r#"{name}{{method="{method}",path="{path}",status="{status}"}} {count}"#
            )?;
        }
        let name = "http_request_duration_seconds";
        writeln!(
            text,
            "# HELP {name} Time to the answer.\n# TYPE {name} histogram"
        )?;
        for ((method, path), histogram) in &self.histograms {
            let labels = format!(r#"method="{method}",path="{path}""#);
            let bounds = BUCKETS
                .iter()
                .map(f64::to_string)
                .chain(["+Inf".to_owned()]);
            let mut count = 0;
            for (bound, bucket) in bounds.zip(histogram.buckets) {
                count += bucket;
                writeln!(text, r#"{name}_bucket{{{labels},le="{bound}"}} {count}"#)?;
            }
            writeln!(text, "{name}_sum{{{labels}}} {}", histogram.sum)?;
            writeln!(text, "{name}_count{{{labels}}} {count}")?;
        }
        Ok(())
    }
}
