//! What others are told who wait for a verdict before they go on: Argo Rollouts, Flagger, CI.
//!
//! Read from the snapshot alone, and fail-safe: whatever is not known opens nothing and takes nothing back.

use crate::ids::RevisionHash;
use crate::judge::{Finding, State};
use crate::record::Standing;
use crate::snapshot::{AnalysisSnapshot, TargetSnapshot};

/// Whether a release may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It is judged, and nothing is decided.
    Running,
    /// It is no worse than its baseline, which is bad, too: nothing should go on into a shared outage.
    Held,
    /// Every rule is surely kept, or the revision is known good: it may go on.
    Open,
    /// It is bad.
    Failed,
    /// There will be no verdict: a person has to look.
    Inconclusive,
    /// Recant cannot look now: neither health nor failure (P7).
    Blind,
}

/// A gate with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub gate: Gate,
    /// 0 to 100; `None`: nothing was judged.
    pub score: Option<f64>,
    /// One sentence or several, without a full stop at the end.
    pub reason: String,
}

impl Answer {
    fn new(gate: Gate, score: Option<f64>, reason: impl Into<String>) -> Self {
        Self {
            gate,
            score,
            reason: reason.into(),
        }
    }
}

/// What is to be said of one revision of a target.
///
/// A revision that is not there yet is `Running`: whoever asks may be quicker than the watch of the cluster.
pub fn of_revision(target: &TargetSnapshot, revision: &RevisionHash) -> Answer {
    if !target.seen {
        return unseen(target);
    }
    if let Some(analysis) = &target.analysis
        && analysis.canary == *revision
    {
        return of_analysis(target, analysis);
    }
    if target.failed.as_ref() == Some(revision) {
        let reason = format!("an earlier analysis of revision {revision} failed");
        return Answer::new(Gate::Failed, Some(0.0), reason);
    }
    if target.current.as_ref() == Some(revision) {
        return of_standing(target, revision);
    }
    let reason = format!(
        "revision {revision} is not what {} is at, as far as Recant has seen",
        target.target
    );
    Answer::new(Gate::Running, None, reason)
}

/// What is to be said of the newest revision of a target, for who cannot name it.
pub fn of_newest(target: &TargetSnapshot) -> Answer {
    match (&target.analysis, &target.current) {
        _ if !target.seen => unseen(target),
        (Some(analysis), _) => of_analysis(target, analysis),
        (None, Some(current)) => of_standing(target, current),
        (None, None) => unseen(target),
    }
}

fn unseen(target: &TargetSnapshot) -> Answer {
    // Somebody asked about it just now: it is no fault that nothing is known of it.
    if target.on_request {
        let reason = format!("{} was taken up, and not looked at yet", target.target);
        return Answer::new(Gate::Running, None, reason);
    }
    let reason = format!("{} was not seen in the cluster yet", target.target);
    Answer::new(Gate::Blind, None, reason)
}

fn of_analysis(target: &TargetSnapshot, analysis: &AnalysisSnapshot) -> Answer {
    let score = analysis.score;
    let findings = &analysis.findings;
    if analysis.failed {
        let why = sentences(findings, Finding::fails);
        let why = if why.is_empty() {
            "it was called bad at an earlier look".to_owned()
        } else {
            why
        };
        return Answer::new(Gate::Failed, score, why);
    }
    // What was found before does not open a gate while nobody can look.
    if let Some(reason) = &target.blind {
        return Answer::new(Gate::Blind, score, reason.clone());
    }
    let shared = |finding: &Finding| finding.state == State::BaselineAlsoBad && !finding.dry_run;
    if findings.iter().any(shared) {
        let why = sentences(findings, shared);
        let reason = format!("the baseline is bad, too, so nothing goes on: {why}");
        return Answer::new(Gate::Held, score, reason);
    }
    if analysis.passing {
        return Answer::new(Gate::Open, score, "every rule is surely kept");
    }
    let open = |finding: &Finding| finding.state != State::Within && !finding.dry_run;
    let mut why = sentences(findings, open);
    if why.is_empty() {
        why = sentences(findings, |finding| !finding.dry_run);
    }
    let reason = if why.is_empty() {
        "not enough was measured yet".to_owned()
    } else {
        format!("nothing is decided yet: {why}")
    };
    Answer::new(Gate::Running, score, reason)
}

fn of_standing(target: &TargetSnapshot, revision: &RevisionHash) -> Answer {
    match target.standing {
        Some(Standing::KnownGood { at }) => {
            let reason = format!("revision {revision} is known good since {at:.0}");
            Answer::new(Gate::Open, Some(100.0), reason)
        }
        Some(Standing::Failed { at }) => {
            let reason = format!("revision {revision} failed at {at:.0}");
            Answer::new(Gate::Failed, Some(0.0), reason)
        }
        Some(Standing::Inconclusive { at }) => {
            let reason =
                format!("the analysis of revision {revision} ended without a verdict at {at:.0}");
            Answer::new(Gate::Inconclusive, None, reason)
        }
        None => {
            let reason = format!("no analysis of revision {revision} was begun");
            Answer::new(Gate::Inconclusive, None, reason)
        }
    }
}

fn sentences(findings: &[Finding], wanted: impl Fn(&Finding) -> bool) -> String {
    let sentences: Vec<String> = findings
        .iter()
        .filter(|finding| wanted(finding))
        .map(|finding| finding.sentence.clone())
        .collect();
    sentences.join("; ")
}

#[cfg(test)]
mod tests;
