//! Documents as they were read, before the names in them are looked up.

use std::sync::Arc;

use super::report::Span;
use super::test::TestDraft;
use crate::ids::{TargetId, WatchName};
use crate::rule::{
    Assurance, Channel, DependsOn, GitOps, Link, PauseAt, Rule, Scope, ScrapeEndpoint, SourceKind,
    Stepped, StuckPods, Task, WhenStuck,
};

/// A place in one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Site {
    /// Index of the file.
    pub(super) file: usize,
    pub(super) span: Span,
}

/// A name that refers to something else.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) site: Site,
}

/// A `RuleSet`.
#[derive(Debug)]
pub(super) struct SetDraft {
    pub(super) name: String,
    /// Only watches of this namespace can name it; `None`: all.
    pub(super) namespace: Option<String>,
    pub(super) site: Site,
    pub(super) rules: Vec<RuleDraft>,
    /// Some of its rules have no readable name.
    pub(super) partial: bool,
}

/// A rule that has a name; `None`: it has errors of its own.
#[derive(Debug)]
pub(super) struct RuleDraft {
    pub(super) name: String,
    pub(super) rule: Option<Arc<Rule>>,
}

/// A `Watch`.
#[derive(Debug)]
pub(super) struct WatchDraft {
    pub(super) name: Option<WatchName>,
    pub(super) site: Site,
    pub(super) target: Option<(TargetId, Site)>,
    /// Instead of a target: what is taken up on request.
    pub(super) scope: Option<Scope>,
    pub(super) source: Option<SourceKind>,
    pub(super) rules: Vec<Reference>,
    pub(super) watch: std::time::Duration,
    pub(super) assurance: Assurance,
    pub(super) pause_at: Option<PauseAt>,
    pub(super) gitops: Option<GitOps>,
    pub(super) stepped: Option<Stepped>,
    /// Where `release.traffic` stands.
    pub(super) traffic: Option<Span>,
    pub(super) dry_run: bool,
    pub(super) rollback: bool,
    pub(super) stuck_pods: StuckPods,
    pub(super) fail_tasks: Vec<TaskDraft>,
    pub(super) approval: bool,
    pub(super) depends_on: Vec<(DependsOn, Site)>,
    pub(super) fail_channels: Vec<Reference>,
    pub(super) always: Vec<AlwaysDraft>,
    pub(super) pass_channels: Vec<Reference>,
    pub(super) scrape: Option<ScrapeEndpoint>,
    pub(super) links: Vec<Link>,
}

/// An entry of `always`.
#[derive(Debug)]
pub(super) struct AlwaysDraft {
    pub(super) rule: Reference,
    pub(super) window: Option<(std::time::Duration, Site)>,
    pub(super) recovery: Option<std::time::Duration>,
    pub(super) tasks: Vec<TaskDraft>,
    pub(super) channels: Vec<Reference>,
}

/// An action that changes something.
#[derive(Debug, Clone)]
pub(super) struct TaskDraft {
    pub(super) what: What,
    pub(super) undo: Option<std::time::Duration>,
    pub(super) site: Site,
}

/// What an action does.
#[derive(Debug, Clone)]
pub(super) enum What {
    Task(Box<Task>),
    /// The steps of the runbook of this name.
    Run(String),
}

/// A `Runbook`. Its objects have no namespace yet.
#[derive(Debug)]
pub(super) struct RunbookDraft {
    pub(super) name: String,
    /// Only watches and runbooks of this namespace can name it; `None`: all.
    pub(super) namespace: Option<String>,
    pub(super) site: Site,
    pub(super) tasks: Vec<TaskDraft>,
    pub(super) channels: Vec<Reference>,
    pub(super) undo: Option<std::time::Duration>,
    pub(super) when_stuck: WhenStuck,
}

/// A `Channel`; `None` inside: it has errors of its own.
#[derive(Debug)]
pub(super) struct ChannelDraft {
    pub(super) name: String,
    /// Only watches of this namespace can name it; `None`: all.
    pub(super) namespace: Option<String>,
    pub(super) site: Site,
    pub(super) channel: Option<Channel>,
}

/// All documents of all files.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    pub(super) sets: Vec<SetDraft>,
    pub(super) watches: Vec<WatchDraft>,
    pub(super) channels: Vec<ChannelDraft>,
    pub(super) runbooks: Vec<RunbookDraft>,
    pub(super) tests: Vec<TestDraft>,
    /// Something could not be read that may define a name.
    pub(super) incomplete: bool,
}
