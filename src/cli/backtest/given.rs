//! Releases that people know of, from a table: a heading line, then a line for each release.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use recant_core::ids::{RevisionHash, WatchName};
use recant_core::rule::Watch;
use recant_core::wording::listed;

use super::when::When;
use crate::backtest::Given;

/// Files are read up to this.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Where the columns are.
#[derive(Debug)]
struct Columns {
    watch: usize,
    revision: usize,
    begin: usize,
    end: Option<usize>,
    bad: Option<usize>,
}

/// Reads the table.
///
/// # Errors
/// Which line is wrong, and what would be right.
pub(super) fn read(path: &Path, watches: &[Watch]) -> anyhow::Result<Vec<Given>> {
    let name = || format!("reading the releases in `{}`", path.display());
    let file = File::open(path).with_context(name)?;
    let length = file.metadata().with_context(name)?.len();
    if length > LARGEST {
        bail!(
            "{}: it has {length} bytes, and more than {LARGEST} are not read",
            name()
        );
    }
    let mut text = String::new();
    BufReader::new(file)
        .take(LARGEST)
        .read_to_string(&mut text)
        .with_context(name)?;
    table(&text, watches).with_context(name)
}

fn table(text: &str, watches: &[Watch]) -> anyhow::Result<Vec<Given>> {
    let mut columns: Option<Columns> = None;
    let mut all: Vec<Given> = Vec::new();
    for (line, number) in text.as_bytes().lines().zip(1..) {
        let at = || format!("line {number}");
        let line = line.with_context(at)?;
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line
            .split(',')
            .map(|field| field.trim().trim_matches('"').trim())
            .collect();
        let Some(columns) = &columns else {
            columns = Some(Columns::of(&fields).with_context(at)?);
            continue;
        };
        let given = columns.row(&fields, watches).with_context(at)?;
        let twice = |other: &&Given| other.watch == given.watch && other.begin == given.begin;
        if let Some(other) = all.iter().find(twice) {
            bail!(
                "line {number}: the watch `{}` has two releases at {}: {} and {}",
                given.watch,
                given.begin,
                other.revision,
                given.revision
            );
        }
        all.push(given);
    }
    if all.is_empty() {
        bail!(
            "it holds no release: give a heading `watch,revision,begin`, and a line for each release"
        );
    }
    Ok(all)
}

impl Columns {
    fn of(fields: &[&str]) -> anyhow::Result<Self> {
        let find = |wanted: &str| {
            let mut names = fields.iter();
            names.position(|name| name.eq_ignore_ascii_case(wanted))
        };
        let need = |wanted: &str| {
            find(wanted).with_context(|| {
                format!(
                    "the heading `{}` has no column `{wanted}`: it must name watch, revision and begin, and may name \
                     end and bad",
                    fields.join(",")
                )
            })
        };
        Ok(Self {
            watch: need("watch")?,
            revision: need("revision")?,
            begin: need("begin")?,
            end: find("end"),
            bad: find("bad"),
        })
    }

    fn row(&self, fields: &[&str], watches: &[Watch]) -> anyhow::Result<Given> {
        let field = |index: usize| fields.get(index).copied().filter(|text| !text.is_empty());
        let need =
            |index: usize, what: &str| field(index).with_context(|| format!("it has no {what}"));
        let time = |text: &str| -> anyhow::Result<Timestamp> {
            let when: Result<When, String> = text.parse();
            when.map(|when| when.0)
                .map_err(|why| anyhow::anyhow!("`{text}` is no time: {why}"))
        };
        let watch = watch_of(need(self.watch, "watch")?, watches)?;
        let begin = time(need(self.begin, "begin")?)?;
        let end = self.end.and_then(field).map(time).transpose()?;
        if end.is_some_and(|end| end <= begin) {
            bail!("its end does not lie behind its begin");
        }
        let bad = match self.bad.and_then(field) {
            None => None,
            Some("yes" | "true" | "1" | "bad") => Some(true),
            Some("no" | "false" | "0" | "good") => Some(false),
            Some(other) => bail!(
                "`{other}` does not say whether it was bad: write yes or no, or leave it empty"
            ),
        };
        Ok(Given {
            watch,
            revision: RevisionHash::from(need(self.revision, "revision")?),
            begin,
            end,
            bad,
        })
    }
}

/// A watch is named with its namespace where the name alone is that of several.
fn watch_of(text: &str, watches: &[Watch]) -> anyhow::Result<WatchName> {
    let named: Vec<&Watch> = watches
        .iter()
        .filter(|watch| watch.name.to_string() == text || watch.name.name == text)
        .collect();
    match named.as_slice() {
        [only] => Ok(only.name.clone()),
        [] => {
            let names: Vec<String> = watches
                .iter()
                .map(|watch| format!("`{}`", watch.name))
                .collect();
            bail!(
                "there is no watch `{text}` among the rules: there are {}",
                listed(&names)
            )
        }
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|watch| format!("`{}`", watch.name))
                .collect();
            bail!(
                "`{text}` is the name of several watches: write one of {}",
                listed(&names)
            )
        }
    }
}
