#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::*;
use crate::journal::read::{Entries, read};
use crate::journal::{Entry, MAX_RECORD_BYTES};

/// Any record will do: the journal does not look into them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    note: String,
}

fn note(text: impl Into<String>) -> Note {
    Note { note: text.into() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    (folder, path)
}

/// A journal of some records, closed.
fn written(path: &Path, count: usize) -> Vec<Note> {
    let (mut journal, _) = reopen(path).unwrap();
    let notes: Vec<Note> = (0..count)
        .map(|i| note(format!("ü {i}\n\"{}\"", "x".repeat(i % 7))))
        .collect();
    for (second, pair) in (0..).zip(notes.chunks(2)) {
        journal.append_all(at(second), pair).unwrap();
    }
    notes
}

fn notes(path: &Path) -> Vec<Note> {
    read::<Note>(path)
        .unwrap()
        .map(|entry| entry.unwrap().record)
        .collect()
}

/// Opens a journal that nobody holds. A child that another test starts holds copies of all locks between its fork and
/// its exec: that is waited for.
fn reopen(path: &Path) -> Result<(FileJournal, Recovery), JournalError> {
    for _ in 0..500 {
        match FileJournal::open(path) {
            Err(JournalError::Locked { .. }) => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            result => return result,
        }
    }
    FileJournal::open(path)
}

#[test]
fn what_was_appended_is_read_back_after_opening_again() {
    let (_folder, path) = place();
    let expected = written(&path, 5);
    let (mut journal, recovery) = reopen(&path).unwrap();
    assert_eq!(
        recovery,
        Recovery {
            records: 5,
            dropped_bytes: 0,
            created: false
        }
    );
    journal.append_all(at(100), &[note("later")]).unwrap();

    let entries: Vec<Entry<Note>> = read(&path).unwrap().map(Result::unwrap).collect();
    let sequences: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, [0, 1, 2, 3, 4, 5]);
    assert_eq!(entries[5].at, at(100));
    let records: Vec<Note> = entries.into_iter().map(|entry| entry.record).collect();
    assert_eq!(records[..5], expected);
    assert_eq!(records[5], note("later"));
}

#[test]
fn the_engines_own_records_survive() {
    let (_folder, path) = place();
    let (mut journal, recovery) = reopen(&path).unwrap();
    assert!(recovery.created);
    let record = Record::Started {
        version: "0.1.0".to_owned(),
    };
    Journal::append(&mut journal, at(0), std::slice::from_ref(&record)).unwrap();
    let entry = read::<Record>(&path).unwrap().next().unwrap().unwrap();
    assert_eq!(entry.record, record);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("recant-journal 1\n"), "{text}");
    assert_eq!(text.lines().count(), 2, "one line per record: {text}");
    assert!(text.contains(r#""record":{"record":"started","version":"0.1.0"}"#));
}

#[test]
fn a_file_cut_at_any_byte_of_its_last_record_is_recovered_and_written_on() {
    let (_folder, path) = place();
    let expected = written(&path, 5);
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for cut in last..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(notes(&path), expected[..4], "reader, cut at {cut}");
        let (mut journal, recovery) = reopen(&path).unwrap();
        assert_eq!(recovery.records, 4, "cut at {cut}");
        assert_eq!(recovery.dropped_bytes, (cut - last) as u64);
        journal.append_all(at(9), &[note("on")]).unwrap();
        drop(journal);
        assert_eq!(notes(&path)[4], note("on"), "cut at {cut}");
    }
}

#[test]
fn a_header_cut_at_any_byte_is_written_anew() {
    let (_folder, path) = place();
    for cut in 0..frame::header().len() {
        fs::write(&path, &frame::header().as_bytes()[..cut]).unwrap();
        assert!(notes(&path).is_empty());
        let (_, recovery) = reopen(&path).unwrap();
        assert_eq!(recovery.dropped_bytes, cut as u64);
        assert_eq!(fs::read_to_string(&path).unwrap(), frame::header());
    }
}

