//! Recant's own series, as the last snapshot has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use recant_core::gate::{self, Gate};
use recant_core::guard::Hold;
use recant_core::ids::RevisionHash;
use recant_core::judge::{Finding, Measured, State};
use recant_core::snapshot::{AnalysisSnapshot, Snapshot, TargetSnapshot};

use crate::http::metrics::source_name;

use super::families::Family;
use super::selector::Selector;

/// Labels by their names; `__name__` is the family.
pub(super) type Labels = BTreeMap<&'static str, Arc<str>>;

/// One series, and its value now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) labels: Labels,
    pub(super) value: f64,
    /// It has ended: why Recant cannot look at what it is about.
    pub(super) ended: Option<Arc<str>>,
    /// Since when it is so, where that is known.
    pub(super) since: Option<Timestamp>,
    /// What is to be said about it, in a sentence.
    pub(super) says: Option<String>,
}

/// The series of a snapshot that a selector takes, family by family. Those that have ended stand among them.
pub(super) fn of(snapshot: &Snapshot, selector: &Selector) -> Vec<Series> {
    let mut collector = Collector {
        selector,
        families: Family::ALL
            .into_iter()
            .filter(|family| selector.takes("__name__", family.name()))
            .collect(),
        found: Vec::new(),
    };
    for lost in &snapshot.lost_sources {
        let labels = Labels::from([("source", source_name(lost.source).into())]);
        let about = About {
            labels,
            ended: None,
        };
        collector.told(&about, Family::SourceLost, None, &lost.reason);
    }
    for target in &snapshot.targets {
        collector.target(target);
    }
    let mut found = collector.found;
    found.sort_by_key(|(family, _)| *family);
    found.into_iter().map(|(_, series)| series).collect()
}

struct Collector<'a> {
    selector: &'a Selector,
    /// Those that are asked for.
    families: Vec<Family>,
    found: Vec<(Family, Series)>,
}

/// What several series are about.
#[derive(Clone)]
struct About {
    labels: Labels,
    ended: Option<Arc<str>>,
}

impl About {
    fn with(&self, label: &'static str, value: &str) -> Self {
        let mut more = self.clone();
        more.labels.insert(label, value.into());
        more
    }

    fn living(&self) -> Self {
        Self {
            labels: self.labels.clone(),
            ended: None,
        }
    }
}

