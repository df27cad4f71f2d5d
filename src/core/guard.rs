//! Reasons to hold a decision or an action back: one file per guard. Each says what, why and until when.

pub mod acting_replica;
pub mod action_rate;
pub mod approval;
pub mod blast_radius;
pub mod circuit_breaker;
pub mod configuration;
pub mod cool_down;
pub mod dependency;
pub mod dry_run;
pub mod flapping;
pub mod floor;
pub mod freeze;
pub mod fresh_evidence;
pub mod gitops;
pub mod held_by_person;
pub mod kill_switch;
pub mod many_at_once;
pub mod migration;
pub mod nodes;
pub mod object_changed;
pub mod scope;
mod settings;
pub mod silence;
pub mod under_way;
pub mod way_back;

use std::collections::BTreeSet;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, WayBack};
use crate::drift::Reverted;
use crate::ids::{RevisionHash, RuleName, TargetId, WatchName};
use crate::rule::GitOps;
use crate::saga::PlanState;
use crate::silence::Silence;
use crate::target::{NodeReport, TargetState};

pub use approval::{Approval, Approvals, Given};
pub use dependency::Failing;
pub use freeze::{Freeze, FreezeError, Frozen};
pub use held_by_person::Ordered;
pub use settings::{Approving, AtMost, GuardSettings, Silenced, Times};

/// Why something is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Guard {
    TooLittleData,
    NoData,
    SourceUnavailable,
    BaselineAlsoBad,
    SymptomGone,
    CoolDown,
    ActionRate,
    BlastRadius,
    CircuitBreaker,
    Flapping,
    ManyAtOnce,
    Freeze,
    Scope,
    UnderWay,
    ObjectChanged,
    DryRun,
    KillSwitch,
    NoWayBack,
    Autoscaler,
    Silence,
    GitOps,
    Floor,
    Configuration,
    Migration,
    HeldByPerson,
    ActingReplica,
    Approval,
    Dependency,
    Nodes,
}

