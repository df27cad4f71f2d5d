//! Kayenta's REST API: the recorded answers of its real judge, config store, executions, and what is refused.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use recant::http::api::kayenta::{Kayenta, Ranges};
use recant::http::api::{Access, Token};
use recant::source::prometheus::Series;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::bed::{Answer, Bed, read};

/// Sends JSON, as a client of Kayenta does.
async fn send(bed: &Bed, method: &str, path: &str, body: &Value) -> Answer {
    let method = method.parse().expect("a method");
    let url = bed.url(&format!("/kayenta{path}"));
    let request = bed.http.request(method, url);
    if body.is_null() {
        read(request).await
    } else {
        read(request.json(body)).await
    }
}

pub(super) async fn post(bed: &Bed, path: &str, body: &Value) -> Answer {
    send(bed, "POST", path, body).await
}

/// 401 random requests with the answers of the real judge.
fn recorded() -> Vec<Value> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/kayenta-differential.json");
    let text = std::fs::read_to_string(path).expect("it is in the checkout");
    serde_json::from_str(&text).expect("a JSON document")
}

/// The config and the pairs of a recorded request.
fn documents(case: &Value) -> (Value, Value) {
    let mut metrics: Vec<Value> = Vec::new();
    let mut pairs = Vec::new();
    for metric in case["metrics"].as_array().expect("metrics") {
        // Of metrics with one name, the first is the configured one; the others are its sets of tags.
        if !metrics.iter().any(|known| known["name"] == metric["name"]) {
            metrics.push(json!({
                "name": metric["name"],
                "groups": metric["groups"],
                "analysisConfigurations": metric["analysisConfigurations"],
                "scopeName": "default",
            }));
        }
        let mut pair = json!({
            "name": metric["name"],
            "values": {"control": metric["control"], "experiment": metric["experiment"]},
        });
        for field in ["id", "tags"] {
            if let Some(value) = metric.get(field) {
                pair[field] = value.clone();
            }
        }
        pairs.push(pair);
    }
    let mut config = json!({
        "name": case["id"].as_str().expect("an id").replace('.', "_"),
        "applications": ["recorded"],
        "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
        "metrics": metrics,
    });
    if let Some(weights) = case.get("groupWeights") {
        config["classifier"] = json!({"groupWeights": weights});
    }
    (config, Value::Array(pairs))
}

/// How many of what was compared: a reader that skips everything must not pass.
#[derive(Debug, Default, PartialEq, Eq)]
struct Compared {
    exact: usize,
    others: usize,
    refused: usize,
}

#[tokio::test]
async fn every_recorded_request_gets_the_recorded_answer_to_the_last_bit() {
    let bed = Bed::start(Access::default()).await;
    let cases = recorded();
    let (first, second) = cases.split_at(cases.len() / 2);
    let (first, second) = tokio::join!(compare(&bed, first), compare(&bed, second));
    let all = Compared {
        exact: first.exact + second.exact,
        others: first.others + second.others,
        refused: first.refused + second.refused,
    };
    let expected = Compared {
        exact: 351,
        others: 48,
        refused: 2,
    };
    assert_eq!(all, expected);
}

async fn compare(bed: &Bed, cases: &[Value]) -> Compared {
    let mut compared = Compared::default();
    for case in cases {
        let (config, pairs) = documents(case);
        let created = post(bed, "/canaryConfig", &config).await;
        assert_eq!(created.status, 200, "{created:?}");
        let id = created.json()["canaryConfigId"].clone();
        let stored = post(bed, "/metricSetPairList", &pairs).await;
        assert_eq!(stored.status, 200, "{stored:?}");
        let list = stored.json()["metricSetPairListId"].clone();
        let path = format!(
            "/judges/judge?canaryConfigId={}&metricSetPairListId={}&passThreshold={}&marginalThreshold={}",
            id.as_str().expect("an id"),
            list.as_str().expect("an id"),
            case["thresholds"]["pass"],
            case["thresholds"]["marginal"]
        );
        let judged = post(bed, &path, &Value::Null).await;
        let expected = &case["expected"];
        if let Some(exception) = expected["exception"].as_str() {
            compared.refused += 1;
            assert_eq!(judged.status, 400, "{judged:?}");
            assert!(judged.text.contains(exception), "{judged:?}");
            continue;
        }
        assert_eq!(judged.status, 200, "{}: {judged:?}", case["id"]);
        // As text: equal numbers with other bits would be written differently.
        let judged = judged.json().to_string();
        if case["compare"] == "exact" {
            compared.exact += 1;
            assert_eq!(
                judged,
                expected["judgeResult"].to_string(),
                "{}",
                case["id"]
            );
        } else {
            // Kayenta's own answer is random there: that of the judge itself, which the core's tests compare.
            compared.others += 1;
            let request = serde_json::from_value(case.clone()).expect("a request");
            let own = recant_core::kayenta::judge(&request).expect("an answer");
            let own = serde_json::to_value(&own).expect("JSON");
            assert_eq!(judged, own.to_string(), "{}", case["id"]);
        }
    }
    compared
}

