//! `recant journal export`: the audit trail as JSON lines, one decision a line.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;

use recant_core::audit::{Audit, Decision};
use recant_core::ids::TargetId;
use recant_core::record::Record;

use super::{Reader, print};
use crate::cli::explain::When;
use crate::cli::place::JournalPlace;
use crate::journal::read::read;

/// Prints the audit trail as JSON lines: each decision with its evidence, guards, plan, steps, outcome and notices
///
/// One line is one decision, by its correlation id; the time that it ended decides the order of lines. Every record has its
/// number in the journal, where `recant journal verify` vouches for it. A decision that goes on for long, or of which
/// something comes late, may be several lines with the same `correlation`. What belongs to no decision is a line of its own.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    place: JournalPlace,
    /// Only what went on at or after this time, such as 2026-01-31T09:30:00Z or `24h ago`
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Only what began before this time
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// Only what is about this target: NAMESPACE/NAME, or NAME alone
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
}

/// What of the trail is wanted.
struct Wanted<'a> {
    since: Timestamp,
    until: Timestamp,
    target: Option<&'a str>,
}

/// Reads the journal once, and prints each decision when it is over.
pub(super) fn export(args: &ExportArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let ExportArgs {
        place,
        since,
        until,
        target,
    } = args;
    let now = Timestamp::now();
    let wanted = Wanted {
        since: since.map_or(Timestamp::MIN, |since| since.at(now)),
        until: until.map_or(Timestamp::MAX, |until| until.at(now)),
        target: target.as_deref(),
    };
    let mut audit = Audit::default();
    let mut failure = None;
    if let Some((_, state)) = place.state()? {
        for recent in state.recent {
            let over = audit.take(None, recent.at, recent.record);
            if wanted.print(over, out)? == Reader::Gone {
                return Ok(ExitCode::SUCCESS);
            }
        }
    } else {
        for entry in read::<Record>(&place.journal)? {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    // What stands in front of it is as it was written.
                    failure = Some(error);
                    break;
                }
            };
            let over = audit.take(Some(entry.sequence), entry.at, entry.record);
            if wanted.print(over, out)? == Reader::Gone {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    wanted.print(audit.rest(), out)?;
    failure.map_or(Ok(ExitCode::SUCCESS), |error| Err(error.into()))
}

impl Wanted<'_> {
    fn print(&self, decisions: Vec<Decision>, out: &mut dyn Write) -> anyhow::Result<Reader> {
        for decision in decisions {
            if !self.holds(&decision) {
                continue;
            }
            let line = serde_json::to_string(&decision).context("writing a decision as JSON")?;
            if print(out, &line)? == Reader::Gone {
                return Ok(Reader::Gone);
            }
        }
        Ok(Reader::There)
    }

    fn holds(&self, decision: &Decision) -> bool {
        let named = |target: &TargetId, name: &str| {
            target.name == name || format!("{}/{}", target.namespace, target.name) == name
        };
        let of_target = match (self.target, &decision.target) {
            (None, _) => true,
            (Some(name), Some(target)) => named(target, name),
            (Some(_), None) => false,
        };
        of_target && decision.last >= self.since && decision.began < self.until
    }
}