impl Guard {
    /// The guard's name as metrics and messages show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLittleData => "too little data",
            Self::NoData => "no data",
            Self::SourceUnavailable => "source unavailable",
            Self::BaselineAlsoBad => "baseline also bad",
            Self::SymptomGone => "symptom gone",
            Self::CoolDown => "cool-down",
            Self::ActionRate => "actions per hour",
            Self::BlastRadius => "targets at once",
            Self::CircuitBreaker => "circuit breaker",
            Self::Flapping => "flapping",
            Self::ManyAtOnce => "many targets fail",
            Self::Freeze => "freeze",
            Self::Scope => "scope",
            Self::UnderWay => "rollback under way",
            Self::ObjectChanged => "object changed",
            Self::DryRun => "dry run",
            Self::KillSwitch => "kill switch",
            Self::NoWayBack => "no way back",
            Self::Autoscaler => "autoscaler",
            Self::Silence => "silence",
            Self::GitOps => "GitOps",
            Self::Floor => "floor",
            Self::Configuration => "configuration missing",
            Self::Migration => "migration under way",
            Self::HeldByPerson => "hold",
            Self::ActingReplica => "acting replica",
            Self::Approval => "approval",
            Self::Dependency => "shared dependency",
            Self::Nodes => "nodes not ready",
        }
    }

    /// All of them.
    pub const ALL: [Self; 29] = [
        Self::TooLittleData,
        Self::NoData,
        Self::SourceUnavailable,
        Self::BaselineAlsoBad,
        Self::SymptomGone,
        Self::CoolDown,
        Self::ActionRate,
        Self::BlastRadius,
        Self::CircuitBreaker,
        Self::Flapping,
        Self::ManyAtOnce,
        Self::Freeze,
        Self::Scope,
        Self::UnderWay,
        Self::ObjectChanged,
        Self::DryRun,
        Self::KillSwitch,
        Self::NoWayBack,
        Self::Autoscaler,
        Self::Silence,
        Self::GitOps,
        Self::Floor,
        Self::Configuration,
        Self::Migration,
        Self::HeldByPerson,
        Self::ActingReplica,
        Self::Approval,
        Self::Dependency,
        Self::Nodes,
    ];

    /// The guard of this name, as messages show it or with dashes for blanks: `cool-down`, `actions-per-hour`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|guard| guard.as_str() == name || guard.dashed().eq_ignore_ascii_case(name))
    }

    /// Its name with dashes for blanks, as commands take it.
    pub fn dashed(self) -> String {
        self.as_str().replace(' ', "-")
    }

    /// Whether a person may take it upon themselves. Never the kill switch (P13) and the limits of where it may act at all;
    /// never what a plan cannot be made without; and of evidence a person's command asks nothing.
    pub const fn may_be_overridden(self) -> bool {
        match self {
            Self::CoolDown
            | Self::ActionRate
            | Self::BlastRadius
            | Self::CircuitBreaker
            | Self::Flapping
            | Self::ManyAtOnce
            | Self::Freeze
            | Self::DryRun
            | Self::Silence
            | Self::GitOps
            // Whoever says so will bring it back, or knows that it is not needed.
            | Self::Configuration
            | Self::Migration
            | Self::HeldByPerson
            | Self::Dependency
            | Self::Nodes => true,
            Self::TooLittleData
            | Self::NoData
            | Self::SourceUnavailable
            | Self::BaselineAlsoBad
            | Self::SymptomGone
            | Self::Scope
            | Self::UnderWay
            | Self::ObjectChanged
            | Self::KillSwitch
            | Self::NoWayBack
            | Self::Autoscaler
            // What is older than the floor cannot run; who knows better moves the floor.
            | Self::Floor
            | Self::ActingReplica
            // A person's order is their approval.
            | Self::Approval => false,
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One guard holding something back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    pub guard: Guard,
    /// The rule whose decision is held; `None`: the action of the whole analysis.
    pub rule: Option<RuleName>,
    /// A sentence for people, without a full stop at the end.
    pub reason: String,
    /// When it ends by itself; `None`: when its reason goes.
    pub until: Option<Timestamp>,
}

impl Hold {
    pub(crate) fn action(guard: Guard, reason: String, until: Option<Timestamp>) -> Self {
        Self {
            guard,
            rule: None,
            reason,
            until,
        }
    }

    /// Whether people are told at once. Other holds are told when they last: a controller lags behind its object for a
    /// moment whenever anything changes.
    pub(crate) fn told_at_once(&self) -> bool {
        match self.guard {
            Guard::KillSwitch
            | Guard::DryRun
            | Guard::CoolDown
            | Guard::ActionRate
            | Guard::CircuitBreaker
            | Guard::Flapping
            | Guard::ManyAtOnce
            | Guard::Freeze
            | Guard::Scope
            | Guard::NoWayBack
            | Guard::Autoscaler
            | Guard::Floor
            | Guard::Configuration
            | Guard::Migration
            | Guard::Silence
            | Guard::GitOps
            | Guard::HeldByPerson
            | Guard::Dependency
            | Guard::Nodes => true,
            Guard::TooLittleData
            | Guard::NoData
            | Guard::SourceUnavailable
            | Guard::BaselineAlsoBad
            | Guard::SymptomGone
            | Guard::BlastRadius
            | Guard::UnderWay
            | Guard::ObjectChanged
            | Guard::ActingReplica
            // It is asked for in words of its own.
            | Guard::Approval => false,
        }
    }

    /// Whether both are the same hold, whatever the words and times are by now.
    pub fn same(&self, other: &Self) -> bool {
        self.guard == other.guard && self.rule == other.rule
    }
}

/// Everything that the guards of an action look at.
#[derive(Debug)]
pub struct ActionContext<'a> {
    pub now: Timestamp,
    pub settings: &'a GuardSettings,
    pub analysis: &'a Analysis,
    pub watch_dry_run: bool,
    /// `None`: the cluster has not been seen since the start.
    pub state: Option<&'a TargetState>,
    pub plan: Option<&'a PlanState>,
    pub way_back: Option<&'a WayBack>,
    /// The revision that was stable at first sight, if no pod of it was ever seen ready.
    pub never_ran: Option<&'a RevisionHash>,
    /// Revisions whose pods were seen ready or with traffic, since the target is watched.
    pub ran: &'a BTreeSet<RevisionHash>,
    /// Since when that is.
    pub seen: Option<Timestamp>,
    pub last_action: Option<Timestamp>,
    /// Actions over all targets, oldest first.
    pub actions: &'a [Timestamp],
    /// Rollbacks of this target, oldest first.
    pub rollbacks: &'a [Timestamp],
    /// Rollbacks over all targets that failed one after the other, oldest first.
    pub setbacks: &'a [Timestamp],
    /// Releases over all targets that failed in the last hour, oldest first.
    pub failures: &'a [(Timestamp, TargetId)],
    /// Other targets with a rollback that is under way, or is not yet known to have helped.
    pub others_under_way: usize,
    /// Targets in all.
    pub watched: usize,
    /// When the failing rules last had data.
    pub evidence_at: Option<Timestamp>,
    /// Data older than this are not fresh: a few scrape intervals.
    pub patience: SignedDuration,
    /// Whether some rule fails on fresh evidence now.
    pub still_failing: bool,
    /// Somebody silenced the target in Alertmanager.
    pub silence: Option<&'a Silence>,
    /// What is done to a target that a `GitOps` tool keeps.
    pub gitops: GitOps,
    /// A `GitOps` tool reverted the last rollback.
    pub reverted: Option<&'a Reverted>,
    /// What people ordered.
    pub people: People<'a>,
    /// Why its self-heal could not be suspended.
    pub not_suspended: Option<&'a str>,
    pub approvals: Approvals<'a>,
    /// What the target depends on, and fails now.
    pub dependencies: &'a [Failing],
    /// What the nodes under its pods say, where that was asked.
    pub nodes: Option<&'a NodeReport>,
}

