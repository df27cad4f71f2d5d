//! Kayenta's own test tables. Not here: `standalone`, the schedule of its REST service, which is no part of the judge.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::reading::{cases, near, number, numbers, pair, same};
use crate::kayenta::ranks::Ranked;
use crate::kayenta::result::{MetricResult, Stats};
use crate::kayenta::transform::without;
use crate::kayenta::{
    Band, Classification, Classifier, Confidence, Direction, Label, Measure, NanStrategy, Request,
    Summary, cohens_d, common_language, interquartile, interval, judge, k_sigma, mean_inequality,
    mean_ratio, percentile, remove_nans, replace_nans, score,
};

fn name(case: &Value) -> &str {
    case["test"].as_str().expect("a name")
}

fn direction(case: &Value) -> Direction {
    match case["direction"].as_str().expect("a direction") {
        "increase" => Direction::Increase,
        "decrease" => Direction::Decrease,
        "either" => Direction::Either,
        other => panic!("{other}"),
    }
}

fn nan_strategy(case: &Value) -> NanStrategy {
    match case["nanStrategy"].as_str().expect("a strategy") {
        "remove" => NanStrategy::Remove,
        "replace" => NanStrategy::Replace,
        other => panic!("{other}"),
    }
}

fn measure(name: &str) -> Measure {
    match name {
        "meanRatio" => Measure::MeanRatio,
        "cles" => Measure::Cles,
        other => panic!("{other}"),
    }
}

fn band(value: &Value) -> Band {
    let (decrease, increase) = pair(value);
    Band { decrease, increase }
}

fn confidence(level: &Value) -> Confidence {
    match level.to_string().as_str() {
        "0.95" => Confidence::Percent95,
        "0.98" => Confidence::Percent98,
        other => panic!("{other}"),
    }
}

#[test]
fn classifiers() {
    let cases = cases("classifier");
    assert_eq!(cases.len(), 37);
    for case in &cases {
        let experiment = numbers(&case["experiment"]);
        let control = numbers(&case["control"]);
        let noisy = Ranked::new(&experiment, &control).constants().is_some();
        let got = match case["classifier"].as_str() {
            Some("MannWhitney") => {
                let classifier = Classifier {
                    tolerance: number(&case["tolerance"]),
                    confidence: confidence(&case["confLevel"]),
                    direction: direction(case),
                    nan_strategy: nan_strategy(case),
                    critical: case["critical"].as_bool().expect("a flag"),
                    must_have_data: false,
                    measure: measure(case["effectSizeMeasure"].as_str().expect("a name")),
                    allowed: band(&case["effectSizeThresholds_dec_inc"]),
                    critical_band: band(&case["criticalThresholds_dec_inc"]),
                };
                if !noisy && case["real"].get("lower").is_some() {
                    let interval = interval(&experiment, &control, classifier.confidence)
                        .expect("it was recorded");
                    let effect = match classifier.measure {
                        Measure::MeanRatio => mean_ratio(&experiment, &control),
                        Measure::Cles => common_language(&experiment, &control),
                    };
                    for (what, got) in [
                        ("lower", interval.lower),
                        ("upper", interval.upper),
                        ("estimate", interval.estimate),
                        ("effectSize", effect),
                    ] {
                        let expected = number(&case["real"][what]);
                        assert!(same(got, expected), "{}: {what} {got}", name(case));
                    }
                }
                classifier.classify(name(case), &experiment, &control)
            }
            Some("MeanInequality") => {
                mean_inequality(&experiment, &control, direction(case), nan_strategy(case))
            }
            other => panic!("{other:?}"),
        };
        classified(case, &got, noisy);
    }
}

fn classified(case: &Value, got: &Classification, noisy: bool) {
    for expected in [&case["expected"], &case["real"]] {
        for (what, expected) in expected.as_object().expect("fields") {
            let right = match what.as_str() {
                "classification" => *expected == json!(got.label),
                "critical" => *expected == json!(got.critical),
                "reasonPresent" => *expected == json!(got.reason.is_some()),
                "deviation" => {
                    let (got, expected) = (got.ratio.expect("a ratio"), number(expected));
                    let noise = if noisy { 1e-4 * expected.abs() } else { 0.0 };
                    near(got, expected, noise)
                }
                // Compared above; nobody asked for an interval where both sides are the same constant.
                "lower" | "upper" | "estimate" | "effectSize" | "mwError" => true,
                other => panic!("{other}"),
            };
            assert!(right, "{}: {what} {got:?} for {expected}", name(case));
        }
    }
}

