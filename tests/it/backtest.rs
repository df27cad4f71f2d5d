//! `recant backtest` over recorded files, through the program.

pub(crate) mod written;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, recant};
use written::{BEGIN, RULES, Revision, Written, half_a_day};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A folder with rules and a recorded file.
struct Folder(TempDir);

impl Folder {
    fn new(recorded: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let folder = Self(folder);
        folder.write("rules.yaml", RULES);
        folder.write("history.om", recorded);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("the folder is writable");
    }

    fn names(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.path()).expect("the folder is there");
        let mut names: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        names.sort();
        names
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let all = [
            &[
                "backtest",
                "--rules",
                "rules.yaml",
                "--recorded",
                "history.om",
            ],
            arguments,
        ];
        recant(self.0.path(), &all.concat(), &[])
    }

    #[track_caller]
    fn shown(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        ran.out
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.shown(&[&["--json"], arguments].concat());
        serde_json::from_str(&text).expect("is a document of JSON")
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], part: &str) {
        let ran = self.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(ran.err.contains(part), "{} lacks {part:?}", ran.err);
    }
}

fn time(second: i64) -> String {
    jiff::Timestamp::from_second(BEGIN + second)
        .expect("in range")
        .to_string()
}

/// The verdict of each release.
fn verdicts(document: &Value) -> Vec<String> {
    let releases = document["releases"].as_array().expect("a list");
    let told =
        |release: &Value| format!("{} {}", text(release, "revision"), text(release, "verdict"));
    releases.iter().map(told).collect()
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or("nothing").to_owned()
}

#[test]
fn what_would_have_been_is_told_release_by_release() {
    let folder = Folder::new(&half_a_day());
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("backtest__half_a_day", folder.shown(&[]));
    });
}

#[test]
fn a_release_that_goes_bad_late_is_found_with_its_first_bad_sample() {
    let folder = Folder::new(&half_a_day());
    let document = folder.json(&["--bad", "c1b2c3,e1b2c3"]);
    assert_eq!(
        verdicts(&document),
        [
            "b1b2c3 pass",
            "c1b2c3 takenBack",
            "d1b2c3 pass",
            "e1b2c3 takenBack",
            "d1b2c3 returned",
            "f1b2c3 superseded",
            "g1b2c3 pass"
        ]
    );
    let bad = &document["releases"][1];
    assert_eq!(text(bad, "begin"), time(4 * HOUR));
    // The errors begin ten minutes later, and the first sample that shows them is of that second.
    assert_eq!(text(bad, "badSince"), time(4 * HOUR + 600));
    assert_eq!(text(bad, "rule"), "web/errors");
    assert_eq!(text(bad, "backTo"), "b1b2c3");
    let after = bad["afterSeconds"].as_f64().expect("a number");
    assert!((15.0..=60.0).contains(&after), "{after}");
    let canary = bad["canary"].as_f64().expect("a number");
    assert!(canary > 0.02 && canary <= 0.1, "{canary}");
    let findings = bad["findings"].as_array().expect("a list");
    assert_eq!(findings.len(), 2, "each rule says what it saw");
    let slow = &document["releases"][3];
    assert_eq!(text(slow, "rule"), "web/latency");
    assert_eq!(text(slow, "badSince"), time(8 * HOUR + 240));
    let alarms = &document["alarms"];
    assert_eq!(alarms["true"], 2);
    assert_eq!(alarms["false"], 0);
    assert_eq!(alarms["missed"], 0);
    assert_eq!(alarms["quiet"], 4);
}

#[test]
fn a_good_month_is_left_alone() {
    const NAMES: [&str; 31] = [
        "d00", "d01", "d02", "d03", "d04", "d05", "d06", "d07", "d08", "d09", "d10", "d11", "d12",
        "d13", "d14", "d15", "d16", "d17", "d18", "d19", "d20", "d21", "d22", "d23", "d24", "d25",
        "d26", "d27", "d28", "d29", "d30",
    ];
    let mut written = Written::new(60);
    written.requests = 1200.0;
    for (day, hash) in NAMES.iter().zip(0..).map(|(hash, day)| (day, hash)) {
        let begin = if day == 0 {
            0
        } else {
            (day - 1) * DAY + 10 * HOUR
        };
        let end = (day * DAY + 10 * HOUR + 60).min(30 * DAY);
        written.pods(Revision::good(hash, begin, end));
    }
    let folder = Folder::new(&written.text());
    let document = folder.json(&["--bad", "none"]);
    let passed: Vec<String> = NAMES[1..]
        .iter()
        .map(|name| format!("{name} pass"))
        .collect();
    assert_eq!(verdicts(&document), passed);
    let alarms = &document["alarms"];
    assert_eq!(
        (&alarms["false"], &alarms["quiet"]),
        (&0.into(), &30.into())
    );
    // The exact interval of no event in a month.
    let high = alarms["falsePerMonthHigh"].as_f64().expect("a number");
    assert!((high - 3.689).abs() < 0.01, "{high}");
    let hurry = folder.shown(&["--days", "10"]);
    assert!(
        hurry.starts_with(
            "In 10 days these rules would have taken back 0 of 10 releases; 10 passed.\n"
        ),
        "{hurry}"
    );
}