/// What people ordered that concerns an action.
#[derive(Debug, Clone, Copy, Default)]
pub struct People<'a> {
    /// The target is held.
    pub held: Option<&'a Ordered>,
    /// It is in reach of a freeze.
    pub frozen: Option<&'a Frozen>,
}

/// What the guards over all targets look at.
#[derive(Debug)]
pub struct OfAll<'a> {
    pub now: Timestamp,
    pub settings: &'a GuardSettings,
    /// Actions over all targets, oldest first.
    pub actions: &'a [Timestamp],
    /// Rollbacks over all targets that failed one after the other, oldest first.
    pub setbacks: &'a [Timestamp],
    /// Releases over all targets that failed in the last hour, oldest first.
    pub failures: &'a [(Timestamp, TargetId)],
    /// Other targets with a rollback that is under way, or is not yet known to have helped.
    pub others_under_way: usize,
    /// Targets in all.
    pub watched: usize,
}

impl OfAll<'_> {
    /// The guard over all actions, whatever they do.
    pub fn rate(&self) -> Option<Hold> {
        action_rate::hold(self.now, self.settings, self.actions)
    }
}

/// The guards over all targets that hold a rollback back now.
pub fn holds_of_all(all: &OfAll<'_>) -> Vec<Hold> {
    [
        circuit_breaker::check(all),
        many_at_once::check(all),
        blast_radius::check(all),
        all.rate(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl<'a> ActionContext<'a> {
    fn of_all(&self) -> OfAll<'a> {
        OfAll {
            now: self.now,
            settings: self.settings,
            actions: self.actions,
            setbacks: self.setbacks,
            failures: self.failures,
            others_under_way: self.others_under_way,
            watched: self.watched,
        }
    }
}

/// Everything that the guards of a scaling look at before the cluster is asked.
#[derive(Debug)]
pub struct ScalingContext<'a> {
    pub now: Timestamp,
    pub settings: &'a GuardSettings,
    /// Actions over all targets, oldest first.
    pub actions: &'a [Timestamp],
    /// Where what is scaled lies.
    pub namespace: &'a str,
    pub watch: &'a WatchName,
    pub watch_dry_run: bool,
    pub rule: &'a RuleName,
    pub rule_dry_run: bool,
    /// Somebody silenced the target in Alertmanager.
    pub silence: Option<&'a Silence>,
    /// What people ordered.
    pub people: People<'a>,
}

/// Everything that the guards of a pause look at. It takes nothing away, so that rates and breakers do not hold it.
#[derive(Debug)]
pub struct PauseContext<'a> {
    pub now: Timestamp,
    pub settings: &'a GuardSettings,
    pub watch: &'a WatchName,
    pub watch_dry_run: bool,
    pub state: &'a TargetState,
    /// Somebody silenced the target in Alertmanager.
    pub silence: Option<&'a Silence>,
    /// What people ordered.
    pub people: People<'a>,
}