#[test]
fn blocks_that_were_never_written_are_dropped() {
    let (_folder, path) = place();
    let expected = written(&path, 4);
    let whole = fs::read(&path).unwrap();
    for (begun, zeros) in [(0, 1), (0, 4096), (30, 4096), (30, 3 * MAX_RECORD_BYTES)] {
        let mut bytes = whole.clone();
        bytes.extend_from_slice(&b"120 0123456789abcdef0123456789abcdef"[..begun]);
        bytes.resize(bytes.len() + zeros, 0);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(notes(&path), expected);
        let (_, recovery) = reopen(&path).unwrap();
        assert_eq!(recovery.dropped_bytes, (begun + zeros) as u64);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_changed_byte_anywhere_is_refused_and_the_file_left_untouched() {
    let (_folder, path) = place();
    written(&path, 4);
    let whole = fs::read(&path).unwrap();
    for position in 0..whole.len() {
        for flip in [1, 0x20, 0x80, whole[position] ^ b'\n'] {
            if flip == 0 {
                continue;
            }
            let mut bytes = whole.clone();
            bytes[position] ^= flip;
            fs::write(&path, &bytes).unwrap();
            let error = reopen(&path).expect_err("a changed journal was opened");
            let header = position < frame::header().len();
            assert!(
                matches!(
                    (&error, header),
                    (JournalError::Tampered { .. }, false)
                        | (
                            JournalError::NotAJournal { .. } | JournalError::Newer { .. },
                            true
                        )
                ),
                "byte {position} changed by {flip:#x}: {error}"
            );
            assert_eq!(fs::read(&path).unwrap(), bytes, "byte {position}");
            let read = read::<Note>(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            assert!(read.is_err(), "the reader took byte {position} for good");
        }
    }
}

#[test]
fn a_removed_swapped_or_repeated_record_is_refused() {
    let (_folder, path) = place();
    written(&path, 4);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for order in [
        &[0, 2, 3, 4][..],
        &[0, 1, 3, 4],
        &[0, 1, 3, 2, 4],
        &[0, 1, 1, 2, 3, 4],
        &[0, 1, 2, 3, 4, 0],
    ] {
        let mut changed: Vec<&str> = order.iter().map(|i| lines[*i]).collect();
        changed.push("");
        let changed = changed.join("\n");
        fs::write(&path, &changed).unwrap();
        let error = reopen(&path).expect_err("opened");
        assert!(
            matches!(error, JournalError::Tampered { .. }),
            "{order:?}: {error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), changed);
    }
}

#[test]
fn a_newer_format_is_refused_and_left_untouched() {
    let (_folder, path) = place();
    let newer = "recant-journal 7\nsomething else entirely\n";
    fs::write(&path, newer).unwrap();
    let error = reopen(&path).expect_err("opened");
    assert!(matches!(
        error,
        JournalError::Newer {
            found: 7,
            known: 2,
            ..
        }
    ));
    assert!(error.to_string().contains("run a newer Recant"), "{error}");
    assert!(matches!(
        read::<Note>(&path),
        Err(JournalError::Newer { .. })
    ));
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
}

#[test]
fn what_is_no_journal_is_refused_and_left_untouched() {
    let (folder, path) = place();
    for bytes in [
        &b"kind: RuleSet\n"[..],
        b"\x7fELF\0\0\0",
        b"recant-journal one\n",
        b"recant-journal 0\n",
        &[0; 5000],
    ] {
        fs::write(&path, bytes).unwrap();
        let error = reopen(&path).expect_err("opened");
        assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
        assert!(matches!(
            read::<Note>(&path),
            Err(JournalError::NotAJournal { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    for path in [folder.path(), Path::new("/dev/full")] {
        let error = reopen(path).expect_err("opened");
        assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
    }
    let missing = folder.path().join("no/such/folder/journal");
    let error = reopen(&missing).expect_err("opened");
    assert!(matches!(error, JournalError::Write { .. }), "{error}");
}

#[test]
fn an_unknown_record_is_named_by_readers_and_kept_by_the_writer() {
    let (_folder, path) = place();
    written(&path, 2);
    let error = read::<Record>(&path)
        .unwrap()
        .next()
        .unwrap()
        .expect_err("a note is no record");
    assert!(
        matches!(error, JournalError::Unknown { sequence: 0, .. }),
        "{error}"
    );
    assert_eq!(reopen(&path).unwrap().1.records, 2);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let (_folder, path) = place();
    let (first, _) = FileJournal::open(&path).unwrap();
    let error = FileJournal::open(&path).expect_err("two writers");
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("another agent"), "{error}");
    drop(first);
    FileJournal::open(&path).unwrap();
}

#[test]
fn a_journal_removed_or_written_to_by_others_is_noticed() {
    let (_folder, path) = place();
    let (mut journal, _) = reopen(&path).unwrap();
    let mut intruder = OpenOptions::new().append(true).open(&path).unwrap();
    intruder.write_all(b"x").unwrap();
    let error = journal.append_all(at(0), &[note("a")]).expect_err("added");
    assert!(
        matches!(
            error,
            JournalError::Disturbed {
                change: "written to",
                ..
            }
        ),
        "{error}"
    );
    fs::remove_file(&path).unwrap();
    let error = journal.append_all(at(0), &[note("a")]).expect_err("added");
    assert!(
        matches!(
            error,
            JournalError::Disturbed {
                change: "removed",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_record_above_the_limit_is_refused_and_nothing_of_its_call_written() {
    let (_folder, path) = place();
    let (mut journal, _) = reopen(&path).unwrap();
    let big = note("x".repeat(MAX_RECORD_BYTES));
    let error = journal
        .append_all(at(0), &[note("small"), big])
        .expect_err("written");
    assert!(matches!(error, JournalError::Unfit { .. }), "{error}");
    assert!(notes(&path).is_empty());
    let largest = note("x".repeat(MAX_RECORD_BYTES - 200));
    journal
        .append_all(at(0), std::slice::from_ref(&largest))
        .unwrap();
    assert_eq!(notes(&path), [largest]);
}

#[test]
fn a_reader_beside_the_writer_sees_every_record_once_and_in_order() {
    const TOTAL: u64 = 2000;
    let (_folder, path) = place();
    let (mut journal, _) = reopen(&path).unwrap();
    let written = Arc::new(AtomicU64::new(0));
    let writer = std::thread::spawn({
        let written = written.clone();
        move || {
            for batch in 0..TOTAL / 10 {
                let batch: Vec<Note> = (0..10)
                    .zip((0..).step_by(900))
                    .map(|(i, padding)| note(format!("{}{}", batch * 10 + i, "-".repeat(padding))))
                    .collect();
                journal.append_all(at(0), &batch).unwrap();
                written.fetch_add(10, Ordering::SeqCst);
            }
        }
    });
    let mut entries: Entries<Note> = read(&path).unwrap();
    let mut seen = 0;
    let begun = std::time::Instant::now();
    while seen < TOTAL {
        let durable = written.load(Ordering::SeqCst);
        for entry in entries.by_ref() {
            let entry = entry.unwrap();
            assert_eq!(entry.sequence, seen);
            assert!(entry.record.note.starts_with(&seen.to_string()));
            seen += 1;
        }
        assert!(
            seen >= durable,
            "{durable} were durable, {seen} were readable"
        );
        assert!(begun.elapsed().as_secs() < 60, "stuck at {seen} of {TOTAL}");
        std::thread::yield_now();
    }
    writer.join().unwrap();
    assert_eq!(entries.offset(), fs::metadata(&path).unwrap().len());
}

/// A file on a disk with room for a number of bytes; what fits of a write is written, as by a real disk.
#[derive(Debug)]
struct SmallDisk {
    file: File,
    room: Arc<Mutex<Room>>,
}

#[derive(Debug, Default)]
struct Room {
    bytes: u64,
    sync_fails: bool,
    truncate_fails: bool,
}

impl Store for SmallDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let used = self.file.metadata()?.len();
        let free = usize::try_from(self.room.lock().unwrap().bytes.saturating_sub(used)).unwrap();
        if bytes.len() > free {
            self.file.write_all(&bytes[..free])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.room.lock().unwrap().sync_fails {
            return Err(io::Error::other("input/output error"));
        }
        self.file.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if self.room.lock().unwrap().truncate_fails {
            return Err(io::Error::other("input/output error"));
        }
        self.file.set_len(length)
    }

    fn look(&self) -> io::Result<(u64, bool)> {
        self.file.look()
    }
}

fn on_small_disk(path: &Path) -> (FileJournal, Arc<Mutex<Room>>) {
    let (mut journal, _) = reopen(path).unwrap();
    let room = Arc::new(Mutex::new(Room {
        bytes: u64::MAX,
        ..Room::default()
    }));
    let file = OpenOptions::new().append(true).open(path).unwrap();
    journal.store = Box::new(SmallDisk {
        file,
        room: room.clone(),
    });
    (journal, room)
}

#[test]
fn a_full_disk_leaves_nothing_of_the_call_behind_and_space_makes_it_work_again() {
    let (_folder, path) = place();
    let (mut journal, room) = on_small_disk(&path);
    journal.append_all(at(0), &[note("kept")]).unwrap();
    let before = fs::read(&path).unwrap();
    for free in 0..400 {
        room.lock().unwrap().bytes = before.len() as u64 + free;
        let error = journal
            .append_all(at(1), &[note("first"), note("second")])
            .expect_err("no room");
        assert!(
            matches!(&error, JournalError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull)
        );
        assert!(error.retry());
        assert_eq!(fs::read(&path).unwrap(), before, "{free} bytes free");
    }
    room.lock().unwrap().bytes = u64::MAX;
    journal.append_all(at(2), &[note("again")]).unwrap();
    assert_eq!(notes(&path), [note("kept"), note("again")]);
}

#[test]
fn a_disk_that_fails_to_sync_or_truncate_is_mended_before_the_next_append() {
    let (_folder, path) = place();
    let (mut journal, room) = on_small_disk(&path);
    journal.append_all(at(0), &[note("kept")]).unwrap();
    *room.lock().unwrap() = Room {
        bytes: u64::MAX,
        sync_fails: true,
        truncate_fails: true,
    };
    for _ in 0..2 {
        journal
            .append_all(at(1), &[note("lost")])
            .expect_err("not durable");
    }
    room.lock().unwrap().truncate_fails = false;
    journal
        .append_all(at(1), &[note("lost")])
        .expect_err("not durable");
    room.lock().unwrap().sync_fails = false;
    journal.append_all(at(2), &[note("again")]).unwrap();
    assert_eq!(notes(&path), [note("kept"), note("again")]);
    drop(journal);
    assert_eq!(reopen(&path).unwrap().1.dropped_bytes, 0);
}

/// The kernel itself refuses to let the file grow, in a process of its own, since the limit is one of the process.
#[test]
fn a_real_limit_on_the_files_size_is_survived() {
    const ROLE: &str = "RECANT_TEST_LIMITED_JOURNAL";
    if let Some(path) = std::env::var_os(ROLE) {
        let (mut journal, _) = reopen(Path::new(&path)).unwrap();
        let mut appended = 0;
        let error = loop {
            match journal.append_all(at(0), &[note("x".repeat(300))]) {
                Ok(()) => appended += 1,
                Err(error) => break error,
            }
            assert!(appended < 100, "there is no limit");
        };
        assert!(
            matches!(&error, JournalError::Write { source, .. } if source.kind() == io::ErrorKind::FileTooLarge),
            "{error:?}"
        );
        assert!(appended > 0);
        assert_eq!(notes(Path::new(&path)).len(), appended);
        journal
            .append_all(at(0), &[note("x".repeat(300))])
            .expect_err("still no room");
        return;
    }
    let (_folder, path) = place();
    let output = Command::new("sh")
        .args([
            "-c",
            r#"trap '' XFSZ; ulimit -f 8; exec "$0" --exact "$1" --test-threads 1"#,
        ])
        .arg(std::env::current_exe().unwrap())
        .arg("journal::file::tests::a_real_limit_on_the_files_size_is_survived")
        .env(ROLE, &path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let survived = notes(&path).len();
    let (mut journal, recovery) = reopen(&path).unwrap();
    assert_eq!(recovery.dropped_bytes, 0, "the limited process cleaned up");
    assert_eq!(recovery.records, survived as u64);
    journal.append_all(at(1), &[note("again")]).unwrap();
    assert_eq!(notes(&path).len(), survived + 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn garbage_behind_the_header_never_panics_and_is_never_a_record(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (_folder, path) = place();
        fs::write(&path, [frame::header().as_bytes(), &bytes].concat()).unwrap();
        for entry in read::<Note>(&path).unwrap() {
            prop_assert!(entry.is_err());
        }
        if let Ok((_, recovery)) = reopen(&path) {
            prop_assert_eq!(recovery.records, 0);
        }
    }

    #[test]
    fn any_text_comes_back_as_it_was(texts in proptest::collection::vec(any::<String>(), 1..8)) {
        let (_folder, path) = place();
        let (mut journal, _) = reopen(&path).unwrap();
        let expected: Vec<Note> = texts.into_iter().map(note).collect();
        journal.append_all(at(0), &expected).unwrap();
        prop_assert_eq!(notes(&path), expected);
    }
}
