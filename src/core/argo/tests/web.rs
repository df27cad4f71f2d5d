//! The recorded answers of the `web` provider, as far as they need no client: those that need one are named.

use jiff::Timestamp;
use serde_json::Value;

use super::oracle::{differ, json, report, set};
use crate::argo::json::Json;
use crate::argo::metric::Metric;
use crate::argo::provider::web::Web;
use crate::argo::provider::{Fault, Response};

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn metric(case: &Value) -> Metric {
    let condition = |name: &str| text(&case[name]);
    let web = Json::Object([("web".to_owned(), json(&case["web"]))].into());
    Metric::of(&Json::Object(
        [
            ("name".to_owned(), Json::String("m".to_owned())),
            ("provider".to_owned(), web),
            (
                "successCondition".to_owned(),
                Json::String(condition("successCondition")),
            ),
            (
                "failureCondition".to_owned(),
                Json::String(condition("failureCondition")),
            ),
        ]
        .into(),
    ))
    .expect("a metric")
}

fn faulty(fault: &Fault) -> Value {
    let class = fault.class.name();
    // There the recorded code panics; ours is an Error and says why.
    let phase = if class == "panic" { "PANIC" } else { "Error" };
    serde_json::json!({"phase": phase, "value": "", "class": class})
}

/// The request without what the client adds, and the measurement.
fn run(case: &Value) -> (Option<Value>, Value) {
    let now = Timestamp::UNIX_EPOCH;
    let web = match Web::new(&metric(case)) {
        Ok(web) => web,
        Err(fault) => return (None, faulty(&fault)),
    };
    let request = match web.request() {
        Ok(request) => request,
        Err(fault) => return (None, faulty(&fault)),
    };
    let path = request.url.strip_prefix("http://STUB").expect("the stub");
    let path = path.split('#').next().unwrap_or_default();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let responses = &case["responses"];
    let answer = responses.get(path).unwrap_or(&responses["*"]);
    let status = answer["status"].as_u64().unwrap_or(200);
    let body = match answer.get("bodyBase64") {
        Some(encoded) => decoded(encoded.as_str().expect("a text")),
        None => text(&answer["body"]).into_bytes(),
    };
    let mut asked = serde_json::json!({"method": request.method, "path": path});
    if !query.is_empty() {
        asked["query"] = query.into();
    }
    if let Some(body) = &request.body {
        asked["body"] = body.clone().into();
    }
    let response = Response {
        status: u16::try_from(status).expect("a status"),
        body: &body,
    };
    let measured = match web.measured(&response, now) {
        Ok(measured) => {
            serde_json::json!({"phase": measured.phase.name(), "value": measured.value})
        }
        Err(fault) => faulty(&fault),
    };
    (Some(asked), measured)
}

fn decoded(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits: Vec<bool> = Vec::new();
    for digit in text.trim_end_matches('=').chars() {
        let value = alphabet.find(digit).expect("a digit");
        bits.extend((0..6).rev().map(|bit| value >> bit & 1 == 1));
    }
    bits.chunks_exact(8)
        .map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit)))
        .collect()
}

#[test]
fn every_recorded_answer_that_needs_no_client_is_the_same() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    let mut unstable = 0;
    let mut clients = 0;
    for case in set("web") {
        let id = text(&case["id"]);
        let group = text(&case["group"]);
        let recorded = &case["measurement"];
        let class = text(&recorded["message"]["class"]);
        // Redirects, deadlines, broken connections, addresses and OAuth2 are the client's.
        let needs_client = matches!(group.as_str(), "redirect" | "slow-or-broken")
            || group == "oauth2" && class != "oauth2"
            || group == "oauth2" && recorded["at"] != "construct"
            || matches!(class.as_str(), "bad-address" | "bad-request" | "connection");
        if needs_client {
            clients += 1;
            continue;
        }
        let (asked, measured) = run(&case);
        if case["unstable"].as_bool().unwrap_or(false) {
            // Go's order of fields is random; ours is one of those that were seen.
            unstable += 1;
            let seen = case["measurements"].as_array().cloned().unwrap_or_default();
            let fits = |one: &Value| {
                one["phase"] == measured["phase"] && one["value"] == measured["value"]
            };
            if measured["phase"] != "Successful" || !seen.is_empty() && !seen.iter().any(fits) {
                wrong.push(format!("{id}: {measured}"));
            }
            continue;
        }
        compared += 1;
        let mut expected =
            serde_json::json!({"phase": recorded["phase"], "value": text(&recorded["value"])});
        if !class.is_empty() {
            expected["class"] = class.into();
        }
        differ(&format!("{group} {id}"), &measured, &expected, &mut wrong);
        if let Some(mut first) = case["requests"].get(0).cloned() {
            let fields = first.as_object_mut().expect("a request");
            fields.remove("headers");
            let asked = asked.expect("it asked");
            differ(&format!("{group} {id} request"), &asked, &first, &mut wrong);
        }
    }
    report("web, without a client", compared, &wrong);
    assert_eq!((compared, unstable, clients), (144, 2, 27));
}
