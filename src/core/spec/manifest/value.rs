//! What a single value may be: text, a number, one of some words. Values are understood as `kubectl` and the API server
//! read them: YAML 1.1 for what is not quoted, and JSON's types after that.

use std::collections::BTreeSet;

use super::super::nearest::nearest;
use super::super::tree::{Scalar, Style};

/// Words that are named at most in a message.
const MOST_WORDS: usize = 10;

/// The type of a single value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueType {
    Text,
    /// A whole number.
    Integer,
    Number,
    Boolean,
    /// Text that is one of these, or empty: that is left out for most fields.
    OneOf(BTreeSet<String>),
}

/// Why a value is none of its type.
pub(super) struct Misfit {
    /// `text`, `a whole number`
    pub(super) expected: String,
    /// `a number`
    pub(super) found: String,
    pub(super) help: String,
}

/// What an unquoted value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Text,
    Integer,
    Fraction,
    Boolean,
}

impl ValueType {
    /// What is wrong with a value; it is not repeated, since it may be a secret (P10).
    pub(super) fn misfit(&self, scalar: &Scalar) -> Option<Misfit> {
        let read = read(scalar);
        let misfit = |expected: &str, help: &str| {
            Some(Misfit {
                expected: expected.to_owned(),
                found: self.found(read).to_owned(),
                help: help.to_owned(),
            })
        };
        match (self, read) {
            (Self::Text, Read::Text)
            | (Self::Integer, Read::Integer)
            | (Self::Number, Read::Integer | Read::Fraction)
            | (Self::Boolean, Read::Boolean) => None,
            // JSON has one type for both, and `2.0` is a whole number there.
            (Self::Integer, Read::Fraction) if is_whole(&scalar.text) => None,
            (Self::Text | Self::OneOf(_), Read::Integer | Read::Fraction | Read::Boolean) => {
                misfit("text", "put it in quotes")
            }
            (Self::Integer | Self::Number, Read::Text) if scalar.style != Style::Plain => {
                misfit(self.described(), "leave the quotes out")
            }
            (Self::Integer | Self::Number, _) => {
                misfit(self.described(), &format!("write {}", self.described()))
            }
            (Self::Boolean, Read::Text)
                if scalar.style != Style::Plain
                    && matches!(scalar.text.as_str(), "true" | "false") =>
            {
                misfit(self.described(), "leave the quotes out")
            }
            (Self::Boolean, _) => misfit(self.described(), "write `true` or `false`"),
            (Self::OneOf(words), Read::Text) => {
                if scalar.text.is_empty() || words.contains(&scalar.text) {
                    return None;
                }
                Some(Misfit {
                    expected: listed(words),
                    found: "another word".to_owned(),
                    help: match nearest(&scalar.text, words.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "write one of them".to_owned(),
                    },
                })
            }
        }
    }

    fn found(&self, read: Read) -> &'static str {
        match (read, self) {
            (Read::Text, _) => "text",
            (Read::Fraction, Self::Integer) => "a fraction",
            (Read::Integer | Read::Fraction, _) => "a number",
            (Read::Boolean, _) => "`true` or `false` (so YAML reads it)",
        }
    }

    /// What it must be.
    pub(super) fn described(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "`true` or `false`",
            Self::OneOf(_) => "a word",
        }
    }
}

fn listed(words: &BTreeSet<String>) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let shown = words.get(..MOST_WORDS).unwrap_or(&words);
    let listed = super::super::fields::listed(shown);
    match words.len() - shown.len() {
        0 => format!("one of {listed}"),
        more => format!("one of {listed} and {more} more"),
    }
}

fn read(scalar: &Scalar) -> Read {
    if scalar.style != Style::Plain {
        return Read::Text;
    }
    let text = scalar.text.as_str();
    let boolean = [
        "true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES", "no", "No", "NO",
        "on", "On", "ON", "off", "Off", "OFF",
    ];
    if boolean.contains(&text) {
        return Read::Boolean;
    }
    // As YAML 1.1 has it, `1_000` is a number, and `_1` is none.
    let begins = |c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-');
    if !text.starts_with(begins) {
        return Read::Text;
    }
    let plain = text.replace('_', "");
    let digits = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let all = |text: &str, allowed: fn(char) -> bool| !text.is_empty() && text.chars().all(allowed);
    let based =
        |prefix: &str, allowed| digits.strip_prefix(prefix).is_some_and(|d| all(d, allowed));
    if all(digits, |c| c.is_ascii_digit())
        || based("0x", |c| c.is_ascii_hexdigit())
        || based("0o", |c| ('0'..='7').contains(&c))
        || based("0b", |c| matches!(c, '0' | '1'))
    {
        return Read::Integer;
    }
    let begins = |c: char| c.is_ascii_digit() || c == '.';
    let fraction = digits.starts_with(begins)
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.parse::<f64>().is_ok();
    if fraction { Read::Fraction } else { Read::Text }
}

fn is_whole(text: &str) -> bool {
    text.replace('_', "")
        .parse::<f64>()
        .is_ok_and(|number| number.is_finite() && number.fract().abs() < f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str, style: Style) -> Scalar {
        Scalar {
            text: text.to_owned(),
            style,
        }
    }

    #[test]
    fn values_are_read_as_the_api_server_reads_them() {
        let check = |kind: &ValueType, text: &str, style, fits: bool| {
            let found = kind.misfit(&scalar(text, style));
            assert_eq!(found.is_none(), fits, "{kind:?} {text} {style:?}");
        };
        for (text, kind) in [
            ("80", Read::Integer),
            ("-1", Read::Integer),
            ("0600", Read::Integer),
            ("0x1f", Read::Integer),
            ("1.5", Read::Fraction),
            ("1e3", Read::Fraction),
            (".5", Read::Fraction),
            ("yes", Read::Boolean),
            ("true", Read::Boolean),
            ("1.2.3", Read::Text),
            ("10m", Read::Text),
            ("12:30", Read::Text),
            ("-", Read::Text),
            (".", Read::Text),
            ("e3", Read::Text),
            ("inf", Read::Text),
            ("nan", Read::Text),
            ("y", Read::Text),
            ("0x", Read::Text),
            ("1_000", Read::Integer),
            ("_1", Read::Text),
            ("-_", Read::Text),
            ("+", Read::Text),
        ] {
            assert_eq!(read(&scalar(text, Style::Plain)), kind, "{text}");
            assert_eq!(
                read(&scalar(text, Style::DoubleQuoted)),
                Read::Text,
                "{text}"
            );
        }
        let (plain, quoted) = (Style::Plain, Style::DoubleQuoted);
        check(&ValueType::Text, "80", plain, false);
        check(&ValueType::Text, "80", quoted, true);
        check(&ValueType::Text, "on", plain, false);
        check(&ValueType::Integer, "3", plain, true);
        check(&ValueType::Integer, "3.0", plain, true);
        check(&ValueType::Integer, "3.5", plain, false);
        check(&ValueType::Integer, "3", quoted, false);
        check(&ValueType::Number, "3.5", plain, true);
        check(&ValueType::Number, "many", plain, false);
        check(&ValueType::Boolean, "no", plain, true);
        check(&ValueType::Boolean, "true", quoted, false);
        check(&ValueType::Boolean, "1", plain, false);
        let words = ValueType::OneOf(["Allow".to_owned(), "Forbid".to_owned()].into());
        check(&words, "Allow", plain, true);
        check(&words, "", quoted, true);
        check(&words, "Forbidden", plain, false);
        check(&words, "1", plain, false);
    }
}
