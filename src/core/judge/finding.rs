//! What a rule's evidence says at one look, in numbers and in words.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::counts::{Decision, Words};
use super::level::{Compared, Said};
use super::release::InAll;
use crate::ids::RuleName;
use crate::rule::{Check, Rule};
use crate::time::elapsed;
use crate::wording::span;

/// What one rule says now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub rule: RuleName,
    pub state: State,
    /// The rule only tells: nothing is decided by it.
    #[serde(default)]
    pub dry_run: bool,
    pub canary: Measured,
    pub baseline: Option<Measured>,
    /// Since when the rule fails.
    pub since: Option<Timestamp>,
    /// Seconds until a value reaches its limit if it goes on like this. Advisory: nothing is decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaches_limit_in: Option<f64>,
    /// How a value compares with that of the baseline, of a rule that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// How much the rule says for and against the release; `None`: no release is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// One sentence with value, limit or baseline, and how much data. No full stop at the end.
    pub sentence: String,
}

/// How much one rule says of a release, as logarithms of how unlikely the data would be otherwise (judge.md 9).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Against the release: exp of it is one in how many, if the release kept the rule.
    pub against: f64,
    /// Where the rule would decide alone.
    pub against_needed: f64,
    /// For the release.
    pub in_favour: f64,
    /// Where the rule is called kept.
    pub in_favour_needed: f64,
    /// What part of the evidence against the release comes from this rule, 0..=1.
    pub share: f64,
    /// Events, or samples, of the canary that it comes from.
    pub events: f64,
}

impl Finding {
    /// Whether the release fails by this rule.
    pub fn fails(&self) -> bool {
        self.state == State::Failing && !self.dry_run
    }
}

/// What a rule says of the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// There was no new sample.
    NoData,
    /// Too few events, of the canary or of what it is compared with.
    TooLittle,
    Within,
    /// Above what is allowed, but that may be chance.
    Unsure,
    /// Surely above what is allowed, but by the events of a single tick.
    Suspected,
    /// Surely above what is allowed.
    Failing,
    /// Above the limit, and the baseline is too: not the release's fault.
    BaselineAlsoBad,
}

/// One arm within the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub events: f64,
    /// Events that count against the rule.
    pub bad: f64,
    /// Ratio: the share of the counted part. Histogram: the quantile, in the unit of its buckets.
    pub value: Option<f64>,
    /// The quantile lies above the histogram's last bound, which is the value.
    #[serde(default)]
    pub or_more: bool,
}

impl Measured {
    pub(super) const NOTHING: Self = Self {
        events: 0.0,
        bad: 0.0,
        value: None,
        or_more: false,
    };
}

/// What one look at a rule saw; words are made of it only where somebody reads them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    pub state: State,
    pub canary: Measured,
    pub baseline: Option<Measured>,
    /// Since when the rule has been broken.
    pub(super) since: Option<Timestamp>,
    pub(super) basis: Basis,
    /// How much it says of the release.
    pub proof: Option<Proof>,
}

/// What the state was found from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Basis {
    /// There was no new sample.
    Silence,
    Counts {
        decision: Decision,
        /// Nothing runs beside the canary.
        before: bool,
    },
    Level(Said),
    /// Everything since the release began.
    InAll(InAll),
    /// Surely broken, but not for as long as the rule asks for.
    NotYetLasting(Decision, bool, Timestamp),
}

impl Seen {
    pub(super) const SILENT: Self = Self {
        state: State::NoData,
        canary: Measured::NOTHING,
        baseline: None,
        since: None,
        basis: Basis::Silence,
        proof: None,
    };

    /// Since when the rule has been broken without a break, if it is now.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// The same with how much it says of the release.
    #[must_use]
    pub fn told(mut self, proof: Proof) -> Self {
        self.proof = Some(proof);
        self
    }

    /// The same with how the value compares with that of the baseline. `failing`: since when the release is called bad
    /// by this rule, be it that its limit is kept.
    #[must_use]
    pub fn compared(mut self, compared: Compared, failing: Option<Timestamp>) -> Self {
        let fails = match self.state {
            // The limit says so, or nothing is called bad now.
            State::Failing | State::NoData => false,
            State::TooLittle
            | State::Within
            | State::Unsure
            | State::Suspected
            | State::BaselineAlsoBad => failing.is_some() && compared.decides,
        };
        if fails {
            self.state = State::Failing;
            self.since = failing;
        }
        if let Basis::Level(said) = self.basis {
            self.basis = Basis::Level(said.beside(Compared { fails, ..compared }));
        }
        self
    }

