//! Rules, watches and channels as the engine uses them: parsed, resolved and valid. Documents become these in `spec`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::change::ObjectRef;
use crate::ids::{ChannelName, RuleName, TargetId, WatchName};
use crate::traffic::Route;

mod alert;
mod always;
mod channel;
mod depends_on;
mod gitops;
mod judging;
mod level;
mod metric;
mod on_request;
mod pause_at;
mod promql;
mod question;
mod runbook;
mod selector;
mod stepped;
mod switch;
mod webhook;

pub use alert::{AlertOf, AlertScope, AlertSelector};
pub use always::{Always, Scale, ScaleKind, ScaleTarget, ScaleTo};
pub use channel::{Channel, ChannelKind, SecretRef};
pub use depends_on::DependsOn;
pub use gitops::GitOps;
pub use judging::{Assurance, Judging, WhenUnclear};
pub use level::{
    HttpJson, KubernetesFact, Level, LevelCompare, LevelMetric, LevelUnit, Over, Redis, RedisKey,
    Sampled,
};
pub use metric::{HistogramMetric, Metric, Part, RatioMetric, Unit};
pub use on_request::{OnRequest, Scope};
pub use pause_at::PauseAt;
pub use promql::{PLACEHOLDERS, Promql, PromqlRange};
pub use question::{Question, What};
pub use runbook::{EvidenceRule, Runbook, Task, WhenStuck};
pub use selector::{MatchOp, Matcher, Selector};
pub use stepped::Stepped;
pub use switch::{Colour, ScaleUp};
pub use webhook::{Webhook, WebhookUrl};

/// Everything that was loaded: all watches with their rules resolved, and all channels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleBook {
    pub watches: Vec<Watch>,
    /// Watches of many workloads, each taken up when somebody asks about it.
    pub on_request: Vec<OnRequest>,
    pub channels: BTreeMap<ChannelName, Channel>,
}

/// One target with the rules that judge its releases and what to do then.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    pub name: WatchName,
    pub target: TargetId,
    /// Where its metrics come from; `None` is the setting `source`.
    pub source: Option<SourceKind>,
    pub rules: Vec<Arc<Rule>>,
    /// How long a release is watched from the first traffic of its canary arm (a Rollout: from its promotion).
    pub watch: Duration,
    pub assurance: Assurance,
    /// Where a release of a Deployment is paused until its evidence is in.
    pub pause_at: Option<PauseAt>,
    /// What is done if a `GitOps` tool keeps the target; `None`: what the setting `gitops.policy` says.
    pub gitops: Option<GitOps>,
    /// Its traffic is raised step by step; `None`: whoever releases sees to that.
    pub stepped: Option<Stepped>,
    /// Judges and tells what it would have done, without doing it.
    pub dry_run: bool,
    /// What its target needs to be well.
    pub depends_on: Vec<DependsOn>,
    pub on_fail: OnFail,
    /// Rules that hold between releases as well.
    pub always: Vec<Always>,
    /// Channels told when a revision became known good.
    pub on_pass: Vec<ChannelName>,
    pub scrape: Option<ScrapeEndpoint>,
    /// Links for the notices: dashboard, runbook. Label and URL.
    pub links: Vec<Link>,
}

impl Watch {
    /// Everything that it may do besides rollbacks and single scalings.
    pub fn runbooks(&self) -> impl Iterator<Item = &Runbook> {
        let always = self
            .always
            .iter()
            .filter_map(|always| always.run.as_deref());
        self.on_fail.run.as_deref().into_iter().chain(always)
    }

    /// Every source that its rules ask; `default` answers what names no source of its own.
    pub fn sources(&self, default: SourceKind) -> BTreeSet<SourceKind> {
        let always = self.always.iter().map(|always| &always.rule);
        self.asked(default, self.rules.iter().chain(always))
    }

    /// Every source that its rules about releases ask.
    pub fn release_sources(&self, default: SourceKind) -> BTreeSet<SourceKind> {
        self.asked(default, self.rules.iter())
    }

    fn asked<'a>(
        &self,
        default: SourceKind,
        rules: impl Iterator<Item = &'a Arc<Rule>>,
    ) -> BTreeSet<SourceKind> {
        let typed = self.source.unwrap_or(default);
        rules
            .map(|rule| Question::of(rule).source().unwrap_or(typed))
            .collect()
    }
}

impl RuleBook {
    /// Every workload that may be scaled.
    pub fn scaled(&self) -> impl Iterator<Item = &ScaleTarget> {
        let alone = self.watches.iter().flat_map(|watch| &watch.always);
        let alone = alone.filter_map(|always| Some(&always.scale.as_ref()?.target));
        let tasks = self.watches.iter().flat_map(Watch::runbooks);
        let tasks = tasks.flat_map(|runbook| &runbook.steps);
        alone.chain(tasks.filter_map(|task| match task {
            Task::Scale { scale, .. } => Some(&scale.target),
            Task::Switch { up, .. } => up.as_ref().map(|up| &up.target),
            Task::SetEnv { .. }
            | Task::Annotate { .. }
            | Task::Apply { .. }
            | Task::Webhook { .. }
            | Task::Shift { .. } => None,
        }))
    }

    /// Every object that may be changed otherwise.
    pub fn changed(&self) -> impl Iterator<Item = &ObjectRef> {
        let tasks = self.watches.iter().flat_map(Watch::runbooks);
        let tasks = tasks.flat_map(|runbook| &runbook.steps);
        tasks.filter_map(|task| match task {
            Task::Scale { .. } | Task::Shift { .. } | Task::Webhook { .. } => None,
            Task::SetEnv { object, .. }
            | Task::Annotate { object, .. }
            | Task::Apply { object, .. }
            | Task::Switch { object, .. } => Some(object),
        })
    }

