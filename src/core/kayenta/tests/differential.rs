//! All recorded requests, field by field and bit by bit.

use serde_json::Value;

use super::reading::{cases, differences, differential, near, number, same};
use crate::kayenta::ranks::Ranked;
use crate::kayenta::transform::prepared;
use crate::kayenta::{
    Confidence, MetricConfig, Request, common_language, interval, judge, mean_ratio,
};

/// How many of what was compared: a reader that skips everything must not pass.
#[derive(Debug, Default, PartialEq, Eq)]
struct Compared {
    whole: usize,
    labels: usize,
    random: usize,
    exceptions: usize,
    intervals: usize,
}

#[test]
fn every_recorded_request_gets_the_recorded_answer() {
    let mut compared = Compared::default();
    let mut found = Vec::new();
    for case in differential() {
        compare(&case, &mut compared, &mut found);
    }
    assert!(
        found.is_empty(),
        "{} differences:\n{}",
        found.len(),
        found.join("\n")
    );
    let expected = Compared {
        whole: 351,
        labels: 27,
        random: 21,
        exceptions: 2,
        intervals: 755,
    };
    assert_eq!(compared, expected);
}

#[test]
fn every_issue_of_its_users_gets_the_recorded_answer() {
    let mut compared = Compared::default();
    let mut found = Vec::new();
    for case in cases("issues") {
        compare(&case, &mut compared, &mut found);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!((compared.whole, compared.intervals), (8, 7));
}

fn compare(case: &Value, compared: &mut Compared, found: &mut Vec<String>) {
    let id = case["id"].as_str().expect("an id");
    let request: Request = serde_json::from_value(case.clone()).expect("a request");
    let answer = judge(&request);
    intervals(id, &request, &case["expected"]["detail"], compared, found);
    let result = match answer {
        Ok(result) => result,
        Err(refused) => {
            compared.exceptions += 1;
            let expected = case["expected"]["exception"].as_str();
            if refused.exception() != expected {
                found.push(format!("{id}: {refused:?} for {expected:?}"));
            }
            return;
        }
    };
    let got = serde_json::to_value(&result).expect("it can be written");
    let expected = &case["expected"]["judgeResult"];
    match case["compare"].as_str().unwrap_or("exact") {
        "exact" => {
            compared.whole += 1;
            differences(id, &got, expected, found);
        }
        // Kayenta adds noise to some metric: the ratio of such a one is near, and all else is the same.
        "labels" => {
            compared.labels += 1;
            differences(
                id,
                &without_noise(&got, case),
                &without_noise(expected, case),
                found,
            );
            for noisy in noisy(case) {
                let of = |document: &Value| document["results"][noisy]["resultMetadata"].clone();
                let (got, expected) = (of(&got), of(expected));
                if got.is_null() && expected.is_null() {
                    continue;
                }
                let (got, expected) = (number(&got["ratio"]), number(&expected["ratio"]));
                if !near(got, expected, 1e-4 * expected.abs()) {
                    found.push(format!("{id}[{noisy}]: ratio {got} for {expected}"));
                }
            }
        }
        // By its noise Kayenta itself answers now this, now that; its other metrics are the same.
        _ => {
            compared.random += 1;
            let noisy = noisy(case);
            let each = got["results"].as_array().expect("results").iter();
            for (place, (got, expected)) in each
                .zip(expected["results"].as_array().expect("results"))
                .enumerate()
            {
                if !noisy.contains(&place) {
                    differences(&format!("{id}[{place}]"), got, expected, found);
                }
            }
        }
    }
}

/// The places of the metrics to which Kayenta adds noise.
fn noisy(case: &Value) -> Vec<usize> {
    let detail = case["expected"]["detail"].as_array().expect("details");
    let noisy = detail.iter().enumerate();
    noisy
        .filter(|(_, detail)| detail["gaussianNoisePath"] == true)
        .map(|(place, _)| place)
        .collect()
}

/// A result without the ratios that noise changes.
fn without_noise(document: &Value, case: &Value) -> Value {
    let mut document = document.clone();
    for place in noisy(case) {
        if let Some(metadata) = document["results"][place].get_mut("resultMetadata") {
            *metadata = Value::Bool(true);
        }
    }
    document
}

/// Compares what no result document shows: end points, estimate, and both effect sizes.
fn intervals(
    id: &str,
    request: &Request,
    detail: &Value,
    compared: &mut Compared,
    found: &mut Vec<String>,
) {
    for (metric, detail) in request
        .metrics
        .iter()
        .zip(detail.as_array().expect("details"))
    {
        let Ok(config) = MetricConfig::read(&metric.name, &metric.analysis) else {
            continue;
        };
        let experiment = prepared(&metric.experiment, &config);
        let control = prepared(&metric.control, &config);
        let sizes = (experiment.len(), control.len());
        let expected = (&detail["nExperiment"], &detail["nControl"]);
        if expected != (&sizes.0.into(), &sizes.1.into()) {
            found.push(format!("{id}: sizes {sizes:?} for {expected:?}"));
        }
        if detail.get("cles").is_none() {
            continue;
        }
        let mut check = |what: &str, got: f64| {
            let expected = number(&detail[what]);
            if !same(got, expected) {
                found.push(format!(
                    "{id} {}: {what} {got:?} for {expected:?}",
                    metric.name
                ));
            }
        };
        check("meanRatio", mean_ratio(&experiment, &control));
        check("cles", common_language(&experiment, &control));
        if Ranked::new(&experiment, &control).constants().is_some() {
            // Recorded with noise.
            continue;
        }
        compared.intervals += 1;
        let Ok(interval) = interval(&experiment, &control, Confidence::Percent98) else {
            found.push(format!("{id} {}: no interval for {detail}", metric.name));
            continue;
        };
        check("lower", interval.lower);
        check("upper", interval.upper);
        check("estimate", interval.estimate);
    }
}
