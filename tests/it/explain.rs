//! `recant explain` on journals that the real engine wrote: those of the tests of the shipped rules.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use recant::config::rules::load_files;
use recant::journal::file::FileJournal;
use recant::ruletest;
use recant_core::guard::{Guard, Hold};
use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, recant};

/// A folder with a journal, and the name of the watch in it.
struct Written {
    folder: TempDir,
    watch: String,
    writer: FileJournal,
}

/// What the engine wrote down during a test of the shipped rules.
fn written(set: &str, test: &str) -> Written {
    let rules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules");
    let files = ["", "_test"].map(|end| rules.join(format!("{set}{end}.yaml")));
    of_files(&files, test)
}

fn of_files(files: &[PathBuf], test: &str) -> Written {
    let (_, loaded) = load_files(files);
    let shown: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    let book = loaded.book.unwrap_or_else(|| panic!("{shown:#?}"));
    let test = loaded
        .tests
        .iter()
        .find(|known| known.name == test)
        .unwrap_or_else(|| panic!("{files:?} have no test {test}"));
    let outcome = ruletest::run(test, book.channels.values());
    assert_eq!(outcome.failures, []);
    let folder = TempDir::new().expect("a folder for the test");
    let (mut writer, _) =
        FileJournal::open(&folder.path().join("recant.journal")).expect("a new journal");
    for (at, record) in outcome.records {
        writer.append_all(at, &[record]).expect("there is room");
    }
    Written {
        folder,
        watch: test.watch.name.to_string(),
        writer,
    }
}

/// Tests begin then.
fn after(minutes: i64, seconds: i64) -> String {
    let begin = Timestamp::from_second(1_767_225_600).expect("a time of this century");
    (begin + SignedDuration::from_secs(60 * minutes + seconds)).to_string()
}

impl Written {
    fn explain(&self, arguments: &[&str]) -> Ran {
        recant(
            self.folder.path(),
            &[&["explain", &self.watch], arguments].concat(),
            &[],
        )
    }

