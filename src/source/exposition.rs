//! Reads what pods expose: the Prometheus text format 0.0.4 and `OpenMetrics` 1.0.
//!
//! Our own, because no kept crate reads both: prometheus-parse (last release 2023) knows the text format only and
//! builds a map per sample, openmetrics-parser is LGPL and builds a tree of the whole page. Sample names are taken as
//! written, as Prometheus does; comments, exemplars and units say nothing to us.

use std::borrow::Cow;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

#[cfg(test)]
mod tests;

/// Labels of one sample above which it is refused.
const MOST_LABELS: usize = 128;

/// The dialect of an exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text format 0.0.4: timestamps in milliseconds.
    Text,
    /// `OpenMetrics`: timestamps in seconds, exemplars, and `# EOF` at the end.
    OpenMetrics,
}

impl Format {
    /// The dialect that a `Content-Type` names; the text format when it names none.
    pub fn of(content_type: Option<&str>) -> Self {
        let media = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        if media.eq_ignore_ascii_case("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

/// One sample. Borrows from the exposition unless something in it is escaped.
#[derive(Debug, PartialEq)]
pub struct Sample<'a, 'l> {
    pub name: Cow<'a, str>,
    /// As exposed: in any order, no name twice; values may be empty.
    pub labels: &'l [Label<'a>],
    pub value: f64,
    pub timestamp: Option<Timestamp>,
}

/// Name and value of a label.
pub type Label<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Where and why an exposition cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ExpositionError {
    /// Counted from 1.
    pub line: usize,
    pub reason: String,
}

impl fmt::Display for ExpositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Gives every sample to `each`, in order. Stops at the first line that cannot be read, or that `each` refuses.
pub fn parse<'a>(
    text: &'a str,
    format: Format,
    mut each: impl FnMut(&Sample<'a, '_>) -> Result<(), String>,
) -> Result<(), ExpositionError> {
    let mut labels: Vec<Label<'a>> = Vec::new();
    let mut ended = false;
    let mut number = 0;
    for line in text.lines() {
        number += 1;
        let error = |reason: String| ExpositionError {
            line: number,
            reason,
        };
        let line = line.trim_matches([' ', '\t']);
        if line.is_empty() {
            continue;
        }
        if ended {
            return Err(error("there is something after `# EOF`".to_owned()));
        }
        if line.starts_with('#') {
            ended = format == Format::OpenMetrics && line == "# EOF";
            continue;
        }
        let mut cursor = Cursor { rest: line };
        let (name, value, timestamp) = cursor.sample(format, &mut labels).map_err(error)?;
        let sample = Sample {
            name,
            labels: &labels,
            value,
            timestamp,
        };
        each(&sample).map_err(error)?;
    }
    if format == Format::OpenMetrics && !ended {
        return Err(ExpositionError {
            line: number,
            reason: "`# EOF` is missing: the exposition was cut off".to_owned(),
        });
    }
    Ok(())
}

/// Reads one line that holds a sample; what is wrong with it, if it cannot be read.
pub fn parse_line<'a, 'l>(
    line: &'a str,
    format: Format,
    labels: &'l mut Vec<Label<'a>>,
) -> Result<Sample<'a, 'l>, String> {
    let mut cursor = Cursor { rest: line };
    let (name, value, timestamp) = cursor.sample(format, labels)?;
    Ok(Sample {
        name,
        labels,
        value,
        timestamp,
    })
}

/// What is left of a line.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn sample(
        &mut self,
        format: Format,
        labels: &mut Vec<Label<'a>>,
    ) -> Result<(Cow<'a, str>, f64, Option<Timestamp>), String> {
        labels.clear();
        let bare = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
        if bare.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.unexpected("a metric name", bare));
        }
        let mut name = (!bare.is_empty()).then_some(Cow::Borrowed(bare));
        self.skip_blanks();
        if self.eat('{') {
            self.labels(&mut name, labels)?;
        }
        let Some(name) = name else {
            return Err(self.unexpected("a metric name", ""));
        };
        self.skip_blanks();
        let value = self.number("a value")?;
        self.skip_blanks();
        let mut timestamp = None;
        if !self.rest.is_empty() && !self.rest.starts_with('#') {
            timestamp = Some(self.timestamp(format)?);
            self.skip_blanks();
        }
        if format == Format::OpenMetrics && self.eat('#') {
            self.exemplar()?;
        }
        if !self.rest.is_empty() {
            return Err(self.unexpected("the end of the line", ""));
        }
        Ok((name, value, timestamp))
    }

    /// What follows `{`. A quoted string without `=` is the name of the metric, as Prometheus 3 writes odd names.
    fn labels(
        &mut self,
        metric: &mut Option<Cow<'a, str>>,
        labels: &mut Vec<Label<'a>>,
    ) -> Result<(), String> {
        loop {
            self.skip_blanks();
            if self.eat('}') {
                return Ok(());
            }
            let quoted = self.rest.starts_with('"');
            let name = if quoted {
                self.quoted()?
            } else {
                let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
                if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(self.unexpected("a label name or `}`", name));
                }
                Cow::Borrowed(name)
            };
            self.skip_blanks();
            if self.eat('=') {
                self.skip_blanks();
                let value = self.quoted()?;
                if labels.iter().any(|(other, _)| *other == name) {
                    return Err(format!("label `{name}` is there twice"));
                }
                if labels.len() == MOST_LABELS {
                    return Err(format!("there are more than {MOST_LABELS} labels"));
                }
                labels.push((name, value));
            } else if quoted && metric.is_none() {
                *metric = Some(name);
            } else {
                return Err(self.unexpected("`=`", ""));
            }
            self.skip_blanks();
            if !self.eat(',') && !self.rest.starts_with('}') {
                return Err(self.unexpected("`,` or `}`", ""));
            }
        }
    }

    /// ` # {…} value [time]`: only checked.
    fn exemplar(&mut self) -> Result<(), String> {
        self.skip_blanks();
        if !self.eat('{') {
            return Err(self.unexpected("the labels of an exemplar", ""));
        }
        let mut no_metric = Some(Cow::Borrowed(""));
        self.labels(&mut no_metric, &mut Vec::new())?;
        self.skip_blanks();
        self.number("the value of an exemplar")?;
        self.skip_blanks();
        if !self.rest.is_empty() {
            self.number("the time of an exemplar")?;
        }
        Ok(())
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, String> {
        if !self.eat('"') {
            return Err(self.unexpected("a quoted value", ""));
        }
        let mut escaped = false;
        let end = self.rest.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some((raw, after)) = end.and_then(|end| self.rest.split_at_checked(end)) else {
            return Err("a quoted value does not end".to_owned());
        };
        self.rest = after.strip_prefix('"').unwrap_or(after);
        Ok(unescape(raw))
    }

    fn number(&mut self, what: &str) -> Result<f64, String> {
        let token = self.take_while(|c| c != ' ' && c != '\t');
        token.parse().map_err(|_| self.unexpected(what, token))
    }

    fn timestamp(&mut self, format: Format) -> Result<Timestamp, String> {
        let token = self.take_while(|c| c != ' ' && c != '\t');
        let time = match format {
            Format::Text => token
                .parse()
                .ok()
                .and_then(|millis| Timestamp::from_millisecond(millis).ok()),
            Format::OpenMetrics => token
                .parse()
                .ok()
                .and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok())
                .and_then(|since_epoch| Timestamp::from_duration(since_epoch).ok())
                .and_then(|exact| exact.round(jiff::Unit::Millisecond).ok()),
        };
        time.ok_or_else(|| self.unexpected("a timestamp", token))
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        // `find` gives the start of a character, so this always splits.
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn eat(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn unexpected(&self, wanted: &str, taken: &str) -> String {
        let there: String = taken.chars().chain(self.rest.chars()).take(30).collect();
        if there.is_empty() {
            format!("{wanted} is missing at the end of the line")
        } else {
            format!("{wanted} is expected where {there:?} stands")
        }
    }
}

/// The text formats know `\\`, `\"` and `\n`; any other backslash stands for itself, as in Prometheus.
fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push('\n'),
            Some(plain @ ('\\' | '"')) => text.push(plain),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    Cow::Owned(text)
}
