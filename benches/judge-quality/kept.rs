//! What was measured of each scenario, kept in a file, so that a long run that was cut short goes on where it was: by the
//! same program, on the same scenario, with the same seed, as often. Everything else in the file is left alone.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::bars::{Measured, Total};
use crate::counting::Counts;
use crate::scenario::Scenario;
use crate::simulate::Runs;

/// The file, and the program that writes to it.
pub(crate) struct Kept {
    path: String,
    program: u64,
    lines: BTreeMap<u64, Line>,
}

/// A scenario in the file.
#[derive(Serialize, Deserialize)]
struct Line {
    /// Of the program, the scenario and the number of runs.
    of: u64,
    name: String,
    counts: BTreeMap<String, Counts>,
    totals: Vec<Total>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "that the core reads no files does not hold for its benches"
)]
impl Kept {
    /// Reads what is there already. A line that was cut short is measured again.
    pub(crate) fn open(path: String) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("{path}: {error}");
        let program = std::env::current_exe()
            .and_then(std::fs::read)
            .map_err(|error| format!("this program itself: {error}"))?;
        let text = if std::fs::exists(&path).map_err(told)? {
            std::fs::read_to_string(&path).map_err(told)?
        } else {
            String::new()
        };
        let lines = text.lines();
        let lines = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok());
        Ok(Self {
            lines: lines.map(|line| (line.of, line)).collect(),
            program: hash(&program),
            path,
        })
    }

    /// What this program measured of it before, if it did.
    pub(crate) fn take(&mut self, scenario: &Scenario, runs: Runs) -> Option<Measured> {
        let line = self.lines.remove(&self.key(scenario, runs))?;
        Some(Measured {
            scenario: scenario.clone(),
            full: runs.full,
            counts: line.counts,
            totals: line.totals,
        })
    }

    /// Adds a line.
    pub(crate) fn add(&self, measured: &mut Measured, runs: Runs) -> Result<(), String> {
        let line = Line {
            of: self.key(&measured.scenario, runs),
            name: measured.scenario.name.clone(),
            counts: std::mem::take(&mut measured.counts),
            totals: std::mem::take(&mut measured.totals),
        };
        let text = serde_json::to_string(&line).map_err(|error| error.to_string())?;
        measured.counts = line.counts;
        measured.totals = line.totals;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path);
        // Behind a line that was cut short, too, it begins a line of its own.
        file.and_then(|mut file| write!(file, "\n{text}\n"))
            .map_err(|error| format!("{}: {error}", self.path))
    }

    fn key(&self, scenario: &Scenario, runs: Runs) -> u64 {
        hash(&(self.program, format!("{scenario:?}"), runs.number))
    }
}

/// The same in every process of one program.
fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