    /// Every webhook that may be called.
    pub fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        let tasks = self.every_watch().flat_map(Watch::runbooks);
        let tasks = tasks.flat_map(|runbook| &runbook.steps);
        tasks.filter_map(|task| match task {
            Task::Webhook { webhook } => Some(webhook),
            Task::Scale { .. }
            | Task::SetEnv { .. }
            | Task::Annotate { .. }
            | Task::Apply { .. }
            | Task::Shift { .. }
            | Task::Switch { .. } => None,
        })
    }

    /// Every object whose weights may be set.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        let stepped = self
            .watches
            .iter()
            .filter_map(|watch| watch.stepped.as_ref());
        let stepped = stepped.map(|stepped| &stepped.route);
        let tasks = self.watches.iter().flat_map(Watch::runbooks);
        let tasks = tasks.flat_map(|runbook| &runbook.steps);
        stepped.chain(tasks.filter_map(|task| match task {
            Task::Shift { route, .. } => Some(route),
            Task::Scale { .. }
            | Task::SetEnv { .. }
            | Task::Annotate { .. }
            | Task::Apply { .. }
            | Task::Webhook { .. }
            | Task::Switch { .. } => None,
        }))
    }
}

/// A labelled URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub label: String,
    pub url: String,
}

/// What follows a Fail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnFail {
    pub rollback: bool,
    pub stuck_pods: StuckPods,
    /// What else is done, when the rollback is over.
    pub run: Option<Arc<Runbook>>,
    /// A person has to agree to the rollback.
    pub approval: bool,
    pub notify: Vec<ChannelName>,
}

/// What is done about unready pods of a failed revision that a `StatefulSet` waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StuckPods {
    /// People are told which ones to delete.
    #[default]
    Tell,
    /// They are deleted, once the template is back.
    Delete,
}

/// Where answers come from. Only [`Self::Prometheus`] and [`Self::Scrape`] answer typed metrics, and can be a watch's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    Prometheus,
    Scrape,
    /// The status of Kubernetes objects.
    Kubernetes,
    /// JSON documents over HTTP.
    HttpJson,
    Redis,
    /// What Alertmanager reports by its webhook: nothing is asked for it.
    Alerts,
}

/// Where a pod's metrics are, when the watch says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScrapeEndpoint {
    pub port: u16,
    /// Starts with `/`.
    pub path: String,
}

/// A metric with what must hold of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub name: RuleName,
    pub arms: ArmsBy,
    /// How long it must be broken without a break before it fails; the document's `for`.
    pub lasting: Duration,
    pub dry_run: bool,
    pub judging: Judging,
    pub check: Check,
}

/// What is measured, and what must hold of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    Counts(CountsCheck),
    Level(LevelCheck),
}

/// What must hold of counted events.
#[derive(Debug, Clone, PartialEq)]
pub struct CountsCheck {
    pub metric: Metric,
    /// Fails when above. Ratio: a share 0..=1. Histogram: in the unit of its buckets.
    pub max: Option<f64>,
    /// Fails when below; ratios only. A share 0..=1.
    pub min: Option<f64>,
    pub compare: Option<Compare>,
    /// Events in the window below which nothing is decided.
    pub least: u64,
}

/// What must hold of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelCheck {
    pub metric: LevelMetric,
    pub limit: LevelLimit,
    /// How far it may lie from the baseline beside it.
    pub compare: Option<LevelCompare>,
}

/// The limit of a value, in the metric's own unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LevelLimit {
    /// Fails when above.
    Max(f64),
    /// Fails when below.
    Min(f64),
}

/// Fails when the canary's share is above `baseline * (1 + margin) + plus`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compare {
    /// Relative tolerance, >= 0: 0.5 is 50 %.
    pub margin: f64,
    /// Absolute tolerance as a share, 0..=1.
    pub plus: f64,
}

/// How series are told apart into arms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArmsBy {
    /// By the pod label of the source and the pod's revision. Series without that label are one arm: the service.
    Pod,
    /// By a label whose value is the pod-template hash.
    HashLabel(String),
    /// By a label with one value for each arm.
    NamedLabel {
        label: String,
        canary: String,
        baseline: String,
    },
}

impl Rule {
    /// The rule as one about counts; `None`: it reads a value.
    pub fn counts(&self) -> Option<&CountsCheck> {
        match &self.check {
            Check::Counts(check) => Some(check),
            Check::Level(_) => None,
        }
    }

    /// Whether it can only speak against a release: it is about an alert, and that none is reported is no proof that all
    /// is well (Alertmanager, its rules or the way from it may be broken).
    pub fn only_accuses(&self) -> bool {
        match &self.check {
            Check::Counts(_) => false,
            Check::Level(check) => match &check.metric.sampled {
                Sampled::Level(Level::Alert(_)) => true,
                Sampled::Level(
                    Level::Gauge(_)
                    | Level::Promql(_)
                    | Level::Kubernetes(_)
                    | Level::HttpJson(_)
                    | Level::Redis(_),
                )
                | Sampled::Rate { .. } => false,
            },
        }
    }

    /// Its Secret is one of this namespace.
    pub(crate) fn belong_to(&mut self, namespace: &str) {
        match &mut self.check {
            Check::Counts(_) => {}
            Check::Level(check) => match &mut check.metric.sampled {
                Sampled::Rate { .. } => {}
                Sampled::Level(level) => level.belong_to(namespace),
            },
        }
    }

    /// The secret without which it cannot be measured.
    pub fn secret(&self) -> Option<&SecretRef> {
        match &self.check {
            Check::Counts(_) => None,
            Check::Level(check) => match &check.metric.sampled {
                Sampled::Rate { .. } => None,
                Sampled::Level(level) => level.secret(),
            },
        }
    }
}