#[test]
fn intervals() {
    let cases = cases("mannwhitney");
    assert_eq!(cases.len(), 7);
    for case in &cases {
        let tolerance = number(&case["tol"]);
        let what = name(case);
        if what == "Test zQuant" {
            let got = -Confidence::Percent98.quantile();
            assert!(near(got, number(&case["expected"]), tolerance), "{got}");
            continue;
        }
        let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
        let ranked = Ranked::new(&x, &y);
        if let Some(expected) = case["expected"].as_array() {
            for expected in expected {
                let at = |what: &str| number(&expected[what]);
                let got = ranked.statistic(at("mu"), at("quantile")).expect("one");
                assert!(near(got, at("value"), tolerance), "{what}: {got}");
            }
            continue;
        }
        let confidence = confidence(&case["confidenceLevel"]);
        let interval = interval(&x, &y, confidence).expect("it was recorded");
        let real = |what: &str| number(&case["real"][what]);
        assert!(same(interval.lower, real("lower")), "{what}: {interval:?}");
        assert!(same(interval.upper, real("upper")), "{what}: {interval:?}");
        assert!(
            same(interval.estimate, real("estimate")),
            "{what}: {interval:?}"
        );

        let fold = |values: &[f64], with: fn(f64, f64) -> f64| {
            values.iter().copied().reduce(with).expect("some")
        };
        let low = fold(&x, f64::min) - fold(&y, f64::max);
        let high = fold(&x, f64::max) - fold(&y, f64::min);
        let quantile = confidence.quantile();
        let statistic = |shift, quantile| ranked.statistic(shift, quantile).expect("one");
        for (field, expected) in case["expected"].as_object().expect("fields") {
            let got = match field.as_str() {
                "lower" | "rCil" => interval.lower,
                "upper" | "rCiu" => interval.upper,
                "estimate" | "rEst" => interval.estimate,
                "rMumin" => low,
                "rMumax" => high,
                "rZqLower" => quantile,
                "rZqUpper" => -quantile,
                "rFlower1" => statistic(low, quantile),
                "rFupper1" => statistic(high, quantile),
                "rFlower2" => statistic(low, -quantile),
                "rFupper2" => statistic(high, -quantile),
                "estimateTol" => continue,
                other => panic!("{other}"),
            };
            let tolerance = match field.as_str() {
                "estimate" => number(&case["expected"]["estimateTol"]),
                _ => tolerance,
            };
            assert!(
                near(got, number(expected), tolerance),
                "{what}: {field} {got} for {expected}"
            );
        }
    }
}

