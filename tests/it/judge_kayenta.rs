//! `recant judge --kayenta` against the recorded answers of Kayenta's real judge, as a process with files and pipes.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, recant};

/// 401 random requests with the answers of the real judge.
fn recorded() -> Vec<Value> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/kayenta-differential.json");
    let text = fs::read_to_string(path).expect("it is in the checkout");
    serde_json::from_str(&text).expect("a JSON document")
}

/// A file with these lines, in a folder that lives as long as it is held.
fn file(lines: &[String]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("requests.jsonl");
    fs::write(&path, lines.join("\n")).expect("it can be written");
    (folder, path)
}

fn judge(lines: &[String]) -> Ran {
    let (folder, path) = file(lines);
    let path = path.to_str().expect("a plain path");
    recant(folder.path(), &["judge", "--kayenta", path], &[])
}

/// The same through a pipe.
fn judge_fed(input: &str) -> Ran {
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_recant"))
        .args(["judge", "--kayenta"])
        .env_clear()
        .write_stdin(input)
        .timeout(Duration::from_secs(70))
        .output()
        .expect("the program can be started");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

#[test]
fn every_recorded_request_gets_its_document_on_its_line() {
    let cases = recorded();
    let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
    let ran = judge(&lines);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let answers: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON document"))
        .collect();
    assert_eq!((cases.len(), answers.len()), (401, 401));
    let (mut whole, mut refused) = (0, 0);
    for (case, answer) in cases.iter().zip(&answers) {
        let expected = &case["expected"];
        if let Some(exception) = expected.get("exception") {
            refused += 1;
            assert_eq!(&answer["exception"], exception);
        } else if case["compare"] == "exact" {
            whole += 1;
            // Written and read back; the core's tests compare the bits.
            assert_eq!(answer, &expected["judgeResult"], "{}", case["id"]);
        } else {
            assert_eq!(answer["judgeName"], "NetflixACAJudge-v1.0");
        }
    }
    assert_eq!((whole, refused), (351, 2));
    // What is refused is also said to whoever looks at the screen.
    let said: Vec<&str> = ran.err.lines().collect();
    assert_eq!(said.len(), 2, "{}", ran.err);
    assert!(
        said.iter()
            .all(|line| line.starts_with("recant: line ") && line.contains("metric `m0`")),
        "{}",
        ran.err
    );

    let mut input = String::new();
    for line in &lines {
        // Blank lines and those of Windows make no difference.
        write!(input, "{line}\r\n\n").expect("a String takes everything");
    }
    let fed = judge_fed(&input);
    assert_eq!((fed.code, fed.out), (0, ran.out));
}

#[test]
fn a_line_that_is_no_request_is_named_and_ends_it() {
    let good = json!({
        "thresholds": {"pass": 95, "marginal": 75},
        "metrics": [{"name": "m", "groups": ["g"], "control": [1, 2], "experiment": [1, 2]}],
    });
    let broken = |path: &str, value: Value| {
        let mut line = good.clone();
        *line.pointer_mut(path).expect("it is there") = value;
        line.to_string()
    };
    for (line, words) in [
        ("{".to_owned(), "EOF"),
        ("[1]".to_owned(), "`thresholds`"),
        (
            json!({"metrics": []}).to_string(),
            "missing field `thresholds`",
        ),
        (
            broken("/metrics/0/control/1", json!(null)),
            "\"NaN\" for a missing one",
        ),
        (
            broken("/metrics/0/experiment/0", json!("12")),
            "string \"12\"",
        ),
        (broken("/thresholds/pass", json!("95")), "string \"95\""),
        (
            good.to_string().replace("[1,2]", "[1e999]"),
            "number out of range",
        ),
    ] {
        let ran = judge(&[good.to_string(), line.clone(), good.to_string()]);
        assert_eq!(
            (ran.code, ran.out.lines().count()),
            (2, 1),
            "{line}: {}",
            ran.err
        );
        for word in ["line 2 is no request", "column ", words] {
            assert!(ran.err.contains(word), "{line}: {}", ran.err);
        }
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let ran = recant(
        Path::new("."),
        &["judge", "--kayenta", "nowhere.jsonl"],
        &[],
    );
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("`nowhere.jsonl`"), "{}", ran.err);
}

#[test]
fn nothing_in_gives_nothing_out() {
    let ran = judge_fed("");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
}