/// What Prometheus would answer, made up: by words in the question.
#[derive(Debug, Default)]
pub(super) struct MadeUp(AtomicUsize);

#[async_trait]
impl Ranges for MadeUp {
    async fn range(
        &self,
        promql: &str,
        from: i64,
        to: i64,
        step: i64,
    ) -> Result<Vec<Series>, String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if promql.contains("down") {
            return Err("Prometheus at `http://prometheus:9090` answered 503".to_owned());
        }
        if promql.contains("hang") {
            std::future::pending::<()>().await;
        }
        let level = if promql.contains("bad") { 100.0 } else { 10.0 };
        let points = (to - from) / step;
        Ok(vec![Series {
            labels: [("zone".to_owned(), "a".to_owned())].into(),
            values: (0..points)
                .map(|point| level + (point % 7) as f64)
                .collect(),
        }])
    }
}

pub(super) async fn bed_with_samples() -> (Bed, Arc<MadeUp>) {
    let ranges = Arc::new(MadeUp::default());
    let kayenta = Kayenta::new(Some(ranges.clone()), None).expect("there is no folder to read");
    (
        Bed::start_with_kayenta(Access::default(), kayenta).await,
        ranges,
    )
}

pub(super) fn config(name: &str) -> Value {
    json!({
        "name": name,
        "description": "as Spinnaker's page writes it",
        "configVersion": "1",
        "applications": ["checkout"],
        "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
        "metrics": [{
            "name": "errors",
            "query": {"type": "prometheus", "serviceType": "prometheus",
                "customInlineTemplate": "PromQL:errors{version=\"${scope}\"}"},
            "groups": ["all"],
            "analysisConfigurations": {"canary": {"direction": "increase"}},
            "scopeName": "default",
        }],
        "templates": {},
        "classifier": {"groupWeights": {"all": 100}},
    })
}

fn request(control: &str, experiment: &str) -> Value {
    let scope = |name: &str| {
        json!({"scope": name, "location": "eu", "start": "2026-01-01T00:00:00Z",
            "end": "2026-01-01T01:00:00+00:00", "step": 60})
    };
    json!({
        "scopes": {"default": {"controlScope": scope(control), "experimentScope": scope(experiment)}},
        "thresholds": {"pass": 95, "marginal": 75},
    })
}

