//! All recorded assessments of single metrics, and of the age of completed runs.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::oracle::{json, report, set};
use crate::argo::Phase;
use crate::argo::metric::Metric;
use crate::argo::run::{Counters, Run, RunSpec, TtlStrategy, assess, limit};

fn phase(name: &Value) -> Option<Phase> {
    name.as_str().and_then(Phase::of)
}

#[test]
fn every_recorded_assessment_is_the_same() {
    let mut wrong = Vec::new();
    let cases = set("assess");
    let mut groups = (0, 0);
    for case in &cases {
        if case["group"] == "ttl" {
            groups.1 += 1;
            if expired(case) != case["expired"].as_bool().unwrap_or(false) {
                wrong.push(case.to_string());
            }
            continue;
        }
        groups.0 += 1;
        let metric = Metric::of(&json(&case["metric"])).expect("a metric");
        let n = |index: usize| case["n"][index].as_i64().expect("a number");
        let counters = Counters {
            count: n(0),
            successful: n(1),
            failed: n(2),
            inconclusive: n(3),
            error: n(4),
            consecutive_error: n(5),
            consecutive_success: n(6),
        };
        let terminating = case["terminating"].as_bool().unwrap_or(false);
        let was = phase(&case["was"]).expect("a phase");
        let got = assess(&metric, was, &counters, phase(&case["last"]), terminating);
        let exceeded = limit(&metric, &counters)
            .map(|limit| serde_json::json!({"phase": limit.phase.name(), "text": limit.text}));
        if phase(&case["phase"]) != Some(got) || exceeded.as_ref() != case.get("limit") {
            wrong.push(format!("{got} {exceeded:?}: {case}"));
        }
    }
    report("assess", cases.len(), &wrong);
    assert_eq!(groups, (102, 28));
}

fn expired(case: &Value) -> bool {
    let strategy = &case["ttlStrategy"];
    let seconds = |field: &str| {
        strategy[field]
            .as_i64()
            .and_then(|value| i32::try_from(value).ok())
    };
    let mut run = Run::new(RunSpec::default());
    run.spec.ttl_strategy = strategy.is_object().then(|| TtlStrategy {
        after_completion: seconds("secondsAfterCompletion"),
        after_failure: seconds("secondsAfterFailure"),
        after_success: seconds("secondsAfterSuccess"),
    });
    run.status.phase = phase(&case["runPhase"]);
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    run.status.completed_at = case["completedAgo"]
        .as_f64()
        .map(|ago| now - SignedDuration::from_secs_f64(ago));
    run.is_expired(now)
}
