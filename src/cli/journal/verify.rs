//! `recant journal verify`: whether a journal is what was written, from its first record to its last.

use std::cmp::Ordering;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::bail;
use clap::Args;
use serde::de::IgnoredAny;

use crate::cli::place::JournalPlace;
use crate::journal::base::Dropped;
use crate::journal::read::read;
use crate::journal::shard::Stand;

/// Checks the hash chain of a journal; also beside a running agent
///
/// Finds a change, a gap, and records that were put in the place of others. That whole records were cut off at the end shows
/// only beside what was known before: keep the head that is printed somewhere else, and give it the next time. Records that
/// retention dropped are named; the state in their place is checked, too. Of a journal in a `ConfigMap` the state is
/// checked, and every record since it was written.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The journal file, as with --journal
    #[arg(value_name = "FILE", conflicts_with = "config_map")]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: JournalPlace,
    /// A head that was printed earlier, as NUMBER:HASH; the journal must still hold that record
    #[arg(long, value_name = "HEAD")]
    head: Option<Head>,
}

/// A record's number and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    number: u64,
    hash: String,
}

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no head such as `41:` with 64 hex digits behind it");
        let (number, hash) = text.split_once(':').ok_or_else(wrong)?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match number.parse() {
            Ok(number) if is_hash => Ok(Self {
                number,
                hash: hash.to_ascii_lowercase(),
            }),
            Ok(_) | Err(_) => Err(wrong()),
        }
    }
}

/// Reads all records, and says which is the last.
pub(super) fn verify(args: &VerifyArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let VerifyArgs { file, place, head } = args;
    if let Some((path, stand)) = place.stand()? {
        return verify_stand(&path, &stand, head.as_ref(), out);
    }
    let journal = file.as_ref().unwrap_or(&place.journal);
    let name = journal.display();
    // Records of kinds that only a newer Recant knows can be verified, too.
    let mut entries = read::<IgnoredAny>(journal)?;
    let dropped = entries.base().map(|base| base.dropped.clone());
    if let (Some(head), Some(dropped)) = (head, &dropped) {
        same_as_dropped(head, dropped, &name.to_string())?;
    }
    let first = dropped.as_ref().map_or(0, |dropped| dropped.through + 1);
    let mut times = None;
    while let Some(entry) = entries.next() {
        let at = entry?.at;
        let (first, _) = times.unwrap_or((at, at));
        times = Some((first, at));
        if let (Some(head), Some((number, hash))) = (head, entries.head())
            && head.number == number
            && head.hash != hash
        {
            bail!(
                "record {number} of the journal {name} is not the one that was there before: everything up to it was \
                 written anew; keep the file as evidence"
            );
        }
    }
    let length = journal.metadata().map_or(0, |metadata| metadata.len());
    let rest = length.saturating_sub(entries.offset());
    let (Some((number, hash)), Some((begin, last))) = (entries.head(), times) else {
        if let Some(head) = head {
            bail!(
                "the journal {name} is empty, and held record {} before",
                head.number
            );
        }
        writeln!(out, "{name}: no records yet")?;
        return Ok(ExitCode::SUCCESS);
    };
    if let Some(head) = head.as_ref().filter(|head| head.number > number) {
        bail!(
            "the journal {name} was cut off: its last record is {number}, and it held record {} before",
            head.number
        );
    }
    writeln!(
        out,
        "{name}: records {first} to {number}, from {begin} to {last}: every one is what was written"
    )?;
    if let Some(dropped) = dropped {
        writeln!(
            out,
            "records 0 to {}, from {} to {}, were dropped by retention: the state in their place is what was written, too",
            dropped.through, dropped.from, dropped.until
        )?;
    }
    if rest > 0 {
        writeln!(
            out,
            "then {rest} bytes of a record that is not whole: it is being written just now, or was cut off in the middle"
        )?;
    }
    writeln!(out, "head {number}:{hash}")?;
    Ok(ExitCode::SUCCESS)
}

/// What the `ConfigMap`s of a shard vouch for: they were read, so they hold together.
fn verify_stand(
    path: &str,
    stand: &Stand,
    head: Option<&Head>,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let name = format!("in ConfigMap {path}");
    let (Some((first, _)), Some((last, hash))) = (stand.heads.first(), stand.heads.last()) else {
        if let Some(head) = head {
            bail!(
                "the journal {name} is empty, and held record {} before",
                head.number
            );
        }
        writeln!(out, "the journal {name}: no records yet")?;
        return Ok(ExitCode::SUCCESS);
    };
    if let Some(head) = head {
        let same = |(number, hash): &(u64, String)| *number == head.number && *hash == head.hash;
        if head.number > *last {
            bail!(
                "the journal {name} was cut off: its last record is {last}, and it held record {} before",
                head.number
            );
        }
        if head.number < *first {
            bail!(
                "record {} of the journal {name} was folded into its state, with all up to {first}: whether it was the one \
                 that was there before cannot be said; note a newer head more often",
                head.number
            );
        }
        if !stand.heads.iter().any(same) {
            bail!(
                "record {} of the journal {name} is not the one that was there before: everything up to it was written \
                 anew; keep both ConfigMaps as evidence",
                head.number
            );
        }
    }
    let until = stand
        .last
        .map_or_else(String::new, |at| format!(", until {at}"));
    writeln!(
        out,
        "the journal {name}: the state of all records up to {first}, and records up to {last}{until}: every one is what \
         was written"
    )?;
    writeln!(out, "head {last}:{hash}")?;
    Ok(ExitCode::SUCCESS)
}

/// What can be said of a head that lies before the first record that was kept.
fn same_as_dropped(head: &Head, dropped: &Dropped, name: &str) -> anyhow::Result<()> {
    match head.number.cmp(&dropped.through) {
        Ordering::Greater => Ok(()),
        Ordering::Equal if head.hash == dropped.last => Ok(()),
        Ordering::Equal => bail!(
            "record {} of the journal {name} is not the one that was there before: everything up to it was written anew; \
             keep the file as evidence",
            head.number
        ),
        Ordering::Less => bail!(
            "record {} of the journal {name} was dropped by retention, with all up to {} and until {}: whether it was the \
             one that was there before cannot be said; note a newer head more often than records are dropped",
            head.number,
            dropped.through,
            dropped.until
        ),
    }
}
