//! Inputs and expected numbers of judge.md's reference implementation: every one, to 1e-9.

use serde_json::{Value, json};

use crate::sequential::gauge::trend;
use crate::sequential::{
    Analysis, JudgeRule, Measured, Reading, RuleParameters, State, WhenUnclear, before_limit,
    interval, quantile, shows,
};

/// As it is: `reference/judge-vectors.json` of the specification.
const TEXT: &str = include_str!("../../../../tests/reference/judge-vectors.json");
/// Of logarithms, scores and shares, absolute or relative; of intervals and limits derived from them, relative.
const TOLERANCE: f64 = 1e-9;
const OF_INTERVALS: f64 = 1e-6;

fn vectors() -> Value {
    serde_json::from_str(TEXT).expect("the vectors are JSON")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A number; null is one that is missing.
pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .map_or_else(Vec::new, |items| items.iter().map(number).collect())
}

#[track_caller]
fn close(actual: f64, expected: &Value, tolerance: f64, what: &dyn Fn() -> String) {
    let expected = expected
        .as_f64()
        .unwrap_or_else(|| panic!("{}: got {actual}, expected {expected}", what()));
    let scale = expected
        .abs()
        .max(if tolerance > TOLERANCE { 1e-12 } else { 1.0 });
    assert!(
        (actual - expected).abs() <= tolerance * scale,
        "{}: got {actual}, expected {expected}",
        what()
    );
}

fn update(rule: &mut JudgeRule, arguments: &[Value]) {
    feed(rule, arguments, JudgeRule::update);
}

fn warm(rule: &mut JudgeRule, arguments: &[Value]) {
    feed(rule, arguments, |rule, measured| {
        assert!(rule.warm(measured), "it takes history");
    });
}

fn feed(rule: &mut JudgeRule, arguments: &[Value], act: impl Fn(&mut JudgeRule, Measured<'_>)) {
    let gauge = matches!(rule, JudgeRule::GaugeLimit(_));
    let pair = matches!(rule, JudgeRule::GaugeCompare(_));
    match arguments {
        [a, b] if a.is_array() => {
            let (canary, baseline) = (numbers(a), numbers(b));
            act(rule, Measured::BothHistograms(&canary, &baseline));
        }
        [a] => {
            let counts = numbers(a);
            act(rule, Measured::Histogram(&counts));
        }
        [at, value] if gauge => {
            let (at, value) = (number(at), number(value));
            act(rule, Measured::Value { at, value });
        }
        [canary, baseline] if pair => {
            let (canary, baseline) = (number(canary), number(baseline));
            act(rule, Measured::BothValues { canary, baseline });
        }
        [n, e] => {
            let (n, e) = (number(n), number(e));
            act(rule, Measured::Counts { n, e });
        }
        [n_c, e_c, n_b, e_b] => {
            let [n_c, e_c, n_b, e_b] = [n_c, e_c, n_b, e_b].map(number);
            act(rule, Measured::BothCounts { n_c, e_c, n_b, e_b });
        }
        _ => panic!("no arguments of a rule: {arguments:?}"),
    }
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Undecided => "undecided",
        State::Passing => "passing",
        State::Fail => "fail",
    }
}

fn parameters(class: &str, parameters: &Value) -> RuleParameters {
    let mut parameters = parameters.clone();
    if let Some(fields) = parameters.as_object_mut() {
        fields.insert("class".to_owned(), json!(class));
    }
    serde_json::from_value(parameters).expect("parameters of a rule")
}

/// One round through JSON, as a checkpoint goes: the same bits.
fn restored(rule: &JudgeRule) -> JudgeRule {
    let text = serde_json::to_string(rule).expect("it is written");
    let read = serde_json::from_str(&text).expect("it is read");
    assert_eq!(&read, rule, "restored from {text}");
    read
}

