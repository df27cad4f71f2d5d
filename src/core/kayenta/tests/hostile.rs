//! What happens with requests that nobody should send.

use serde_json::{Value, json};

use crate::kayenta::{
    Confidence, JudgeResult, Label, MAX_METRICS, MAX_POINTS, Refused, Request, interval, judge,
};

fn request(canary: &Value, experiment: &Value, control: &Value) -> Request {
    serde_json::from_value(json!({
        "thresholds": {"pass": 95, "marginal": 75},
        "metrics": [{
            "name": "m",
            "groups": ["g"],
            "analysisConfigurations": {"canary": canary},
            "control": control,
            "experiment": experiment,
        }],
    }))
    .expect("a request")
}

fn judged(canary: &Value, experiment: &Value, control: &Value) -> JudgeResult {
    judge(&request(canary, experiment, control)).expect("an answer")
}

fn label(experiment: &Value, control: &Value) -> Label {
    judged(&json!({}), experiment, control).results[0].classification
}

#[test]
fn missing_and_infinite_samples() {
    let nan = json!(["NaN", "NaN"]);
    let some = json!([1, 2, 3]);
    let infinite = json!(["Infinity", "-Infinity", "Infinity"]);
    assert_eq!(label(&json!([]), &some), Label::Nodata);
    assert_eq!(label(&some, &json!([])), Label::Nodata);
    assert_eq!(label(&nan, &nan), Label::Nodata);
    assert_eq!(label(&nan, &some), Label::Nodata);
    // Infinity passes, as in Kayenta: the interval is unbounded on both sides, or nothing at all.
    assert_eq!(label(&infinite, &some), Label::Pass);
    assert_eq!(label(&some, &infinite), Label::Pass);
    assert_eq!(
        label(&infinite, &json!(["Infinity", "Infinity", "-Infinity"])),
        Label::Pass
    );
    assert_eq!(
        label(&json!(["Infinity"]), &json!(["-Infinity"])),
        Label::Pass
    );
    assert_eq!(
        label(
            &json!(["-Infinity", 1, "Infinity"]),
            &json!([1, "-Infinity"])
        ),
        Label::Pass
    );
    let removing = json!({"outliers": {"strategy": "remove"}});
    let result = judged(&removing, &infinite, &json!([1, 2, "-Infinity", 5]));
    // Between infinities there are no quartiles: nothing is an outlier.
    assert_eq!(result.results[0].experiment_metadata.stats.count, 3);
}

#[test]
fn numbers_at_the_edge_of_their_range() {
    let huge = json!([1.7e308, -1.7e308, 1e308]);
    let tiny = json!([5e-324, 1e-323, 2e-323]);
    assert_eq!(label(&huge, &tiny), Label::Pass);
    assert_eq!(label(&tiny, &huge), Label::Pass);
    assert_eq!(label(&tiny, &json!([-5e-324, -0.0, 0.0])), Label::Pass);
    assert_eq!(
        label(&json!([-0.0, 0.0]), &json!([0.0, -0.0, 0.0])),
        Label::Pass
    );
    assert_eq!(label(&json!([u64::MAX]), &json!([i64::MIN])), Label::Error);
}

#[test]
fn one_sample_a_side_is_an_error_that_fails_open() {
    let result = judged(&json!({"critical": true}), &json!([100]), &json!([1]));
    assert_eq!(result.results[0].classification, Label::Error);
    assert!(!result.results[0].critical);
    assert_eq!(
        (result.score.score, result.score.classification),
        (100.0, "Pass")
    );
}

#[test]
fn a_million_samples_a_side_take_seconds_and_one_more_is_refused() {
    let spread = |offset: f64| -> Vec<f64> {
        (0..MAX_POINTS)
            .map(|step| (offset + step as f64 * 0.618_033_988_75).fract())
            .collect()
    };
    let (experiment, control) = (spread(0.25), spread(0.0));
    let found = interval(&experiment, &control, Confidence::Percent98).expect("an interval");
    // The same values but for the offset, which is no shift of theirs: no difference within a millimetre.
    assert!(
        found.lower.abs() < 0.003 && found.upper.abs() < 0.003,
        "{found:?}"
    );

    let mut large = request(&json!({}), &json!([]), &json!([1]));
    large.metrics[0].experiment = vec![1.0; MAX_POINTS + 1];
    let refused = judge(&large).expect_err("it is too large");
    assert!(refused.to_string().contains("1000001 samples"), "{refused}");
}

