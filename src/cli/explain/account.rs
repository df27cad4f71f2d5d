//! The last release of a watch as it is explained: plain values, for `--json` and for words.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use recant_core::analysis::Ending;
use recant_core::guard::Hold;
use recant_core::ids::{RevisionHash, RuleName, WatchName};
use recant_core::judge::{Compared, Evidence, FALSE_PASSES, Finding, Measured, Phase, State};
use recant_core::sequential::Doubt;

use super::change;
use super::fold::{Fold, Release};
use super::measured::{self, Test};
use super::odds::Weight;

/// What a release is thought of at a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    pub(super) watch: String,
    pub(super) target: String,
    pub(super) revision: RevisionHash,
    pub(super) baseline: Option<RevisionHash>,
    pub(super) phase: Phase,
    pub(super) at: Timestamp,
    /// When the evidence was recorded; `None`: it never was.
    pub(super) evidence_at: Option<Timestamp>,
    pub(super) began: Timestamp,
    pub(super) first_traffic: Option<Timestamp>,
    pub(super) failed: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    pub(super) verdict: Verdict,
    /// Why there is no verdict, where the engine said so.
    pub(super) reason: Option<String>,
    /// All deciding rules together; `None`: nothing is known of it, or a value beyond its limit decides, which has no odds.
    pub(super) together: Option<Weight>,
    pub(super) rules: Vec<RuleAccount>,
    pub(super) holds: Vec<Hold>,
    pub(super) incidents: Vec<IncidentAccount>,
    pub(super) plan: Option<PlanAccount>,
    pub(super) verification: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) traffic: Option<TrafficAccount>,
}

/// Its traffic, where that is stepped.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrafficAccount {
    pub(super) route: String,
    pub(super) backend: String,
    /// What Recant last set or found; `None`: it has set nothing for this release.
    pub(super) percent: Option<u32>,
    pub(super) step: usize,
    pub(super) steps: Vec<u32>,
    pub(super) next: Option<u32>,
    pub(super) waits_for: Option<String>,
    pub(super) ended: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Verdict {
    Undecided,
    /// Every rule is surely kept as of the evidence; it ends with Pass unless something speaks against it.
    Passing,
    Fail,
    Pass,
    Inconclusive,
    Superseded,
}

/// One rule of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleAccount {
    pub(super) rule: RuleName,
    pub(super) state: Option<State>,
    pub(super) dry_run: bool,
    /// What it said when the evidence was recorded, of what was measured just then.
    pub(super) sentence: Option<String>,
    pub(super) since: Option<Timestamp>,
    /// Of a value, which has no tests.
    pub(super) value: Option<Measured>,
    pub(super) baseline_value: Option<Measured>,
    /// How the value compares with that of the baseline, of a rule that asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) compared: Option<Compared>,
    pub(super) tests: Vec<Test>,
    pub(super) against: Option<Weight>,
    pub(super) in_favour: Option<Weight>,
    /// Of what is said against the release, 0..=1.
    pub(super) share: Option<f64>,
    pub(super) events: f64,
    pub(super) no_data: Option<String>,
    /// What would change what it says.
    pub(super) changes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IncidentAccount {
    pub(super) rule: RuleName,
    pub(super) since: Timestamp,
    pub(super) sentence: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanAccount {
    pub(super) id: String,
    pub(super) began: Timestamp,
    pub(super) to: RevisionHash,
    pub(super) steps: Vec<String>,
    pub(super) ended: Option<Timestamp>,
    /// How it ended, or that it is under way.
    pub(super) state: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undecided => "Undecided",
            Self::Passing => "Passing",
            Self::Fail => "Fail",
            Self::Pass => "Pass",
            Self::Inconclusive => "Inconclusive",
            Self::Superseded => "Superseded",
        })
    }
}

impl Account {
    /// The last release of a watch, as of the last record that was taken in.
    pub(super) fn of(fold: &Fold, watch: &WatchName, release: &Release, at: Timestamp) -> Self {
        let analysis = &release.analysis;
        let rules: Vec<RuleAccount> = names(release)
            .into_iter()
            .map(|rule| of_rule(rule, release))
            .collect();
        Self {
            watch: watch.to_string(),
            target: analysis.target.to_string(),
            revision: analysis.canary.clone(),
            baseline: analysis.baseline.clone(),
            phase: analysis.phase,
            at,
            evidence_at: release.evidence_at,
            began: analysis.began,
            first_traffic: analysis.first_traffic,
            failed: analysis.failed,
            ended: release.ended.as_ref().map(|(at, _)| *at),
            verdict: verdict(release, &rules),
            reason: release.ended.as_ref().and_then(|(_, ending)| match ending {
                Ending::Inconclusive { reason } | Ending::Superseded { reason } => {
                    Some(reason.clone())
                }
                Ending::Pass | Ending::Fail => None,
            }),
            together: together(release, &rules),
            rules,
            holds: release.holds.clone(),
            incidents: fold
                .incidents
                .values()
                .filter(|open| open.incident.watch == *watch)
                .map(|open| IncidentAccount {
                    rule: open.incident.rule.clone(),
                    since: open.began,
                    sentence: open.sentence.clone(),
                })
                .collect(),
            plan: release.plan.as_ref().map(super::after::plan),
            verification: release
                .verification
                .as_ref()
                .map(super::after::verification),
            traffic: release.traffic.as_ref().map(super::after::traffic),
        }
    }

