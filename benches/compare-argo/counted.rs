//! What is counted on both sides: processor time and memory as the kernel knows them, queries as Prometheus counts them,
//! writes as the API server counts them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::bed::Bed;

/// Of the times in `/proc/PID/stat`: Linux shows hundredths of a second, whatever it counts in (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Requests that change something.
const WRITES: [&str; 6] = [
    "POST",
    "PUT",
    "PATCH",
    "APPLY",
    "DELETE",
    "DELETECOLLECTION",
];

/// What a side did within its window.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) lasted: Duration,
    /// Metrics of runs that were measured, each time it happened and gave a value.
    pub(crate) measurements: f64,
    pub(crate) cpu_seconds: f64,
    /// Requests to the query API of Prometheus.
    pub(crate) queries: f64,
    /// By resource.
    pub(crate) writes: BTreeMap<String, f64>,
    /// Resident at the end of the window.
    pub(crate) resident_mib: f64,
    /// The most that was resident since the process began.
    pub(crate) peak_mib: f64,
}

/// Reads the counters.
pub(crate) struct Meter {
    bed: &'static Bed,
    prometheus: String,
}

impl Meter {
    pub(crate) fn new(bed: &'static Bed, prometheus: String) -> Self {
        Self { bed, prometheus }
    }

    /// Writes a second that the parts do among themselves, by resource.
    pub(crate) async fn idle(&self, window: Duration) -> BTreeMap<String, f64> {
        let (begun, before) = (Instant::now(), self.writes().await);
        sleep(window).await;
        let after = self.writes().await;
        let seconds = begun.elapsed().as_secs_f64();
        risen(&before, &after)
            .into_iter()
            .map(|(resource, count)| (resource, count / seconds))
            .collect()
    }

    /// Lets the process `id` work for a window; `measurements` says how many it has done so far.
    pub(crate) async fn watch<F: Future<Output = f64>>(
        &self,
        id: u32,
        window: Duration,
        measurements: impl Fn() -> F,
    ) -> Spent {
        let begun = Instant::now();
        let (done, cpu) = (measurements().await, cpu_seconds(id));
        let (queries, writes) = (self.queries().await, self.writes().await);
        sleep(window.saturating_sub(begun.elapsed())).await;
        let lasted = begun.elapsed();
        let (done_then, cpu_then) = (measurements().await, cpu_seconds(id));
        let (queries_then, writes_then) = (self.queries().await, self.writes().await);
        Spent {
            lasted,
            measurements: done_then - done,
            cpu_seconds: cpu_then - cpu,
            queries: queries_then - queries,
            writes: risen(&writes, &writes_then),
            resident_mib: memory_mib(id, "VmRSS"),
            peak_mib: memory_mib(id, "VmHWM"),
        }
    }

    async fn queries(&self) -> f64 {
        let url = format!("{}/metrics", self.prometheus);
        let answer = self.bed.http().get(url).send().await;
        let page = answer.expect("Prometheus answers").text().await;
        let page = page.expect("Prometheus shows its own metrics");
        samples(&page, "prometheus_http_requests_total")
            .filter(|(labels, _)| labels.contains(r#"handler="/api/v1/query"#))
            .map(|(_, value)| value)
            .sum()
    }

    async fn writes(&self) -> BTreeMap<String, f64> {
        let page = self.bed.kubectl(&["get", "--raw", "/metrics"]).await;
        let mut writes = BTreeMap::new();
        for (labels, value) in samples(&page, "apiserver_request_total") {
            if WRITES.contains(&label(labels, "verb")) {
                let resource = label(labels, "resource").to_owned();
                *writes.entry(resource).or_default() += value;
            }
        }
        writes
    }
}

/// Labels and value of every series with this name on a page in Prometheus' text format.
pub(crate) fn samples<'a>(page: &'a str, name: &str) -> impl Iterator<Item = (&'a str, f64)> {
    page.lines().filter_map(move |line| {
        let (labels, value) = line
            .strip_prefix(name)?
            .strip_prefix('{')?
            .rsplit_once("} ")?;
        Some((labels, value.parse().ok()?))
    })
}

fn label<'a>(labels: &'a str, name: &str) -> &'a str {
    let mut pairs = labels
        .split("\",")
        .filter_map(|pair| pair.split_once("=\""));
    let value = pairs.find_map(|(key, value)| (key == name).then_some(value));
    value.unwrap_or_default().trim_end_matches('"')
}

fn risen(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    after
        .iter()
        .map(|(resource, count)| {
            let risen = count - before.get(resource).copied().unwrap_or_default();
            (resource.clone(), risen)
        })
        .filter(|(_, count)| *count > 0.0)
        .collect()
}

/// Of all threads of a process so far, in user mode and in the kernel (proc(5): the 14th and 15th field of `stat`).
fn cpu_seconds(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("the process runs");
    // Its second field is a name in brackets that may hold anything.
    let (_, rest) = stat.rsplit_once(") ").expect("a name in brackets");
    let ticks: f64 = rest
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().expect("a number of ticks"))
        .sum();
    ticks / TICKS_PER_SECOND
}

fn memory_mib(id: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with(field));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.expect("a number of KiB") / 1024.0
}
