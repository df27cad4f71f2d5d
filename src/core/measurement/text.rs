//! Selectors as `PromQL` text, for messages and for queries alike.

use std::fmt::Write as _;

use crate::rule::{MatchOp, Matcher, Selector};

/// The selector as `PromQL`. Names that are no classic identifiers are quoted, as Prometheus 3 reads them.
pub fn selector(selector: &Selector) -> String {
    selector_with(&selector.metric, "", &selector.matchers)
}

/// The selector with a suffix on its name (`_bucket`) and these matchers.
pub fn selector_with<'a>(
    metric: &str,
    suffix: &str,
    matchers: impl IntoIterator<Item = &'a Matcher>,
) -> String {
    let name = format!("{metric}{suffix}");
    let classic = is_classic(&name, ':');
    let mut parts: Vec<String> = Vec::new();
    if !classic {
        parts.push(quoted(&name));
    }
    for matcher in matchers {
        let op = match matcher.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        };
        parts.push(format!(
            "{}{op}{}",
            label(&matcher.label),
            quoted(&matcher.value)
        ));
    }
    let mut text = if classic { name } else { String::new() };
    if !parts.is_empty() {
        text.push('{');
        text.push_str(&parts.join(","));
        text.push('}');
    }
    text
}

/// A label name as `PromQL` writes it.
pub fn label(name: &str) -> String {
    if is_classic(name, '_') {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A `PromQL` string literal.
pub fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                write!(text, "\\u{:04x}", u32::from(c)).unwrap_or_default();
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// Letters, digits, `_` and `also`, not beginning with a digit.
fn is_classic(name: &str, also: char) -> bool {
    name.chars().enumerate().all(|(index, c)| {
        c.is_ascii_alphabetic() || c == '_' || c == also || (index > 0 && c.is_ascii_digit())
    }) && !name.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_promql() {
        let plain = Selector {
            metric: "up".into(),
            matchers: vec![],
        };
        assert_eq!(selector(&plain), "up");
        let odd = Selector {
            metric: "http.requests".into(),
            matchers: vec![
                Matcher {
                    label: "code".into(),
                    op: MatchOp::NotRegex,
                    value: "a\"\\.\n\u{7}".into(),
                },
                Matcher {
                    label: "k8s.pod".into(),
                    op: MatchOp::Equal,
                    value: "x".into(),
                },
            ],
        };
        assert_eq!(
            selector(&odd),
            "{\"http.requests\",code!~\"a\\\"\\\\.\\n\\u0007\",\"k8s.pod\"=\"x\"}"
        );
    }
}