/// Everything that the guards of a step of a release's traffic look at before the route is read.
#[derive(Debug)]
pub struct TrafficContext<'a> {
    pub now: Timestamp,
    pub settings: &'a GuardSettings,
    pub target: &'a TargetId,
    pub watch: &'a WatchName,
    pub watch_dry_run: bool,
    /// `None`: the cluster has not been seen since the start.
    pub state: Option<&'a TargetState>,
    /// Actions over all targets, oldest first.
    pub actions: &'a [Timestamp],
    /// Releases over all targets that failed in the last hour, oldest first.
    pub failures: &'a [(Timestamp, TargetId)],
    /// The traffic goes back, and not on.
    pub back: bool,
    /// Somebody silenced the target in Alertmanager.
    pub silence: Option<&'a Silence>,
    /// What people ordered.
    pub people: People<'a>,
}

/// The first guard that holds a pause back; none: pause.
pub fn holds_pause(context: &PauseContext<'_>) -> Option<Hold> {
    let PauseContext {
        now,
        settings,
        watch,
        watch_dry_run,
        state,
        silence,
        people,
    } = *context;
    kill_switch::of_settings(settings)
        .or_else(|| kill_switch::of_state(state))
        .or_else(|| dry_run::of_settings(settings, watch, watch_dry_run))
        .or_else(|| scope::hold(settings, &state.id.namespace))
        .or_else(|| scope::of_labels(settings, &state.id.to_string(), &state.labels))
        .or_else(|| freeze::hold(now, settings, people.frozen))
        .or_else(|| held_by_person::hold(now, people.held))
        .or_else(|| silence::of_settings(settings, silence))
}

/// Everything that the guards of an operation look at before the cluster is asked.
#[derive(Debug)]
pub struct OperationContext<'a> {
    pub now: Timestamp,
    pub settings: &'a GuardSettings,
    /// Actions over all targets, oldest first.
    pub actions: &'a [Timestamp],
    /// Where what is changed lies.
    pub namespace: &'a str,
    pub watch: &'a WatchName,
    pub watch_dry_run: bool,
    /// The rule that asks for it and is a dry run.
    pub dry_rule: Option<&'a RuleName>,
    /// Somebody silenced the target in Alertmanager.
    pub silence: Option<&'a Silence>,
    /// Other operations that are carried out now.
    pub under_way: usize,
    /// What people ordered.
    pub people: People<'a>,
    /// Targets in all.
    pub watched: usize,
}

/// The first guard that holds an operation back now; none: look at the cluster.
pub fn holds_operation(context: &OperationContext<'_>) -> Option<Hold> {
    all_of_operation(context).into_iter().next()
}

