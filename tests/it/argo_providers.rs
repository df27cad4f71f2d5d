//! All recorded answers of Argo's `web` and `prometheus` providers, asked by the real client of a loopback server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use recant::analysis::{Client, Driving, drive};
use recant::{clock, tls};
use recant_core::argo::json::{self, Json};
use recant_core::argo::run::{Run, RunSpec};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server saw.
type Seen = Arc<Mutex<Vec<Value>>>;

/// Reads one request whole: method, path and query, body.
async fn request(stream: &mut TcpStream) -> Option<(String, String, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length:")
                        .map(str::to_owned)
                })
                .and_then(|length| length.trim().parse::<usize>().ok())
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned();
                let mut words = head.split(' ');
                let method = words.next()?.to_owned();
                return Some((method, words.next()?.to_owned(), body));
            }
        }
        let read = stream.read(&mut buffer).await.ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
}

async fn serve(listener: TcpListener, responses: Value, seen: Seen) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            return;
        };
        let (responses, seen) = (responses.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let Some((method, target, body)) = request(&mut stream).await else {
                return;
            };
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let mut told = json!({"method": method, "path": path});
            if !query.is_empty() {
                told["query"] = query.into();
            }
            if !body.is_empty() {
                told["body"] = body.into();
            }
            seen.lock().expect("nobody panicked").push(told);
            let routes = [format!("{method} {path}"), path.to_owned(), "*".to_owned()];
            let missing = json!({"status": 404});
            let answer = routes
                .iter()
                .find_map(|route| responses.get(route))
                .unwrap_or(&missing);
            if let Some(delay) = answer["delayMs"].as_u64() {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            if answer["cut"] == "before" {
                return;
            }
            let status = answer["status"].as_u64().unwrap_or(200);
            let body = match answer["bodyBase64"].as_str() {
                Some(encoded) => {
                    use base64::Engine as _;
                    base64::engine::general_purpose::STANDARD
                        .decode(encoded)
                        .expect("base64")
                }
                None => answer["body"]
                    .as_str()
                    .unwrap_or_default()
                    .as_bytes()
                    .to_vec(),
            };
            let more = usize::from(answer["cut"] == "inside") * 10;
            let mut head = vec![
                format!("HTTP/1.1 {status} Recorded"),
                "Connection: close".to_owned(),
            ];
            if !matches!(status, 204 | 304) {
                head.push(format!("Content-Length: {}", body.len() + more));
            }
            for (name, value) in answer["headers"].as_object().into_iter().flatten() {
                head.push(format!("{name}: {}", value.as_str().unwrap_or_default()));
            }
            let head = head.join("\r\n") + "\r\n\r\n";
            drop(stream.write_all(&[head.as_bytes(), &body].concat()).await);
        });
    }
}

fn recordings(set: &str) -> Vec<Value> {
    let text = include_str!("../reference/argo-oracle.json");
    let mut all: Value = serde_json::from_str(text).expect("JSON");
    match all[set].take() {
        Value::Array(cases) => cases,
        other => panic!("{set}: {other}"),
    }
}

/// What became of one metric: the last measurement, and the requests.
async fn run(set: &str, case: &Value) -> (Value, Vec<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let stub = listener.local_addr().expect("an address").to_string();
    let seen: Seen = Arc::default();
    let server = tokio::spawn(serve(
        listener,
        case["responses"].clone(),
        Arc::clone(&seen),
    ));
    let mut metric = json!({
        "name": "m",
        "consecutiveErrorLimit": 0,
        "provider": {set: case[set]},
    });
    for name in ["successCondition", "failureCondition"] {
        if let Some(condition) = case.get(name) {
            metric[name] = condition.clone();
        }
    }
    let metric = json::parse(metric.to_string().replace("STUB", &stub).as_bytes()).expect("JSON");
    let mut run = Run::new(RunSpec {
        metrics: vec![metric],
        ..RunSpec::default()
    });
    let client = Client::new(None).expect("a client");
    drive(
        &mut run,
        &Driving::default(),
        &client,
        &clock::system(),
        &mut |_, _| {},
    )
    .await;
    server.abort();
    let status: Json = run.status.to_json();
    let measured = run
        .status
        .metric_results
        .first()
        .and_then(|it| it.measurements.last());
    let measured = measured.unwrap_or_else(|| panic!("nothing was measured: {status:?}"));
    let mut out = json!({"phase": measured.phase.name(), "value": measured.value});
    if let Some(warnings) = measured.metadata.get("warnings") {
        out["warnings"] = warnings.clone().into();
    }
    let seen = seen.lock().expect("nobody panicked").clone();
    (out, seen)
}

async fn compare(
    set: &str,
    differs: impl Fn(&Value) -> bool,
) -> (BTreeMap<&'static str, usize>, Vec<String>) {
    tls::install();
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in recordings(set) {
        let id = case["id"].as_str().expect("an id");
        if differs(&case) {
            *counts.entry("not spoken").or_default() += 1;
            continue;
        }
        let (measured, seen) = run(set, &case).await;
        if case["unstable"] == true {
            *counts.entry("unstable").or_default() += 1;
            continue;
        }
        *counts.entry("same").or_default() += 1;
        let recorded = &case["measurement"];
        let phase = match recorded["phase"].as_str() {
            // There the controller's process ends; ours tells why not.
            Some("PANIC") => "Error",
            Some(phase) => phase,
            None => "",
        };
        let mut expected =
            json!({"phase": phase, "value": recorded["value"].as_str().unwrap_or_default()});
        if let Some(warnings) = recorded["metadata"].get("warnings") {
            expected["warnings"] = warnings.clone();
        }
        if measured != expected {
            wrong.push(format!("{id}: {measured}, recorded {expected}: {case}"));
        }
        let recorded: Vec<&Value> = case["requests"].as_array().into_iter().flatten().collect();
        let same = |(seen, recorded): (&Value, &&Value)| {
            seen["method"] == recorded["method"]
                && seen["path"] == recorded["path"]
                && (set == "prometheus"
                    || seen["query"] == recorded["query"] && seen["body"] == recorded["body"])
        };
        // Go repeats a GET once on a connection that was closed before any answer.
        let repeated = recorded.len() == 2 && seen.len() == 1 && recorded[0] == recorded[1];
        let asked =
            seen.iter().zip(&recorded).all(same) && (repeated || seen.len() == recorded.len());
        if !asked {
            wrong.push(format!("{id}: asked {seen:?}, recorded {recorded:?}"));
        }
    }
    (counts, wrong)
}

#[tokio::test]
async fn every_recorded_answer_of_the_web_provider_is_the_same() {
    // OAuth2 is refused by name.
    let spoken = |case: &Value| {
        case["group"] == "oauth2" && case["web"]["authentication"].get("oauth2").is_some()
    };
    let (counts, wrong) = compare("web", spoken).await;
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let expected = BTreeMap::from([("not spoken", 5), ("same", 166), ("unstable", 2)]);
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn every_recorded_answer_of_the_prometheus_provider_is_the_same() {
    let (counts, wrong) = compare("prometheus", |_| false).await;
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(counts, BTreeMap::from([("same", 134)]));
}
