//! Histories that were never lived, as `OpenMetrics` text: for `recant backtest`, and for promtool.

use std::fmt::Write as _;

/// Histories begin then: 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: i64 = 1_767_225_600;

/// One rule about errors, beside a baseline and by a limit; one about latency.
pub(crate) const RULES: &str = "
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: web}
rules:
- name: errors
  ratio: {bad: 'http_requests_total{status=~\"5..\"}', total: http_requests_total}
  max: 2%
  compare: {margin: 50%, plus: 1%}
- name: latency
  histogram: http_request_duration_seconds
  quantile: 95%
  max: 500ms
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: web, namespace: shop}
target: {kind: Deployment, name: web}
rules: [web]
release: {watch: 30m}
onFail: [{rollback: {}}, {notify: [team]}]
---
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {name: team}
slack: {url: {env: NO_SUCH_VARIABLE}}
";

/// The pods of a revision, and what they count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Revision {
    pub(crate) hash: &'static str,
    /// In seconds since the beginning.
    pub(crate) begin: i64,
    pub(crate) end: i64,
    /// Errors of a hundred requests, and slow ones.
    pub(crate) errors: f64,
    pub(crate) slow: f64,
    /// From when on it is so; before, all is well.
    pub(crate) since: i64,
}

impl Revision {
    pub(crate) fn good(hash: &'static str, begin: i64, end: i64) -> Self {
        Self {
            hash,
            begin,
            end,
            errors: 0.0,
            slow: 0.0,
            since: 0,
        }
    }
}

/// A history that is being written.
#[derive(Debug)]
pub(crate) struct Written {
    /// Seconds between two samples.
    interval: i64,
    /// From when to when nothing was scraped.
    pub(crate) hole: Option<(i64, i64)>,
    /// When the counters of all pods begin anew.
    pub(crate) reset: Option<i64>,
    /// Requests of a pod between two samples.
    pub(crate) requests: f64,
    text: String,
}

impl Written {
    pub(crate) fn new(interval: i64) -> Self {
        Self {
            interval,
            hole: None,
            reset: None,
            requests: 300.0,
            text: String::new(),
        }
    }

    /// Two pods of a revision; the second comes and goes half a minute after the first.
    pub(crate) fn pods(&mut self, revision: Revision) {
        for (pod, late) in [("11111", 0), ("22222", 30)] {
            let begin = if revision.begin == 0 {
                0
            } else {
                revision.begin + late
            };
            let name = format!("web-{}-{pod}", revision.hash);
            let mut bad = Counter::default();
            let mut good = Counter::default();
            let mut fast = Counter::default();
            let mut all = Counter::default();
            let mut second = begin;
            while second <= revision.end + late {
                let ill = second >= revision.since;
                let part = |of_hundred: f64| {
                    if ill {
                        (self.requests * of_hundred / 100.0).round()
                    } else {
                        0.0
                    }
                };
                // A few errors are always there.
                let few = f64::from(u8::from(second / self.interval % 10 == 0));
                let errors = part(revision.errors).max(few);
                let slow = part(revision.slow).max(few);
                if self.reset == Some(second) {
                    for counter in [&mut bad, &mut good, &mut fast, &mut all] {
                        counter.value = 0.0;
                    }
                }
                bad.add(errors, second);
                good.add(self.requests - errors, second);
                fast.add(self.requests - slow, second);
                all.add(self.requests, second);
                second += self.interval;
            }
            let own = format!("namespace=\"shop\",pod=\"{name}\"");
            self.series(
                &format!("http_requests_total{{{own},status=\"200\"}}"),
                &good,
            );
            self.series(
                &format!("http_requests_total{{{own},status=\"500\"}}"),
                &bad,
            );
            let bucket = "http_request_duration_seconds_bucket";
            self.series(&format!("{bucket}{{{own},le=\"0.5\"}}"), &fast);
            self.series(&format!("{bucket}{{{own},le=\"2\"}}"), &all);
            self.series(&format!("{bucket}{{{own},le=\"+Inf\"}}"), &all);
        }
    }

    fn series(&mut self, name: &str, counter: &Counter) {
        for (second, value) in &counter.samples {
            let hidden = self
                .hole
                .is_some_and(|(from, to)| (from..to).contains(second));
            if !hidden {
                writeln!(self.text, "{name} {value} {}", BEGIN + second)
                    .expect("a String takes text");
            }
        }
    }

    /// The whole file.
    pub(crate) fn text(&self) -> String {
        format!("{}# EOF\n", self.text)
    }
}

#[derive(Debug, Default)]
struct Counter {
    value: f64,
    samples: Vec<(i64, f64)>,
}

impl Counter {
    fn add(&mut self, events: f64, second: i64) {
        self.value += events;
        self.samples.push((second, self.value));
    }
}

/// Half a day: a good release, one that goes bad ten minutes after it came, the mended one, one that somebody takes
/// back at once, and one that is followed by another.
pub(crate) fn half_a_day() -> String {
    const HOUR: i64 = 3600;
    let mut written = Written::new(15);
    written.pods(Revision::good("a1b2c3", 0, 2 * HOUR + 60));
    written.pods(Revision::good("b1b2c3", 2 * HOUR, 4 * HOUR + 60));
    written.pods(Revision {
        errors: 10.0,
        since: 4 * HOUR + 600,
        ..Revision::good("c1b2c3", 4 * HOUR, 6 * HOUR + 60)
    });
    written.pods(Revision::good("d1b2c3", 6 * HOUR, 8 * HOUR + 60));
    // Taken back by its people after five minutes.
    written.pods(Revision {
        slow: 30.0,
        since: 8 * HOUR + 240,
        ..Revision::good("e1b2c3", 8 * HOUR, 8 * HOUR + 300)
    });
    written.pods(Revision::good("f1b2c3", 10 * HOUR, 10 * HOUR + 300));
    written.pods(Revision::good("g1b2c3", 10 * HOUR + 240, 12 * HOUR));
    // The pods that came back in place of the revision that was taken back.
    let mut back = Written::new(15);
    back.pods(Revision::good("d1b2c3", 8 * HOUR + 285, 10 * HOUR + 60));
    let back = back
        .text
        .replace("-11111", "-33333")
        .replace("-22222", "-44444");
    written.text.push_str(&back);
    written.text()
}
