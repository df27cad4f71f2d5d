//! promtool's notation of series: `0+5x20`, `1-2x3`, `4x5`, `_`, `_x5`, `stale`.
//!
//! As in promtool, `a+bxn` is `a` and then `n` values more, and so is `axn`; but `_xn` is `n` places.

use crate::spec::excerpt::quoted;
use crate::testcase::{Run, Values};

const USAGE: &str = "write values one interval apart, as for promtool: `0+5x20` (0, then 20 values, each 5 more), \
    `100x3` (four times 100), `_` or `_x5` (no sample), `stale` (the series ends)";

/// Reads values; the error is a message and what to write instead.
pub(super) fn values(text: &str) -> Result<Values, (String, &'static str)> {
    let mut values = Values::default();
    for item in text.split([' ', '\t', '\n', '\r']) {
        if item.is_empty() {
            continue;
        }
        let run = run(item).ok_or_else(|| match item {
            _ if item.contains("{{") || item.contains("}}") => (
                format!("{} is a native histogram", quoted(item)),
                "native histograms are not read: write the series of the buckets",
            ),
            _ => (format!("{} is no value of a series", quoted(item)), USAGE),
        })?;
        values.runs.push(run);
    }
    if values.is_empty() {
        return Err(("there are no values".to_owned(), USAGE));
    }
    Ok(values)
}

fn run(item: &str) -> Option<Run> {
    match item {
        "_" => return Some(Run::Missing { count: 1 }),
        "stale" => return Some(Run::Stale),
        _ => {}
    }
    if let Some(count) = item.strip_prefix("_x") {
        return Some(Run::Missing {
            count: whole(count)?,
        });
    }
    let (first, rest) = number(item)?;
    if rest.is_empty() {
        return Some(Run::Values {
            first,
            step: 0.0,
            more: 0,
        });
    }
    if let Some(more) = rest.strip_prefix('x') {
        return Some(Run::Values {
            first,
            step: 0.0,
            more: whole(more)?,
        });
    }
    // The step always has its sign.
    let (step, rest) = number(rest).filter(|_| rest.starts_with(['+', '-']))?;
    Some(Run::Values {
        first,
        step,
        more: whole(rest.strip_prefix('x')?)?,
    })
}

fn whole(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A number at the beginning, with at most one sign, and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let negative = text.starts_with('-');
    let length = word_length(unsigned)
        .or_else(|| decimal_length(unsigned))
        .filter(|length| *length > 0)?;
    let (number, rest) = unsigned.split_at_checked(length)?;
    let value: f64 = number.replace('_', "").parse().ok()?;
    Some((if negative { -value } else { value }, rest))
}

/// `Inf` and `NaN`, which nothing may follow but a sign.
fn word_length(text: &str) -> Option<usize> {
    let word = text.get(..3)?;
    let known = word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan");
    let alone = !text
        .get(3..)?
        .starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
    (known && alone).then_some(3)
}

fn decimal_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    // `1_000` is a thousand.
    let digits = |from: usize| {
        let mut at = from;
        while is_digit(at)
            || (at > from && bytes.get(at) == Some(&b'_') && is_digit(at - 1) && is_digit(at + 1))
        {
            at += 1;
        }
        at - from
    };
    let mut length = digits(0);
    let mut some = length > 0;
    if bytes.get(length) == Some(&b'.') {
        let decimals = digits(length + 1);
        some |= decimals > 0;
        length += 1 + decimals;
    }
    if !some {
        return None;
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent == 0 {
            return None;
        }
        length += 1 + sign + exponent;
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::values;
    use crate::testcase::Point;

    #[track_caller]
    fn check(text: &str, expanded: &str) {
        let points = values(text).map(|values| {
            let shown: Vec<String> = values
                .points()
                .map(|point| match point {
                    Point::Missing => "_".to_owned(),
                    Point::Stale => "stale".to_owned(),
                    Point::Value(value) => value.to_string(),
                })
                .collect();
            assert_eq!(values.len(), shown.len() as u64);
            shown.join(" ")
        });
        assert_eq!(points.as_deref(), Ok(expanded), "{text}");
    }

    /// The first lines are the examples of Prometheus' own documentation; promtool 3 was asked about all of them.
    #[test]
    fn series_are_written_as_for_promtool() {
        check("-2+4x3", "-2 2 6 10");
        check("1-2x4", "1 -1 -3 -5 -7");
        check("1x4", "1 1 1 1 1");
        check("4x0", "4");
        check("1 _x3 stale", "1 _ _ _ stale");
        check("0+5x2 _ 7", "0 5 10 _ 7");
        check("  1\t2\n3 ", "1 2 3");
        check("0x3", "0 0 0 0");
        check("1.5e1-.5x2", "15 14.5 14");
        check("-1-1x1", "-1 -2");
        check("+3", "3");
        check("Inf -inf NaN", "inf -inf NaN");
        check("_x0 1", "1");
        check("1_000x1", "1000 1000");
    }

    #[test]
    fn what_promtool_does_not_take_is_refused() {
        for text in [
            "",
            " ",
            "_x0",
            "x",
            "1+2",
            "1x",
            "1+x3",
            "1x-2",
            "1x2.5",
            "__",
            "_x",
            "stalex3",
            "Infx3",
            "1e",
            ".",
            "1,2",
            "--1x2",
            "1+-2x3",
            "0x3x4",
            "{{schema:1}}",
            "1+2x99999999999999999999",
        ] {
            assert!(values(text).is_err(), "{text}");
        }
    }
}
