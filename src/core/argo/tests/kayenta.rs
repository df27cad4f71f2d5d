//! The recorded answers of the `kayenta` provider: looked up, started, asked for once.

use jiff::Timestamp;
use serde_json::Value;

use super::oracle::{differ, report, set};
use crate::argo::json::Json;
use crate::argo::metric::Metric;
use crate::argo::provider::kayenta::{Kayenta, RESUME_AFTER};
use crate::argo::provider::{Fault, Request, Response};

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn object(fields: &[(&str, Json)]) -> Json {
    let field = |(name, value): &(&str, Json)| ((*name).to_owned(), value.clone());
    Json::Object(fields.iter().map(field).collect())
}

/// The metric that was recorded, with the thresholds of a case.
fn metric(case: &Value) -> Metric {
    let word = |text: &str| Json::String(text.to_owned());
    let number = |name: &str| Json::Number(case[name].as_f64().unwrap_or(0.0));
    let side = |scope: &str| {
        object(&[
            ("scope", word(scope)),
            ("region", word("r1")),
            ("step", Json::Number(60.0)),
            ("start", word("2026-01-01T00:00:00Z")),
            ("end", word("2026-01-01T01:00:00Z")),
        ])
    };
    let scope = object(&[
        ("name", word("default")),
        ("controlScope", side("app=web-stable")),
        ("experimentScope", side("app=web-canary")),
    ]);
    let kayenta = object(&[
        ("address", word("http://STUB")),
        ("application", word("app")),
        ("canaryConfigName", word("cfg")),
        ("metricsAccountName", word("ma")),
        ("configurationAccountName", word("ca")),
        ("storageAccountName", word("sa")),
        (
            "threshold",
            object(&[("pass", number("pass")), ("marginal", number("marginal"))]),
        ),
        ("scopes", Json::Array(vec![scope])),
    ]);
    Metric::of(&object(&[
        ("name", word("m")),
        ("provider", object(&[("kayenta", kayenta)])),
    ]))
    .expect("a metric")
}

fn faulty(fault: &Fault, id: Option<&str>) -> Value {
    let mut out = serde_json::json!({"phase": "Error", "class": fault.class.name()});
    if let Some(id) = id {
        out["metadata"] = serde_json::json!({"canaryExecutionId": id});
    }
    out
}

fn request(request: &Request) -> Value {
    let rest = request.url.strip_prefix("http://STUB").expect("the stub");
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    // The client escapes what stands in the address as it is.
    let path = path.replace('<', "%3C").replace('>', "%3E");
    let mut out = serde_json::json!({"method": request.method, "path": path});
    if !query.is_empty() {
        out["query"] = query.into();
    }
    if let Some(body) = &request.body {
        out["body"] = serde_json::from_str(body).expect("JSON");
    }
    out
}

/// What was asked, and the measurement after the start and after one poll.
fn run(case: &Value) -> (Vec<Value>, Value, Option<Value>) {
    let now = Timestamp::UNIX_EPOCH;
    let kayenta = Kayenta::new(&metric(case)).expect("a provider");
    let lookup = r#"[{"id":"other","name":"x"},{"id":"cfg-1","name":"cfg"}]"#;
    let start = r#"{"canaryExecutionId":"run-1"}"#;
    let poll = text(&case["poll"]);
    let answer = |name: &str, default: &str| {
        let answer = &case["responses"][name];
        let body = answer.get("body").map_or_else(
            || {
                if answer.is_object() {
                    String::new()
                } else {
                    default.to_owned()
                }
            },
            text,
        );
        (
            u16::try_from(answer["status"].as_u64().unwrap_or(200)).expect("a status"),
            body,
        )
    };
    let response = |(status, body): &(u16, String)| (*status, body.clone().into_bytes());
    let mut asked = vec![request(&kayenta.lookup().expect("a request"))];
    let (status, body) = response(&answer("lookup", lookup));
    let config = match kayenta.looked_up(&Response {
        status,
        body: &body,
    }) {
        Ok(config) => config,
        Err(fault) => return (asked, faulty(&fault, None), None),
    };
    asked.push(request(
        &kayenta.start(&config, None, now).expect("a request"),
    ));
    // Without an id the recorder's server took the start for a poll.
    let answered = if config.is_empty() {
        answer("poll", &poll)
    } else {
        answer("start", start)
    };
    let (status, body) = response(&answered);
    let id = match kayenta.started(&Response {
        status,
        body: &body,
    }) {
        Ok(id) => id,
        Err(fault) => return (asked, faulty(&fault, None), None),
    };
    let metadata = serde_json::json!({"canaryExecutionId": id});
    let started = serde_json::json!({
        "phase": "Running", "metadata": metadata, "resumeAfter": RESUME_AFTER.as_secs()
    });
    asked.push(request(&kayenta.poll(&id).expect("a request")));
    let (status, body) = response(&answer("poll", &poll));
    let polled = match kayenta.polled(&Response {
        status,
        body: &body,
    }) {
        Ok(Some(measured)) => serde_json::json!({
            "phase": measured.phase.name(), "value": measured.value, "metadata": metadata
        }),
        Ok(None) => started.clone(),
        Err(fault) => faulty(&fault, Some(&id)),
    };
    (asked, started, Some(polled))
}

fn expected(measurement: &Value) -> Value {
    let mut out = measurement.clone();
    if let Some(message) = measurement.get("message") {
        let class = message["class"].clone();
        let fields = out.as_object_mut().expect("a measurement");
        fields.remove("message");
        fields.insert("class".to_owned(), class);
    }
    out
}

#[test]
fn every_recorded_execution_goes_as_recorded() {
    let mut wrong = Vec::new();
    let cases = set("kayenta");
    for case in &cases {
        let id = text(&case["id"]);
        let (asked, started, polled) = run(case);
        differ(
            &format!("{id} started"),
            &started,
            &expected(&case["started"]),
            &mut wrong,
        );
        match (polled, case.get("polled")) {
            (Some(polled), Some(recorded)) => {
                differ(
                    &format!("{id} polled"),
                    &polled,
                    &expected(recorded),
                    &mut wrong,
                );
            }
            (None, None) => {}
            (polled, recorded) => wrong.push(format!("{id}: {polled:?} for {recorded:?}")),
        }
        if let Some(requests) = case["requests"].as_array() {
            for (asked, recorded) in asked.iter().zip(requests) {
                let mut recorded = recorded.clone();
                if let Some(body) = recorded["body"].as_str() {
                    recorded["body"] = serde_json::from_str(body).expect("JSON");
                }
                if recorded["body"].is_null() {
                    recorded.as_object_mut().expect("a request").remove("body");
                }
                differ(&format!("{id} request"), asked, &recorded, &mut wrong);
            }
        }
    }
    report("kayenta", cases.len(), &wrong);
    assert_eq!(cases.len(), 52);
}
