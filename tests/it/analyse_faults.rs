//! `recant analyse` against servers that are down, hang, trickle, cut off, or answer far too much.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::program::recant;

const GOOD: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1767225600,"0.99"]}]}}"#;

fn answer(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends a byte at a time, for ever.
async fn trickle(stream: &mut TcpStream, byte: &[u8]) {
    while stream.write_all(byte).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn serve(mut stream: TcpStream) {
    let mut head = [0; 8192];
    let Ok(read) = stream.read(&mut head).await else {
        return;
    };
    let head = String::from_utf8_lossy(head.get(..read).unwrap_or_default()).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let written = match path.split('/').nth(1).unwrap_or_default() {
        "huge" => answer(&[b"\"", &vec![b'x'; 11 << 20][..], b"\""].concat()),
        "deep" => answer(&[vec![b'['; 9000], vec![b']'; 9000]].concat()),
        "deepest" => answer(&vec![b'['; 1 << 20]),
        "null" => answer(b"null"),
        "warned" => answer(
            GOOD.replacen('{', r#"{"warnings":["the store is incomplete"],"#, 1)
                .as_bytes(),
        ),
        "cut" => {
            let whole = answer(GOOD.as_bytes());
            whole.get(..whole.len() - 20).unwrap_or_default().to_vec()
        }
        "hanging" => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            return;
        }
        "slow-headers" => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ").await);
            return trickle(&mut stream, b"x").await;
        }
        "slow-body" => {
            drop(
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                    .await,
            );
            return trickle(&mut stream, b" ").await;
        }
        "long-headers" => {
            let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(4 << 20));
            long.into_bytes()
        }
        "no-http" => b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
        _ => answer(GOOD.as_bytes()),
    };
    drop(stream.write_all(&written).await);
}

/// Name, provider, and how its measurement has to end: the phase, and words of the message.
fn metrics(url: &str) -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let web = |path: &str| json!({"web": {"url": format!("{url}/{path}"), "timeoutSeconds": 1}});
    let prometheus = |path: &str| json!({"prometheus": {"address": format!("{url}/{path}"), "query": "up", "timeout": 1}});
    vec![
        ("web-huge", web("huge"), "Error", "more than 10 MiB"),
        ("web-deep", web("deep"), "Error", "more than 128 deep"),
        ("web-deepest", web("deepest"), "Error", "more than 128 deep"),
        ("web-null", web("null"), "Error", "null"),
        (
            "web-hanging",
            web("hanging"),
            "Error",
            "no answer within 1 s",
        ),
        (
            "web-slow-headers",
            web("slow-headers"),
            "Error",
            "no answer within 1 s",
        ),
        (
            "web-slow-body",
            web("slow-body"),
            "Error",
            "no answer within 1 s",
        ),
        (
            "web-long-headers",
            web("long-headers"),
            "Error",
            "no whole answer",
        ),
        ("web-no-http", web("no-http"), "Error", "no whole answer"),
        ("web-cut", web("cut"), "Error", "no whole answer"),
        (
            "prometheus-hanging",
            prometheus("hanging"),
            "Error",
            "no answer within 1 s",
        ),
        (
            "prometheus-slow-body",
            prometheus("slow-body"),
            "Error",
            "no answer within 1 s",
        ),
        (
            "prometheus-cut",
            prometheus("cut"),
            "Error",
            "no whole answer",
        ),
        (
            "prometheus-huge",
            prometheus("huge"),
            "Error",
            "more than 10 MiB",
        ),
        ("prometheus-deep", prometheus("deep"), "Error", "deep"),
        ("prometheus-warned", prometheus("warned"), "Successful", ""),
        (
            "prometheus-down",
            json!({"prometheus": {"address": "http://127.0.0.1:1", "query": "up"}}),
            "Error",
            "no whole answer",
        ),
    ]
}

#[tokio::test]
async fn a_server_that_fails_in_any_way_is_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let cases = metrics(&url);
    let written = |(name, provider, ..): &(&str, Value, &str, &str)| {
        let result = if name.starts_with("web") {
            "result != 0"
        } else {
            "result[0] > 0.9"
        };
        json!({"name": name, "consecutiveErrorLimit": 0, "successCondition": result, "provider": provider})
    };
    let metrics: Vec<Value> = cases.iter().map(written).collect();
    let run = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "faults"},
        "spec": {"metrics": metrics},
    });
    let begun = Instant::now();
    let ran = tokio::task::spawn_blocking(move || {
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("run.json"), run.to_string()).expect("it is written");
        recant(folder.path(), &["analyse", "run.json", "--json"], &[])
    })
    .await
    .expect("it ran");
    let took = begun.elapsed();
    server.abort();
    assert_eq!((ran.code, ran.err.as_str()), (4, ""), "{}", ran.out);
    // All are asked at once, each for one second at most.
    assert!(took < Duration::from_secs(15), "{took:?}");
    let status: Value = serde_json::from_str(&ran.out).expect("a status");
    let results = status["metricResults"].as_array().expect("results");
    assert_eq!(results.len(), cases.len());
    let mut wrong = Vec::new();
    for (result, (name, _, phase, words)) in results.iter().zip(&cases) {
        let measurement = &result["measurements"][0];
        let message = measurement["message"].as_str().unwrap_or_default();
        let fits = result["name"] == *name
            && measurement["phase"] == *phase
            && message.contains(words)
            && message.len() < 1000;
        if !fits {
            wrong.push(format!("{name}: {measurement}"));
        }
        if *name == "prometheus-warned" {
            let warned = measurement["metadata"]["warnings"]
                .as_str()
                .unwrap_or_default();
            assert!(warned.contains("the store is incomplete"), "{measurement}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn expressions_that_are_made_to_hang_end_as_errors_in_time() {
    let deep =
        |open: &str, close: &str| format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
    let hostile = [
        "all(1..900000, all(1..900000, # > 0))".to_owned(),
        "reduce(1..500000, concat(#acc, [#]), []) == []".to_owned(),
        "len(repeat(repeat(\"x\", 999), 999999)) > 0".to_owned(),
        "\"x\" matches \"(a{500}){500}\"".to_owned(),
        "filter(1..999999, len(filter(1..999999, true)) > 0) == []".to_owned(),
        deep("(", ")"),
        deep("[", "]"),
        deep("all(1..9, ", ")"),
        format!("true{}", " && true".repeat(100_000)),
        format!("result{}", "[0]".repeat(100_000)),
        "\u{0}\u{202e}\u{1f600}".to_owned(),
    ];
    let lines: Vec<String> = hostile
        .iter()
        .map(|condition| json!({"result": [1], "successCondition": condition}).to_string())
        .collect();
    let begun = Instant::now();
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_recant"))
        .args(["eval", "--lines"])
        .write_stdin(lines.join("\n"))
        .timeout(Duration::from_mins(1))
        .output()
        .expect("it runs");
    let took = begun.elapsed();
    assert!(output.status.success(), "{output:?}");
    let answers = String::from_utf8(output.stdout).expect("text");
    let classes: Vec<Value> = answers
        .lines()
        .map(|line| {
            assert!(line.len() < 4000);
            let answer: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(answer["phase"], "Error", "{line}");
            answer["error"]["class"].clone()
        })
        .collect();
    let mut expected = vec!["budget"; hostile.len()];
    expected[3] = "bad-regexp";
    expected[10] = "syntax";
    assert_eq!(classes, expected);
    assert!(took < Duration::from_secs(40), "{took:?}");
}