    /// The rule that says most against the release.
    pub(super) fn foremost(&self) -> Option<&RuleAccount> {
        let share = |rule: &RuleAccount| rule.share.unwrap_or(0.0);
        self.rules
            .iter()
            .filter(|rule| !rule.dry_run)
            .max_by(|a, b| share(a).total_cmp(&share(b)))
    }
}

impl RuleAccount {
    /// Its value has been beyond its limit for long enough: a condition, which has no odds.
    pub(super) fn decides_by_value(&self) -> bool {
        self.value.is_some()
            && self.against.is_some_and(|weight| weight.decides())
            && !self.compared.is_some_and(|compared| compared.fails)
    }
}

/// In the order of the findings, then what only evidence is known of.
fn names(release: &Release) -> Vec<&RuleName> {
    let mut names: Vec<&RuleName> = release
        .findings
        .iter()
        .map(|finding| &finding.rule)
        .collect();
    let others = release.evidence.keys().chain(release.without_data.keys());
    for rule in others {
        if !names.contains(&rule) {
            names.push(rule);
        }
    }
    names
}

fn of_rule(name: &RuleName, release: &Release) -> RuleAccount {
    let finding = release.findings.iter().find(|known| known.rule == *name);
    let evidence = release.evidence.get(name);
    let judged = evidence.and_then(Evidence::release);
    let tests = judged.map(measured::tests).unwrap_or_default();
    let proof = finding.and_then(|finding| finding.proof);
    let against = proof.map(|proof| Weight::new(proof.against, proof.against_needed));
    let in_favour = proof.map(|proof| Weight::new(proof.in_favour, proof.in_favour_needed));
    let events = judged.map_or_else(
        || evidence.map_or(0.0, Evidence::events),
        recant_core::judge::ReleaseEvidence::events,
    );
    let doubt: Option<Doubt> = judged.and_then(recant_core::judge::ReleaseEvidence::doubt);
    let value = |measured: fn(&Finding) -> Option<Measured>| {
        finding.filter(|_| judged.is_none()).and_then(measured)
    };
    let mut account = RuleAccount {
        rule: name.clone(),
        state: finding.map(|finding| finding.state),
        dry_run: finding.is_some_and(|finding| finding.dry_run),
        sentence: finding.map(|finding| finding.sentence.clone()),
        since: finding.and_then(|finding| finding.since),
        value: value(|finding| Some(finding.canary)),
        baseline_value: value(|finding| finding.baseline),
        compared: finding.and_then(|finding| finding.compared),
        tests,
        against,
        in_favour,
        share: proof.map(|proof| proof.share),
        events,
        no_data: release
            .without_data
            .get(name)
            .filter(|_| events <= 0.0)
            .map(|reason| bare(name, reason).to_owned()),
        changes: Vec::new(),
    };
    account.changes = change::of(&account, judged.is_some(), doubt);
    account
}

/// A sentence about a rule without the rule's name before it.
pub(super) fn bare<'s>(rule: &RuleName, sentence: &'s str) -> &'s str {
    sentence
        .strip_prefix(&format!("`{rule}`: "))
        .unwrap_or(sentence)
}

fn verdict(release: &Release, rules: &[RuleAccount]) -> Verdict {
    match &release.ended {
        Some((_, Ending::Pass)) => return Verdict::Pass,
        Some((_, Ending::Fail)) => return Verdict::Fail,
        Some((_, Ending::Inconclusive { .. })) => return Verdict::Inconclusive,
        // Bad, and taken back by somebody else: it is bad all the same.
        Some((_, Ending::Superseded { .. })) if release.analysis.failed.is_none() => {
            return Verdict::Superseded;
        }
        Some((_, Ending::Superseded { .. })) | None => {}
    }
    if release.analysis.failed.is_some() {
        return Verdict::Fail;
    }
    let mut deciding = rules.iter().filter(|rule| !rule.dry_run).peekable();
    let kept = |rule: &RuleAccount| rule.in_favour.is_some_and(|weight| weight.decides());
    if deciding.peek().is_some() && deciding.all(kept) {
        Verdict::Passing
    } else {
        Verdict::Undecided
    }
}

/// ln of the weighted mean of the evidence: a rule of weight w decides alone at 1 / (w alpha), which says what w is.
fn together(release: &Release, rules: &[RuleAccount]) -> Option<Weight> {
    let deciding: Vec<Weight> = rules
        .iter()
        // A rule without weight has no share.
        .filter(|rule| !rule.dry_run && rule.share.is_some_and(|share| share > 0.0))
        .filter_map(|rule| rule.against)
        .collect();
    let by_value = |rule: &RuleAccount| !rule.dry_run && rule.decides_by_value();
    if deciding.is_empty() || rules.iter().any(by_value) {
        return None;
    }
    let level = |weight: &Weight| weight.log_needed;
    let alpha = release
        .evidence
        .values()
        .find_map(|evidence| Some(evidence.release()?.false_alarms()))
        .unwrap_or_else(|| deciding.iter().map(|weight| (-level(weight)).exp()).sum());
    let most = deciding
        .iter()
        .map(|weight| weight.log - level(weight))
        .fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = deciding
        .iter()
        .map(|weight| (weight.log - level(weight) - most).exp())
        .sum();
    let needed = -alpha.max(f64::MIN_POSITIVE).ln();
    Some(Weight::new(most + sum.ln() + needed, needed))
}

/// Where a rule counts as kept, when no finding says so.
pub(super) fn kept_at() -> f64 {
    -FALSE_PASSES.ln()
}