#[test]
fn holes_and_counters_that_begin_anew_are_no_faults() {
    let mut written = Written::new(15);
    written.hole = Some((2 * HOUR + 300, 2 * HOUR + 900));
    written.reset = Some(2 * HOUR + 1200);
    written.pods(Revision::good("aaaaa", 0, 2 * HOUR + 60));
    written.pods(Revision::good("bbbbb", 2 * HOUR, 4 * HOUR));
    let folder = Folder::new(&written.text());
    assert_eq!(verdicts(&folder.json(&[])), ["bbbbb pass"]);
}

#[test]
fn a_history_that_ends_too_early_says_so() {
    let mut written = Written::new(15);
    written.pods(Revision::good("aaaaa", 0, 2 * HOUR + 60));
    written.pods(Revision::good("bbbbb", 2 * HOUR, 2 * HOUR + 600));
    let folder = Folder::new(&written.text());
    assert_eq!(verdicts(&folder.json(&[])), ["bbbbb unfinished"]);
    let shown = folder.shown(&[]);
    assert!(shown.contains("1 not over at the end"), "{shown}");
    assert!(
        shown.contains("the history ends before its watch does"),
        "{shown}"
    );
    // Before the release there is nothing to judge.
    let shown = folder.shown(&["--to", &time(HOUR)]);
    assert!(shown.starts_with("No release was found in 1 h "), "{shown}");
}

#[test]
fn releases_that_people_know_of_are_taken_at_their_word() {
    let folder = Folder::new(&half_a_day());
    // Deployed half a minute before its first sample; the one that would be taken back was not bad, as they say.
    let begin = time(4 * HOUR - 30);
    let table = format!(
        "watch,revision,begin,end,bad\nweb,b1b2c3,{},,yes\nshop/web,c1b2c3,{begin},,no\n",
        time(2 * HOUR)
    );
    folder.write("releases.csv", &table);
    let arguments = ["--releases", "releases.csv"];
    let document = folder.json(&arguments);
    assert_eq!(verdicts(&document), ["b1b2c3 pass", "c1b2c3 takenBack"]);
    assert_eq!(text(&document["releases"][1], "begin"), begin);
    assert_eq!(document["alarms"]["false"], 1);
    assert_eq!(document["alarms"]["missed"], 1);
    let shown = folder.shown(&arguments);
    assert!(shown.contains("taken back (false alarm)"), "{shown}");
    assert!(shown.contains("passed (missed)"), "{shown}");
    assert!(
        shown.contains("0 of 1 bad release found; 1 false alarm, which is "),
        "{shown}"
    );
    for (table, part) in [
        ("", "it holds no release"),
        (
            "revision,begin\nx,2026-01-01\n",
            "line 1: the heading `revision,begin` has no column `watch`",
        ),
        (
            "watch,revision,begin\nwbe,x,2026-01-01\n",
            "line 2: there is no watch `wbe` among the rules: there are `shop/web`",
        ),
        (
            "watch,revision,begin\nweb,x,yesterday\n",
            "line 2: `yesterday` is no time: give a day like",
        ),
        (
            "watch,revision,begin\nweb,,2026-01-01\n",
            "line 2: it has no revision",
        ),
        (
            "watch,revision,begin,bad\nweb,x,2026-01-01,perhaps\n",
            "line 2: `perhaps` does not say whether it was bad",
        ),
        (
            "watch,revision,begin,end\nweb,x,2026-01-02,2026-01-01\n",
            "line 2: its end does not lie behind its begin",
        ),
        (
            "watch,revision,begin\nweb,x,2026-01-01\nweb,y,2026-01-01\n",
            "line 3: the watch `shop/web` has two releases at",
        ),
    ] {
        folder.write("releases.csv", table);
        folder.refused(&arguments, part);
    }
}

