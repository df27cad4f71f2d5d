//! `recant judge`: the reference's vectors through the pipe, what is wrong with a line, and tables for people.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, recant};

const TOLERANCE: f64 = 1e-9;
/// Rules of one class each in the vectors.
const CLASSES: [&str; 10] = [
    "RatioLimit",
    "RatioCompare",
    "RatioLimitBeside",
    "QuantileLimit",
    "QuantileLimitBeside",
    "QuantileCompare",
    "GaugeLimit",
    "GaugeCompare",
    "EndlessLimit",
    "EndlessCompare",
];

fn judge(text: &str, arguments: &[&str]) -> Ran {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("series"), text).expect("it is written");
    let mut all = vec!["judge", "series"];
    all.extend_from_slice(arguments);
    recant(folder.path(), &all, &[])
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Both are the same but for the last digits of numbers.
fn same(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Number(_), Value::Number(_)) => {
            let (a, b) = (actual.as_f64(), expected.as_f64());
            a.zip(b)
                .is_some_and(|(a, b)| (a - b).abs() <= TOLERANCE * b.abs().max(1.0))
        }
        (a, b) => a == b,
    }
}

/// `times` lines for one entry `[times, arguments…]`.
fn entry(text: &mut String, entry: &Value, line: impl Fn(&[Value]) -> Value) -> u64 {
    let (times, arguments) = entry
        .as_array()
        .and_then(|entry| entry.split_first())
        .expect("times and arguments");
    let times = times.as_u64().expect("a number of times");
    for _ in 0..times {
        writeln!(text, "{}", line(arguments)).expect("it fits");
    }
    times
}

#[test]
fn every_vector_of_the_reference_comes_out_of_the_pipe() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/judge-vectors.json");
    let vectors: Value =
        serde_json::from_str(&fs::read_to_string(path).expect("the vectors")).expect("JSON");
    let mut text = String::new();
    // Which line of the answer has which value, and of which case.
    let mut expected: Vec<(u64, &Value, String)> = Vec::new();
    let mut answers = 0;
    for class in CLASSES {
        for case in list(&vectors, class) {
            let mut rule = case["params"].clone();
            rule["class"] = json!(class);
            writeln!(text, "{rule}").expect("it fits");
            for history in list(case, "warm") {
                entry(&mut text, history, |arguments| json!({"warm": arguments}));
            }
            for (update, expect) in list(case, "updates").iter().zip(list(case, "expect")) {
                answers += entry(&mut text, update, |arguments| json!(arguments));
                expected.push((answers, expect, format!("{class} {}", case["name"])));
            }
        }
    }
    for case in list(&vectors, "Analysis") {
        let analysis = json!({"rules": case["rules"], "weights": case["weights"],
            "alpha": case["alpha"], "beta": case["beta"]});
        writeln!(text, "{analysis}").expect("it fits");
        for (tick, expect) in list(case, "ticks").iter().zip(list(case, "expect")) {
            writeln!(text, "{tick}").expect("it fits");
            answers += 1;
            expected.push((answers, expect, format!("Analysis {}", case["name"])));
        }
    }
    let ran = judge(&text, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len() as u64, answers);
    assert!(answers > 15_000, "{answers}");
    for (answer, expected, name) in expected {
        let line = usize::try_from(answer)
            .ok()
            .and_then(|answer| lines.get(answer - 1));
        let line = line.expect("an answer for each tick");
        assert!(same(line, expected), "{name}: {line} instead of {expected}");
    }
}

#[test]
fn each_tick_is_answered_before_the_next_one_comes() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_recant"))
        .arg("judge")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let mut input = child.stdin.take().expect("its input");
    let output = child.stdout.take().expect("its output");
    let (send, answers) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            send.send(line.expect("text")).expect("somebody listens");
        }
    });
    writeln!(input, r#"{{"class": "RatioLimit", "p0": 0.01}}"#).expect("it reads");
    for (tick, state) in [("[0, 0]", "undecided"), ("[1000, 900]", "undecided")] {
        writeln!(input, "{tick}").expect("it reads");
        let answer = answers
            .recv_timeout(Duration::from_secs(30))
            .expect("an answer before the next tick");
        assert!(answer.contains(state), "{answer}");
    }
    drop(input);
    assert!(child.wait().expect("it ends").success());
    reader.join().expect("it read all");
}

#[test]
fn missing_numbers_are_ticks_without_traffic() {
    let ran = judge(
        "{\"class\": \"RatioLimit\", \"p0\": 0.01}\n[100, 1]\n\n[null, 3]\n[NaN, 3]\n[100, -Infinity]\nnull\n[100, -1]\n",
        &[],
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 6);
    assert!(
        lines.iter().all(|line| Some(line) == lines.first()),
        "{lines:?}"
    );
}

