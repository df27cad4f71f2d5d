//! What a round came to for each watch: verdict, findings, holds, and what happened to it.

use std::sync::Arc;

use jiff::Timestamp;

use recant_core::record::Record;
use recant_core::rule::RuleBook;
use recant_core::snapshot::{AlwaysSnapshot, Snapshot, TargetSnapshot};

use super::{Between, Blind, Judged, between_only, of_target};

/// All watches, in the order of their targets.
pub(in crate::cli::once) fn of_watches(
    book: &RuleBook,
    snapshot: &Arc<Snapshot>,
    records: &[(Timestamp, Record)],
    blind: &Blind,
) -> Vec<Judged> {
    let mut watches = Vec::new();
    let only = between_only(book);
    for target in &snapshot.targets {
        let (verdict, reason) = of_target(target, records, blind, &only);
        let mine = || {
            records
                .iter()
                .filter(|(_, record)| record.target() == Some(&target.target))
        };
        let last_findings = mine().rev().find_map(|(_, record)| match record {
            Record::AnalysisEnded { findings, .. } | Record::Failed { findings, .. } => {
                Some(findings.clone())
            }
            _ => None,
        });
        let findings = match &target.analysis {
            Some(analysis) => analysis.findings.clone(),
            None => last_findings.unwrap_or_default(),
        };
        let judged = mine().rev().find_map(|(_, record)| match record {
            Record::AnalysisEnded { revision, .. } => Some(revision.to_string()),
            _ => None,
        });
        let rules = book
            .watches
            .iter()
            .filter(|watch| watch.target == target.target)
            .flat_map(|watch| watch.rules.iter().map(|rule| rule.name.to_string()));
        watches.push(Judged {
            watch: target.watch.to_string(),
            target: target.target.clone(),
            revision: judged.or_else(|| target.current.as_ref().map(ToString::to_string)),
            verdict,
            reason,
            findings,
            rules: rules.collect(),
            always: target.always.iter().map(between).collect(),
            holds: holds(target),
            events: mine()
                .flat_map(|(at, record)| {
                    recant_core::explain::texts(record)
                        .into_iter()
                        .map(|text| (*at, text))
                })
                .collect(),
        });
    }
    watches
}

fn between(rule: &AlwaysSnapshot) -> Between {
    Between {
        rule: rule.rule.to_string(),
        finding: rule.finding.clone(),
        broken_since: rule.incident.as_ref().map(|open| open.began),
    }
}

/// What is held back: the rollback, or a scaling.
fn holds(target: &TargetSnapshot) -> Vec<String> {
    let scalings = target.always.iter().filter_map(|rule| {
        let open = rule.incident.as_ref()?;
        open.held.as_ref()
    });
    let all = target.holds.iter().chain(scalings);
    all.map(|hold| format!("{}: {}", hold.guard, hold.reason))
        .collect()
}