#[test]
fn series_without_pods_are_judged_by_releases_that_are_given() {
    let mut written = Written::new(15);
    written.pods(Revision {
        errors: 10.0,
        since: 2 * HOUR,
        ..Revision::good("aaaaa", 0, 4 * HOUR)
    });
    // One series for the whole service.
    let text: Vec<String> = written
        .text()
        .lines()
        .filter(|line| !line.contains("22222"))
        .map(|line| line.replace(",pod=\"web-aaaaa-11111\"", ""))
        .collect();
    let folder = Folder::new(&text.join("\n"));
    let shown = folder.shown(&[]);
    assert!(shown.starts_with("No release was found"), "{shown}");
    assert!(shown.contains("give its releases by --releases"), "{shown}");
    let table = format!("watch,revision,begin\nweb,v1.4.2,{}\n", time(2 * HOUR));
    folder.write("releases.csv", &table);
    let document = folder.json(&["--releases", "releases.csv"]);
    assert_eq!(verdicts(&document), ["v1.4.2 takenBack"]);
    assert_eq!(text_of(&document, "badSince"), time(2 * HOUR));
}

fn text_of(document: &Value, field: &str) -> String {
    text(&document["releases"][0], field)
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_line_and_repair() {
    let folder = Folder::new("");
    let good = "http_requests_total{pod=\"web-a-11111\"} 1 1767225600\n";
    for (text, part) in [
        (String::new(), "line 1: `# EOF` is missing"),
        (
            good.to_owned(),
            "line 1: `# EOF` is missing at the end: the file was cut off",
        ),
        (
            format!("{good}{good}# EOF\n"),
            "line 2: the series has a sample of 2026-01-01T00:00:00Z already",
        ),
        (
            format!("{good}http_requests_total{{pod=\"web-a-11111\"}} 2 1767225500\n# EOF\n"),
            "line 2: the sample is of 2025-12-31T23:58:20Z, which is before the one above it",
        ),
        (
            "http_requests_total 1\n# EOF\n".to_owned(),
            "line 1: the sample has no time: write it behind the value",
        ),
        (
            "http_requests_total 1 1767225600000\n# EOF\n".to_owned(),
            "line 1: the time 1767225600000 is in milliseconds, it seems: OpenMetrics has seconds",
        ),
        ("{\"json\": true}\n".to_owned(), "line 1: "),
        (
            "up 1 1767225600\n# EOF\n".to_owned(),
            "hold no sample of what the rules ask about: `http_request_duration_seconds_bucket`",
        ),
    ] {
        folder.write("history.om", &text);
        folder.refused(&[], part);
    }
    folder.write("history.om", &half_a_day());
    // The same file twice: its samples come again.
    folder.refused(
        &["--recorded", "history.om"],
        "give files in the order of time",
    );
    folder.refused(
        &["--recorded", "missing.om"],
        "reading the recorded file `missing.om`",
    );
}

#[test]
fn what_cannot_be_replayed_is_refused_or_left_out_visibly() {
    let folder = Folder::new(&half_a_day());
    let later = time(HOUR);
    folder.refused(&["--from", &later, "--to", &later], "must lie before --to");
    folder.refused(&["--from", "2020-01-01"], "more than 400 days");
    folder.refused(&["--step", "500ms"], "whole seconds");
    folder.refused(&["--bad", "zzzzz"], "no release of this revision was found");
    folder.refused(
        &["--prometheus", "http://127.0.0.1:1"],
        "cannot be used with",
    );
    let ran = recant(folder.0.path(), &["backtest", "--rules", "rules.yaml"], &[]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err
            .contains("give --prometheus URL, or --recorded FILE"),
        "{}",
        ran.err
    );
    let expression = "- name: queue\n  promql: 'sum(queue_length)'\n  max: 10\n---";
    folder.write("rules.yaml", &RULES.replacen("---", expression, 1));
    let shown = folder.shown(&["--bad", "none"]);
    let left = "The rule `web/queue` of the watch `shop/web` was left out: an expression takes a Prometheus to ask";
    assert!(shown.contains(left), "{shown}");
    assert!(shown.contains("taken back (false alarm)"), "{shown}");
}

#[test]
fn the_drawing_shows_every_release_and_nothing_else_is_written() {
    let folder = Folder::new(&half_a_day());
    folder.shown(&["--svg", "history.svg"]);
    let names: Vec<String> = folder
        .names()
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    assert_eq!(names, ["history.om", "history.svg", "rules.yaml"]);
    let drawn = fs::read_to_string(folder.0.path().join("history.svg")).expect("it was drawn");
    assert!(
        drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"),
        "{drawn}"
    );
    assert!(drawn.contains("prefers-color-scheme:dark"));
    assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
    for part in [
        "these rules would have taken back 2 of 6 releases",
        "c1b2c3: taken back, after ",
        "f1b2c3: superseded, after ",
        "d1b2c3: came back",
        "web/latency",
    ] {
        assert!(drawn.contains(part), "it lacks {part:?}");
    }
}
