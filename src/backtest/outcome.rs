//! What became of each release: folded from the records that the journal would hold.

use std::collections::BTreeMap;

use jiff::Timestamp;

use recant_core::analysis::{Ending, WayBack};
use recant_core::guard::Hold;
use recant_core::ids::{AnalysisId, RevisionHash, RuleName, TargetId, WatchName};
use recant_core::judge::Finding;
use recant_core::record::{Record, Standing};

/// One release, and what the rules would have made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    pub watch: WatchName,
    pub target: TargetId,
    pub revision: RevisionHash,
    /// Its first sample; or when it was released, as somebody says.
    pub begin: Timestamp,
    /// What it was compared with.
    pub baseline: Option<RevisionHash>,
    pub outcome: Outcome,
    /// When that was clear.
    pub at: Option<Timestamp>,
    /// What the rules said then.
    pub findings: Vec<Finding>,
    /// Since when the rule by which it failed was broken, in the samples.
    pub bad_since: Option<Timestamp>,
    /// Somebody says whether it was bad.
    pub known_bad: Option<bool>,
    /// What the rules said, look by look, if that was asked for: for each how much of what decides it had gathered;
    /// against the release above 0, and 1 decides; in favour below 0, and at -1 the rule is surely kept.
    pub evidence: Vec<(Timestamp, Vec<(RuleName, f64)>)>,
}

/// What the rules would have made of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    TakenBack {
        to: WayBack,
    },
    /// It failed, and nothing would have been done about it.
    Failed {
        why: String,
    },
    Passed,
    Inconclusive {
        reason: String,
    },
    /// Another revision came first.
    Superseded {
        reason: String,
    },
    /// It had been there before, so it is not judged.
    Returned {
        standing: Option<Standing>,
    },
    /// The history ends before its watch does.
    Unfinished,
}

impl Release {
    /// Whether it would have been called bad.
    pub fn failed(&self) -> bool {
        match self.outcome {
            Outcome::TakenBack { .. } | Outcome::Failed { .. } => true,
            Outcome::Passed
            | Outcome::Inconclusive { .. }
            | Outcome::Superseded { .. }
            | Outcome::Returned { .. }
            | Outcome::Unfinished => false,
        }
    }

    /// Whether its rules came to a verdict, or might have.
    pub fn judged(&self) -> bool {
        !matches!(self.outcome, Outcome::Returned { .. })
    }

    /// The rule that decided, if it failed: of several the one that says the most.
    pub fn decisive(&self) -> Option<&Finding> {
        let share = |finding: &Finding| finding.proof.map_or(0.0, |proof| proof.share);
        let failing = self.findings.iter().filter(|finding| finding.fails());
        failing.max_by(|a, b| share(a).total_cmp(&share(b)))
    }
}

/// The releases of one watch so far.
#[derive(Debug)]
pub(super) struct Fold {
    watch: WatchName,
    target: TargetId,
    releases: Vec<Release>,
    /// The analysis that the last release is judged in.
    analysis: Option<AnalysisId>,
    holds: Vec<Hold>,
}

impl Fold {
    pub(super) fn new(watch: &WatchName, target: &TargetId) -> Self {
        Self {
            watch: watch.clone(),
            target: target.clone(),
            releases: Vec::new(),
            analysis: None,
            holds: Vec::new(),
        }
    }

    pub(super) fn releases(self) -> Vec<Release> {
        self.releases
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Release> {
        self.releases.last_mut()
    }

    /// The revision that is judged now and has not failed.
    pub(super) fn judging(&self) -> Option<&RevisionHash> {
        let release = self.releases.last().filter(|_| self.analysis.is_some())?;
        (release.outcome == Outcome::Unfinished).then_some(&release.revision)
    }

    /// Takes a record in; `begin` is when the revision that is current came.
    pub(super) fn take(&mut self, now: Timestamp, begin: Timestamp, record: Record) {
        match record {
            Record::AnalysisBegan { analysis } => {
                self.analysis = Some(analysis.id.clone());
                self.holds.clear();
                let release = self.begun(analysis.canary, begin, Outcome::Unfinished);
                self.releases.push(Release {
                    baseline: analysis.baseline,
                    ..release
                });
            }
            Record::RevisionReturned {
                revision, standing, ..
            } => {
                let release = self.begun(revision, begin, Outcome::Returned { standing });
                self.releases.push(release);
            }
            Record::Failed { findings, .. } => {
                if let Some(release) = self.releases.last_mut() {
                    release.at = Some(now);
                    release.findings = findings;
                    release.outcome = Outcome::Failed {
                        why: "the history ends before it could be taken back".to_owned(),
                    };
                }
            }
            Record::HoldBegan { hold, .. } => self.holds.push(hold),
            Record::HoldEnded { hold, .. } => self.holds.retain(|held| !held.same(&hold)),
            Record::PlanBegan { plan } => {
                if let Some(release) = self.releases.last_mut() {
                    release.at = Some(now);
                    release.outcome = Outcome::TakenBack { to: plan.to };
                }
            }
            Record::AnalysisEnded {
                analysis,
                ending,
                findings,
                ..
            } if self.analysis.as_ref() == Some(&analysis) => {
                self.analysis = None;
                self.ended(now, ending, findings);
            }
            _ => {}
        }
    }

    fn begun(&self, revision: RevisionHash, begin: Timestamp, outcome: Outcome) -> Release {
        Release {
            watch: self.watch.clone(),
            target: self.target.clone(),
            revision,
            begin,
            baseline: None,
            outcome,
            at: None,
            findings: Vec::new(),
            bad_since: None,
            known_bad: None,
            evidence: Vec::new(),
        }
    }

    fn ended(&mut self, now: Timestamp, ending: Ending, findings: Vec<Finding>) {
        let holds: BTreeMap<&str, &str> = self
            .holds
            .iter()
            .map(|hold| (hold.guard.as_str(), hold.reason.as_str()))
            .collect();
        let why = match holds.first_key_value() {
            Some((guard, reason)) => format!("held back ({guard}): {reason}"),
            None => "its watch does not say `rollback`".to_owned(),
        };
        let Some(release) = self.releases.last_mut() else {
            return;
        };
        if let Outcome::TakenBack { .. } = release.outcome {
            return;
        }
        if release.failed() {
            if let Outcome::Failed { why: said } = &mut release.outcome {
                *said = why;
            }
            return;
        }
        release.at = Some(now);
        release.findings = findings;
        release.outcome = match ending {
            Ending::Pass => Outcome::Passed,
            Ending::Fail => Outcome::Failed { why },
            Ending::Inconclusive { reason } => Outcome::Inconclusive { reason },
            Ending::Superseded { reason } => Outcome::Superseded { reason },
        };
    }
}

/// How much of what decides each rule has gathered: against the release, or if that is more, in its favour.
pub(super) fn evidence(findings: &[Finding]) -> Vec<(RuleName, f64)> {
    let parts = findings.iter().filter_map(|finding| {
        let proof = finding.proof?;
        let against = (proof.against / proof.against_needed).max(0.0);
        let in_favour = (proof.in_favour / proof.in_favour_needed).max(0.0);
        let part = if against >= in_favour {
            against
        } else {
            -in_favour
        };
        part.is_finite().then(|| (finding.rule.clone(), part))
    });
    parts.collect()
}
