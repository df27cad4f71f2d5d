//! Our parser of bare selectors, held to a full `PromQL` parser.
//!
//! What ours accepts, the other accepts as a bare vector selector with the same name and matchers; what the other
//! refuses, ours refuses.

use promql_parser::label::MatchOp as TheirOp;
use promql_parser::parser::{Expr, parse};
use proptest::prelude::*;
use recant_core::rule::{MatchOp, Matcher, Selector};
use recant_core::spec::selector;

/// Name and matchers that the other parser finds, when the text is a bare vector selector.
fn theirs(text: &str) -> Result<Option<Selector>, String> {
    let Expr::VectorSelector(found) = parse(text)? else {
        return Ok(None);
    };
    if found.offset.is_some() || found.at.is_some() || !found.matchers.or_matchers.is_empty() {
        return Ok(None);
    }
    let mut metric = found.name.clone();
    let mut matchers = Vec::new();
    for matcher in &found.matchers.matchers {
        if matcher.name == "__name__" {
            metric = Some(matcher.value.clone());
            continue;
        }
        matchers.push(Matcher {
            label: matcher.name.clone(),
            op: match &matcher.op {
                TheirOp::Equal => MatchOp::Equal,
                TheirOp::NotEqual => MatchOp::NotEqual,
                TheirOp::Re(_) => MatchOp::Regex,
                TheirOp::NotRe(_) => MatchOp::NotRegex,
            },
            value: matcher.value.clone(),
        });
    }
    matchers.sort_by(|a, b| (&a.label, &a.value, a.op).cmp(&(&b.label, &b.value, b.op)));
    matchers.dedup();
    Ok(metric.map(|metric| Selector { metric, matchers }))
}

fn agree(text: &str) -> Result<(), String> {
    // Prometheus knows no escapes within back quotes (lexRawString in promql/parser/lex.go); the other parser does.
    if text.contains('`') && text.contains('\\') {
        return Ok(());
    }
    match (selector(text), theirs(text)) {
        (Ok(ours), Ok(Some(theirs))) if ours == theirs => Ok(()),
        (Err(_), _) => Ok(()),
        (ours, theirs) => Err(format!("{text:?}: ours {ours:?}, theirs {theirs:?}")),
    }
}

#[test]
fn agrees_on_what_people_write() {
    for text in [
        "up",
        "http_requests_total",
        "job:errors:rate5m",
        "up{}",
        r#"m{status=~"5.."}"#,
        r#"m{ a = "b" , c != 'd', e !~ `f.` , }"#,
        r#"{__name__="m",a="b"}"#,
        r#"m{a="\"quoted\" \\ \n \t \x41 \u00e9 \U0001F600 \101"}"#,
        r#"m{by="x",on="y",sum="z",offset="1"}"#,
        "m{a='ü'}",
        "m\n{\n  a=\"b\"\n}\n",
        r#"m{a=""}"#,
        r#"m{code=~"5..|4(04|29)"}"#,
        ":m",
        "_m",
    ] {
        assert!(selector(text).is_ok(), "{text}: {:?}", selector(text));
        agree(text).expect("both read the same");
    }
}

#[test]
fn refuses_what_is_more_than_a_selector() {
    for text in [
        "rate(m[5m])",
        "m[5m]",
        "m offset 5m",
        "m @ 5",
        "a + b",
        "a or b",
        "sum(m)",
        "sum by (a) (m)",
        "-m",
        "(m)",
        "1",
        "\"text\"",
        "m{a=\"b\" or c=\"d\"}",
        "inf",
        "NaN",
        "m{\"a.b\"=\"c\"}",
        "{\"m\"}",
        "{a=\"b\"}",
        "{}",
        "m # comment",
    ] {
        assert!(selector(text).is_err(), "{text}: {:?}", selector(text));
    }
}

/// Pieces of which selectors, and nearly selectors, are made.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c_:]{1,3}",
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        prop_oneof![Just("="), Just("!="), Just("=~"), Just("!~"), Just("==")]
            .prop_map(str::to_owned),
        r#""[a-c.*+?()\[\]\\|n"]{0,5}""#,
        "'[a-c.*+?()|x0-9\\\\]{0,4}'",
        "`[a-c\\\\\n]{0,4}`",
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just("__name__".to_owned()),
        prop_oneof![
            Just("offset"),
            Just("by"),
            Just("sum"),
            Just("or"),
            Just("inf"),
            Just("[5m]"),
            Just("@"),
            Just("#"),
            Just("é"),
        ]
        .prop_map(str::to_owned),
    ]
}

fn matcher() -> impl Strategy<Value = String> {
    (
        "[a-z_][a-z0-9_]{0,4}",
        prop_oneof![Just("="), Just("!="), Just("=~"), Just("!~")],
        prop_oneof![
            "\"([a-z.*|()\\[\\]+?é 0-9]|\\\\\\\\|\\\\n|\\\\\"){0,6}\"",
            "'([a-z.*|()+? 0-9\"]|\\\\'|\\\\x4[0-9]){0,6}'",
            "`[a-z.*\\\\d\"']{0,6}`",
        ],
    )
        .prop_map(|(label, op, value)| format!("{label}{op}{value}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn agrees_on_anything_that_looks_alike(pieces in prop::collection::vec(piece(), 0..12)) {
        let text = pieces.concat();
        prop_assert_eq!(agree(&text), Ok(()));
    }

    #[test]
    fn agrees_on_selectors(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,6}",
        matchers in prop::collection::vec(matcher(), 0..4),
    ) {
        let text = format!("{name}{{{}}}", matchers.join(","));
        prop_assert_eq!(agree(&text), Ok(()));
    }

    #[test]
    fn positions_of_errors_lie_within_the_text(text in ".{0,40}") {
        if let Err(error) = selector(&text) {
            prop_assert!(error.at <= text.len());
            prop_assert!(text.is_char_boundary(error.at));
        }
    }
}
