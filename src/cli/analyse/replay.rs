//! `recant analyse --replay`: recorded measurements in the place of sources.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use jiff::{SignedDuration, Timestamp};

use recant_core::argo::argument::Secrets;
use recant_core::argo::json::{self, Json};
use recant_core::argo::replay::{self, Script};
use recant_core::argo::run::{Measurement, Run};

use super::AnalyseArgs;

/// Bytes of a file of recordings.
const MOST_BYTES: u64 = 64 << 20;
/// Sets of recordings that are replayed, in the order in which a file of several is answered.
const SETS: [&str; 6] = [
    "phases",
    "assess",
    "expressions",
    "web",
    "prometheus",
    "kayenta",
];

/// Replays what stands in `path` (`-`: standard input) for the run of some files.
pub(super) fn one(
    args: &AnalyseArgs,
    run: &mut Run,
    secrets: &Secrets,
    path: &Path,
    told: &mut dyn FnMut(&str, &Measurement),
) -> anyhow::Result<()> {
    let recordings = read(path)?;
    let [recording] = recordings.as_slice() else {
        bail!(
            "--replay {}: one recording goes with the files, and it holds {}: name no files to replay each with its own metrics",
            path.display(),
            recordings.len()
        );
    };
    // The lists by metric alone are enough.
    let script = recording.get("script").unwrap_or(recording);
    let wrong = |error| anyhow!("--replay {}: {error}", path.display());
    let mut script = Script::of(script).map_err(wrong)?;
    let after = args.terminate_after.map(SignedDuration::try_from);
    let after = after.transpose().context("--terminate-after")?;
    replay::drive(run, &mut script, secrets, after, told).map_err(wrong)
}

/// Answers each recording of a file with a line of JSON, in the form of the recordings.
pub(super) fn all(
    path: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now();
    let mut code = ExitCode::SUCCESS;
    for (index, recording) in read(path)?.iter().enumerate() {
        let mut fields = std::collections::BTreeMap::new();
        if let Some(id) = recording.get("id") {
            fields.insert("id".to_owned(), id.clone());
        }
        match replay::answer(recording, now) {
            Ok(Json::Object(answer)) => fields.extend(answer),
            Ok(_) => {}
            Err(error) => {
                let name = recording.get("id").and_then(Json::as_str);
                let name = name.map_or_else(|| format!("number {}", index + 1), str::to_owned);
                writeln!(err, "recording {name}: {error}")?;
                fields.insert("refused".to_owned(), Json::String(error.to_string()));
                code = ExitCode::from(2);
            }
        }
        writeln!(out, "{}", json::compact(&Json::Object(fields)))?;
    }
    Ok(code)
}

/// The recordings of a file: one, a list, sets by name, or one a line.
fn read(path: &Path) -> anyhow::Result<Vec<Json>> {
    let bytes = bytes(path).with_context(|| format!("reading --replay {}", path.display()))?;
    let recordings = match json::parse(&bytes) {
        Ok(Json::Array(items)) => items,
        Ok(whole) => sets(whole),
        Err(whole) => lines(&bytes, &whole)
            .with_context(|| format!("--replay {} cannot be read", path.display()))?,
    };
    if recordings.is_empty() {
        bail!(
            "--replay {} holds no recording: write a JSON object, a list of them, or one a line",
            path.display()
        );
    }
    Ok(recordings)
}

fn sets(whole: Json) -> Vec<Json> {
    let found: Vec<Json> = SETS
        .iter()
        .filter_map(|set| whole.get(set).and_then(Json::as_array))
        .flatten()
        .cloned()
        .collect();
    if found.is_empty() { vec![whole] } else { found }
}

fn lines(bytes: &[u8], whole: &json::JsonError) -> anyhow::Result<Vec<Json>> {
    let mut recordings = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match json::parse(line) {
            Ok(recording) => recordings.push(recording),
            // What fails at once is no list of lines.
            Err(_) if recordings.is_empty() => bail!("it is no JSON: {whole}"),
            Err(error) => bail!("line {} is no JSON: {error}", index + 1),
        }
    }
    Ok(recordings)
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut take = |from: &mut dyn Read| from.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    if path == Path::new("-") {
        take(&mut io::stdin().lock())?;
    } else {
        take(&mut File::open(path)?)?;
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MOST_BYTES) {
        bail!("it has more than {} MiB", MOST_BYTES >> 20);
    }
    Ok(bytes)
}
