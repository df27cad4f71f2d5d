//! `recant journal` on journals of every state: whole, cut off, changed, missing, and while somebody writes.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use recant::journal::file::FileJournal;
use recant_core::ids::TargetId;
use recant_core::record::Record;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, recant};

/// A release that is judged, rolled back and verified, as its records are on disk.
pub(crate) fn records() -> Vec<(i64, Record)> {
    let target = json!({"namespace": "shop", "kind": "Deployment", "name": "checkout"});
    let fence = json!({"target": target, "uid": "u", "judged": "bad1"});
    let finding = json!({
        "rule": "http/error-rate", "state": "failing",
        "canary": {"events": 94.0, "bad": 27.0, "value": 0.287}, "baseline": null, "since": null,
        "sentence": "`http/error-rate`: 28.7 % of 94 requests were bad, limit 1 %",
    });
    let told: [(i64, Value); 14] = [
        (0, json!({"record": "started", "version": "0.1.0"})),
        (
            1,
            json!({"record": "targetSeen", "target": target, "uid": "u", "stable": "good"}),
        ),
        (
            60,
            json!({"record": "analysisBegan", "analysis": {
                "id": "checkout-bad1-1", "watch": {"namespace": "shop", "name": "checkout"}, "target": target,
                "uid": "u", "canary": "bad1", "baseline": "good", "phase": "beside",
                "began": "2026-01-01T00:01:00Z", "firstTraffic": null, "promoted": null, "failed": null, "evidence": {},
            }}),
        ),
        (62, json!({"record": "firstTraffic", "target": target})),
        (
            65,
            json!({"record": "failed", "target": target, "analysis": "checkout-bad1-1", "findings": [finding],
            "wayBack": {"revision": "good", "knownGood": true}}),
        ),
        (
            65,
            json!({"record": "planBegan", "plan": {
                "id": "checkout-bad1-1-rollback", "analysis": "checkout-bad1-1", "fence": fence,
                "to": {"revision": "good", "knownGood": true},
                "steps": [{"step": "undoDeployment", "to": "good"}, {"step": "awaitRestored"}],
            }}),
        ),
        (
            65,
            json!({"record": "stepBegun", "plan": "checkout-bad1-1-rollback", "index": 0, "fence": fence,
            "step": {"step": "undoDeployment", "to": "good"}, "deadline": "2026-01-01T00:02:05Z"}),
        ),
        (
            65,
            json!({"record": "analysisEnded", "target": target, "analysis": "checkout-bad1-1", "revision": "bad1",
            "ending": {"verdict": "fail"}, "findings": [finding]}),
        ),
        (
            66,
            json!({"record": "stepEnded", "plan": "checkout-bad1-1-rollback", "index": 0, "result": "done"}),
        ),
        (
            70,
            json!({"record": "awaited", "plan": "checkout-bad1-1-rollback", "index": 1}),
        ),
        (
            70,
            json!({"record": "planEnded", "target": target, "plan": "checkout-bad1-1-rollback",
            "end": {"end": "done"}}),
        ),
        (
            75,
            json!({"record": "verificationEnded", "target": target, "end": {"verified": "gone"}, "findings": [finding]}),
        ),
        (
            900,
            json!({"record": "sourceLost", "source": "prometheus", "reason": "Prometheus answered 503"}),
        ),
        (960, json!({"record": "sourceBack", "source": "prometheus"})),
    ];
    told.into_iter()
        .map(|(second, record)| {
            let parsed = serde_json::from_value(record.clone());
            (
                second,
                parsed.unwrap_or_else(|error| panic!("{error}: {record}")),
            )
        })
        .collect()
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).expect("a time of this century")
}

pub(crate) fn written() -> (TempDir, PathBuf, FileJournal) {
    let folder = TempDir::new().expect("a folder for the test");
    let path = folder.path().join("recant.journal");
    let (mut journal, _) = FileJournal::open(&path).expect("a new journal");
    for (second, record) in records() {
        journal
            .append_all(at(second), &[record])
            .expect("there is room");
    }
    (folder, path, journal)
}

fn journal(folder: &TempDir, arguments: &[&str]) -> Ran {
    recant(folder.path(), &[&["journal"], arguments].concat(), &[])
}

#[test]
fn one_decision_is_one_paragraph_also_beside_the_writer() {
    let (folder, _, mut writer) = written();
    let ran = journal(&folder, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("journal__paragraphs", ran.out);
    });
    let gone = Record::TargetGone {
        target: TargetId {
            namespace: "shop".to_owned(),
            kind: recant_core::ids::TargetKind::Deployment,
            name: "checkout".to_owned(),
        },
    };
    writer
        .append_all(at(2000), &[gone])
        .expect("nobody disturbs it");
    let ran = journal(&folder, &[]);
    assert!(ran.out.contains("the object is gone"), "{}", ran.out);
}

