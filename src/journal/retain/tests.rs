#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use std::fs;

use proptest::prelude::*;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::ledger::Ledger;
use recant_core::rule::SourceKind;
use tempfile::TempDir;

use super::*;
use crate::journal::file::FileJournal;
use crate::journal::frame::Break;
use crate::journal::{Entry, Journal as _};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn target(number: u64) -> TargetId {
    TargetId {
        namespace: "shop".to_owned(),
        kind: TargetKind::Deployment,
        name: format!("app{number}"),
    }
}

/// Something that changes the lasting state, each time in another way.
fn record(number: u64) -> Record {
    match number % 4 {
        0 | 1 => Record::TargetSeen {
            target: target(number % 7),
            uid: format!("uid-{number}"),
            stable: "good".into(),
            unready: false,
        },
        2 => Record::SourceLost {
            source: SourceKind::Prometheus,
            reason: format!("reason {number}"),
        },
        _ => Record::TargetGone {
            target: target(number % 5),
        },
    }
}

/// One record every ten seconds.
fn written(count: u64) -> (TempDir, PathBuf, FileJournal) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (mut journal, _) = FileJournal::open(&path).unwrap();
    for number in 0..count {
        let second = i64::try_from(number * 10).unwrap();
        journal.append(at(second), &[record(number)]).unwrap();
    }
    (folder, path, journal)
}

fn entries(path: &Path) -> Vec<Entry<Record>> {
    read::<Record>(path).unwrap().map(Result::unwrap).collect()
}

fn fold(path: &Path) -> Ledger {
    let mut entries = read::<Record>(path).unwrap();
    let mut ledger = entries.ledger().unwrap();
    for entry in &mut entries {
        let entry = entry.unwrap();
        ledger.apply(entry.at, &entry.record);
    }
    ledger
}

fn reopen(path: &Path) -> Result<FileJournal, JournalError> {
    // A child that another test starts holds copies of all locks for a moment.
    for _ in 0..500 {
        match FileJournal::open(path) {
            Err(JournalError::Locked { .. }) => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            result => return result.map(|(journal, _)| journal),
        }
    }
    panic!("the journal stays locked")
}

fn younger_than(seconds: i64) -> Retention {
    Retention {
        keep: Some(SignedDuration::from_secs(seconds)),
        bytes: u64::MAX,
    }
}

#[test]
fn what_is_dropped_leaves_its_state_and_its_hash() {
    let (_folder, path, mut journal) = written(40);
    let before = entries(&path);
    let (state, text) = (fold(&path), fs::read_to_string(&path).unwrap());
    assert!(journal.retain_now(at(400), &younger_than(101)).unwrap());

    let after = entries(&path);
    assert_eq!(fold(&path), state);
    assert_eq!(after[..10], before[30..], "what is kept is as it was");
    let Record::Compacted {
        through,
        from,
        until,
        last,
        ..
    } = &after[10].record
    else {
        panic!("{:?}", after[10]);
    };
    assert_eq!((*through, *from, *until), (29, at(0), at(290)));
    assert_eq!(after[0].previous, *last, "the chain goes on");
    let shorter = fs::read_to_string(&path).unwrap();
    assert!(shorter.starts_with("recant-journal 2\n"), "{shorter}");
    let kept: Vec<&str> = text.lines().skip(31).collect();
    assert!(shorter.contains(&kept.join("\n")), "byte for byte");

    // It is written on, by the same process and by the next, which drops more.
    journal.append(at(401), &[record(40)]).unwrap();
    assert!(matches!(
        FileJournal::open(&path),
        Err(JournalError::Locked { .. })
    ));
    drop(journal);
    let mut journal = reopen(&path).unwrap();
    journal.append(at(402), &[record(41)]).unwrap();
    let state = fold(&path);
    assert!(journal.retain_now(at(800), &younger_than(10)).unwrap());
    assert_eq!(fold(&path), state);
    let base = read::<Record>(&path).unwrap();
    let dropped = &base.base().unwrap().dropped;
    assert_eq!((dropped.through, dropped.from), (42, at(0)));
    assert_eq!(entries(&path).len(), 1, "only that something was dropped");
    drop(journal);
    drop(reopen(&path).unwrap());
}

#[test]
fn a_long_file_becomes_half_as_long_as_it_may_be() {
    let (_folder, path, mut journal) = written(400);
    let state = fold(&path);
    let bytes = 40_000;
    let retention = Retention { keep: None, bytes };
    assert!(fs::metadata(&path).unwrap().len() > bytes);
    assert!(journal.retain_now(at(4000), &retention).unwrap());
    let length = fs::metadata(&path).unwrap().len();
    assert!((10_000..24_000).contains(&length), "{length}");
    assert_eq!(fold(&path), state);
    assert!(!journal.retain_now(at(4001), &retention).unwrap());
}

