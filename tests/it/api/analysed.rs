//! `recant analyse` with Argo's `kayenta` provider, against Recant's own Kayenta on a real port.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use recant::analysis::{Client, Driving, drive};
use recant::clock::Clock;
use recant_core::argo::Phase;
use recant_core::argo::run::{Run, Status};
use recant_core::spec::{SourceFile, analyses};
use serde_json::{Value, json};

use super::bed::Bed;
use super::kayenta::{bed_with_samples, config, post};

/// A clock that is 20 s later at every look: an execution is asked for every 15 s.
fn hurried() -> Clock {
    let start = Timestamp::now();
    let looks = AtomicI64::new(0);
    Arc::new(move || {
        let seconds = 20 * looks.fetch_add(1, Ordering::Relaxed);
        start + SignedDuration::from_secs(seconds)
    })
}

fn template(bed: &Bed, config: &str, experiment: &str, more: &Value) -> String {
    let scope = |name: &str| {
        json!({"scope": name, "region": "eu", "step": 60,
            "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"})
    };
    let mut kayenta = json!({
        "address": bed.url("/kayenta"),
        "application": "checkout",
        "canaryConfigName": config,
        "metricsAccountName": "m",
        "configurationAccountName": "c",
        "storageAccountName": "s",
        "threshold": {"pass": 95, "marginal": 40},
        "scopes": [{"name": "default", "controlScope": scope("good"), "experimentScope": scope(experiment)}],
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        kayenta[field] = value.clone();
    }
    let metric = json!({"name": "a", "consecutiveErrorLimit": 0, "provider": {"kayenta": kayenta}});
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "judged"},
        "spec": {"metrics": [metric]},
    })
    .to_string()
}

async fn analysed(text: String) -> Status {
    let found = analyses(&[SourceFile {
        name: "analysis".to_owned(),
        text,
    }]);
    assert!(!found.has_errors(), "{:?}", found.diagnostics);
    let (_, spec) = found.runs.into_iter().next().expect("a run");
    let mut run = Run::new(spec);
    let client = Client::new(None).expect("a client");
    drive(
        &mut run,
        &Driving::default(),
        &client,
        &hurried(),
        &mut |_, _| {},
    )
    .await;
    run.status
}

#[tokio::test]
async fn kayenta_s_judge_ends_an_analysis_good_bad_unclear_or_as_an_error() {
    let (bed, _) = bed_with_samples().await;
    let mut half = config("half");
    let mut steady = half["metrics"][0].clone();
    steady["name"] = json!("steady");
    steady["groups"] = json!(["others"]);
    steady["query"]["customInlineTemplate"] = json!("PromQL:steady");
    half["metrics"] = json!([half["metrics"][0], steady]);
    half["classifier"] = json!({"groupWeights": {"all": 50, "others": 50}});
    let mut down = config("down");
    down["metrics"][0]["query"]["customInlineTemplate"] = json!("PromQL:down");
    for config in [config("shop"), half, down] {
        let created = post(&bed, "/canaryConfig", &config).await;
        assert_eq!(created.status, 200, "{created:?}");
    }
    let nothing = json!({});
    for (config, experiment, more, phase, told) in [
        ("shop", "good", &nothing, Phase::Successful, "100"),
        ("shop", "bad", &nothing, Phase::Failed, "0"),
        ("half", "bad", &nothing, Phase::Inconclusive, "50"),
        (
            "shop",
            "bad",
            &json!({"threshold": {"pass": 0, "marginal": 0}}),
            Phase::Successful,
            "0",
        ),
        ("down", "good", &nothing, Phase::Error, ""),
        ("gone", "good", &nothing, Phase::Error, "not found"),
        (
            "shop",
            "good",
            &json!({"application": "other"}),
            Phase::Error,
            "not found",
        ),
        (
            "shop",
            "good",
            &json!({"address": bed.url("/nowhere")}),
            Phase::Error,
            "404",
        ),
        ("shop", "good", &json!({"scopes": []}), Phase::Error, ""),
    ] {
        let status = analysed(template(&bed, config, experiment, more)).await;
        let result = &status.metric_results[0];
        let last = result.measurements.last().expect("a measurement");
        let words = format!("{}{}", last.value, last.message);
        assert!(
            status.phase == Some(phase) && words.contains(told),
            "{config} {experiment} {more}: {status:?}"
        );
        assert_eq!(result.measurements.len(), 1, "{status:?}");
        let started = last.metadata.contains_key("canaryExecutionId");
        assert!(started || phase == Phase::Error, "{status:?}");
    }
}
