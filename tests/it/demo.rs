//! `recant demo` as it is: real services, real requests, and an outcome that follows from what was measured.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::program::recant;

const LIMIT: Duration = Duration::from_mins(1);

/// Runs the demo and checks what its last line promises to scripts.
fn check(fault: &str, seed: u32, outcome: &str) {
    let begun = Instant::now();
    let seed = seed.to_string();
    let arguments = ["demo", "--json", "--fault", fault, "--seed", &seed];
    let ran = recant(Path::new("."), &arguments, &[]);
    let took = begun.elapsed();
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let last = lines
        .last()
        .unwrap_or_else(|| panic!("nothing was printed; {}", ran.err));
    let case = format!("fault {fault}, seed {seed}, {took:?}: {last}");
    assert!(took < LIMIT, "{case}");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{case}");
    assert_eq!(last["outcome"], outcome, "{case}");

    let requests = last["requests"].as_u64().expect("a count");
    let bad = last["badAnswers"].as_u64().expect("a count");
    // 40 requests a second for ten seconds at least; a busy machine sends fewer.
    assert!(requests > 150 && bad < requests, "{case}");
    assert!(
        last["reason"]
            .as_str()
            .is_some_and(|text| text.contains("requests")),
        "{case}"
    );
    let time = |key: &str| -> Option<Timestamp> {
        let text = last
            .get(key)
            .unwrap_or_else(|| panic!("`{key}` is missing: {case}"));
        let text = text.as_str()?;
        Some(
            text.parse()
                .unwrap_or_else(|error| panic!("`{key}`: {error}: {case}")),
        )
    };
    let (first_bad, decided, restored) =
        (time("firstBadAnswer"), time("decided"), time("restored"));
    if outcome == "promoted" {
        assert!(restored.is_none() && decided.is_some(), "{case}");
    } else {
        assert!(bad > 0, "{case}");
        assert!(time("shipped") < first_bad, "{case}");
        assert!(first_bad < decided && decided < restored, "{case}");
    }
}

/// Three at once: they wait most of the time. More would be a test of the machine, whose every delay is measured.
#[test]
fn the_outcome_follows_from_the_fault() {
    std::thread::scope(|scope| {
        for (fault, outcome) in [
            ("errors", "rolledBack"),
            ("latency", "rolledBack"),
            ("none", "promoted"),
        ] {
            scope.spawn(move || {
                for seed in [1, 7] {
                    check(fault, seed, outcome);
                }
            });
        }
    });
}

#[test]
fn in_a_pipe_it_tells_the_story_without_escapes() {
    let ran = recant(
        Path::new("."),
        &["demo", "--seed", "3"],
        &[("TERM", "xterm")],
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
    let story = [
        "checkout:v1 runs",
        "somebody ships checkout:v2",
        "v2 is bad:",
        "rolling back to revision",
        "no pod of v2 serves any more",
        "v2 was rolled back: decided",
    ];
    let mut rest = ran.out.as_str();
    for part in story {
        let (_, after) = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("`{part}` is not told in its turn: {}", ran.out));
        rest = after;
    }
    assert!(rest.contains("requests got a bad answer"), "{}", ran.out);
}

#[test]
fn a_reader_who_goes_away_ends_it() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_recant"))
        .arg("demo")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let out = child.stdout.take().expect("its output is piped");
    let mut first = String::new();
    BufReader::new(out)
        .read_line(&mut first)
        .expect("its first line");
    assert!(first.contains("checkout:v1"), "{first}");
    // The pipe is closed here.
    let begun = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(err, "", "no panic, no complaint");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        output.status.code(),
        Some(1),
        "the story was not told to its end"
    );
}