impl Collector<'_> {
    fn wants(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    fn push(&mut self, about: &About, family: Family, value: f64) {
        self.series(about, family, value, None, None);
    }

    fn told(&mut self, about: &About, family: Family, since: Option<Timestamp>, says: &str) {
        self.series(about, family, 1.0, since, Some(says));
    }

    fn series(
        &mut self,
        about: &About,
        family: Family,
        value: f64,
        since: Option<Timestamp>,
        says: Option<&str>,
    ) {
        // What is not known is no series, and never NaN: that reads as success, or as failure, by who asks.
        if !value.is_finite() || !self.wants(family) {
            return;
        }
        let mut labels = about.labels.clone();
        labels.insert("__name__", family.name().into());
        if self.selector.matches(&labels) {
            let series = Series {
                labels,
                value,
                ended: about.ended.clone(),
                since,
                says: says.map(str::to_owned),
            };
            self.found.push((family, series));
        }
    }

    fn target(&mut self, target: &TargetSnapshot) {
        let id = &target.target;
        // First what most questions name, so that one of a thousand targets costs little.
        let selector = self.selector;
        if !selector.takes("name", &id.name) || !selector.takes("namespace", &id.namespace) {
            return;
        }
        let watch = target.watch.to_string();
        let kind = id.kind.to_string();
        let own = [
            ("namespace", id.namespace.as_str()),
            ("kind", &kind),
            ("name", &id.name),
            ("watch", &watch),
        ];
        if !own
            .iter()
            .all(|(label, value)| selector.takes(label, value))
        {
            return;
        }
        let ended = match &target.blind {
            _ if !target.seen => Some(format!("{id} was not seen in the cluster yet").into()),
            Some(reason) => Some(format!("{id} cannot be looked at: {reason}").into()),
            None => None,
        };
        let about = About {
            labels: own.map(|(label, value)| (label, value.into())).into(),
            ended,
        };
        let living = about.living();
        match &about.ended {
            Some(reason) => self.told(&living, Family::Blind, None, reason),
            None => self.push(&living, Family::Blind, 0.0),
        }
        self.verdicts(target, &about);
        if let Some(analysis) = &target.analysis {
            self.analysis(analysis, &about.with("hash", analysis.canary.as_str()));
        }
        for rule in &target.always {
            let about = about.with("rule", rule.rule.as_str());
            if let Some(finding) = &rule.finding {
                self.rule(finding, &about);
            }
            let living = about.living();
            if let Some(incident) = &rule.incident {
                let says = rule.finding.as_ref().map(|finding| &*finding.sentence);
                let says = says.unwrap_or("a rule between releases is broken");
                self.told(&living, Family::Incident, Some(incident.began), says);
                if let Some(hold) = &incident.held {
                    self.held(hold, &living);
                }
            }
            if rule.without_data {
                self.without_data(&living);
            }
        }
        for hold in &target.holds {
            self.held(hold, &living);
        }
        for rule in &target.rules_without_data {
            self.without_data(&living.with("rule", rule.as_str()));
        }
    }

    fn held(&mut self, hold: &Hold, about: &About) {
        let mut about = about.with("guard", hold.guard.as_str());
        if let Some(rule) = &hold.rule {
            about = about.with("rule", rule.as_str());
        }
        self.told(&about, Family::Held, None, &hold.reason);
    }

    fn without_data(&mut self, about: &About) {
        let says = "the rule gets no data";
        self.told(about, Family::WithoutData, None, says);
    }

    /// Of the newest revision, and of the one that is asked for by its hash, be it that it was not seen yet.
    fn verdicts(&mut self, target: &TargetSnapshot, about: &About) {
        if ![Family::Verdict, Family::Score, Family::Gate]
            .into_iter()
            .any(|family| self.wants(family))
        {
            return;
        }
        let newest = match &target.analysis {
            Some(analysis) => Some(&analysis.canary),
            None => target.current.as_ref(),
        };
        let named = |hash: Option<&RevisionHash>| match hash {
            Some(hash) => about.with("hash", hash.as_str()),
            None => about.clone(),
        };
        self.verdict(gate::of_newest(target), named(newest));
        let selector = self.selector;
        if selector.exactly("name").is_some()
            && let Some(hash) = selector.exactly("hash")
            && newest.is_none_or(|newest| newest.as_str() != hash)
        {
            let hash = RevisionHash::from(hash);
            let answer = gate::of_revision(target, &hash);
            self.verdict(answer, named(Some(&hash)));
        }
    }

    fn verdict(&mut self, answer: gate::Answer, mut about: About) {
        let (value, state) = match answer.gate {
            Gate::Running => (0.0, "running"),
            Gate::Held => (0.0, "held"),
            Gate::Open => (1.0, "open"),
            Gate::Failed => (-1.0, "failed"),
            Gate::Inconclusive => (0.0, "inconclusive"),
            Gate::Blind => (0.0, "blind"),
        };
        if answer.gate == Gate::Blind {
            about.ended.get_or_insert_with(|| (*answer.reason).into());
        } else {
            // What is known to be good or bad stays so while nobody can look.
            about.ended = None;
        }
        let says = Some(answer.reason.as_str());
        self.series(&about, Family::Verdict, value, None, says);
        if let Some(score) = answer.score {
            self.push(&about, Family::Score, score);
        }
        let state = about.with("state", state);
        self.series(&state, Family::Gate, 1.0, None, says);
    }

    fn analysis(&mut self, analysis: &AnalysisSnapshot, about: &About) {
        let seconds = |at: Timestamp| at.as_millisecond() as f64 / 1000.0;
        let living = about.living();
        self.push(&living, Family::Began, seconds(analysis.began));
        self.push(&living, Family::Ends, seconds(analysis.ends));
        for finding in &analysis.findings {
            self.rule(finding, &about.with("rule", finding.rule.as_str()));
        }
    }

    fn rule(&mut self, finding: &Finding, about: &About) {
        let state = match finding.state {
            State::NoData => "no data",
            State::TooLittle => "too little",
            State::Within => "within",
            State::Unsure => "unsure",
            State::Suspected => "suspected",
            State::Failing => "failing",
            State::BaselineAlsoBad => "baseline also bad",
        };
        let says = Some(finding.sentence.as_str());
        let in_state = about.with("state", state);
        self.series(&in_state, Family::RuleState, 1.0, finding.since, says);
        if let Some(proof) = &finding.proof {
            for (family, value) in [
                (Family::Against, proof.against),
                (Family::AgainstNeeded, proof.against_needed),
                (Family::InFavour, proof.in_favour),
                (Family::InFavourNeeded, proof.in_favour_needed),
                (Family::Share, proof.share),
                (Family::JudgedEvents, proof.events),
            ] {
                self.push(about, family, value);
            }
        }
        // Without a new sample the figures are no figures of now.
        if finding.state != State::NoData {
            self.arm(&finding.canary, &about.with("arm", "canary"));
            if let Some(baseline) = &finding.baseline {
                self.arm(baseline, &about.with("arm", "baseline"));
            }
        }
    }

    fn arm(&mut self, measured: &Measured, about: &About) {
        if let Some(value) = measured.value {
            self.push(about, Family::Value, value);
        }
        self.push(about, Family::Events, measured.events);
        self.push(about, Family::BadEvents, measured.bad);
    }
}
