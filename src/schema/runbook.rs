//! The shape of `Runbook` documents.

use schemars::JsonSchema;

use super::watch::{Annotate, Apply, Scale, SetEnv, ShiftTraffic, Switch, Webhook};
use super::{ApiVersion, SharedMetadata};

/// Steps that are decided together and carried out one after the other.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct Runbook {
    pub api_version: ApiVersion,
    pub kind: Kind,
    pub metadata: SharedMetadata,
    /// In the order in which they are carried out. Objects lie in the namespace of the watch that runs it.
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
    /// All of it is put back as it was after this long, such as `30m`; of an incident, after its end.
    pub undo: Option<String>,
    /// What becomes of the rest when a step cannot be carried out; `stop` when left out.
    pub when_stuck: Option<WhenStuck>,
}

#[derive(Debug, JsonSchema)]
pub enum Kind {
    Runbook,
}

/// One step.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Step {
    /// More replicas for a workload.
    pub scale: Option<Scale>,
    /// Sets an environment variable of a workload.
    pub set_env: Option<SetEnv>,
    /// Sets an annotation of an object.
    pub annotate: Option<Annotate>,
    /// Applies a manifest.
    pub apply: Option<Apply>,
    /// Sets a backend's share of the traffic.
    pub shift: Option<ShiftTraffic>,
    /// Leads the traffic to another colour.
    pub switch: Option<Switch>,
    /// Calls somebody outside.
    pub webhook: Option<Webhook>,
    /// The steps of another `Runbook`.
    pub run: Option<String>,
    /// Tells these channels.
    pub notify: Option<Vec<String>>,
}

/// What becomes of the rest.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum WhenStuck {
    /// It is not carried out: a person has to look.
    Stop,
    /// It is carried out all the same.
    GoOn,
    /// It is not carried out, and what was done is put back at once.
    Undo,
}