#[test]
fn few_old_records_are_not_worth_a_new_file() {
    let (_folder, _path, mut journal) = written(40);
    assert!(!journal.retain_now(at(400), &younger_than(375)).unwrap());
    assert!(!journal.retain_now(at(400), &younger_than(4000)).unwrap());
}

#[test]
fn a_state_that_was_changed_is_found() {
    let (_folder, path, mut journal) = written(40);
    journal.retain_now(at(400), &younger_than(101)).unwrap();
    drop(journal);
    let text = fs::read_to_string(&path).unwrap();
    let found = |text: &str| {
        fs::write(&path, text).unwrap();
        let base = |error: &JournalError| {
            matches!(
                error,
                JournalError::Tampered {
                    how: Break::Base,
                    ..
                }
            )
        };
        let opened = reopen(&path).map(|_| ()).unwrap_err();
        let read = read::<Record>(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let read = read.unwrap_err();
        assert!(base(&opened) && base(&read), "{opened} {read}");
    };
    found(&text.replacen("uid-", "UID-", 1));
    // Also with a hash that fits: the records name another one.
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let json = lines[1].splitn(3, ' ').nth(2).unwrap();
    let json = json.replacen("uid-", "UID-", 1);
    let mut line = Vec::new();
    super::super::frame::line(json.as_bytes(), &mut line).unwrap();
    lines[1] = String::from_utf8(line).unwrap().trim_end().to_owned();
    found(&(lines.join("\n") + "\n"));
    // And the record that names it may not go away.
    let cut: Vec<&str> = text.lines().take(12).collect();
    found(&(cut.join("\n") + "\n"));
}

#[test]
fn a_large_state_is_more_than_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (mut journal, _) = FileJournal::open(&path).unwrap();
    let seen = |number| Record::TargetSeen {
        target: target(number),
        uid: format!("{number} {}", "x".repeat(300)),
        stable: "good".into(),
        unready: false,
    };
    let all: Vec<Record> = (0..3000).map(seen).collect();
    journal.append(at(0), &all).unwrap();
    journal.append(at(1000), &[record(1)]).unwrap();
    let state = fold(&path);
    assert!(journal.retain_now(at(1000), &younger_than(10)).unwrap());
    assert_eq!(fold(&path), state);
    let text = fs::read_to_string(&path).unwrap();
    let parts = text
        .lines()
        .filter(|line| line.contains("\"parts\":"))
        .count();
    assert!(parts > 2, "{parts}");
    assert!(text.lines().all(|line| line.len() < 400_000));
}

#[test]
fn a_process_that_died_meanwhile_leaves_nothing_that_matters() {
    let (_folder, path, mut journal) = written(40);
    let state = fold(&path);
    // One that was killed before its file took the place of the journal.
    let built = build(
        &path,
        fs::metadata(&path).unwrap().len(),
        at(400),
        &younger_than(101),
    );
    let built = built.unwrap().unwrap();
    assert!(built.place.exists());
    drop(built);
    assert_eq!(fold(&path), state);
    journal.append(at(400), &[record(40)]).unwrap();
    let state = fold(&path);
    assert!(journal.retain_now(at(400), &younger_than(101)).unwrap());
    assert_eq!(fold(&path), state);
}

#[test]
fn a_journal_that_was_taken_away_is_not_replaced() {
    let (_folder, path, mut journal) = written(40);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, &bytes).unwrap();
    let failed = journal.retain_now(at(400), &younger_than(101));
    assert!(
        matches!(failed, Err(JournalError::Disturbed { .. })),
        "{failed:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn beside_the_work_nothing_is_lost() {
    let (_folder, path, mut journal) = written(100);
    journal.keep(Retention {
        keep: None,
        bytes: 10_000,
    });
    let mut state = fold(&path);
    for number in 100..700 {
        let second = i64::try_from(number * 10).unwrap();
        journal.append(at(second), &[record(number)]).unwrap();
        state.apply(at(second), &record(number));
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    assert_eq!(fold(&path), state);
    let base = read::<Record>(&path).unwrap();
    assert!(base.base().unwrap().dropped.through > 99);
    drop(journal);
    drop(reopen(&path).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_cut_folds_to_the_same(count in 1_u64..60, keeps in prop::collection::vec(0_i64..600, 1..4)) {
        let (_folder, path, mut journal) = written(count);
        let state = fold(&path);
        let heads: Vec<String> = entries(&path).into_iter().map(|entry| entry.previous).collect();
        for keep in keeps {
            journal.retain_now(at(600), &younger_than(keep)).unwrap();
            prop_assert_eq!(&fold(&path), &state);
        }
        drop(journal);
        drop(reopen(&path).unwrap());
        for entry in entries(&path) {
            if let Some(previous) = usize::try_from(entry.sequence).ok().and_then(|place| heads.get(place)) {
                prop_assert_eq!(previous, &entry.previous);
            }
        }
    }
}