/// Ticks of all rules of one class; evidence goes through a checkpoint now and then. Gives the number of cases.
fn check_class(class: &str) -> usize {
    let all = vectors();
    let cases = list(&all, class);
    for case in cases {
        let name = format!("{class} {}", case["name"]);
        let parameters = parameters(class, &case["params"]);
        let mut rule = parameters.build().expect("good parameters");
        for entry in list(case, "warm") {
            let (times, arguments) = entry
                .as_array()
                .and_then(|entry| entry.split_first())
                .expect("times and arguments");
            for _ in 0..times.as_u64().expect("a number of times") {
                warm(&mut rule, arguments);
            }
        }
        let (alpha, beta) = parameters.errors();
        let mut analysis = Analysis::new(&[1.0], alpha, beta).expect("good error rates");
        let entries = list(case, "updates").iter().zip(list(case, "expect"));
        assert_eq!(list(case, "updates").len(), list(case, "expect").len());
        for (index, (entry, expected)) in entries.enumerate() {
            let (times, arguments) = entry
                .as_array()
                .and_then(|entry| entry.split_first())
                .expect("times and arguments");
            let mut state = String::new();
            for _ in 0..times.as_u64().expect("a number of times") {
                update(&mut rule, arguments);
                let of_release = analysis.judge(&[rule.reading()]);
                state = match rule.fires() {
                    Some(true) => "fires",
                    Some(false) => "quiet",
                    None => state_name(of_release),
                }
                .to_owned();
            }
            let what = || format!("{name}, entry {index}");
            let reading = rule.reading();
            close(reading.log_bad, &expected[0], TOLERANCE, &what);
            close(reading.log_good, &expected[1], TOLERANCE, &what);
            assert_eq!(state, expected[2], "{}", what());
            if index % 7 == 3 {
                rule = restored(&rule);
            }
        }
        if case.get("passed_at").is_some() {
            assert_eq!(json!(analysis.passed_at()), case["passed_at"], "{name}");
            assert_eq!(json!(analysis.failed_at()), case["failed_at"], "{name}");
            let end = json!(analysis.finish(WhenUnclear::Inconclusive));
            assert_eq!(end, case["end"], "{name}");
        }
        if let Some(expected) = case.get("snapshot") {
            let shown = serde_json::to_value(rule.shown()).expect("it is shown");
            check_shown(&shown, expected, &name);
        }
        restored(&rule);
    }
    cases.len()
}

/// Every field that the vectors show.
fn check_shown(shown: &Value, expected: &Value, name: &str) {
    for (field, expected) in expected.as_object().expect("fields") {
        let what = || format!("{name}, shown `{field}`");
        let actual = shown
            .get(field)
            .unwrap_or_else(|| panic!("{}: missing in {shown}", what()));
        match expected {
            Value::Object(_) => check_shown(actual, expected, &what()),
            Value::Number(_) => {
                let wide = field.contains("low") && !field.starts_with("log")
                    || field.contains("high")
                    || field == "allowed";
                let tolerance = if wide { OF_INTERVALS } else { TOLERANCE };
                close(number(actual), expected, tolerance, &what);
            }
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => {
                assert_eq!(actual, expected, "{}", what());
            }
        }
    }
}

#[test]
fn every_rule_gives_the_numbers_of_the_reference() {
    let counted: Vec<(&str, usize)> = [
        "RatioLimit",
        "RatioCompare",
        "RatioLimitBeside",
        "QuantileLimit",
        "QuantileLimitBeside",
        "QuantileCompare",
        "GaugeLimit",
        "GaugeCompare",
        "EndlessLimit",
        "EndlessCompare",
    ]
    .into_iter()
    .map(|class| (class, check_class(class)))
    .collect();
    let all: usize = counted.iter().map(|(_, cases)| cases).sum();
    assert_eq!(all, 410, "{counted:?}");
}

#[test]
fn every_analysis_gives_the_numbers_of_the_reference() {
    let all = vectors();
    let cases = list(&all, "Analysis");
    assert_eq!(cases.len(), 40);
    for case in cases {
        check_analysis(case);
    }
}

/// A rule of an analysis, or the comparison that another one keeps.
enum Part {
    Own(Box<JudgeRule>),
    Beside(usize),
}

fn readings(parts: &[Part]) -> Vec<Reading> {
    let own = |index: usize| match parts.get(index) {
        Some(Part::Own(rule)) => rule.beside(),
        Some(Part::Beside(_)) | None => None,
    };
    parts
        .iter()
        .map(|part| match part {
            Part::Own(rule) => rule.reading(),
            Part::Beside(of) => own(*of).expect("it keeps a comparison"),
        })
        .collect()
}