#[test]
fn scores() {
    let cases = cases("scorer");
    assert_eq!(cases.len(), 13);
    for case in &cases {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let none = Stats {
            stats: Summary::of(&[]),
        };
        let results: Vec<MetricResult> = case["metrics"]
            .as_array()
            .expect("metrics")
            .iter()
            .map(|metric| MetricResult {
                name: text(&metric["name"]),
                tags: IndexMap::new(),
                id: String::new(),
                classification: serde_json::from_value::<Label>(metric["classification"].clone())
                    .expect("a label"),
                classification_reason: None,
                groups: serde_json::from_value(metric["groups"].clone()).expect("groups"),
                experiment_metadata: none,
                control_metadata: none,
                result_metadata: None,
                critical: metric["critical"].as_bool().expect("a flag"),
                muted: false,
            })
            .collect();
        let weights: IndexMap<String, f64> =
            serde_json::from_value(case["groupWeights"].clone()).expect("weights");
        let scores = score(&results, Some(&weights)).expect("a score");
        for (field, expected) in case["expected"].as_object().expect("fields") {
            match field.as_str() {
                "summaryScore" => {
                    let got = scores.summary;
                    assert!(same(got, number(expected)), "{}: {got}", name(case));
                }
                "groupScoresSorted" => {
                    let mut got: Vec<f64> = scores.groups.iter().map(|group| group.score).collect();
                    got.sort_by(f64::total_cmp);
                    assert_eq!(got, numbers(expected), "{}", name(case));
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn statistics() {
    let cases = cases("statistics");
    assert_eq!(cases.len(), 8);
    for case in &cases {
        let mut values = numbers(&case["values"]);
        if let Some(fields) = case["summary"].as_object() {
            let summary = Summary::of(&values);
            for (field, expected) in fields {
                let got = match field.as_str() {
                    "min" => summary.min,
                    "max" => summary.max,
                    "mean" => summary.mean,
                    "std" => summary.std,
                    "count" => summary.count as f64,
                    other => panic!("{other}"),
                };
                let tolerance = case["tol"].get(field).map_or(0.0, number);
                assert!(
                    near(got, number(expected), tolerance),
                    "{}: {field} {got}",
                    name(case)
                );
            }
            continue;
        }
        values.sort_by(f64::total_cmp);
        for expected in case["percentiles"].as_array().expect("percentiles") {
            let got = percentile(&values, number(&expected["p"]) / 100.0);
            let (tolerance, expected) = (number(&expected["tol"]), number(&expected["expected"]));
            assert!(near(got, expected, tolerance), "{}: {got}", name(case));
        }
    }
}

#[test]
fn effect_sizes() {
    let cases = cases("effectsize");
    assert_eq!(cases.len(), 10);
    for case in &cases {
        let (experiment, control) = (numbers(&case["experiment"]), numbers(&case["control"]));
        let got = match case["measure"].as_str() {
            Some("meanRatio") => mean_ratio(&experiment, &control),
            Some("cles") => common_language(&experiment, &control),
            Some("cohenD") => cohens_d(&experiment, &control),
            other => panic!("{other:?}"),
        };
        let (expected, tolerance) = (number(&case["expected"]), number(&case["tol"]));
        assert!(near(got, expected, tolerance), "{}: {got}", name(case));
    }
}

#[test]
fn outliers() {
    let cases = cases("detector");
    assert_eq!(cases.len(), 6);
    for case in &cases {
        let values = numbers(&case["values"]);
        let parameter = number(&case["param"]);
        let got = match case["detector"].as_str() {
            Some("KSigmaDetector") => k_sigma(&values, parameter),
            Some("IQRDetector") => {
                let reduced = case["reduceSensitivity"].as_bool().expect("a flag");
                interquartile(&values, parameter, reduced)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(json!(got), case["expectedOutlier"], "{}", name(case));
    }
}

#[test]
fn transforms() {
    let cases = cases("transform");
    assert_eq!(cases.len(), 5);
    for case in &cases {
        let values = numbers(&case["values"]);
        let got = match case["op"].as_str() {
            Some("removeNaNs") => remove_nans(&values),
            Some("replaceNaNs(0)") => replace_nans(&values),
            Some("IQRDetector(factor = 1.5)") => {
                without(&values, &interquartile(&values, 1.5, false))
            }
            Some("KSigmaDetector(k = 3.0)") => without(&values, &k_sigma(&values, 3.0)),
            other => panic!("{other:?}"),
        };
        assert_eq!(got, numbers(&case["expected"]), "{}", name(case));
    }
}

/// Kayenta's integration tests draw uniform values from a range; here they are spread evenly over it (multiples of the
/// golden ratio), 60 a side.
#[test]
fn integration() {
    let cases = cases("integration");
    assert_eq!(cases.len(), 3);
    let spread = |range: &Value, offset: f64| -> Vec<f64> {
        let (low, high) = pair(range);
        (0..60)
            .map(|step| low + (high - low) * (offset + f64::from(step) * 0.618_033_988_75).fract())
            .collect()
    };
    for case in &cases {
        let request: Request = serde_json::from_value(json!({
            "thresholds": {"pass": 95, "marginal": 75},
            "metrics": [
                {
                    "name": "tested",
                    "groups": ["tested"],
                    "analysisConfigurations": {"canary": {
                        "direction": case["direction"],
                        "critical": case["critical"],
                        "muted": case.get("muted").cloned().unwrap_or(Value::Bool(false)),
                    }},
                    "control": spread(&case["control"], 0.0),
                    "experiment": spread(&case["experiment"], 0.3),
                },
                {"name": "other", "groups": ["other"], "control": [1, 2, 3], "experiment": [1, 2, 3]},
            ],
        }))
        .expect("a request");
        let result = judge(&request).expect("an answer");
        assert_eq!(
            json!(result.results[0].classification),
            case["expected"],
            "{case}"
        );
        if let Some(expected) = case.get("score") {
            assert!(same(result.score.score, number(expected)), "{case}");
        }
        if case.get("overallPass").is_some() {
            assert_eq!(result.score.classification, "Pass", "{case}");
        }
    }
}