    /// The same with what the tests of the release say: only they call a release bad.
    #[must_use]
    pub fn judged(
        mut self,
        proof: Proof,
        failing: Option<Timestamp>,
        in_all: Option<InAll>,
    ) -> Self {
        self.proof = Some(proof);
        match (failing, self.state) {
            (Some(since), State::Within | State::TooLittle) => {
                self.state = State::Failing;
                self.since = Some(since);
                // What is measured just now shows nothing: all of it together does.
                self.basis = in_all.map_or(self.basis, Basis::InAll);
            }
            (Some(since), State::Unsure | State::Suspected | State::BaselineAlsoBad) => {
                self.state = State::Failing;
                self.since = Some(since);
                if let Basis::Counts { decision, before } = self.basis {
                    let decision = decision.failing();
                    self.basis = Basis::Counts { decision, before };
                }
            }
            (Some(since), State::Failing) => self.since = Some(since),
            (None, State::Failing) => self.state = State::Suspected,
            // Without a sample nothing is called bad now, whatever was said before.
            (Some(_), State::NoData)
            | (
                None,
                State::NoData
                | State::TooLittle
                | State::Within
                | State::Unsure
                | State::Suspected
                | State::BaselineAlsoBad,
            ) => {}
        }
        self
    }

    /// The same held against what the tests of the release allow, where nothing runs beside it.
    #[must_use]
    pub fn allowing(mut self, share: Option<f64>) -> Self {
        if let (Basis::Counts { decision, before }, Some(share)) = (self.basis, share) {
            let decision = decision.allowing(share);
            self.state = decision.state();
            self.basis = Basis::Counts { decision, before };
        }
        self
    }

    /// A rule that fails only when it is broken for some time (`for`), and has not been for long enough at `now`.
    pub(super) fn lasting(mut self, rule: &Rule, now: Timestamp) -> Self {
        let (State::Failing, Some(since), Basis::Counts { decision, before }) =
            (self.state, self.since, self.basis)
        else {
            return self;
        };
        let enough = SignedDuration::try_from(rule.lasting).unwrap_or(SignedDuration::MAX);
        if elapsed(since, now) < enough {
            self.state = State::Suspected;
            self.basis = Basis::NotYetLasting(decision, before, now);
        }
        self
    }

    /// The same in numbers and in words.
    pub fn finding(&self, rule: &Rule) -> Finding {
        Finding {
            rule: rule.name.clone(),
            state: self.state,
            dry_run: rule.dry_run,
            canary: self.canary,
            baseline: self.baseline,
            since: self.since.filter(|_| self.state == State::Failing),
            reaches_limit_in: match self.basis {
                Basis::Level(said) => said.reaches(),
                Basis::Silence
                | Basis::Counts { .. }
                | Basis::InAll(_)
                | Basis::NotYetLasting(..) => None,
            },
            compared: match self.basis {
                Basis::Level(said) => said.compared(),
                Basis::Silence
                | Basis::Counts { .. }
                | Basis::InAll(_)
                | Basis::NotYetLasting(..) => None,
            },
            proof: self.proof,
            sentence: self.sentence(rule),
        }
    }

    /// One sentence with value, limit or baseline, and how much data. No full stop at the end.
    pub fn sentence(&self, rule: &Rule) -> String {
        let name = &rule.name;
        let of_counts = |decision, before| match &rule.check {
            Check::Counts(check) => Words {
                name,
                rule: check,
                decision,
                canary: &self.canary,
                baseline: self.baseline.as_ref(),
                before,
            }
            .sentence(),
            Check::Level(_) => format!("`{name}`: what it measures has changed"),
        };
        match (self.basis, &rule.check) {
            (Basis::Silence, _) if rule.only_accuses() => {
                format!(
                    "`{name}`: nothing was reported of it lately, which is no proof that all is well"
                )
            }
            (Basis::Silence, _) => format!("`{name}`: there is no new sample"),
            (Basis::Counts { decision, before }, _) => of_counts(decision, before),
            (Basis::NotYetLasting(decision, before, now), _) => {
                let since = self
                    .since
                    .map_or(SignedDuration::ZERO, |since| elapsed(since, now));
                let lasting = SignedDuration::try_from(rule.lasting).unwrap_or(SignedDuration::MAX);
                format!(
                    "{}; for {} so far, and it fails after {}",
                    of_counts(decision, before),
                    span(since),
                    span(lasting)
                )
            }
            (Basis::InAll(in_all), Check::Counts(check)) => in_all.sentence(name, check),
            (Basis::Level(said), Check::Level(check)) => {
                said.sentence(rule, check, &self.canary, self.baseline.as_ref())
            }
            (Basis::Level(_), Check::Counts(_)) | (Basis::InAll(_), Check::Level(_)) => {
                format!("`{name}`: what it measures has changed")
            }
        }
    }
}