fn check_analysis(case: &Value) {
    let name = case["name"].to_string();
    let mut parts: Vec<Part> = list(case, "rules")
        .iter()
        .map(|rule| {
            let class = rule["class"].as_str().expect("a class");
            match rule.get("of") {
                Some(of) => Part::Beside(
                    of.as_u64()
                        .and_then(|of| of.try_into().ok())
                        .expect("an index"),
                ),
                None => Part::Own(Box::new(
                    parameters(class, rule).build().expect("good parameters"),
                )),
            }
        })
        .collect();
    let weights = match &case["weights"] {
        Value::Null => vec![1.0; parts.len()],
        weights => numbers(weights),
    };
    let (alpha, beta) = (number(&case["alpha"]), number(&case["beta"]));
    let mut analysis = Analysis::new(&weights, alpha, beta).expect("good parameters");
    for (index, (tick, expected)) in list(case, "ticks")
        .iter()
        .zip(list(case, "expect"))
        .enumerate()
    {
        for (part, arguments) in parts
            .iter_mut()
            .zip(tick.as_array().expect("arguments per rule"))
        {
            if let (Part::Own(rule), Some(arguments)) = (part, arguments.as_array()) {
                update(rule, arguments);
            }
        }
        let readings = readings(&parts);
        let what = || format!("{name}, tick {}", index + 1);
        assert_eq!(
            state_name(analysis.judge(&readings)),
            expected[0],
            "{}",
            what()
        );
        close(analysis.log_bad(&readings), &expected[1], TOLERANCE, &what);
        close(analysis.score(&readings), &expected[2], TOLERANCE, &what);
        for (share, expected) in analysis.shares(&readings).zip(list_of(&expected[3])) {
            close(share, expected, TOLERANCE, &what);
        }
        let text = serde_json::to_string(&analysis).expect("it is written");
        assert_eq!(
            serde_json::from_str::<Analysis>(&text).expect("it is read"),
            analysis
        );
    }
    assert_eq!(json!(analysis.passed_at()), case["passed_at"], "{name}");
    assert_eq!(json!(analysis.failed_at()), case["failed_at"], "{name}");
    for (when_unclear, end, score) in [
        (WhenUnclear::Inconclusive, "end", "end_score"),
        (
            WhenUnclear::Pass,
            "end_when_unclear_pass",
            "end_score_when_unclear_pass",
        ),
    ] {
        let mut ended = analysis.clone();
        assert_eq!(json!(ended.finish(when_unclear)), case[end], "{name}");
        assert_eq!(
            json!(ended.finish(WhenUnclear::Pass)),
            case[end],
            "{name}: it repeats itself"
        );
        close(
            ended.score(&readings(&parts)),
            &case[score],
            TOLERANCE,
            &|| name.clone(),
        );
    }
}

fn list_of(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Arguments, what is expected of them, and what they are called.
type Check<'a> = &'a dyn Fn(&[Value], &Value, &dyn Fn() -> String);

#[test]
fn functions_give_the_numbers_of_the_reference() {
    let all = vectors();
    let functions = &all["functions"];
    let mut cases = 0;
    let mut each = |name: &str, check: Check<'_>| {
        for case in list(functions, name) {
            cases += 1;
            check(list_of(&case[0]), &case[1], &|| {
                format!("{name}{}", case[0])
            });
        }
    };
    each("interval", &|arguments, expected, what| {
        let (low, high) = interval(
            number(&arguments[0]),
            number(&arguments[1]),
            number(&arguments[2]),
        );
        close(low, &expected[0], OF_INTERVALS, what);
        close(high, &expected[1], OF_INTERVALS, what);
    });
    each("quantile", &|arguments, expected, what| {
        let actual = quantile(
            number(&arguments[0]),
            &numbers(&arguments[1]),
            &numbers(&arguments[2]),
        );
        match actual {
            Some(actual) => close(actual, expected, TOLERANCE, what),
            None => assert!(expected.is_null(), "{}", what()),
        }
    });
    each("trend", &|arguments, expected, what| {
        let points: Vec<(f64, f64)> = list_of(&arguments[0])
            .iter()
            .map(|point| (number(&point[0]), number(&point[1])))
            .collect();
        let actual = trend(&points, number(&arguments[1]));
        close(actual.slope, &expected[0], TOLERANCE, what);
        match actual.reaches_in {
            Some(seconds) => close(seconds, &expected[1], TOLERANCE, what),
            None => assert!(expected[1].is_null(), "{}", what()),
        }
    });
    each("before_limit", &|arguments, expected, what| {
        let values: Vec<f64> = arguments.iter().map(number).collect();
        let [n, e, psi0, plus, drift, clump, alpha] = values[..] else {
            panic!("{}", what());
        };
        let limit = before_limit(n, e, psi0, plus, drift, clump, alpha).expect("good parameters");
        close(limit, expected, OF_INTERVALS, what);
    });
    each("shows", &|arguments, expected, what| {
        let used: Option<Vec<usize>> = arguments[2].as_array().map(|used| {
            let index = |index: &Value| index.as_u64().and_then(|index| index.try_into().ok());
            used.iter().filter_map(index).collect()
        });
        let actual = shows(
            number(&arguments[0]),
            &numbers(&arguments[1]),
            used.as_deref(),
        );
        assert_eq!(json!(actual), *expected, "{}", what());
    });
    assert_eq!(cases, 194);
}
