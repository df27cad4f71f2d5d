//! Bare `PromQL` selectors: a metric name with matchers, `http_requests_total{status=~"5..", job!=""}`.
//!
//! Only these can be answered both by Prometheus and from raw samples. Names and strings follow Prometheus' own
//! lexer; a test holds this to a full `PromQL` parser. All regular expressions are fully anchored, as there.

use regex::{Regex, RegexBuilder};

use crate::rule::{MatchOp, Matcher, Selector};

/// Bytes of a selector.
const MOST_BYTES: usize = 4096;
/// Matchers of a selector.
const MOST_MATCHERS: usize = 64;
/// Bytes that a compiled regular expression may take.
const MOST_REGEX_BYTES: usize = 1 << 20;

/// Words of `PromQL` that are no metric names for the sake of clarity, whatever their case.
const WORDS: &[&str] = &[
    "and",
    "or",
    "unless",
    "atan2",
    "sum",
    "avg",
    "count",
    "min",
    "max",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "count_values",
    "quantile",
    "limitk",
    "limit_ratio",
    "offset",
    "anchored",
    "smoothed",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "start",
    "end",
    "step",
    "inf",
    "nan",
    "fill",
    "fill_left",
    "fill_right",
];

/// Why a text is no bare selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    /// Byte of the text where it goes wrong; at most its length.
    pub at: usize,
    pub message: String,
    pub help: String,
}

/// Reads a bare selector; matchers come out sorted and without repeats.
pub fn selector(text: &str) -> Result<Selector, SelectorError> {
    if text.len() > MOST_BYTES {
        return Err(SelectorError {
            at: 0,
            message: format!(
                "this selector has {} bytes, more than {MOST_BYTES}",
                text.len()
            ),
            help: "shorten it".to_owned(),
        });
    }
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    if reader.peek().is_none() {
        return Err(reader.error("a selector is empty", EXAMPLE));
    }
    let start = reader.at;
    let name = reader.name(true);
    if let Some(name) = name {
        reader.refuse_expression(start, name)?;
    }
    reader.skip_space();
    let mut metric = name.map(str::to_owned);
    let mut matchers = Vec::new();
    if reader.eat('{') {
        reader.matchers(&mut metric, &mut matchers)?;
        reader.skip_space();
    }
    if reader.peek().is_some() {
        return Err(reader.trailing());
    }
    let Some(metric) = metric else {
        reader.at = start;
        return Err(reader.error("this selector names no metric", EXAMPLE));
    };
    matchers.sort_by(|a, b| (&a.label, &a.value, a.op).cmp(&(&b.label, &b.value, b.op)));
    matchers.dedup();
    Ok(Selector { metric, matchers })
}

/// Compiles a matcher's regular expression as Prometheus does: fully anchored, `.` matches line breaks too.
pub fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    let compile = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(MOST_REGEX_BYTES)
            .nest_limit(64)
            .build()
    };
    // Alone first: `a)|(b` would become valid within the parentheses, and no longer be anchored.
    compile(pattern)?;
    compile(&format!("^(?s:{pattern})$"))
}

/// Whether a text can be the name of a label.
pub(super) fn is_label_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|c| starts_name(c, false))
        && characters.all(|c| continues_name(c, false))
}

const EXAMPLE: &str =
    "write a metric name, with label matchers if need be: 'http_requests_total{status=~\"5..\"}'";
const NOT_RAW: &str = "write the series themselves, such as 'http_requests_total{status=~\"5..\"}': Recant takes \
     rates, sums and quantiles itself; a value that PromQL has to compute is a rule with `promql: …`";

fn starts_name(c: char, colon: bool) -> bool {
    c.is_ascii_alphabetic() || c == '_' || (colon && c == ':')
}

