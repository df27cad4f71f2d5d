//! The recorded answers of the `prometheus` provider, as far as they need no client.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::oracle::{differ, json, report, set};
use crate::argo::json::Json;
use crate::argo::metric::Metric;
use crate::argo::provider::prometheus::Prometheus;
use crate::argo::provider::{Fault, Response};

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a time")
}

fn metric(case: &Value) -> Metric {
    let provider = Json::Object([("prometheus".to_owned(), json(&case["prometheus"]))].into());
    let condition = |name: &str| Json::String(text(&case[name]));
    Metric::of(&Json::Object(
        [
            ("name".to_owned(), Json::String("m".to_owned())),
            ("provider".to_owned(), provider),
            ("successCondition".to_owned(), condition("successCondition")),
            ("failureCondition".to_owned(), condition("failureCondition")),
        ]
        .into(),
    ))
    .expect("a metric")
}

fn faulty(fault: &Fault) -> Value {
    serde_json::json!({"phase": "Error", "value": "", "class": fault.class.name()})
}

/// A recorded time that is near the recording is `NOW` and a number of seconds.
fn time(recorded: &str) -> Value {
    let Some(offset) = recorded.strip_prefix("NOW") else {
        return recorded.parse::<f64>().expect("seconds").into();
    };
    let offset: i64 = offset.trim_start_matches('+').parse().expect("seconds");
    let time = now() + SignedDuration::from_secs(offset);
    (time.as_second() as f64).into()
}

fn run(case: &Value) -> (Option<Value>, Value) {
    let provider = match Prometheus::new(&metric(case), "") {
        Ok(provider) => provider,
        Err(fault) => return (None, faulty(&fault)),
    };
    let query = match provider.query(now()) {
        Ok(query) => query,
        Err(fault) => return (None, faulty(&fault)),
    };
    let address = provider
        .address
        .strip_prefix("http://STUB")
        .expect("the stub");
    let path = format!("{address}{}", query.path);
    let mut form = serde_json::Map::new();
    for (name, value) in &query.form {
        let value = match *name {
            "query" => Value::from(value.clone()),
            _ => value.parse::<f64>().expect("a number").into(),
        };
        form.insert((*name).to_owned(), value);
    }
    let asked = serde_json::json!({"path": path, "form": form});
    let responses = &case["responses"];
    let answer = responses.get(&path).unwrap_or(&responses["*"]);
    let body = text(&answer["body"]);
    let response = Response {
        status: u16::try_from(answer["status"].as_u64().unwrap_or(200)).expect("a status"),
        body: body.as_bytes(),
    };
    let measured = match provider.measured(&response, now()) {
        Ok(measured) => {
            let mut out =
                serde_json::json!({"phase": measured.phase.name(), "value": measured.value});
            if let Some(warnings) = measured.metadata.get("warnings") {
                out["warnings"] = warnings.clone().into();
            }
            out
        }
        Err(fault) => faulty(&fault),
    };
    (Some(asked), measured)
}

#[test]
fn every_recorded_answer_that_needs_no_client_is_the_same() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    let mut clients = 0;
    for case in set("prometheus") {
        let (id, group) = (text(&case["id"]), text(&case["group"]));
        let recorded = &case["measurement"];
        let class = text(&recorded["message"]["class"]);
        // Falling back to GET, redirects, deadlines and broken connections are the client's.
        let needs_client = matches!(
            group.as_str(),
            "get-fallback" | "redirect" | "slow-or-broken"
        ) || class == "connection";
        if needs_client {
            clients += 1;
            continue;
        }
        compared += 1;
        let (asked, measured) = run(&case);
        let mut expected =
            serde_json::json!({"phase": recorded["phase"], "value": text(&recorded["value"])});
        if !class.is_empty() {
            expected["class"] = class.into();
        }
        if let Some(warnings) = recorded["metadata"].get("warnings") {
            expected["warnings"] = warnings.clone();
        }
        differ(&format!("{group} {id}"), &measured, &expected, &mut wrong);
        if let Some(first) = case["requests"].get(0) {
            let mut form = serde_json::Map::new();
            for (name, value) in first["form"].as_object().expect("a form") {
                let value = match name.as_str() {
                    "query" => value.clone(),
                    "step" => text(value).parse::<f64>().expect("a number").into(),
                    _ => time(&text(value)),
                };
                form.insert(name.clone(), value);
            }
            let first = serde_json::json!({"path": first["path"], "form": form});
            let asked = asked.unwrap_or_default();
            differ(&format!("{group} {id} request"), &asked, &first, &mut wrong);
        }
    }
    report("prometheus, without a client", compared, &wrong);
    assert_eq!((compared, clients), (126, 8));
}
