//! The fold of a journal up to a time, as far as the last release of each watch goes.
//!
//! The ledger forgets an analysis when it ends, and its evidence when the next check begins: an explanation must not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use recant_core::analysis::{Analysis, Ending, WayBack};
use recant_core::guard::Hold;
use recant_core::ids::{PlanId, RuleName, TargetId, WatchName};
use recant_core::incident::Incident;
use recant_core::judge::{Evidence, Finding, Phase};
use recant_core::ledger::{Ledger, TargetLedger};
use recant_core::record::Record;
use recant_core::saga::{Plan, PlanEnd};
use recant_core::stepping::Stepping;
use recant_core::verify::VerificationEnd;

/// The last release of a watch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Release {
    pub(super) analysis: Analysis,
    /// When the evidence was recorded.
    pub(super) evidence_at: Option<Timestamp>,
    pub(super) evidence: BTreeMap<RuleName, Evidence>,
    /// What the rules said then, in their order.
    pub(super) findings: Vec<Finding>,
    pub(super) way_back: Option<WayBack>,
    pub(super) ended: Option<(Timestamp, Ending)>,
    pub(super) holds: Vec<Hold>,
    pub(super) without_data: BTreeMap<RuleName, String>,
    pub(super) plan: Option<PlanSeen>,
    pub(super) verification: Option<Verified>,
    /// How far its traffic is, where that is stepped.
    pub(super) traffic: Option<Stepping>,
}

/// What is done about a bad release.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlanSeen {
    pub(super) began: Timestamp,
    pub(super) plan: Plan,
    pub(super) end: Option<(Timestamp, PlanEnd)>,
}

/// Whether the symptom is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) began: Timestamp,
    pub(super) end: Option<(Timestamp, VerificationEnd)>,
}

/// A rule between releases that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenIncident {
    pub(super) began: Timestamp,
    pub(super) incident: Incident,
    pub(super) sentence: String,
}

/// What is known by a time.
#[derive(Debug)]
pub(super) struct Fold {
    until: Timestamp,
    pub(super) first: Option<Timestamp>,
    /// The last record that was taken in.
    pub(super) last: Option<Timestamp>,
    /// Every watch that the journal names, also after that time, and when its first release began.
    pub(super) watches: BTreeMap<WatchName, (TargetId, Option<Timestamp>)>,
    pub(super) seen: BTreeSet<TargetId>,
    pub(super) releases: BTreeMap<WatchName, Release>,
    pub(super) incidents: BTreeMap<(TargetId, RuleName), OpenIncident>,
    of_target: BTreeMap<TargetId, WatchName>,
    plans: BTreeMap<PlanId, WatchName>,
}

impl Release {
    pub(super) fn new(analysis: Analysis) -> Self {
        Self {
            analysis,
            evidence_at: None,
            evidence: BTreeMap::new(),
            findings: Vec::new(),
            way_back: None,
            ended: None,
            holds: Vec::new(),
            without_data: BTreeMap::new(),
            plan: None,
            verification: None,
            traffic: None,
        }
    }

    /// Whether it is still to be judged: what is measured later is not what it was decided on.
    fn is_open(&self) -> bool {
        self.analysis.failed.is_none() && self.ended.is_none()
    }

    /// Takes in what the rules said when it was decided.
    fn found(&mut self, findings: &[Finding]) {
        for finding in findings {
            let known = self
                .findings
                .iter_mut()
                .find(|known| known.rule == finding.rule);
            match known {
                Some(known) => *known = finding.clone(),
                None => self.findings.push(finding.clone()),
            }
        }
    }
}

impl Fold {
    pub(super) fn new(until: Timestamp) -> Self {
        Self {
            until,
            first: None,
            last: None,
            watches: BTreeMap::new(),
            seen: BTreeSet::new(),
            releases: BTreeMap::new(),
            incidents: BTreeMap::new(),
            of_target: BTreeMap::new(),
            plans: BTreeMap::new(),
        }
    }