/// All guards that hold an operation back now.
pub fn all_of_operation(context: &OperationContext<'_>) -> Vec<Hold> {
    let OperationContext { now, settings, .. } = *context;
    [
        kill_switch::of_settings(settings),
        dry_run::of_settings(settings, context.watch, context.watch_dry_run),
        context
            .dry_rule
            .and_then(|rule| dry_run::of_rule(rule, true)),
        scope::hold(settings, context.namespace),
        freeze::hold(now, settings, context.people.frozen),
        held_by_person::hold(now, context.people.held),
        silence::of_settings(settings, context.silence),
        blast_radius::of_operations(context),
        action_rate::hold(now, settings, context.actions),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The first guard that holds a step of a release's traffic back now; none: look at the route.
///
/// While many releases fail nothing goes on, but what failed may lose its traffic: that changes no workload.
pub fn holds_traffic(context: &TrafficContext<'_>) -> Option<Hold> {
    let TrafficContext { now, settings, .. } = *context;
    kill_switch::of_settings(settings)
        .or_else(|| kill_switch::of_state(context.state?))
        .or_else(|| dry_run::of_settings(settings, context.watch, context.watch_dry_run))
        .or_else(|| scope::hold(settings, &context.target.namespace))
        .or_else(|| freeze::hold(now, settings, context.people.frozen))
        .or_else(|| held_by_person::hold(now, context.people.held))
        .or_else(|| silence::of_settings(settings, context.silence))
        .or_else(|| {
            let onwards = !context.back;
            onwards
                .then(|| many_at_once::hold(now, settings, context.failures))
                .flatten()
        })
        .or_else(|| action_rate::hold(now, settings, context.actions))
}

/// The first guard that holds a scaling back now; none: look at the cluster.
pub fn holds_scaling(context: &ScalingContext<'_>) -> Option<Hold> {
    let hold = kill_switch::of_settings(context.settings)
        .or_else(|| dry_run::of_settings(context.settings, context.watch, context.watch_dry_run))
        .or_else(|| dry_run::of_rule(context.rule, context.rule_dry_run))
        .or_else(|| scope::hold(context.settings, context.namespace))
        .or_else(|| freeze::hold(context.now, context.settings, context.people.frozen))
        .or_else(|| held_by_person::hold(context.now, context.people.held))
        .or_else(|| silence::of_settings(context.settings, context.silence))
        .or_else(|| action_rate::hold(context.now, context.settings, context.actions))?;
    Some(Hold {
        rule: Some(context.rule.clone()),
        ..hold
    })
}

/// All guards that hold the action back now; none: act.
pub fn holds(context: &ActionContext<'_>) -> Vec<Hold> {
    let mut holds = holds_of_command(context);
    // Evidence comes and goes. That is a reason only where it is the last one: else it would be news every few seconds.
    if holds.is_empty() {
        holds.extend(fresh_evidence::check(context));
    }
    // Nobody is asked about what would not be done anyway.
    if holds.is_empty() {
        holds.extend(approval::check(context));
    }
    holds
}

/// All guards that hold a person's command back: all but those of evidence.
pub fn holds_of_command(context: &ActionContext<'_>) -> Vec<Hold> {
    let mut holds: Vec<Hold> = [
        kill_switch::check(context),
        dry_run::check(context),
        scope::hold(context.settings, &context.analysis.target.namespace).or_else(|| {
            let state = context.state?;
            scope::of_labels(context.settings, &state.id.to_string(), &state.labels)
        }),
        freeze::hold(context.now, context.settings, context.people.frozen),
        held_by_person::hold(context.now, context.people.held),
        silence::of_settings(context.settings, context.silence),
        object_changed::check(context),
        under_way::check(context),
        way_back::check(context),
        gitops::check(context),
        floor::check(context),
        cool_down::check(context),
        flapping::check(context),
        dependency::check(context),
        nodes::check(context),
    ]
    .into_iter()
    .flatten()
    .collect();
    holds.extend(holds_of_all(&context.of_all()));
    holds
}
