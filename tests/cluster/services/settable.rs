//! Series whose values a test says: gauges that stand still, lines that grow.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// A value over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    from: f64,
    since: Timestamp,
    per_second: f64,
    /// It does not pass this one, as memory does not pass its limit.
    end: f64,
}

impl Line {
    /// Stays what it is.
    pub(crate) fn flat(value: f64) -> Self {
        Self::growing(value, 0.0, value)
    }

    /// From now on grows by so much a second until it is `end`.
    pub(crate) fn growing(from: f64, per_second: f64, end: f64) -> Self {
        Self {
            from,
            since: Timestamp::now(),
            per_second,
            end,
        }
    }

    pub(crate) fn at(self, now: Timestamp) -> f64 {
        let seconds = now.duration_since(self.since).as_secs_f64();
        let value = self.from + self.per_second * seconds;
        if self.per_second < 0.0 {
            value.max(self.end)
        } else {
            value.min(self.end)
        }
    }
}

/// The series that tests have set, by namespace and by image tag or pod. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settable {
    set: Arc<Mutex<BTreeMap<Of, Line>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Of {
    namespace: String,
    tag_or_pod: String,
    series: String,
}

impl Settable {
    /// From the next scrape on. `None` takes the series away.
    pub(super) fn set(&self, namespace: &str, tag_or_pod: &str, series: &str, line: Option<Line>) {
        let of = Of {
            namespace: namespace.to_owned(),
            tag_or_pod: tag_or_pod.to_owned(),
            series: series.to_owned(),
        };
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        match line {
            Some(line) => set.insert(of, line),
            None => set.remove(&of),
        };
    }

    /// The lines of a page for one pod.
    pub(super) fn exposition(&self, namespace: &str, tag: &str, pod: &str) -> String {
        let now = Timestamp::now();
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let of_pod = set.iter().filter(|(of, _)| {
            of.namespace == namespace && (of.tag_or_pod == tag || of.tag_or_pod == pod)
        });
        let mut text = String::new();
        for (of, line) in of_pod {
            let name = of.series.split('{').next().unwrap_or_default();
            let kind = if name.ends_with("_total") {
                "counter"
            } else {
                "gauge"
            };
            // Series of one name are neighbours, but a pod and its tag may both have one.
            let declared = format!("# TYPE {name} {kind}\n");
            if !text.contains(&declared) {
                text.push_str(&declared);
            }
            writeln!(text, "{} {}", of.series, line.at(now)).expect("a String takes everything");
        }
        text
    }
}