    /// Before the first of the records that were kept: releases that had begun by then. The state is as of the end.
    pub(super) fn begin_with(&mut self, ledger: &Ledger, records: &[Record]) {
        let begins = |of: &Analysis| {
            records.iter().any(
                |record| matches!(record, Record::AnalysisBegan { analysis } if analysis.id == of.id),
            )
        };
        for (target, known) in &ledger.targets {
            self.seen.insert(target.clone());
            if let Some(analysis) = known.analysis.as_ref().filter(|analysis| !begins(analysis)) {
                self.begin(analysis);
                self.take_state(known, &analysis.watch);
            }
        }
    }

    fn take_state(&mut self, known: &TargetLedger, watch: &WatchName) {
        if let Some(release) = self.releases.get_mut(watch) {
            let stepping = known.stepping.as_ref();
            release.traffic = stepping
                .filter(|stepping| stepping.analysis == release.analysis.id)
                .cloned();
        }
        let checkpoint = known
            .checkpoint
            .as_ref()
            .filter(|checkpoint| checkpoint.at <= self.until);
        let (Some(release), Some(checkpoint)) = (self.releases.get_mut(watch), checkpoint) else {
            return;
        };
        release.evidence_at = Some(checkpoint.at);
        release.evidence = checkpoint.evidence.clone();
        release.findings.clone_from(&checkpoint.findings);
    }

    fn begin(&mut self, analysis: &Analysis) {
        let target = &analysis.target;
        self.watches
            .entry(analysis.watch.clone())
            .or_insert_with(|| (target.clone(), None))
            .1
            .get_or_insert(analysis.began);
        if analysis.began > self.until {
            return;
        }
        self.of_target
            .insert(target.clone(), analysis.watch.clone());
        self.releases
            .insert(analysis.watch.clone(), Release::new(analysis.clone()));
    }

    fn of(&mut self, target: &TargetId) -> Option<&mut Release> {
        self.releases.get_mut(self.of_target.get(target)?)
    }

    fn change(&mut self, target: &TargetId, change: impl FnOnce(&mut Release)) {
        if let Some(release) = self.of(target) {
            change(release);
        }
    }

    fn step(&mut self, target: &TargetId, change: impl FnOnce(&mut Stepping)) {
        if let Some(traffic) = self.of(target).and_then(|release| release.traffic.as_mut()) {
            change(traffic);
        }
    }

