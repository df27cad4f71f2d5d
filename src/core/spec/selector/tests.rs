//! Tables of selectors, and of what is none.

use super::*;

fn read(text: &str) -> String {
    match selector(text) {
        Ok(Selector { metric, matchers }) => {
            let matchers: Vec<String> = matchers
                .iter()
                .map(|m| format!("{} {:?} {:?}", m.label, m.op, m.value))
                .collect();
            format!("{metric} [{}]", matchers.join(", "))
        }
        Err(error) => format!("{}: {}", error.at, error.message),
    }
}

#[test]
fn reads_bare_selectors() {
    for (text, expected) in [
        ("up", "up []"),
        (" job:rate5m ", "job:rate5m []"),
        ("up{}", "up []"),
        (r#"m{b="2",a!="1",}"#, r#"m [a NotEqual "1", b Equal "2"]"#),
        (
            r#"m{code=~"5..", path!~'/health|/ready'}"#,
            r#"m [code Regex "5..", path NotRegex "/health|/ready"]"#,
        ),
        (r#"{__name__="m", a="b"}"#, r#"m [a Equal "b"]"#),
        (r#"m{a="b",a="b"}"#, r#"m [a Equal "b"]"#),
        (r"m{a=`\d`}", r#"m [a Equal "\\d"]"#),
        (r#"m{a="\\d\n\x41\u00e9\101"}"#, r#"m [a Equal "\\d\nAéA"]"#),
        (r#"m{by="x", on="y"}"#, r#"m [by Equal "x", on Equal "y"]"#),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn says_where_and_why_it_is_none() {
    for (text, expected) in [
        ("", "0: a selector is empty"),
        (
            "rate(m[5m])",
            "0: `rate(…)` is a PromQL function, and only a bare selector is possible",
        ),
        (
            "sum by (pod) (m)",
            "0: `sum(…)` is a PromQL function, and only a bare selector is possible",
        ),
        (
            "m[5m]",
            "1: a range (`[5m]`) follows the selector, and only a bare selector is possible",
        ),
        (
            "m offset 5m",
            "2: a point in time (`offset`, `@`) follows the selector, and only a bare selector is possible",
        ),
        (
            "a / b",
            "2: an operator follows the selector, and only a bare selector is possible",
        ),
        (
            "avg",
            "0: `avg` is a word of PromQL, not the name of a metric",
        ),
        ("{a=\"b\"}", "0: this selector names no metric"),
        ("m{a=\"b\"", "7: the closing `}` is missing"),
        ("m{", "2: the closing `}` is missing"),
        ("m{a=b}", "4: the value of label `a` is not in quotes"),
        (
            "m{a==\"b\"}",
            "3: a comparison is expected behind label `a`",
        ),
        ("m{a=\"b}", "4: this string is not closed"),
        (
            "m{a=\"1\\.2\"}",
            "6: an unknown escape (`\\…`) stands in this string",
        ),
        (
            "m{a=~\"(\"}",
            "5: this is not a valid regular expression: unclosed group",
        ),
        (
            "m{a=~\"(a{1000}){1000}\"}",
            "5: this regular expression is too large",
        ),
        (
            "m{\"a\"=\"b\"}",
            "2: quoted names of metrics and labels are not possible here",
        ),
        ("m{__name__=\"n\"}", "2: the metric name is given twice"),
        (
            "{__name__=~\"a|b\"}",
            "1: `__name__` does not name one metric",
        ),
        ("m{a=\"b\" c=\"d\"}", "8: a `,` or `}` is expected here"),
        ("m{,}", "2: the name of a label is expected here"),
        ("5xx_total", "0: something follows the selector"),
        ("m}", "1: a `}` without a `{` follows the selector"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn regular_expressions_match_whole_values() {
    let regex = anchored("5..|err").expect("is valid");
    for (value, matches) in [
        ("500", true),
        ("1500", false),
        ("err", true),
        ("errs", false),
    ] {
        assert_eq!(regex.is_match(value), matches, "{value}");
    }
}
