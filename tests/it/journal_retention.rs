//! `recant journal export`, `recant journal verify` after retention, and `recant replay`: what an auditor has of a journal.

use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use recant::journal::file::FileJournal;
use recant::journal::retain::Retention;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::journal_command::{at, written};
use crate::program::{Ran, recant};

fn run(folder: &TempDir, arguments: &[&str]) -> Ran {
    recant(folder.path(), arguments, &[])
}

fn lines(ran: &Ran) -> Vec<Value> {
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    ran.out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn kinds(section: &Value) -> Vec<&str> {
    let items = section.as_array().expect("a list").iter();
    items
        .map(|item| item["record"]["record"].as_str().expect("its kind"))
        .collect()
}

#[test]
fn export_gives_each_decision_as_one_line() {
    let (folder, _, _writer) = written();
    let all = lines(&run(&folder, &["journal", "export"]));
    let decisions: Vec<&Value> = all
        .iter()
        .filter(|line| !line["correlation"].is_null())
        .collect();
    assert_eq!(decisions.len(), 1, "{all:?}");
    let decision = decisions[0];
    assert_eq!(decision["correlation"], "checkout-bad1-1");
    assert_eq!(decision["target"]["name"], "checkout");
    assert_eq!(decision["complete"], true);
    assert_eq!(
        kinds(&decision["course"]),
        ["analysisBegan", "firstTraffic"]
    );
    assert_eq!(kinds(&decision["evidence"]), ["failed", "analysisEnded"]);
    assert_eq!(kinds(&decision["plan"]), ["planBegan"]);
    assert_eq!(
        kinds(&decision["steps"]),
        ["stepBegun", "stepEnded", "awaited"]
    );
    assert_eq!(
        kinds(&decision["outcome"]),
        ["planEnded", "verificationEnded"]
    );
    let finding = &decision["evidence"][0]["record"]["findings"][0]["sentence"];
    assert!(finding.as_str().expect("a sentence").contains("28.7 %"));
    assert_eq!(decision["evidence"][0]["sequence"], 4);
    // What belongs to no decision is not lost.
    let others: Vec<&str> = all
        .iter()
        .filter(|line| line["correlation"].is_null())
        .flat_map(|line| kinds(&line["course"]))
        .collect();
    assert_eq!(
        others,
        ["started", "targetSeen", "sourceLost", "sourceBack"]
    );
}

#[test]
fn export_takes_a_time_and_a_target() {
    let (folder, _, _writer) = written();
    let count = |arguments: &[&str]| {
        let arguments = [&["journal", "export"], arguments].concat();
        lines(&run(&folder, &arguments)).len()
    };
    assert_eq!(count(&["--target", "shop/checkout"]), 2);
    assert_eq!(
        count(&["--target", "checkout", "--since", "2026-01-01T00:01:15Z"]),
        1
    );
    assert_eq!(count(&["--target", "other"]), 0);
    assert_eq!(count(&["--since", "2026-01-01T00:10:00Z"]), 2);
    assert_eq!(count(&["--until", "2026-01-01T00:00:30Z"]), 2);
    let wrong = run(&folder, &["journal", "export", "--since", "yesterday"]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.err.contains("write a time with its zone"),
        "{}",
        wrong.err
    );
}

#[test]
fn verify_holds_over_retention() {
    let (folder, path, mut journal) = written();
    let before = run(&folder, &["journal", "verify"]);
    let head = before.out.lines().last().expect("the head");
    let head = head.strip_prefix("head ").expect("a head").to_owned();
    let keep = Some(SignedDuration::from_mins(10));
    let retention = Retention {
        keep,
        bytes: u64::MAX,
    };
    assert!(journal.retain_now(at(1000), &retention).expect("room"));
    let ran = run(&folder, &["journal", "verify", "--head", &head]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(
        ran.out.contains("records 12 to 14, ")
            && ran.out.contains(
                "records 0 to 11, from 2026-01-01T00:00:00Z to 2026-01-01T00:01:15Z, were dropped"
            ),
        "{}",
        ran.out
    );
    let old = format!("3:{}", "0".repeat(64));
    let ran = run(&folder, &["journal", "verify", "--head", &old]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("was dropped by retention"), "{}", ran.err);
    let forged = format!("11:{}", "0".repeat(64));
    let ran = run(&folder, &["journal", "verify", "--head", &forged]);
    assert!(
        ran.err.contains("is not the one that was there before"),
        "{}",
        ran.err
    );
    let ran = run(&folder, &["journal"]);
    assert!(
        ran.err.contains("records 0 to 11 of the journal"),
        "{}",
        ran.err
    );
    assert!(ran.out.contains("answers again"), "{}", ran.out);

    let text = fs::read_to_string(&path).expect("the journal");
    fs::write(&path, text.replacen("bad1", "bad2", 1)).expect("a forger's work");
    let changed = run(&folder, &["journal", "verify"]);
    assert_eq!(changed.code, 2, "{}", changed.out);
    assert!(
        changed
            .err
            .contains("the place of records that were dropped"),
        "{}",
        changed.err
    );
}

fn snapshot(path: &Path, current: &str) {
    let target = json!({"namespace": "shop", "kind": "Deployment", "name": "checkout"});
    let document = json!({
        "at": "2026-01-01T00:30:00Z",
        "targets": [{
            "target": target, "seen": true, "current": current, "standing": {"failed": {"at": "2026-01-01T00:01:05Z"}}, "failed": "bad1",
            "analysis": null, "plan": null, "verifying": false, "holds": [], "rulesWithoutData": [], "always": [],
        }],
        "lostSources": [], "alerts": [], "silences": [],
    });
    fs::write(path, document.to_string()).expect("a snapshot");
}

#[test]
fn replay_says_where_a_journal_leads_and_what_a_snapshot_says_differently() {
    let (folder, path, mut journal) = written();
    let ran = run(&folder, &["replay", "recant.journal"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("14 records folded"), "{}", ran.out);
    assert!(
        ran.out.contains("Deployment shop/checkout: at revision "),
        "{}",
        ran.out
    );

    let shown = folder.path().join("snapshot.json");
    snapshot(&shown, "bad1");
    let ran = run(
        &folder,
        &["replay", "recant.journal", "--snapshot", "snapshot.json"],
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("says the same"), "{}", ran.out);
    snapshot(&shown, "another");
    let ran = run(
        &folder,
        &["replay", "recant.journal", "--snapshot", "snapshot.json"],
    );
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(
        ran.out
            .contains("/targets/checkout/current: the journal leads to"),
        "{}",
        ran.out
    );

    // As it was in the middle of the rollback, and the same after records were dropped.
    let middle = [
        "replay",
        "recant.journal",
        "--until",
        "2026-01-01T00:01:06Z",
    ];
    let ran = run(&folder, &middle);
    assert!(
        ran.out
            .contains("plan checkout-bad1-1-rollback at step 2 of 2"),
        "{}",
        ran.out
    );
    let state = |folder: &TempDir| run(folder, &["replay", "recant.journal", "--json"]).out;
    let before = state(&folder);
    let keep = Some(SignedDuration::from_mins(10));
    let retention = Retention {
        keep,
        bytes: u64::MAX,
    };
    assert!(journal.retain_now(at(1000), &retention).expect("room"));
    assert_eq!(state(&folder), before);
    let ran = run(&folder, &middle);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("were dropped by retention"), "{}", ran.err);
    drop(journal);
    let (_, recovery) = FileJournal::open(&path).expect("it is as it should be");
    assert_eq!(recovery.dropped_bytes, 0);
}