    /// Takes in the next record.
    pub(super) fn take(&mut self, at: Timestamp, record: &Record) {
        self.first.get_or_insert(at);
        if let Record::IncidentBegan { incident, .. } = record {
            self.watches
                .entry(incident.watch.clone())
                .or_insert_with(|| (incident.target.clone(), None));
        }
        if at > self.until {
            if let Record::AnalysisBegan { analysis } = record {
                let began = &mut self
                    .watches
                    .entry(analysis.watch.clone())
                    .or_insert_with(|| (analysis.target.clone(), None))
                    .1;
                began.get_or_insert(at);
            }
            return;
        }
        self.last = Some(at);
        match record {
            Record::TargetSeen { target, .. } => {
                self.seen.insert(target.clone());
            }
            Record::AnalysisBegan { analysis } => self.begin(analysis),
            Record::Promoted { target } => {
                self.change(target, |release| release.analysis.promoted = Some(at));
            }
            Record::BaselineGone { target } => {
                self.change(target, |release| release.analysis.phase = Phase::Alone);
            }
            Record::FirstTraffic { target } => {
                self.change(target, |release| release.analysis.first_traffic = Some(at));
            }
            Record::Checkpoint {
                target,
                evidence,
                findings,
                ..
            } => self.change(target, |release| {
                if release.is_open() {
                    release.evidence_at = Some(at);
                    release.evidence = evidence.clone();
                    release.findings.clone_from(findings);
                }
            }),
            Record::Failed {
                target,
                findings,
                way_back,
                ..
            } => self.change(target, |release| {
                release.analysis.failed = Some(at);
                release.way_back.clone_from(way_back);
                release.found(findings);
            }),
            Record::HoldBegan { target, hold } => self.change(target, |release| {
                release.holds.retain(|held| !held.same(hold));
                release.holds.push(hold.clone());
            }),
            Record::HoldEnded { target, hold } => self.change(target, |release| {
                release.holds.retain(|held| !held.same(hold));
            }),
            Record::AnalysisEnded {
                target,
                ending,
                findings,
                ..
            } => self.change(target, |release| {
                if release.is_open() {
                    release.found(findings);
                }
                release.ended = Some((at, ending.clone()));
                release.holds.clear();
            }),
            Record::PlanBegan { plan } => {
                let target = &plan.fence.target;
                if let Some(watch) = self.of_target.get(target) {
                    self.plans.insert(plan.id.clone(), watch.clone());
                }
                self.change(target, |release| {
                    release.plan = Some(PlanSeen {
                        began: at,
                        plan: Plan::clone(plan),
                        end: None,
                    });
                });
            }
            Record::PlanEnded { plan, end, .. } => {
                let release = self
                    .plans
                    .get(plan)
                    .and_then(|watch| self.releases.get_mut(watch));
                if let Some(seen) = release.and_then(|release| release.plan.as_mut()) {
                    seen.end = Some((at, end.clone()));
                }
            }
            Record::VerificationBegan { verification } => {
                self.change(&verification.target, |release| {
                    release.verification = Some(Verified {
                        began: at,
                        end: None,
                    });
                });
            }
            Record::VerificationEnded { target, end, .. } => self.change(target, |release| {
                let began = release.verification.as_ref().map_or(at, |seen| seen.began);
                release.verification = Some(Verified {
                    began,
                    end: Some((at, end.clone())),
                });
            }),
            Record::RuleWithoutData {
                target,
                rule,
                reason,
            } => self.change(target, |release| {
                release.without_data.insert(rule.clone(), reason.clone());
            }),
            Record::SteppingBegan { stepping } => self.change(&stepping.target, |release| {
                release.traffic = Some(Stepping::clone(stepping));
            }),
            Record::TrafficBegan { plan } => self.step(&plan.target, |traffic| {
                traffic.begin(plan, at);
            }),
            Record::TrafficHeld { target, hold } => {
                self.step(target, |traffic| traffic.hold(hold));
            }
            Record::TrafficReached { target, reached } => {
                self.step(target, |traffic| traffic.reach(reached.clone()));
            }
            Record::SteppingEnded { target, end } => {
                self.step(target, |traffic| traffic.finish(end));
            }
            Record::IncidentBegan { incident, finding } => {
                let key = (incident.target.clone(), incident.rule.clone());
                let open = OpenIncident {
                    began: at,
                    incident: Incident::clone(incident),
                    sentence: finding.sentence.clone(),
                };
                self.incidents.insert(key, open);
            }
            Record::IncidentEnded { target, rule, .. } => {
                self.incidents.remove(&(target.clone(), rule.clone()));
            }
            Record::Started { .. }
            | Record::Compacted { .. }
            | Record::Reloaded { .. }
            | Record::ReloadRefused { .. }
            | Record::Alerted { .. }
            | Record::Marked { .. }
            | Record::Silenced { .. }
            | Record::Commanded { .. }
            | Record::ApprovalAsked { .. }
            | Record::CommandEnded { .. }
            | Record::NoticeHeld { .. }
            | Record::NoticeReleased { .. }
            | Record::TakenUp { .. }
            | Record::LetGo { .. }
            | Record::TargetGone { .. }
            | Record::Ran { .. }
            | Record::RevisionReturned { .. }
            | Record::StepBegun(_)
            | Record::StepEnded(_)
            | Record::Awaited { .. }
            | Record::SourceLost { .. }
            | Record::SourceBack { .. }
            | Record::Pause { .. }
            | Record::Operation(_)
            | Record::Drift { .. }
            | Record::ScalingBegan { .. }
            | Record::ScalingHeld { .. }
            | Record::ScalingEnded { .. }
            | Record::AlwaysCheckpoint { .. }
            | Record::DataLost { .. }
            | Record::DataBack { .. }
            | Record::Noticed(_)
            | Record::NoticeEnded(_) => {}
        }
    }
}