/// Asks until it is over.
async fn result(bed: &Bed, id: &str) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let answer = send(bed, "GET", &format!("/canary/{id}"), &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let status = answer.json();
        if status["complete"] == true {
            return status;
        }
        assert_eq!(status["status"], "running");
        assert!(begun.elapsed() < Duration::from_secs(20), "{status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn started(bed: &Bed, config: &str, request: &Value) -> String {
    let path = format!(
        "/canary/{config}?application=checkout&metricsAccountName=m&configurationAccountName=&storageAccountName=s"
    );
    let answer = post(bed, &path, request).await;
    // Argo takes 200 alone.
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.json()["canaryExecutionId"].clone();
    id.as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn an_execution_is_started_polled_and_judged() {
    let (bed, ranges) = bed_with_samples().await;
    let created = post(&bed, "/canaryConfig", &config("shop")).await;
    let id = created.json()["canaryConfigId"].clone();
    let id = id.as_str().expect("an id");

    // As Argo asks: with the storage account, whatever is called a configuration account.
    let listed = "/canaryConfig?application=checkout&configurationAccountName=storage";
    let listed = send(&bed, "GET", listed, &Value::Null).await.json();
    assert_eq!(
        (&listed[0]["id"], &listed[0]["name"]),
        (&json!(id), &json!("shop"))
    );
    assert!(listed[0]["updatedTimestamp"].is_i64(), "{listed}");
    let other = send(&bed, "GET", "/canaryConfig?application=other", &Value::Null).await;
    assert_eq!(other.json(), json!([]));

    for (experiment, score, label, classification) in [
        ("good", 100.0, "Pass", "Pass"),
        ("bad", 0.0, "High", "Fail"),
    ] {
        let execution = started(&bed, id, &request("good", experiment)).await;
        let status = result(&bed, &execution).await;
        assert_eq!(status["status"], "succeeded", "{status}");
        let judged = &status["result"]["judgeResult"];
        assert_eq!(judged["score"]["score"], score, "{status}");
        assert_eq!(judged["score"]["classification"], classification);
        assert_eq!(judged["results"][0]["classification"], label);
        assert_eq!(judged["results"][0]["tags"], json!({"zone": "a"}));
        assert_eq!(
            judged["results"][0]["controlMetadata"]["stats"]["count"],
            60
        );
        assert_eq!(status["result"]["canaryDuration"], "PT1H");
        assert_eq!(status["canaryConfigId"], id);
        assert_eq!(status["application"], "checkout");
        assert_eq!(status["metricsAccountName"], "m");
        assert_eq!(status["stageStatus"]["judge"], "succeeded");
    }
    assert_eq!(ranges.0.load(Ordering::Relaxed), 4);

    let mut ad_hoc =
        json!({"canaryConfig": config("brought"), "executionRequest": request("good", "good")});
    let answer = post(&bed, "/canary", &ad_hoc).await.json();
    let status = result(&bed, answer["canaryExecutionId"].as_str().expect("an id")).await;
    assert_eq!(
        (&status["application"], &status["status"]),
        (&json!("ad-hoc"), &json!("succeeded"))
    );
    ad_hoc["canaryConfig"]["metrics"][0]["query"]["customInlineTemplate"] = json!("PromQL:down");
    let answer = post(&bed, "/canary", &ad_hoc).await.json();
    let status = result(&bed, answer["canaryExecutionId"].as_str().expect("an id")).await;
    assert_eq!(status["status"], "terminal", "{status}");
    assert_eq!(status.get("result"), None);
    let error = status["exception"]["details"]["error"]
        .as_str()
        .expect("an error");
    assert!(
        error.contains("metric `errors`: Prometheus") && error.contains("503"),
        "{error}"
    );

    let all = send(
        &bed,
        "GET",
        "/canary/executions?application=checkout",
        &Value::Null,
    )
    .await;
    assert_eq!(all.json().as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused_by_name() {
    let (bed, ranges) = bed_with_samples().await;
    let change = |pointer: &str, value: Value| {
        let mut document =
            json!({"canaryConfig": config("c"), "executionRequest": request("a", "b")});
        *document.pointer_mut(pointer).expect("it is there") = value;
        document
    };
    let scope = "/executionRequest/scopes/default/controlScope";
    let metric = "/canaryConfig/metrics/0";
    for (document, says) in [
        (
            change(&format!("{metric}/query/type"), json!("datadog")),
            "`datadog`",
        ),
        (
            change("/canaryConfig/judge/name", json!("dredd-v1.0")),
            "`dredd-v1.0`",
        ),
        (
            change(&format!("{metric}/scopeName"), json!("other")),
            "no scope `other`",
        ),
        (
            change(&format!("{metric}/scopeName"), json!(null)),
            "no `scopeName`",
        ),
        (
            change(
                &format!("{metric}/query/customInlineTemplate"),
                json!("PromQL:${project}"),
            ),
            "`${project}`",
        ),
        (change("/canaryConfig/metrics", json!([])), "no metrics"),
        (
            change("/executionRequest/thresholds", json!(null)),
            "`thresholds` are missing",
        ),
        (
            change("/executionRequest/scopes", json!({})),
            "no scope `default`",
        ),
        (change(&format!("{scope}/step"), json!(0)), "`step` is 0"),
        (
            change(&format!("{scope}/end"), json!("2025-01-01T00:00:00Z")),
            "is not after",
        ),
        (
            change(&format!("{scope}/end"), json!("2027-01-01T00:00:00Z")),
            "longer `step`",
        ),
        (
            change(&format!("{scope}/start"), json!("yesterday")),
            "`controlScope`",
        ),
        (change("/canaryConfig", json!(null)), "no canary config"),
        (json!([]), ""),
    ] {
        let answer = post(&bed, "/canary", &document).await;
        assert_eq!(answer.status, 400, "{document}: {answer:?}");
        let message = answer.json()["message"].clone();
        let message = message.as_str().expect("a message");
        assert!(message.contains(says), "`{says}`: {message}");
    }
    assert_eq!(ranges.0.load(Ordering::Relaxed), 0, "nothing was asked");

    for path in [
        "/canary/x",
        "/canaryConfig/x",
        "/metricSetPairList/x",
        "/standalone_canary_analysis/x",
    ] {
        assert_eq!(
            send(&bed, "GET", path, &Value::Null).await.status,
            404,
            "{path}"
        );
    }
    // As Argo asks when it was given no id.
    assert_eq!(
        send(&bed, "GET", "/canary/%3Cnil%3E", &Value::Null)
            .await
            .status,
        404
    );
    for (path, body, status) in [
        ("/canary/x", request("a", "b"), 404),
        ("/canaryConfig", json!({"name": "x"}), 400),
        ("/canaryConfig", json!({"x": "x".repeat(1 << 20)}), 413),
        ("/metricSetPairList", json!({"a": 1}), 400),
        (
            "/metricSetPairList",
            json!([{"name": "a", "values": {"control": ["x"], "experiment": []}}]),
            400,
        ),
        ("/judges/judge?canaryConfigId=x", Value::Null, 400),
    ] {
        let answer = post(&bed, path, &body).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.text.contains("\"message\""), "{answer:?}");
    }
    // Without a Prometheus nothing can be fetched.
    let bed = Bed::start(Access::default()).await;
    let document = json!({"canaryConfig": config("c"), "executionRequest": request("a", "b")});
    let answer = post(&bed, "/canary", &document).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("prometheus.url"), "{answer:?}");
}

#[tokio::test]
async fn configs_are_kept_replaced_and_deleted() {
    let (bed, _) = bed_with_samples().await;
    let mut document = config("one");
    document["id"] = json!("kept");
    assert_eq!(
        post(&bed, "/canaryConfig", &document).await.json()["canaryConfigId"],
        "kept"
    );
    assert_eq!(
        post(&bed, "/canaryConfig", &document).await.status,
        400,
        "it exists"
    );
    assert_eq!(
        post(&bed, "/canaryConfig", &config("one")).await.status,
        400,
        "its name does"
    );
    document["description"] = json!("changed");
    assert_eq!(
        send(&bed, "PUT", "/canaryConfig/kept", &document)
            .await
            .status,
        200
    );
    assert_eq!(
        send(&bed, "PUT", "/canaryConfig/other", &document)
            .await
            .status,
        400
    );
    let shown = send(&bed, "GET", "/canaryConfig/kept", &Value::Null)
        .await
        .json();
    assert_eq!(shown["description"], "changed");
    assert_eq!(shown["configVersion"], "1", "what is not read is kept");
    assert_eq!(
        send(&bed, "DELETE", "/canaryConfig/kept", &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        send(&bed, "DELETE", "/canaryConfig/kept", &Value::Null)
            .await
            .status,
        404
    );
    let judges = send(&bed, "GET", "/judges", &Value::Null).await.json();
    assert_eq!(judges[0]["name"], "NetflixACAJudge-v1.0");
}

#[tokio::test]
async fn executions_are_bounded_and_only_trusted_callers_bring_configs() {
    let (bed, _) = bed_with_samples().await;
    let mut hanging = config("hangs");
    hanging["metrics"][0]["query"]["customInlineTemplate"] = json!("PromQL:hang");
    let document = json!({"canaryConfig": hanging, "executionRequest": request("a", "b")});
    for _ in 0..16 {
        assert_eq!(post(&bed, "/canary", &document).await.status, 200);
    }
    let answer = post(&bed, "/canary", &document).await;
    assert_eq!(answer.status, 503, "{answer:?}");

    let token = |text: &str| Some(Arc::new(Token::fixed(SecretString::from(text))));
    let access = Access {
        read: token("reads"),
        hook: token("reports"),
        ..Access::default()
    };
    let bed = Bed::start(access).await;
    for (method, path, reads) in [
        ("GET", "/canaryConfig", 200),
        ("GET", "/judges", 200),
        ("POST", "/canary/x", 404),
        ("POST", "/canaryConfig", 403),
        ("PUT", "/canaryConfig/x", 403),
        ("DELETE", "/canaryConfig/x", 403),
        ("POST", "/canary", 403),
    ] {
        let method: reqwest::Method = method.parse().expect("a method");
        let url = bed.url(&format!("/kayenta{path}"));
        let asked = || {
            bed.http
                .request(method.clone(), &url)
                .json(&request("a", "b"))
        };
        assert_eq!(read(asked()).await.status, 401, "{path}");
        assert_eq!(
            read(asked().bearer_auth("reads")).await.status,
            reads,
            "{path}"
        );
        // As Argo's provider can: it takes a URL alone.
        assert_eq!(
            read(asked().basic_auth("x", Some("reads"))).await.status,
            reads,
            "{path}"
        );
    }
}