    fn shown(&self, arguments: &[&str]) -> String {
        let ran = self.explain(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
        for line in ran.out.lines().filter(|line| line.starts_with("  against")) {
            assert!(line.contains('|') || line.contains("value"), "{line}");
            assert!(!line.contains("probab"), "{line}");
        }
        ran.out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.shown(&[&["--json"], arguments].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(format!("explain__{name}"), text);
    });
}

#[test]
fn a_release_that_failed_is_explained_at_any_time() {
    let written = written("http", "errors-are-taken-back");
    snapshot("fail", &written.shown(&[]));
    let json = written.json(&[]);
    assert_eq!(json["verdict"], "fail");
    let together = &json["together"];
    assert!(together["log"].as_f64() >= together["logNeeded"].as_f64());
    // What is seen once the bad revision is gone is not what it was decided on.
    assert_eq!(json["evidenceAt"], json["failed"]);
    let shares: f64 = json["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .filter_map(|rule| rule["share"].as_f64())
        .sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");

    let failed: Timestamp = json["failed"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a time");
    let before = (failed - SignedDuration::from_secs(1)).to_string();
    let before = written.json(&["--at", &before]);
    assert_eq!(before["verdict"], "undecided", "{before:#}");
    assert_eq!(before["failed"], Value::Null);
    assert!(before["together"]["log"].as_f64() < before["together"]["logNeeded"].as_f64());
    assert_eq!(before["plan"], Value::Null);
}

#[test]
fn a_good_release_tells_how_it_became_known_good() {
    let written = written("http", "a-good-release-passes");
    snapshot("pass", &written.shown(&[]));
    let begun = written.shown(&["--at", &after(5, 30)]);
    assert!(begun.contains("nothing was judged yet"), "{begun}");
    snapshot("undecided", &written.shown(&["--at", &after(6, 20)]));
    assert_eq!(written.json(&[])["verdict"], "pass");
}

#[test]
fn a_fault_that_the_baseline_shares_is_explained() {
    let written = written(
        "http",
        "an-outage-that-the-baseline-shares-is-not-taken-back",
    );
    let shown = written.shown(&[]);
    snapshot("shared", &shown);
    assert!(shown.starts_with("Undecided: "), "{shown}");
}

#[test]
fn a_quantile_is_explained() {
    let written = written("http", "slow-answers-are-taken-back");
    snapshot("slow", &written.shown(&[]));
}

#[test]
fn a_value_beyond_its_limit_has_no_odds() {
    let written = written("jvm", "a-heap-that-stays-full-is-taken-back");
    let shown = written.shown(&[]);
    snapshot("value", &shown);
    assert!(shown.contains("no odds"), "{shown}");
    assert!(!shown.contains("000 000"), "{shown}");
    assert_eq!(written.json(&[])["together"], Value::Null);
}

/// A release of which the pods run beside the old ones for twenty minutes, with 1.4 times their memory.
fn beside(decides: bool, expect: &str) -> Written {
    let values = |times: f64| {
        let of = |value: f64| format!("{:.0}", value * times * 1e6);
        let five = [100.0, 112.0, 96.0, 105.0, 91.0].map(of).join(" ");
        [five.as_str(); 24].join(" ")
    };
    let text = format!(
        "apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {{name: shop}}
rules:
- {{name: memory, gauge: heap_bytes, max: 1GiB, compare: {{margin: 20%, plus: 1MiB, decides: {decides}}}}}
---
apiVersion: recant.dev/v1alpha1
kind: Test
metadata: {{name: more-memory}}
watch: {{rules: [shop], release: {{watch: 30m}}}}
revisions: {{v1: [web-1], v2: [web-2, web-3]}}
releases: [{{revision: v2, at: 5m, completes: 25m}}]
series:
- {{series: 'heap_bytes{{pod=\"web-1\"}}', values: '{}'}}
- {{series: 'heap_bytes{{pod=\"web-2\"}}', values: '_x20 {}'}}
- {{series: 'heap_bytes{{pod=\"web-3\"}}', values: '_x20 {}'}}
expect:
- {expect}
",
        values(1.0),
        values(1.5),
        values(1.3)
    );
    let folder = TempDir::new().expect("a folder for the test");
    let file = folder.path().join("shop.yaml");
    std::fs::write(&file, text).expect("the file is written");
    of_files(&[file], "more-memory")
}

#[test]
fn a_value_beside_its_baseline_is_explained() {
    let told = beside(
        false,
        "{at: 24m, verdict: undecided, rules: {memory: within}, actions: []}",
    );
    snapshot("beside_told", &told.shown(&["--at", &after(24, 0)]));
    let decided = beside(
        true,
        "{at: 24m, verdict: fail, rules: {memory: failing}, actions: [rollback to v1]}",
    );
    let shown = decided.shown(&[]);
    snapshot("beside_decided", &shown);
    assert!(!shown.contains("no odds"), "{shown}");
    let json = decided.json(&[]);
    let compared = &json["rules"][0]["compared"];
    assert_eq!(compared["fails"], true, "{json:#}");
    assert!(
        json["together"]["oneIn"].as_f64() >= Some(100.0),
        "{json:#}"
    );
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let mut written = written("http", "errors-are-taken-back");
    let name = written.watch.split_once('/').expect("a name").1.to_owned();
    written.watch.clone_from(&name);
    written.shown(&[]);
    for (watch, arguments, words) in [
        (
            "nobody/there",
            &[][..],
            "knows no watch `nobody/there`; it tells of `",
        ),
        (
            &format!("{name}s"),
            &[],
            &format!("(did you mean `{name}`?)"),
        ),
        (
            &name,
            &["--at", "2025-12-31T00:00:00Z"],
            "begins at 2026-01-01T00:00:00Z",
        ),
        (
            &name,
            &["--at", &after(4, 0)],
            "the first one that the journal `recant.journal` tells of began at 2026-01-01T00:05",
        ),
        (&name, &["--at", "yesterday"], "`10m ago`"),
        (&name, &["--journal", "none"], "No such file"),
    ] {
        written.watch = watch.to_owned();
        let ran = written.explain(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(words), "{words}\n---\n{}", ran.err);
    }
    let empty = written.folder.path().join("empty.journal");
    drop(FileJournal::open(&empty).expect("a new journal"));
    written.watch = name;
    let ran = written.explain(&["--journal", "empty.journal"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("is empty"), "{}", ran.err);
}

#[test]
fn it_can_be_asked_beside_the_writer() {
    let mut written = written("http", "errors-are-taken-back");
    let before = written.shown(&[]);
    let started = Record::Started {
        version: "0.1.0".to_owned(),
    };
    let later: Timestamp = after(60, 0).parse().expect("a time");
    written
        .writer
        .append_all(later, &[started])
        .expect("nobody disturbs it");
    let now = written.shown(&[]);
    assert_eq!(before.lines().next(), now.lines().next());
}

/// What a guard says, as it may say it; a new guard has to be given its words here.
fn words_of(guard: Guard) -> &'static str {
    match guard {
        Guard::TooLittleData => "12 of 50 requests so far",
        Guard::NoData => "no pod exposes `http_requests_total`",
        Guard::SourceUnavailable => "Prometheus does not answer",
        Guard::BaselineAlsoBad => "the baseline is above its limit, too",
        Guard::SymptomGone => "no rule fails on fresh evidence",
        Guard::CoolDown => "the last action on it is 2 min old",
        Guard::ActionRate => "6 actions were taken within the last hour, the limit is 6",
        Guard::BlastRadius => "4 of 4 targets are being taken back",
        Guard::CircuitBreaker => "3 rollbacks in a row did not help",
        Guard::Flapping => "it was taken back 3 times within a day",
        Guard::ManyAtOnce => "5 releases failed within 5 min",
        Guard::Freeze => "everything is frozen by `ops` since 2026-01-01T09:00:00Z",
        Guard::Scope => "namespace `test` is none of those that it may act in",
        Guard::UnderWay => "a rollback of it is under way",
        Guard::ObjectChanged => "it was paused by somebody",
        Guard::DryRun => "setting `dryRun`",
        Guard::KillSwitch => "annotation `recant.dev/kill-switch` on namespace test",
        Guard::NoWayBack => "revision v1 is gone",
        Guard::Autoscaler => "HorizontalPodAutoscaler `test` belongs to somebody else",
        Guard::Silence => "silenced by `ops` in Alertmanager",
        Guard::GitOps => "Argo CD would revert it",
        Guard::Floor => "revision v1 is below the floor v2",
        Guard::Configuration => "ConfigMap `test-v1` is gone",
        Guard::Migration => "Job `migrate` is running",
        Guard::HeldByPerson => "it is held by `ops` since 2026-01-01T09:00:00Z",
        Guard::ActingReplica => "the acting replica has not granted it yet",
        Guard::Approval => "nobody has approved the rollback yet",
        Guard::Dependency => "Deployment test/database fails, too",
        Guard::Nodes => "2 of 3 nodes under its pods are not ready",
    }
}

/// In a journal that tells of it, each guard has a line with its name, its reason and its end.
#[test]
fn hazard_11_every_guard_that_holds_a_rollback_has_a_line() {
    let target = TargetId {
        namespace: "test".to_owned(),
        kind: TargetKind::Deployment,
        name: "test".to_owned(),
    };
    let until: Timestamp = after(90, 0).parse().expect("a time");
    let mut written = written("http", "errors-are-taken-back");
    // What was said of the release is there first: rule, numbers, limit, odds, what was done.
    let told = written.shown(&[]);
    for part in [
        "rule `http/error-rate`: broken since",
        "% of 600 events were bad",
        "the limit is 5 %",
        "1 in 686 if the release were fine; Fail at 1 in 100",
        "plan       2026-01-01T00:06:05Z: undo the Deployment to revision v1",
    ] {
        assert!(told.contains(part), "`{part}` is not in {told}");
    }
    let later: Timestamp = after(60, 0).parse().expect("a time");
    for guard in Guard::ALL {
        let hold = Hold {
            guard,
            rule: None,
            reason: words_of(guard).to_owned(),
            until: Some(until),
        };
        let target = target.clone();
        written
            .writer
            .append_all(later, &[Record::HoldBegan { target, hold }])
            .expect("there is room");
    }
    let shown = written.shown(&[]);
    let json = written.json(&[]);
    let holds = json["holds"].as_array().expect("holds");
    assert_eq!(holds.len(), Guard::ALL.len());
    for guard in Guard::ALL {
        let line = format!(
            "held       by guard \"{guard}\": {}, until {until:.0}",
            words_of(guard)
        );
        let lines = shown.lines().filter(|shown| **shown == line);
        assert_eq!(lines.count(), 1, "{line}\n---\n{shown}");
        let mut named = holds.iter();
        assert!(
            named.any(|hold| hold["reason"] == words_of(guard)),
            "{guard}"
        );
    }
    // What is over has no line any more.
    let hold = Hold {
        guard: Guard::Freeze,
        rule: None,
        reason: String::new(),
        until: None,
    };
    written
        .writer
        .append_all(later, &[Record::HoldEnded { target, hold }])
        .expect("there is room");
    assert!(!written.shown(&[]).contains("by guard \"freeze\""));
}
