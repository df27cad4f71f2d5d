//! Tests of rules, as they are written beside them: series, releases, and what is expected when. Parsed and resolved.
//!
//! Documents become these in `spec`; `recant test` runs them.

use std::time::Duration;

use crate::ids::{PodName, RevisionHash, RuleName};
use crate::rule::Watch;

/// One test: a target whose revisions and series are written down, and what must come of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TestCase {
    pub name: String,
    pub origin: Origin,
    /// The watch under test, with its rules.
    pub watch: Watch,
    /// Between two values of a series, beginning at time 0.
    pub interval: Duration,
    /// In the order of the document; the first one serves at time 0. Never empty.
    pub revisions: Vec<TestRevision>,
    /// In the order of time.
    pub releases: Vec<TestRelease>,
    pub series: Vec<TestSeries>,
    pub answers: Vec<TestAnswer>,
    /// In the order of time.
    pub expect: Vec<Expectation>,
    /// What must not happen at all.
    pub never: Vec<(ActionKind, Origin)>,
}

/// Where something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Index of the file among those that were loaded.
    pub file: usize,
    /// In bytes.
    pub offset: usize,
}

/// A revision and the pods that run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRevision {
    pub hash: RevisionHash,
    pub pods: Vec<PodName>,
}

/// A change of the target to another revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRelease {
    pub revision: RevisionHash,
    /// Since the beginning of the test.
    pub at: Duration,
    /// When the pods of other revisions go, and a Rollout is promoted; `None`: both run on beside each other.
    pub completes: Option<Duration>,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct TestSeries {
    pub metric: String,
    /// Sorted by name, each once.
    pub labels: Vec<(String, String)>,
    pub values: Values,
}

/// What a source answers to a rule that reads no series.
#[derive(Debug, Clone, PartialEq)]
pub struct TestAnswer {
    pub rule: RuleName,
    pub of: AnswerOf,
    pub values: Values,
}

/// What an answer belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerOf {
    Pod(PodName),
    /// A value of the label that tells the arms apart.
    Label(String),
    Whole,
}

/// Values one interval apart, in promtool's notation: runs of values, kept short.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values {
    pub runs: Vec<Run>,
}

/// Equal steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Run {
    /// No sample was scraped.
    Missing { count: u64 },
    /// The series ended.
    Stale,
    /// `first`, then `more` values, each by `step` above the one before.
    Values { first: f64, step: f64, more: u64 },
}

/// One place of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Point {
    Missing,
    Stale,
    Value(f64),
}

impl Values {
    /// How many places there are.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(Run::len).fold(0, u64::saturating_add)
    }

    /// Whether there is no place at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The places one by one. Steps are added up as promtool adds them.
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.runs.iter().flat_map(|run| {
            let (mut value, step) = match run {
                Run::Values { first, step, .. } => (*first, *step),
                Run::Missing { .. } | Run::Stale => (0.0, 0.0),
            };
            (0..run.len()).map(move |_| match run {
                Run::Missing { .. } => Point::Missing,
                Run::Stale => Point::Stale,
                Run::Values { .. } => {
                    let point = Point::Value(value);
                    value += step;
                    point
                }
            })
        })
    }
}

impl Run {
    fn len(&self) -> u64 {
        match self {
            Self::Missing { count } => *count,
            Self::Stale => 1,
            Self::Values { more, .. } => more.saturating_add(1),
        }
    }
}

/// What must be true at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    pub origin: Origin,
    /// Since the beginning of the test.
    pub at: Duration,
    pub verdict: Option<ExpectedVerdict>,
    pub rules: Vec<(RuleName, ExpectedState)>,
    /// Texts that must be part of what a rule says now, or of what people were told until now.
    pub says: Vec<String>,
    /// All that was done until now, in its order; `None`: not asked.
    pub actions: Option<Vec<ExpectedAction>>,
}

/// What is said of the latest release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedVerdict {
    /// No release was judged yet.
    None,
    Undecided,
    Fail,
    Pass,
    Inconclusive,
    Superseded,
}

impl ExpectedVerdict {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Undecided,
        Self::Fail,
        Self::Pass,
        Self::Inconclusive,
        Self::Superseded,
    ];

    /// As it is written in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Undecided => "undecided",
            Self::Fail => "fail",
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Superseded => "superseded",
        }
    }
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedState {
    NoData,
    TooLittle,
    Within,
    Unsure,
    Suspected,
    Failing,
    BaselineAlsoBad,
}

impl ExpectedState {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NoData,
        Self::TooLittle,
        Self::Within,
        Self::Unsure,
        Self::Suspected,
        Self::Failing,
        Self::BaselineAlsoBad,
    ];

    /// As it is written in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoData => "no-data",
            Self::TooLittle => "too-little",
            Self::Within => "within",
            Self::Unsure => "unsure",
            Self::Suspected => "suspected",
            Self::Failing => "failing",
            Self::BaselineAlsoBad => "baseline-also-bad",
        }
    }
}

/// What was done to the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedAction {
    Rollback {
        to: RevisionHash,
    },
    Scale {
        /// `Deployment/worker`.
        target: String,
        replicas: u32,
    },
}

impl std::fmt::Display for ExpectedAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rollback { to } => write!(f, "rollback to {to}"),
            Self::Scale { target, replicas } => write!(f, "scale {target} to {replicas}"),
        }
    }
}

/// Kinds of things that Recant does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind {
    Rollback,
    Scale,
    Notify,
}

impl ActionKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rollback, Self::Scale, Self::Notify];

    /// As it is written in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Scale => "scale",
            Self::Notify => "notify",
        }
    }
}
