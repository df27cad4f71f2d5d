//! `promql`: an expression that is taken as it is. Looked over here for what is surely wrong; Prometheus has the last
//! word.

use std::time::Duration;

use crate::rule::{PLACEHOLDERS, Promql, PromqlRange};
use crate::spec::fields::{self, Fields};
use crate::spec::nearest::nearest;
use crate::spec::report::Report;
use crate::spec::tree::{Kind, Node};

const HELP: &str =
    "write `promql: EXPRESSION`, or `promql: {query: EXPRESSION, range: 10m, step: 15s}`";
/// Bytes of an expression.
const MOST_BYTES: usize = 16 * 1024;
const LONGEST_RANGE: Duration = Duration::from_hours(24);
const SHORTEST_STEP: Duration = Duration::from_secs(1);
/// Points of a series that one answer may hold.
const MOST_POINTS: u128 = 1_000;

pub(super) fn read(node: &Node, report: &mut Report<'_>) -> Option<Promql> {
    if let Kind::Scalar(_) = &node.kind {
        return Some(Promql {
            query: query(node, "promql", report)?,
            range: None,
        });
    }
    let fields = Fields::open(node, "`promql`", &["query", "range", "step"], report)?;
    let query = fields
        .need("query", HELP, report)
        .and_then(|node| query(node, "query", report));
    let range = match (fields.entry("range"), fields.entry("step")) {
        (None, None) => Some(None),
        (Some(range), Some(step)) => read_range(&range.value, &step.value, report).map(Some),
        (Some(entry), None) | (None, Some(entry)) => {
            let missing = if entry.key == "range" {
                "step"
            } else {
                "range"
            };
            if !fields.unclear() {
                report
                    .error(
                        entry.key_span,
                        format!("`{}` goes with `{missing}`, which is missing", entry.key),
                    )
                    .help(HELP);
            }
            None
        }
    };
    Some(Promql {
        query: query?,
        range: range?,
    })
}

fn read_range(range: &Node, step: &Node, report: &mut Report<'_>) -> Option<PromqlRange> {
    let length = fields::duration(range, "range", report);
    let step_length = fields::duration(step, "step", report);
    let (length, step_length) = (length?, step_length?);
    if step_length < SHORTEST_STEP {
        report
            .error(step.span, "`step` is shorter than 1s")
            .help("write how far apart the points are, such as `15s`");
        return None;
    }
    if length > LONGEST_RANGE {
        report
            .error(range.span, "`range` is longer than 24h")
            .help("write how long ago the first point is, such as `10m`");
        return None;
    }
    if length < step_length {
        report
            .error(
                range.span,
                "`range` is shorter than `step`: there would be one point",
            )
            .help("write a longer `range`; or leave both out, which asks for the value as of now");
        return None;
    }
    let points = length.as_nanos() / step_length.as_nanos().max(1) + 1;
    if points > MOST_POINTS {
        report
            .error(
                step.span,
                format!("this asks for {points} points, more than {MOST_POINTS}"),
            )
            .help("write a longer `step`, or a shorter `range`");
        return None;
    }
    Some(PromqlRange {
        range: length,
        step: step_length,
    })
}

fn query(node: &Node, field: &str, report: &mut Report<'_>) -> Option<String> {
    let text = fields::text(node, field, HELP, report)?;
    match look_over(text) {
        Ok(()) => {
            let text = text.trim();
            match report.checks().promql(text) {
                Ok(()) => {}
                Err(reason) => {
                    report
                        .warn(
                            node.span,
                            format!("`{field}` is not PromQL as Prometheus 3 has it: {reason}"),
                        )
                        .help("mend it, unless your server reads more than Prometheus does");
                }
            }
            Some(text.to_owned())
        }
        Err(Fault { at, message, help }) => {
            let span = match &node.kind {
                Kind::Scalar(scalar) => {
                    fields::within(report.file().text.as_str(), node.span, scalar, at)
                }
                Kind::List(_) | Kind::Map(_) | Kind::Reported => node.span,
            };
            report
                .error(span, format!("`{field}`: {message}"))
                .help(help);
            None
        }
    }
}

/// What is surely wrong with an expression.
struct Fault {
    /// Byte of the text.
    at: usize,
    message: String,
    help: String,
}

fn fault(at: usize, message: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault {
        at,
        message: message.into(),
        help: help.into(),
    }
}

