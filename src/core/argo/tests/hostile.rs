//! Expressions that are made to hang, to crash or to fill the memory.

use jiff::Timestamp;
use proptest::prelude::*;

use crate::argo::expression::{Class, Expression, MOST_DEPTH, MOST_SOURCE, Outcome};

fn class_of(source: &str) -> Option<Class> {
    let result = Outcome::Numbers(vec![1.0, 2.0]);
    Expression::new(source)
        .holds(&result, Timestamp::UNIX_EPOCH)
        .err()
        .map(|error| error.class)
}

#[test]
fn what_would_take_too_long_is_refused() {
    for source in [
        "all(1..900000, all(1..900000, # > 0))",
        "sum(1..999000, sum(1..999000)) > 0",
        "reduce(1..500000, [#acc], 1) == []",
        "reduce(1..500000, ({\"a\": #acc}), 1) == {}",
        "reduce(1..500000, concat(#acc, [#]), []) == []",
        "len(repeat(repeat(\"x\", 999), 999999)) > 0",
        "len(1..9223372036854775807) > 0",
        "any(0..100000000, # < 0)",
        "uniq(map(1..9000, #)) == []",
        "let a = repeat(\"x\", 99999); let b = a + a + a + a + a + a + a + a; let c = b + b + b + b + b + b + b + b; let d = c + c + c + c + c + c + c + c; d == c",
    ] {
        assert_eq!(class_of(source), Some(Class::Budget), "{source}");
    }
}

#[test]
fn what_is_too_deep_or_too_long_is_refused() {
    let chain = vec!["1"; MOST_DEPTH + 2].join(" + ");
    let brackets = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    let not = format!("{}true", "not ".repeat(5000));
    let fields = format!("result{}", ".a".repeat(5000));
    let conditional = "true ? ".repeat(2000);
    let ifs = format!("{}{{ true }}", "if true { true } else ".repeat(500));
    let comparisons = format!("1{}", " < 1".repeat(3000));
    let long = format!("true /*{}*/", "x".repeat(MOST_SOURCE));
    for source in [
        chain,
        brackets,
        not,
        fields,
        conditional,
        ifs,
        comparisons,
        long,
    ] {
        let start: String = source.chars().take(30).collect();
        assert_eq!(class_of(&source), Some(Class::Budget), "{start}");
    }
}

#[test]
fn a_chain_of_ordinary_length_is_fine() {
    let chain = vec!["result[0] == 1"; MOST_DEPTH - 4].join(" && ");
    assert_eq!(class_of(&chain), None);
}

#[test]
fn regular_expressions_are_bounded() {
    let huge = "\"x\" matches \"(a{500}){500}\"";
    assert_eq!(class_of(huge), Some(Class::BadRegexp));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(source in "[\\PC]{0,60}") {
        class_of(&source);
    }

    #[test]
    fn no_mixture_of_its_words_makes_it_panic(words in proptest::collection::vec(
        prop::sample::select(vec![
            "result", "#", ".", "?.", "[", "]", "(", ")", "{", "}", ",", ":", "?", "??", "..", "1", "2.5", "\"x\"",
            "nil", "not", "in", "and", "||", "==", "<", "+", "-", "**", "%", "all", "filter", "map", "reduce", "sum",
            "let", "x", "=", ";", "if", "else", "|", "len", "max", "sort", "default", "isNaN", "$env", "matches", "::",
        ]),
        0..24,
    )) {
        class_of(&words.join(" "));
    }
}