fn continues_name(c: char, colon: bool) -> bool {
    starts_name(c, colon) || c.is_ascii_digit()
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn name(&mut self, colon: bool) -> Option<&'t str> {
        let rest = self.rest();
        if !rest.chars().next().is_some_and(|c| starts_name(c, colon)) {
            return None;
        }
        let length = rest
            .find(|c| !continues_name(c, colon))
            .unwrap_or(rest.len());
        self.at += length;
        rest.get(..length)
    }

    fn error(&self, message: impl Into<String>, help: impl Into<String>) -> SelectorError {
        SelectorError {
            at: self.at,
            message: message.into(),
            help: help.into(),
        }
    }

    /// A name that begins an expression rather than a selector.
    fn refuse_expression(&self, start: usize, name: &str) -> Result<(), SelectorError> {
        let at_start = Self {
            text: self.text,
            at: start,
        };
        let next = self.rest().trim_start().chars().next();
        let is_word = WORDS.iter().any(|word| word.eq_ignore_ascii_case(name));
        let aggregates = is_word && self.rest().trim_start().starts_with(['b', 'w']);
        if next == Some('(') || aggregates {
            return Err(at_start.error(
                format!("`{name}(…)` is a PromQL function, and only a bare selector is possible"),
                NOT_RAW,
            ));
        }
        if is_word {
            return Err(at_start.error(
                format!("`{name}` is a word of PromQL, not the name of a metric"),
                EXAMPLE,
            ));
        }
        Ok(())
    }

    /// What follows a complete selector.
    fn trailing(&self) -> SelectorError {
        let rest = self.rest();
        let joined = self
            .text
            .get(..self.at)
            .is_some_and(|before| before.ends_with(|c| continues_name(c, true)));
        let (message, help) = if joined && rest.starts_with(['-', '.']) {
            (
                "metric names hold letters, digits, `_` and `:` only",
                EXAMPLE,
            )
        } else if rest.starts_with('[') {
            (
                "a range (`[5m]`) follows the selector, and only a bare selector is possible",
                "leave the range out: Recant counts over its own window",
            )
        } else if rest.starts_with('@') || is_word_at(rest, "offset") {
            (
                "a point in time (`offset`, `@`) follows the selector, and only a bare selector is possible",
                "leave it out: Recant compares arms at the same time",
            )
        } else if rest.starts_with(['+', '-', '*', '/', '%', '^', '=', '!', '<', '>'])
            || ["and", "or", "unless", "atan2"]
                .iter()
                .any(|word| is_word_at(rest, word))
        {
            (
                "an operator follows the selector, and only a bare selector is possible",
                NOT_RAW,
            )
        } else if rest.starts_with('}') {
            ("a `}` without a `{` follows the selector", EXAMPLE)
        } else if rest.starts_with('{') {
            (
                "a second `{…}` follows the selector",
                "put all matchers into one `{…}`, separated by `,`",
            )
        } else {
            ("something follows the selector", EXAMPLE)
        };
        self.error(message, help)
    }

    /// Everything between `{` and `}`.
    fn matchers(
        &mut self,
        metric: &mut Option<String>,
        matchers: &mut Vec<Matcher>,
    ) -> Result<(), SelectorError> {
        loop {
            self.skip_space();
            if self.eat('}') {
                return Ok(());
            }
            let start = self.at;
            let label = self.label()?;
            self.skip_space();
            let op = self.operator(label)?;
            self.skip_space();
            let value_at = self.at;
            let value = self.string(label)?;
            if label == "__name__" {
                self.metric_name(start, op, &value, metric)?;
            } else {
                check_regex(op, &value, value_at)?;
                matchers.push(Matcher {
                    label: label.to_owned(),
                    op,
                    value,
                });
            }
            if matchers.len() > MOST_MATCHERS {
                return Err(self.error(
                    format!("this selector has more than {MOST_MATCHERS} matchers"),
                    "leave some out",
                ));
            }
            self.skip_space();
            if self.peek() != Some('}') && !self.eat(',') {
                return Err(match self.peek() {
                    None => self.error("the closing `}` is missing", "add it"),
                    Some(_) => {
                        self.error("a `,` or `}` is expected here", "separate matchers by `,`")
                    }
                });
            }
        }
    }

    fn label(&mut self) -> Result<&'t str, SelectorError> {
        if let Some(label) = self.name(false) {
            return Ok(label);
        }
        Err(match self.peek() {
            None => self.error("the closing `}` is missing", "add it"),
            Some('"' | '\'' | '`') => self.error(
                "quoted names of metrics and labels are not possible here",
                "write names of letters, digits and `_`, without quotes",
            ),
            Some(_) => self.error(
                "the name of a label is expected here",
                "write `label=\"value\"`, with a label of letters, digits and `_`",
            ),
        })
    }

    fn operator(&mut self, label: &str) -> Result<MatchOp, SelectorError> {
        for (symbol, op) in [
            ("=~", MatchOp::Regex),
            ("!~", MatchOp::NotRegex),
            ("!=", MatchOp::NotEqual),
            ("==", MatchOp::Equal),
            ("=", MatchOp::Equal),
        ] {
            if self.rest().starts_with(symbol) {
                if symbol == "==" {
                    break;
                }
                self.at += symbol.len();
                return Ok(op);
            }
        }
        Err(self.error(
            format!("a comparison is expected behind label `{label}`"),
            "write one of `=`, `!=`, `=~` (regular expression) and `!~`",
        ))
    }

    /// A string in single, double or back quotes, with Prometheus' escapes.
    fn string(&mut self, label: &str) -> Result<String, SelectorError> {
        let start = self.at;
        let Some(quote) = self.next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
            self.at = start;
            return Err(self.error(
                format!("the value of label `{label}` is not in quotes"),
                format!("write `{label}=\"value\"`"),
            ));
        };
        let mut value = String::new();
        loop {
            let here = self.at;
            match self.next() {
                None => {
                    self.at = start;
                    return Err(self.error("this string is not closed", "add the closing quote"));
                }
                Some(c) if c == quote => return Ok(value),
                Some('\n') if quote != '`' => {
                    self.at = here;
                    return Err(self.error(
                        "a line break stands within a string",
                        "write `\\n`, or close the string",
                    ));
                }
                Some('\\') if quote != '`' => value.push(self.escape(here, quote)?),
                Some(c) => value.push(c),
            }
        }
    }

    fn escape(&mut self, start: usize, quote: char) -> Result<char, SelectorError> {
        let escaped = match self.next() {
            Some('a') => Some('\u{7}'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('v') => Some('\u{b}'),
            Some('\\') => Some('\\'),
            Some(c) if c == quote => Some(c),
            Some('x') => self.code(2, 16).filter(char::is_ascii),
            Some('u') => self.code(4, 16),
            Some('U') => self.code(8, 16),
            Some('0'..='7') => {
                self.at -= 1;
                self.code(3, 8).filter(char::is_ascii)
            }
            _ => None,
        };
        escaped.ok_or_else(|| {
            self.at = start;
            self.error(
                "an unknown escape (`\\…`) stands in this string",
                "in PromQL a backslash is written twice, as in \"1\\\\.2\"; or put the string into back quotes",
            )
        })
    }

    fn code(&mut self, digits: usize, radix: u32) -> Option<char> {
        let text = self.rest().get(..digits)?;
        if !text.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        self.at += digits;
        char::from_u32(u32::from_str_radix(text, radix).ok()?)
    }

    /// `{__name__="m"}`: the metric name among the matchers.
    fn metric_name(
        &self,
        start: usize,
        op: MatchOp,
        value: &str,
        metric: &mut Option<String>,
    ) -> Result<(), SelectorError> {
        let at_start = Self {
            text: self.text,
            at: start,
        };
        let mut characters = value.chars();
        let is_name = characters.next().is_some_and(|c| starts_name(c, true))
            && characters.all(|c| continues_name(c, true));
        if op != MatchOp::Equal || !is_name {
            return Err(at_start.error(
                "`__name__` does not name one metric",
                "write the name before the `{`; a rule is about one metric",
            ));
        }
        if metric.is_some() {
            return Err(at_start.error(
                "the metric name is given twice",
                "leave the matcher for `__name__` out",
            ));
        }
        *metric = Some(value.to_owned());
        Ok(())
    }
}

fn check_regex(op: MatchOp, value: &str, at: usize) -> Result<(), SelectorError> {
    match op {
        MatchOp::Equal | MatchOp::NotEqual => Ok(()),
        MatchOp::Regex | MatchOp::NotRegex => match anchored(value) {
            Ok(_) => Ok(()),
            Err(regex::Error::CompiledTooBig(_)) => Err(SelectorError {
                at,
                message: "this regular expression is too large".to_owned(),
                help: "use smaller repetitions".to_owned(),
            }),
            Err(error) => Err(SelectorError {
                at,
                message: format!(
                    "this is not a valid regular expression: {}",
                    last_line(&error)
                ),
                help:
                    "mend it; write `=` when no regular expression is meant, and `\\\\.` for a dot"
                        .to_owned(),
            }),
        },
    }
}

/// The crate's message shows the pattern in several lines first; ours is shown by us.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

fn is_word_at(text: &str, word: &str) -> bool {
    let starts = text
        .get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word));
    let ends = text
        .get(word.len()..)
        .is_some_and(|rest| !rest.starts_with(|c| continues_name(c, true)));
    starts && ends
}

#[cfg(test)]
mod tests;
