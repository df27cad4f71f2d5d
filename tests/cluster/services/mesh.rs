//! What the sidecar of an Istio mesh would say of a service: the same answers, counted as Istio counts them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Some of Istio's bounds, in milliseconds.
const BUCKETS: [f64; 11] = [
    1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0,
];

/// All answers, by response code.
#[derive(Debug, Clone, Default)]
pub(super) struct Mesh {
    codes: BTreeMap<u16, Histogram>,
}

#[derive(Debug, Clone, Default)]
struct Histogram {
    /// Not cumulative; the last is for what no bucket takes.
    buckets: [u64; BUCKETS.len() + 1],
    sum: f64,
}

impl Mesh {
    pub(super) fn note(&mut self, status: u16, took: Duration) {
        let milliseconds = took.as_secs_f64() * 1000.0;
        let histogram = self.codes.entry(status).or_default();
        let bucket = BUCKETS.partition_point(|bound| *bound < milliseconds);
        if let Some(count) = histogram.buckets.get_mut(bucket) {
            *count += 1;
        }
        histogram.sum += milliseconds;
    }

    /// `service` is the name of the Kubernetes Service that the requests were sent to.
    pub(super) fn write(&self, text: &mut String, service: &str) -> std::fmt::Result {
        let labels = |code: &u16| {
            format!(
                r#"reporter="destination",destination_service_name="{service}",response_code="{code}""#
            )
        };
        let name = "istio_requests_total";
        writeln!(text, "# TYPE {name} counter")?;
        for (code, histogram) in &self.codes {
            let count: u64 = histogram.buckets.iter().sum();
            writeln!(text, "{name}{{{}}} {count}", labels(code))?;
        }
        let name = "istio_request_duration_milliseconds";
        writeln!(text, "# TYPE {name} histogram")?;
        for (code, histogram) in &self.codes {
            let labels = labels(code);
            let bounds = BUCKETS.iter().map(f64::to_string);
            let mut count = 0;
            for (bound, bucket) in bounds.chain(["+Inf".to_owned()]).zip(histogram.buckets) {
                count += bucket;
                writeln!(text, r#"{name}_bucket{{{labels},le="{bound}"}} {count}"#)?;
            }
            writeln!(text, "{name}_sum{{{labels}}} {}", histogram.sum)?;
            writeln!(text, "{name}_count{{{labels}}} {count}")?;
        }
        Ok(())
    }
}
