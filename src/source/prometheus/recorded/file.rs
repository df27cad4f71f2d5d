//! Reads recorded series from `OpenMetrics` text with a time at every sample, as `promtool tsdb create-blocks-from
//! openmetrics` takes it. Line by line, and only what is asked for: files may be larger than memory.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufRead, Read as _};

use jiff::Timestamp;

use super::{Recorded, Series};
use crate::source::exposition::{Format, Label, parse_line};

/// Longest line, in bytes.
const LONGEST_LINE: u64 = 64 * 1024;
/// Series and samples that are kept, of all files together: about 800 MB.
const MOST_SERIES: usize = 200_000;
const MOST_SAMPLES: usize = 50_000_000;
/// Times before are none that a monitoring system has written; times after are milliseconds taken for seconds.
const EARLIEST_SECOND: i64 = 1_000_000_000;
const LATEST_SECOND: i64 = 10_000_000_000;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: u64,
        reason: String,
    },
    #[error("reading line {line}")]
    Read {
        /// Counted from 1.
        line: u64,
        #[source]
        error: io::Error,
    },
    #[error("{0}")]
    TooMuch(String),
}

/// Reads files one after the other.
#[derive(Debug)]
pub struct Recorder {
    /// Metrics that some rule asks about; others are checked, and not kept.
    metrics: BTreeSet<String>,
    recorded: Recorded,
    by_identity: HashMap<(String, Vec<(String, String)>), usize>,
    most_samples: usize,
    samples: usize,
}

/// What the text before a value stands for.
#[derive(Debug, Clone, Copy)]
enum Known {
    Series(usize),
    NotAsked,
}

impl Recorder {
    /// Keeps series of these metrics only.
    pub fn new(metrics: BTreeSet<String>, pod_label: &str, namespace_label: Option<&str>) -> Self {
        Self {
            metrics,
            recorded: Recorded {
                pod_label: pod_label.to_owned(),
                namespace_label: namespace_label.map(str::to_owned),
                ..Recorded::default()
            },
            by_identity: HashMap::new(),
            most_samples: MOST_SAMPLES,
            samples: 0,
        }
    }

