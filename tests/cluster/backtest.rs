//! `recant backtest` against a real Prometheus that promtool filled with a history: what it says is, byte for byte, what
//! it says over the file.

#[path = "../it/backtest/written.rs"]
#[allow(
    dead_code,
    reason = "the tests over files use more of what can be written"
)]
mod written;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::bed::{Bed, Process};
use crate::case;
use crate::wait::wait_for;
use written::{RULES, half_a_day};

/// No replay of half a day takes longer.
const WITHIN: Duration = Duration::from_mins(1);

struct Ran {
    code: i32,
    out: String,
    err: String,
}

async fn backtest(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recant"));
    command
        .args(["backtest", "--rules", "rules.yaml"])
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .kill_on_drop(true);
    let output = tokio::time::timeout(WITHIN, command.output())
        .await
        .expect("it ends in time")
        .expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// A Prometheus that holds the history, and nothing else.
async fn filled(bed: &'static Bed, folder: &Path) -> (String, Process) {
    let data = folder.join("data");
    let made = Command::new(bed.binary("promtool"))
        .args(["tsdb", "create-blocks-from", "openmetrics", "history.om"])
        .arg(&data)
        .current_dir(folder)
        .kill_on_drop(true)
        .output();
    let made = tokio::time::timeout(WITHIN, made)
        .await
        .expect("promtool ends in time")
        .expect("promtool starts");
    assert!(made.status.success(), "{made:?}");
    let config = folder.join("prometheus.yml");
    std::fs::write(&config, "global: {scrape_interval: 15s}\n")
        .expect("the bed's folder is writable");
    let port = bed.free_port();
    let process = bed.process(
        "prometheus-backtest",
        &bed.binary("prometheus"),
        &[
            &format!("--config.file={}", config.display()),
            &format!("--storage.tsdb.path={}", data.display()),
            "--storage.tsdb.retention.time=20y",
            &format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=warn",
        ],
        &[],
    );
    let process = RefCell::new(process);
    let url = format!("http://127.0.0.1:{port}");
    wait_for("Prometheus to be ready", Duration::from_secs(30), || {
        let alive = process.borrow_mut().check();
        let asked = bed.http().get(format!("{url}/-/ready")).send();
        async move {
            if let Err(end) = alive {
                panic!("{end}");
            }
            let status = asked.await.map_err(|error| error.to_string())?.status();
            status.is_success().then_some(()).ok_or(status.to_string())
        }
    })
    .await;
    (url, process.into_inner())
}

fn folder(bed: &Bed) -> PathBuf {
    let folder = bed.folder("backtest");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).expect("the bed's folder is writable");
    };
    write("rules.yaml", RULES);
    write("history.om", &half_a_day());
    folder
}

#[test]
fn a_prometheus_and_a_file_with_the_same_samples_say_the_same() {
    case::run(async {
        let bed = Bed::get().await;
        let folder = folder(bed);
        let (url, mut process) = filled(bed, &folder).await;
        for format in [&[][..], &["--json"]] {
            let stretch = [
                "--from",
                "2026-01-01",
                "--to",
                "2026-01-01T12:00:00Z",
                "--bad",
                "c1b2c3",
            ];
            let all = |from: &[&'static str]| [from, &stretch, format].concat();
            let of_file = backtest(&folder, &all(&["--recorded", "history.om"])).await;
            assert_eq!((of_file.code, of_file.err.as_str()), (0, ""));
            assert!(of_file.out.contains("c1b2c3"), "{}", of_file.out);
            let mut asking = vec!["--prometheus", &url];
            asking.extend(all(&[]));
            let of_prometheus = backtest(&folder, &asking).await;
            assert_eq!((of_prometheus.code, of_prometheus.err.as_str()), (0, ""));
            assert_eq!(of_prometheus.out, of_file.out);
        }
        // Nobody answers: that is said, and nothing is guessed.
        process.kill();
        let ran = backtest(&folder, &["--prometheus", &url, "--days", "2"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{}", ran.err);
        let said = "recant: the history of Deployment shop/web cannot be read: Prometheus at `http://127.0.0.1:";
        assert!(ran.err.starts_with(said), "{}", ran.err);
    });
}

#[test]
fn expressions_are_replayed_where_a_prometheus_can_be_asked() {
    case::run(async {
        let bed = Bed::get().await;
        let folder = folder(bed);
        let rule = "- name: rate\n  promql: 'sum by (namespace, pod) (rate(http_requests_total{status=\"500\"}[2m]))'\n  max: 1\n---";
        std::fs::write(folder.join("rules.yaml"), RULES.replacen("---", rule, 1))
            .expect("the bed's folder is writable");
        let (url, _process) = filled(bed, &folder).await;
        let arguments = [
            "--from",
            "2026-01-01",
            "--to",
            "2026-01-01T12:00:00Z",
            "--json",
        ];
        let ran = backtest(
            &folder,
            &[&["--prometheus", url.as_str()][..], &arguments[..]].concat(),
        )
        .await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        let document: serde_json::Value =
            serde_json::from_str(&ran.out).expect("is a document of JSON");
        assert_eq!(document["leftOut"], serde_json::json!([]));
        let bad = &document["releases"][1];
        assert_eq!(bad["verdict"], "takenBack", "{bad}");
        let findings = bad["findings"].as_array().expect("a list");
        let mut rules = findings.iter().map(|finding| &finding["rule"]);
        assert!(rules.any(|rule| rule == "web/rate"), "{bad}");
    });
}