#[test]
fn sizes_are_bounded() {
    let mut many = request(&json!({}), &json!([1, 2]), &json!([1, 2]));
    many.metrics = vec![many.metrics[0].clone(); MAX_METRICS];
    assert_eq!(judge(&many).expect("an answer").results.len(), MAX_METRICS);
    many.metrics.push(many.metrics[0].clone());
    assert!(matches!(judge(&many), Err(Refused::TooManyMetrics { .. })));
    let none: Request =
        serde_json::from_value(json!({"thresholds": {"pass": 1, "marginal": 0}, "metrics": []}))
            .expect("a request");
    let result = judge(&none).expect("an answer");
    assert_eq!(
        (result.score.score, result.score.classification),
        (0.0, "Marginal")
    );
}

#[test]
fn settings_of_another_type_say_which_and_what_to_do() {
    let (some, other) = (json!([1, 2]), json!([3, 4]));
    for (canary, words) in [
        (
            json!({"critical": "true"}),
            "`analysisConfigurations.canary.critical` is a text",
        ),
        (json!({"muted": 1}), "and true or false is needed"),
        (json!({"direction": 5}), "is a number, and a text is needed"),
        (
            json!({"effectSize": {"allowedIncrease": [1]}}),
            "is a list, and a number is needed",
        ),
        (
            json!({"outliers": {"outlierFactor": {}}}),
            "is a map, and a number is needed",
        ),
        (
            json!({"outliers": {"outlierFactor": -1}}),
            "is -1, and must be above 0",
        ),
    ] {
        let refused = judge(&request(&canary, &some, &other)).expect_err("it throws");
        let text = refused.to_string();
        assert!(
            text.contains(words) && text.contains("metric `m`"),
            "{text}"
        );
        assert!(
            refused
                .exception()
                .is_some_and(|text| text.starts_with("java."))
        );
    }
    // What would lie within a value that is no map is absent, and so is null.
    for canary in [
        json!({"effectSize": 5, "critical": null}),
        json!({"outliers": "remove"}),
        json!(null),
        json!(7),
    ] {
        judge(&request(&canary, &some, &other)).expect("defaults");
    }
}

#[test]
fn weights_that_make_no_sense() {
    let with = |weights: Value| {
        let mut request = request(&json!({}), &json!([1, 2]), &json!([1, 2]));
        request.group_weights = serde_json::from_value(weights).expect("weights");
        judge(&request).map(|result| result.score.score)
    };
    // They are not checked, as in Kayenta.
    assert_eq!(with(json!({"g": 150})), Ok(150.0));
    assert_eq!(with(json!({"g": -20})), Ok(-20.0));
    assert_eq!(with(json!({"nobody": 30})), Ok(70.0));
    assert_eq!(with(json!({"g": 1e308, "other": 1e308})), Ok(1e308));
    assert_eq!(
        with(json!({"a": 1e308, "b": 1e308})),
        Err(Refused::ScoreNotFinite)
    );
    assert_eq!(with(json!(null)), Ok(100.0));
}

#[test]
fn settings_of_a_name_are_those_of_its_first_metric() {
    let metric = |canary: Value| {
        json!({
            "name": "m", "groups": [if canary["muted"] == true { "first" } else { "second" }],
            "analysisConfigurations": {"canary": canary}, "control": [1, 2], "experiment": [1, 2],
        })
    };
    let request: Request = serde_json::from_value(json!({
        "thresholds": {"pass": 95, "marginal": 75},
        "metrics": [metric(json!({"muted": true})), metric(json!({"critical": "no"}))],
    }))
    .expect("a request");
    let result = judge(&request).expect("the second's settings are not read");
    assert!(
        result
            .results
            .iter()
            .all(|result| result.muted && result.groups == ["first"])
    );
    let ids: Vec<&str> = result
        .results
        .iter()
        .map(|result| result.id.as_str())
        .collect();
    assert_eq!(ids, ["p0", "p1"]);
}