    /// Reads one file. A series may go on in a later file.
    ///
    /// # Errors
    /// What is wrong, and on which line.
    pub fn read(&mut self, input: &mut dyn BufRead) -> Result<(), RecordedError> {
        // What stands before the value is the same on every line of a series: it is read once.
        let mut heads: HashMap<String, Known> = HashMap::new();
        let mut line: Vec<u8> = Vec::new();
        let mut number = 0;
        let mut ended = false;
        loop {
            line.clear();
            number += 1;
            (&mut *input)
                .take(LONGEST_LINE + 1)
                .read_until(b'\n', &mut line)
                .map_err(|error| RecordedError::Read {
                    line: number,
                    error,
                })?;
            let wrong = |reason: String| RecordedError::Line {
                line: number,
                reason,
            };
            if line.is_empty() {
                break;
            }
            if line.len() as u64 > LONGEST_LINE {
                return Err(wrong(format!("it is longer than {LONGEST_LINE} bytes")));
            }
            let text = std::str::from_utf8(&line)
                .map_err(|_| wrong("it is no text in UTF-8".to_owned()))?
                .trim();
            if text.is_empty() {
                continue;
            }
            if ended {
                return Err(wrong(
                    "there is something after `# EOF`: give several recordings as several files"
                        .to_owned(),
                ));
            }
            if text.starts_with('#') {
                ended = text == "# EOF";
                continue;
            }
            self.sample(text, &mut heads).map_err(wrong)?;
            if self.samples > self.most_samples {
                return Err(RecordedError::TooMuch(format!(
                    "line {number}: that is more than {} samples of the metrics that the rules ask about: give a \
                     shorter time, or fewer rules at once",
                    self.most_samples
                )));
            }
        }
        if !ended {
            return Err(RecordedError::Line {
                line: number.saturating_sub(1).max(1),
                reason: "`# EOF` is missing at the end: the file was cut off, or is not OpenMetrics text. If it is \
                         whole, add that line"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// Takes in one sample that stands in no file. Milliseconds since 1970; labels sorted by name.
    ///
    /// # Errors
    /// It is not behind the last one of its series, or there are too many.
    pub fn push(
        &mut self,
        metric: &str,
        labels: &[(String, String)],
        millis: i64,
        value: f64,
    ) -> Result<(), String> {
        let index = self.series(metric.to_owned(), labels.to_vec())?;
        self.keep(index, millis, value)
    }

    fn sample(&mut self, text: &str, heads: &mut HashMap<String, Known>) -> Result<(), String> {
        let plain = !text.contains(" # ");
        if plain && let Some((head, value, time)) = parts(text) {
            match heads.get(head) {
                Some(Known::NotAsked) => return Ok(()),
                Some(Known::Series(index)) => {
                    if let Some((value, time)) = number(value).zip(millis(time)) {
                        return self.keep(*index, time?, value);
                    }
                }
                None => {}
            }
        }
        let mut labels: Vec<Label<'_>> = Vec::new();
        let sample = parse_line(text, Format::OpenMetrics, &mut labels).map_err(|reason| {
            // Milliseconds are a time that no calendar has.
            let time = parts(text).filter(|(_, value, _)| number(value).is_some());
            let out_of_range = time.and_then(|(_, _, time)| millis(time)?.err());
            out_of_range.unwrap_or(reason)
        })?;
        let Some(timestamp) = sample.timestamp else {
            return Err(
                "the sample has no time: write it behind the value, in seconds since 1970"
                    .to_owned(),
            );
        };
        let time = in_range(timestamp.as_millisecond())?;
        let known = if self.metrics.contains(&*sample.name) {
            let mut labels: Vec<(String, String)> = sample
                .labels
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.clone().into_owned(), value.clone().into_owned()))
                .collect();
            labels.sort_unstable();
            Known::Series(self.series(sample.name.into_owned(), labels)?)
        } else {
            Known::NotAsked
        };
        if plain && let Some((head, _, _)) = parts(text) {
            if heads.len() >= MOST_SERIES {
                heads.clear();
            }
            heads.insert(head.to_owned(), known);
        }
        match known {
            Known::Series(index) => self.keep(index, time, sample.value),
            Known::NotAsked => Ok(()),
        }
    }

    fn series(&mut self, metric: String, labels: Vec<(String, String)>) -> Result<usize, String> {
        let identity = (metric, labels);
        if let Some(index) = self.by_identity.get(&identity) {
            return Ok(*index);
        }
        let index = self.recorded.series.len();
        if index >= MOST_SERIES {
            return Err(format!(
                "there are more than {MOST_SERIES} series of the metrics that the rules ask about"
            ));
        }
        self.recorded.series.push(Series {
            labels: identity.1.clone(),
            times: Vec::new(),
            values: Vec::new(),
        });
        let of_metric = self.recorded.by_metric.entry(identity.0.clone());
        of_metric.or_default().push(index);
        self.by_identity.insert(identity, index);
        Ok(index)
    }

    fn keep(&mut self, index: usize, time: i64, value: f64) -> Result<(), String> {
        let Some(series) = self.recorded.series.get_mut(index) else {
            return Ok(());
        };
        match series.times.last() {
            Some(last) if *last == time => {
                return Err(format!(
                    "the series has a sample of {} already: every sample has a time of its own",
                    shown(time)
                ));
            }
            Some(last) if *last > time => {
                return Err(format!(
                    "the sample is of {}, which is before the one above it, of {}: sort the samples of each series \
                     by time, and give files in the order of time",
                    shown(time),
                    shown(*last)
                ));
            }
            Some(_) | None => {}
        }
        series.times.push(time);
        series.values.push(value);
        self.samples += 1;
        Ok(())
    }

    /// All that was read.
    pub fn finish(self) -> Recorded {
        self.recorded
    }

    #[cfg(test)]
    fn with_most_samples(mut self, most: usize) -> Self {
        self.most_samples = most;
        self
    }
}

/// Name with labels, value and time of a line that has nothing else.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let (rest, time) = text.rsplit_once(' ')?;
    let (head, value) = rest.rsplit_once(' ')?;
    Some((head.trim_end(), value, time))
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Seconds as text, in milliseconds; `None`: it needs a closer look.
fn millis(text: &str) -> Option<Result<i64, String>> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().ok()?;
    let mut millis: i64 = 0;
    for place in 0..3 {
        let digit = fraction.as_bytes().get(place).unwrap_or(&b'0');
        millis = 10 * millis + i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    // What is finer than milliseconds is rounded where the whole line is read.
    (fraction.len() <= 3 && seconds >= 0)
        .then(|| in_range(seconds.saturating_mul(1000).saturating_add(millis)))
}

fn in_range(millis: i64) -> Result<i64, String> {
    let seconds = millis.div_euclid(1000);
    if seconds >= LATEST_SECOND {
        return Err(format!(
            "the time {seconds} is in milliseconds, it seems: OpenMetrics has seconds since 1970, such as 1767225600.25"
        ));
    }
    if seconds < EARLIEST_SECOND {
        return Err(format!(
            "the time {seconds} lies before 2001: it must be in seconds since 1970"
        ));
    }
    Ok(millis)
}

fn shown(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> Recorder {
        let metrics = ["requests_total".to_owned()].into();
        Recorder::new(metrics, "pod", Some("namespace"))
    }

    #[track_caller]
    fn faulty(text: &str, line: u64, part: &str) {
        let error = recorder()
            .read(&mut text.as_bytes())
            .expect_err("is faulty");
        let said = error.to_string();
        assert!(said.starts_with(&format!("line {line}: ")), "{said}");
        assert!(said.contains(part), "{said}");
    }

    #[test]
    fn series_are_put_together_from_lines_and_files() {
        let mut recorder = recorder();
        let one = "# TYPE requests counter\nrequests_total{pod=\"a b\",code=\"200\"} 1 1767225600\n\
                   other_total 5 1767225600\nrequests_total{code=\"200\",pod=\"a b\"} 2 1767225600.25 # {id=\"x\"} 1\n# EOF\n";
        let two = "requests_total{pod=\"a b\",code=\"200\"} 3 1767225615\nrequests_total{pod=\"a b\",code=\"200\"} 4 1767225630\n# EOF";
        recorder.read(&mut one.as_bytes()).expect("is good");
        recorder.read(&mut two.as_bytes()).expect("is good");
        let recorded = recorder.finish();
        assert_eq!(recorded.size(), (1, 4));
        let series = &recorded.series[0];
        assert_eq!(series.times[1], 1_767_225_600_250);
        assert_eq!(series.values, [1.0, 2.0, 3.0, 4.0]);
        let (first, last) = recorded.span().expect("there are samples");
        assert_eq!(first.as_second(), 1_767_225_600);
        assert_eq!(last.as_second(), 1_767_225_630);
    }

    #[test]
    fn a_fault_is_named_with_its_line_and_repair() {
        faulty("requests_total 1 1767225600\n", 1, "add that line");
        faulty("requests_total 1\n# EOF\n", 1, "no time");
        faulty(
            "\nrequests_total 1 1767225600000\n# EOF\n",
            2,
            "in milliseconds",
        );
        faulty("requests_total 1 12\n# EOF\n", 1, "before 2001");
        faulty("requests_total one 1767225600\n# EOF\n", 1, "a value");
        let unordered = "requests_total 1 1767225615\nrequests_total 2 1767225600\n# EOF\n";
        faulty(unordered, 2, "sort the samples");
        let twice = "requests_total 1 1767225600\nrequests_total 2 1767225600\n# EOF\n";
        faulty(twice, 2, "already");
        faulty("# EOF\nrequests_total 1 1767225600\n", 2, "several files");
        faulty(
            "requests_total{pod=\"a} 1 1767225600\n# EOF\n",
            1,
            "does not end",
        );
        let long = format!(
            "requests_total{{a=\"{}\"}} 1 1767225600\n",
            "x".repeat(70_000)
        );
        faulty(&long, 1, "longer than");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut recorder = recorder().with_most_samples(1);
        let text = "requests_total 1 1767225600\nrequests_total 2 1767225615\n# EOF\n";
        let said = recorder
            .read(&mut text.as_bytes())
            .expect_err("is too much");
        assert!(said.to_string().contains("more than 1 samples"), "{said}");
    }
}