/// Brackets, quotes, placeholders and length.
fn look_over(text: &str) -> Result<(), Fault> {
    if text.len() > MOST_BYTES {
        return Err(fault(
            0,
            format!(
                "this expression has {} bytes, more than {MOST_BYTES}",
                text.len()
            ),
            "shorten it, or record it by a rule of Prometheus",
        ));
    }
    if text.trim().is_empty() {
        return Err(fault(0, "the expression is empty", HELP));
    }
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' | '\'' | '`' => {
                let rest = text.get(at + 1..).unwrap_or_default();
                let length = string(rest, c).ok_or_else(|| {
                    fault(at, "this string is not closed", "add the closing quote")
                })?;
                placeholders(rest.get(..length).unwrap_or_default(), at + 1)?;
                // Past the closing quote.
                while characters
                    .as_str()
                    .len()
                    .gt(&rest.len().saturating_sub(length + 1))
                {
                    characters.next();
                }
            }
            '#' => {
                for (_, c) in characters.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            '$' => {
                let length = placeholder(text.get(at..).unwrap_or_default(), at)?;
                if length == 0 {
                    return Err(grafana(text.get(at..).unwrap_or_default(), at));
                }
                while characters.as_str().len() > text.len().saturating_sub(at + length) {
                    characters.next();
                }
            }
            '(' | '[' | '{' => open.push((at, c)),
            ')' | ']' | '}' => {
                let fits = open.pop().is_some_and(|(_, open)| {
                    matches!((open, c), ('(', ')') | ('[', ']') | ('{', '}'))
                });
                if !fits {
                    return Err(fault(
                        at,
                        format!("this `{c}` closes nothing"),
                        "brackets close in the order in which they open",
                    ));
                }
            }
            _ => {}
        }
    }
    match open.pop() {
        None => Ok(()),
        Some((at, c)) => Err(fault(
            at,
            format!("this `{c}` is not closed"),
            "add the closing bracket",
        )),
    }
}

/// Bytes of a string up to its closing quote.
fn string(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote != '`' {
            escaped = true;
        } else if c == quote {
            return Some(at);
        }
    }
    None
}

/// Looks at every `${…}` within a string that begins at byte `start`.
fn placeholders(string: &str, start: usize) -> Result<(), Fault> {
    for (at, _) in string.match_indices("${") {
        placeholder(string.get(at..).unwrap_or_default(), start + at)?;
    }
    Ok(())
}

/// The bytes of the placeholder that a text begins with, 0 when it is none. `${1}` is a group of a regular expression.
fn placeholder(text: &str, at: usize) -> Result<usize, Fault> {
    let known = || {
        let names: Vec<String> = PLACEHOLDERS
            .iter()
            .map(|name| format!("`${{{name}}}`"))
            .collect();
        format!("the placeholders are {}", names.join(" and "))
    };
    let Some(rest) = text.strip_prefix("${") else {
        return Ok(0);
    };
    let Some((name, _)) = rest.split_once('}') else {
        return Err(fault(at, "this placeholder is not closed", known()));
    };
    let group = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    if group || PLACEHOLDERS.contains(&name) {
        return Ok("${}".len() + name.len());
    }
    let shown: String = name.chars().take(40).collect();
    Err(fault(
        at,
        format!("`${{{shown}}}` is no placeholder"),
        nearest(name, PLACEHOLDERS)
            .map_or_else(known, |near| format!("did you mean `${{{near}}}`?")),
    ))
}

fn grafana(text: &str, at: usize) -> Fault {
    if text.starts_with("$__") {
        return fault(
            at,
            "this is a variable of Grafana",
            "write the duration itself, such as `[5m]`",
        );
    }
    fault(
        at,
        "`$` has no meaning in PromQL",
        "`${namespace}` and `${name}` stand for the target's",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_looked_over() {
        for good in [
            "up",
            "sum(rate(http_requests_total{status=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m]))",
            "a{b=\"}\"} # a comment with ( and \" in it\n+ c",
            "label_replace(up{pod=~'${name}-.*'}, \"a\", \"${1}\", \"b\", `(.*)\\`)",
            "sum(x{namespace=\"${namespace}\"}) > 0",
            "a{b='it\\'s'}",
            "ä{\"ö.ü\"=\"é\"}",
        ] {
            assert!(look_over(good).is_ok(), "{good}");
        }
        for (bad, at, message) in [
            ("sum(up", 3, "this `(` is not closed"),
            ("sum(up))", 7, "this `)` closes nothing"),
            ("up[5m}", 5, "this `}` closes nothing"),
            ("up{a=\"b}", 5, "this string is not closed"),
            (
                "rate(x[$__rate_interval])",
                7,
                "this is a variable of Grafana",
            ),
            ("x{a=\"$pod\"} > $limit", 14, "`$` has no meaning in PromQL"),
            ("x{a=\"${nmae}\"}", 5, "`${nmae}` is no placeholder"),
            ("x{a=\"${name\"}", 5, "this placeholder is not closed"),
            ("  ", 0, "the expression is empty"),
        ] {
            let Err(fault) = look_over(bad) else {
                panic!("{bad}");
            };
            assert_eq!((fault.at, fault.message.as_str()), (at, message), "{bad}");
        }
    }
}
