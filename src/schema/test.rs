//! `Test` documents.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::watch::{Always, GitOps, Link, Mode, OnFail, OnPass, Release, Scrape, Source, Target};
use super::{ApiVersion, Metadata};

/// Always `Test`.
#[derive(Debug, JsonSchema)]
pub enum Kind {
    Test,
}

/// A test of rules: series written down, and what is expected of them. `recant test` runs it.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct Test {
    pub api_version: ApiVersion,
    pub kind: Kind,
    pub metadata: Metadata,
    /// The watch under test; left out, a Deployment with all rules of the file beside.
    pub watch: Option<WatchUnderTest>,
    /// Between two values of a series; `15s` when left out.
    pub interval: Option<String>,
    /// Which pods run which revision; the first one serves from the beginning.
    #[schemars(extend("minProperties" = 1))]
    pub revisions: BTreeMap<String, Vec<String>>,
    /// Changes to another revision, in the order of time.
    pub releases: Option<Vec<TestRelease>>,
    /// What is measured; the label `pod` says of which pod.
    pub series: Option<Vec<Series>>,
    /// What sources answer to rules that read no series.
    pub answers: Option<Vec<Answer>>,
    /// What must be so at which time, in the order of time.
    pub expect: Option<Vec<Expectation>>,
    /// What must not happen at all.
    pub never: Option<Vec<Never>>,
}

/// `namespace/name` of a watch, or the fields of one.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum WatchUnderTest {
    Name(String),
    Fields(Box<TestWatch>),
}

/// A watch without a name; its target may be left out.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestWatch {
    pub target: Option<Target>,
    /// Rule sets (`http`) and single rules (`http/error-rate`).
    #[schemars(length(min = 1))]
    pub rules: Vec<String>,
    pub source: Option<Source>,
    pub release: Option<Release>,
    pub on_fail: Option<Vec<OnFail>>,
    pub on_pass: Option<Vec<OnPass>>,
    pub always: Option<Vec<Always>>,
    pub mode: Option<Mode>,
    pub dry_run: Option<bool>,
    pub gitops: Option<GitOps>,
    pub scrape: Option<Scrape>,
    pub links: Option<Vec<Link>>,
}

/// A change to another revision.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TestRelease {
    pub revision: String,
    /// Since the beginning of the test, such as `5m`.
    pub at: String,
    /// When the pods of other revisions go, and a Rollout is promoted; left out, both run on beside each other.
    pub completes: Option<String>,
}

/// A series.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Series {
    /// Name and labels: `http_requests_total{pod="web-1",status="200"}`.
    pub series: String,
    /// As for promtool: `0+5x20`, `100x3`, `_x5`, `stale`.
    pub values: Values,
}

/// Values one interval apart.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Values {
    Number(f64),
    Text(String),
}

/// What a source answers to a rule.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Answer {
    pub rule: String,
    /// Whose value it is; left out, and without `label`, that of the whole service.
    pub pod: Option<String>,
    /// A value of the label that tells revisions apart.
    pub label: Option<String>,
    /// As for promtool: `0+5x20`, `100x3`, `_x5`, `stale`.
    pub values: Values,
}

/// What must be so at a time.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 2))]
pub struct Expectation {
    /// Since the beginning of the test, such as `3m`.
    pub at: String,
    /// What is said of the latest release.
    pub verdict: Option<Verdict>,
    /// What rules say.
    pub rules: Option<BTreeMap<String, ExpectedState>>,
    /// A part of what a rule says now, or of what people were told until now.
    pub says: Option<Says>,
    /// All that was done until now: `rollback to v1`, `scale Deployment/worker to 5`. `[]` is nothing.
    pub actions: Option<Vec<String>>,
}

/// What is said of a release.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Verdict {
    None,
    Undecided,
    Fail,
    Pass,
    Inconclusive,
    Superseded,
}

/// What a rule says.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum ExpectedState {
    NoData,
    TooLittle,
    Within,
    Unsure,
    Suspected,
    Failing,
    BaselineAlsoBad,
}

/// One text or several.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Says {
    One(String),
    Several(Vec<String>),
}

/// What Recant does.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Never {
    Rollback,
    Scale,
    Notify,
}