#[test]
fn a_wrong_line_is_named_and_those_before_it_are_answered() {
    let rule = "{\"class\": \"RatioLimit\", \"p0\": 0.01}\n";
    let compare = "{\"class\": \"RatioCompare\", \"psi0\": 1.5}\n";
    let analysis = "{\"rules\": [{\"class\": \"RatioLimit\", \"p0\": 0.01}]}\n";
    let mut said = String::new();
    for (text, answers) in [
        ("[1, 0]\n".to_owned(), 0),
        ("{\"p0\": 0.01}\n".to_owned(), 0),
        ("{\"class\": \"RatioLimits\", \"p0\": 0.01}\n".to_owned(), 0),
        ("{\"class\": \"RatioLimit\"}\n".to_owned(), 0),
        ("{\"class\": \"RatioLimit\", \"p0\": 1.5}\n".to_owned(), 0),
        (
            "{\"class\": \"RatioLimit\", \"p0\": 0.01, \"psi0\": 2}\n".to_owned(),
            0,
        ),
        (
            "{\"class\": \"RatioLimit\", \"p0\": 0.01, \"alhpa\": 0.01}\n".to_owned(),
            0,
        ),
        (
            "{\"class\": \"QuantileLimit\", \"q\": 0.9, \"limit\": 1, \"bounds\": [1, 1]}\n"
                .to_owned(),
            0,
        ),
        (
            "{\"class\": \"GaugeLimit\", \"limit\": 1, \"hold\": 5}\n{\"warm\": [1, 2]}\n"
                .to_owned(),
            0,
        ),
        (format!("{rule}[10, 0]\n[10, 0]\n[10, 0, 5]\n[10, 0]\n"), 2),
        (format!("{rule}[10, \"many\"]\n"), 0),
        (format!("{rule}10\n"), 0),
        (format!("{rule}[10, 0\n"), 0),
        (format!("{rule}{{\"warm\": [1]}}\n"), 0),
        (format!("{compare}[10, 0]\n"), 0),
        (format!("{analysis}[[10, 0]]\n[[10, 0], [10, 0]]\n"), 1),
        (
            "{\"rules\": [{\"class\": \"Beside\", \"of\": 0}]}\n".to_owned(),
            0,
        ),
        (
            "{\"rules\": [{\"class\": \"RatioLimit\", \"p0\": 0.1}], \"weights\": [1, 2]}\n"
                .to_owned(),
            0,
        ),
        (
            "{\"rules\": [{\"class\": \"RatioLimit\", \"p0\": 0.1}], \"alpha\": 7}\n".to_owned(),
            0,
        ),
        (format!("{rule}[10, 0]\n[{}]\n", " ".repeat(1 << 20)), 1),
    ] {
        let ran = judge(&text, &[]);
        assert_eq!(ran.code, 2, "{text:.200}");
        assert_eq!(ran.out.lines().count(), answers, "{text:.200}");
        said.push_str(&ran.err);
    }
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("judge__wrong_lines", said);
    });
    let ran = recant(Path::new("."), &["judge", "no-such-file"], &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("reading `no-such-file`"), "{}", ran.err);
}

/// A release of which `bad` of 100 requests fail from a tick on, beside a baseline with `base` of 100.
fn series(ticks: u32, from: u32, bad: u32, base: u32) -> String {
    let mut text = "time,canary_total,canary_bad,baseline_total,baseline_bad\n".to_owned();
    for tick in 0..ticks {
        let bad = if tick >= from {
            bad
        } else {
            u32::from(tick % 7 == 0)
        };
        writeln!(
            text,
            "12:{:02}:{:02},100,{bad},100,{base}",
            tick / 60,
            tick % 60
        )
        .expect("it fits");
    }
    text
}

#[test]
fn a_table_tells_people_what_happened() {
    let mut said = String::new();
    for (what, text, arguments) in [
        (
            "a fault after 90 ticks",
            series(200, 90, 30, 0),
            &["--csv", "--max", "1%", "--margin", "50%"][..],
        ),
        (
            "both arms bad",
            series(60, 0, 30, 30),
            &["--csv", "--max", "1%", "--margin", "50%"],
        ),
        (
            "a good release, with history",
            series(300, 300, 0, 0),
            &[
                "--csv",
                "--margin",
                "50%",
                "--plus",
                "0.5%",
                "--history",
                "60",
            ],
        ),
        (
            "one arm, semicolons, missing numbers",
            "total;bad\n50;0\n;\n40;\n60;1\n".to_owned(),
            &["--csv", "--max", "5%", "--all"],
        ),
    ] {
        let ran = judge(&text, arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{what}");
        let lines: Vec<&str> = ran.out.lines().map(str::trim_end).collect();
        writeln!(said, "== {what}\n{}", lines.join("\n")).expect("it fits");
    }
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("judge__tables", said);
    });
}

#[test]
fn a_wrong_table_is_refused_with_its_line() {
    let mut said = String::new();
    for (text, arguments) in [
        ("total,bad\n10,0\n", &["--csv"][..]),
        ("total,bad\n10,0\n", &["--csv", "--margin", "50%"]),
        ("requests,failures\n10,0\n", &["--csv", "--max", "1%"]),
        ("total,bad\n10,0\n10,few\n", &["--csv", "--max", "1%"]),
        ("total,bad\n10,0\n10\n", &["--csv", "--max", "1%"]),
        ("total,bad\n", &["--csv", "--max", "1%"]),
        ("", &["--csv", "--max", "1%"]),
        (
            "total,bad\n10,0\n",
            &["--csv", "--max", "1%", "--history", "5"],
        ),
        ("total,bad\n10,0\n", &["--csv", "--max", "100%"]),
        ("total,bad\n10,0\n", &["--csv", "--max", "0.01"]),
        ("total,bad\n10,0\n", &["--max", "1%"]),
    ] {
        let ran = judge(text, arguments);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{text} {arguments:?}"
        );
        said.push_str(&ran.err);
    }
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("judge__wrong_tables", said);
    });
}