#[test]
fn since_takes_what_began_then() {
    let (folder, _, _writer) = written();
    let ran = journal(&folder, &["--since", "2026-01-01T00:10:00Z"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.starts_with("2026-01-01T00:15:00Z"), "{}", ran.out);
    assert!(!ran.out.contains("bad1"), "{}", ran.out);
    let ran = journal(&folder, &["--since", "2030-01-01T00:00:00Z"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
}

#[test]
fn json_is_one_record_a_line() {
    let (folder, _, _writer) = written();
    let ran = journal(&folder, &["--json", "--since", "2026-01-01T00:01:05Z"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 10, "{}", ran.out);
    assert_eq!(lines[0]["record"]["record"], "failed");
    assert_eq!(lines[0]["at"], "2026-01-01T00:01:05Z");
}

#[test]
fn a_tail_that_was_cut_off_is_said() {
    let (folder, path, writer) = written();
    drop(writer);
    let bytes = fs::read(&path).expect("the journal");
    fs::write(&path, &bytes[..bytes.len() - 20]).expect("the same, shorter");
    let ran = journal(&folder, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("source Prometheus lost"), "{}", ran.out);
    assert!(!ran.out.contains("answers again"), "{}", ran.out);
    assert!(ran.err.contains("ends within a record"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
}

#[test]
fn what_stands_before_a_change_is_still_told() {
    let (folder, path, writer) = written();
    drop(writer);
    let text = fs::read_to_string(&path).expect("the journal");
    fs::write(&path, text.replace("answered 503", "answered 200")).expect("a forger's work");
    let ran = journal(&folder, &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("verdict: Fail"), "{}", ran.out);
    assert!(
        ran.err.contains("was changed after it was written"),
        "{}",
        ran.err
    );
    assert!(!ran.out.contains("answered 200"), "{}", ran.out);
}

#[test]
fn a_journal_that_is_none_is_named() {
    let folder = TempDir::new().expect("a folder for the test");
    let ran = journal(&folder, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("recant.journal"), "{}", ran.err);
    assert!(ran.err.contains("No such file"), "{}", ran.err);
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(folder.path().join("newer"))
        .expect("a file");
    file.write_all(b"recant-journal 7\n").expect("a header");
    let ran = journal(&folder, &["--journal", "newer"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("run a newer Recant"), "{}", ran.err);
    assert!(
        !folder.path().join("recant.journal").exists(),
        "reading makes no file"
    );
}

#[test]
fn an_incident_is_a_paragraph_of_its_own() {
    let target = json!({"namespace": "shop", "kind": "Deployment", "name": "checkout"});
    let workers = json!({"namespace": "shop", "kind": "Deployment", "name": "worker"});
    let change = json!({"target": workers, "uid": "w", "object": {"object": "workload"}, "from": 2, "to": 5});
    let finding = json!({
        "rule": "queue/depth", "state": "failing", "canary": {"events": 60.0, "bad": 12.0, "value": 140.0},
        "baseline": null, "since": "2026-01-01T00:00:40Z", "sentence": "`queue/depth`: 140, limit 100",
    });
    let rule = "queue/depth";
    let told = [
        (
            0,
            json!({"record": "targetSeen", "target": target, "uid": "u", "stable": "good"}),
        ),
        (
            60,
            json!({"record": "incidentBegan", "finding": finding, "incident": {
                "id": "i1", "watch": {"namespace": "shop", "name": "checkout"}, "target": target, "rule": rule,
                "scale": {"target": workers, "to": {"replicas": 5}, "ceiling": null, "undoAfter": null},
            }}),
        ),
        (
            61,
            json!({"record": "scalingHeld", "target": target, "rule": rule,
            "hold": {"guard": "killSwitch", "rule": rule, "reason": "the kill switch is on", "until": null}}),
        ),
        (
            90,
            json!({"record": "scalingBegan", "plan": {"id": "i1-scale", "incident": "i1", "target": target,
            "rule": rule, "change": change, "undo": false, "undoAfter": null, "notes": []}}),
        ),
        (
            90,
            json!({"record": "stepBegun", "plan": "i1-scale", "index": 0, "target": workers, "uid": "w",
            "object": {"object": "workload"}, "from": 2, "to": 5, "deadline": "2026-01-01T00:02:30Z"}),
        ),
        (
            91,
            json!({"record": "stepEnded", "plan": "i1-scale", "index": 0, "result": "done"}),
        ),
        (
            95,
            json!({"record": "targetSeen", "target": target, "uid": "u2", "stable": "good"}),
        ),
        (
            99,
            json!({"record": "scalingEnded", "target": target, "rule": rule, "undo": false, "end": {"scaled": "done"}}),
        ),
        (
            400,
            json!({"record": "incidentEnded", "target": target, "rule": rule, "incident": "i1",
            "end": {"ended": "recovered", "sentence": "`queue/depth`: 12, limit 100"}}),
        ),
    ];
    let folder = TempDir::new().expect("a folder for the test");
    let path = folder.path().join("recant.journal");
    let (mut writer, _) = FileJournal::open(&path).expect("a new journal");
    for (second, record) in told {
        let record: Record = serde_json::from_value(record).expect("a record");
        writer
            .append_all(at(second), &[record])
            .expect("there is room");
    }
    let ran = journal(&folder, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let paragraphs: Vec<&str> = ran.out.trim().split("\n\n").collect();
    let incident = paragraphs
        .iter()
        .find(|paragraph| paragraph.contains("rule `queue/depth` is broken"))
        .unwrap_or_else(|| panic!("{}", ran.out));
    for line in [
        "incident `i1` of watch `shop/checkout`",
        "what is to be done: scale Deployment shop/worker to 5 replicas",
        "the scaling is held by guard \"kill switch\"",
        "decided: act; plan `i1-scale`: scale Deployment shop/worker from 2 to 5 replicas",
        "step 1 begins: scale Deployment shop/worker from 2 to 5 replicas",
        "step 1 done",
        "the scaling is done",
        "the incident is over",
        "`queue/depth`: 12, limit 100",
    ] {
        assert!(incident.contains(line), "{line}\n---\n{}", ran.out);
    }
}

#[test]
fn verify_says_what_is_there_and_finds_a_change_a_gap_and_a_cut() {
    let (folder, path, writer) = written();
    drop(writer);
    let whole = fs::read_to_string(&path).expect("the journal");
    let ran = journal(&folder, &["verify"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    let last = whole.lines().count() - 2;
    assert!(
        lines[0].starts_with(&format!(
            "recant.journal: records 0 to {last}, from 2026-01-01T00:00:00Z to 2026-01-01T00:16:00Z: "
        )),
        "{}",
        ran.out
    );
    let head = lines[1].strip_prefix("head ").expect("the head").to_owned();
    let verify = |text: &str, head: &str| {
        fs::write(&path, text).expect("a forger's work");
        let ran = journal(&folder, &["verify", "--head", head]);
        (ran.code, ran.err)
    };
    assert_eq!(verify(&whole, &head), (0, String::new()));
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let without = |left_out: usize| {
        let kept = lines
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != left_out);
        kept.map(|(_, line)| *line).collect::<String>()
    };
    // The first line is the header.
    let cut = lines[..lines.len() - 2].concat();
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    for (text, said) in [
        (
            whole.replace("answered 503", "answered 200"),
            "its bytes do not fit their hash",
        ),
        (
            without(5),
            "record 4 is missing, and so is everything up to record 5",
        ),
        (swapped.concat(), "record 2 is missing"),
        (cut, "was cut off: its last record is"),
        (lines[0].to_owned(), "is empty, and held record"),
        (
            format!("{}{}", whole, lines[3]),
            "does not fit the one before it",
        ),
    ] {
        let (code, error) = verify(&text, &head);
        assert!(code == 2 && error.contains(said), "{said}: {code} {error}");
    }
    // A chain that was made anew from some record on holds in itself; beside what was known it does not.
    drop(fs::remove_file(&path));
    let (mut writer, _) = FileJournal::open(&path).expect("a new journal");
    for (second, record) in records() {
        writer
            .append_all(at(second + 1), &[record])
            .expect("there is room");
    }
    drop(writer);
    let anew = fs::read_to_string(&path).expect("the journal");
    let (code, error) = verify(&anew, &head);
    assert!(code == 2 && error.contains("was written anew"), "{error}");
    // Beside a record that is just being written.
    let (code, error) = verify(&format!("{whole}12"), &head);
    assert_eq!((code, error.as_str()), (0, ""));
    let ran = journal(&folder, &["verify", "--head", "41"]);
    assert!(
        ran.code == 2 && ran.err.contains("is no head"),
        "{}",
        ran.err
    );
}
