//! `Watch` documents.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::channel::{HeaderRef, SecretRef};
use super::pattern::{DURATION, PERCENT, RULE_NAME, SCALED, SUBDOMAIN};
use super::{ApiVersion, NamespacedMetadata, cel};

/// Always `Watch`.
#[derive(Debug, JsonSchema)]
pub enum Kind {
    Watch,
}

/// A workload, the rules that judge its releases, and what is done then.
#[derive(Debug, JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    extend(
        "oneOf" = [{"required": ["target"]}, {"required": ["targets"]}],
        "x-kubernetes-validations" = cel::watch(),
    )
)]
pub struct Watch {
    pub api_version: ApiVersion,
    pub kind: Kind,
    pub metadata: NamespacedMetadata,
    /// What is watched.
    pub target: Option<Target>,
    /// What is watched as soon as somebody asks about it, instead of one target.
    pub targets: Option<Targets>,
    /// Rule sets (`http`) and single rules (`http/error-rate`) that judge releases. Left out where there are only
    /// `always` rules.
    #[schemars(length(min = 1))]
    pub rules: Option<Vec<String>>,
    /// Where its metrics come from; left out, the setting `source` says.
    pub source: Option<Source>,
    /// How its releases are judged.
    pub release: Option<Release>,
    /// What is done when a release has failed; left out it is taken back.
    pub on_fail: Option<Vec<OnFail>>,
    /// Who is told when a release has passed.
    pub on_pass: Option<Vec<OnPass>>,
    /// Rules that hold between releases as well.
    pub always: Option<Vec<Always>>,
    /// Whether it acts, or only judges and tells.
    pub mode: Option<Mode>,
    /// The same as `mode: observe`.
    pub dry_run: Option<bool>,
    /// What is done if Argo CD or Flux keeps the target as Git says; left out, the setting `gitops.policy` says.
    pub gitops: Option<GitOps>,
    /// What the target cannot do without: watches (`database`, `shop/database`), or what they watch
    /// (`Deployment/database`). While one fails, a failing release is held.
    #[schemars(length(min = 1, max = 20))]
    pub depends_on: Option<Vec<String>>,
    /// Where the pods expose their metrics, for `source: scrape`.
    pub scrape: Option<Scrape>,
    /// Links that notices carry.
    #[schemars(length(max = 10))]
    pub links: Option<Vec<Link>>,
}

/// What is done to a workload that a `GitOps` tool keeps.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum GitOps {
    /// Nothing is written: people are told what to commit.
    Tell,
    /// Suspend what would revert it, act, and resume when Git shows a good version or a person says so.
    Suspend,
    /// Act, and watch whether it holds; if it is reverted, nothing more is done.
    Verify,
}

/// A workload in the namespace of the watch.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Target {
    pub kind: TargetKind,
    #[schemars(extend("pattern" = SUBDOMAIN))]
    pub name: String,
}

/// Workloads that are taken up when somebody asks about them, and let go when nothing is judged any more.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct Targets {
    /// Always `true`.
    #[schemars(extend("enum" = [true]))]
    pub on_request: bool,
    /// Left out, the namespace of the watch.
    #[schemars(length(min = 1, max = 100))]
    pub namespaces: Option<Vec<String>>,
    /// Left out, `[Rollout]`.
    #[schemars(length(min = 1))]
    pub kinds: Option<Vec<TargetKind>>,
    /// Labels of the workload; it must have all of them. Left out, any will do.
    #[schemars(extend("maxProperties" = 20))]
    pub labels: Option<BTreeMap<String, String>>,
}

/// Kinds of workload that can be watched.
#[derive(Debug, JsonSchema)]
pub enum TargetKind {
    Deployment,
    Rollout,
    StatefulSet,
    DaemonSet,
}

/// Where metrics come from.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum Source {
    Prometheus,
    Scrape,
}

/// How releases are judged.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct Release {
    /// How long a release is watched from its first traffic on, such as `30m`, which it is when left out.
    #[schemars(extend("pattern" = DURATION))]
    pub watch: Option<String>,
    /// The chance that a release which keeps every rule is ever called bad: `1%` when left out, at most `5%`.
    #[schemars(extend("pattern" = PERCENT))]
    pub false_alarms: Option<String>,
    /// What a watch ends with when its evidence says neither; `inconclusive` when left out.
    pub when_unclear: Option<WhenUnclear>,
    /// A Deployment is paused at so many pods of the new revision, such as `1`, or at a share of its replicas, such as
    /// `10%`, until every rule is surely kept.
    pub pause_at: Option<PauseAt>,
    /// Recant raises its traffic step by step, as the evidence allows, and takes it back to 0 % when it fails.
    pub traffic: Option<Traffic>,
}

/// Pods, or a share of the replicas.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum PauseAt {
    Pods(#[schemars(range(min = 1, max = 10000))] u32),
    Share(#[schemars(regex(pattern = r"^[1-9][0-9]?%$"))] String),
}

/// Whose share of the traffic is raised, and by which steps.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct Traffic {
    /// What splits the traffic.
    pub route: Route,
    /// The backend of the release. An `Ingress` may leave it out.
    pub canary: Option<String>,
    /// The backend that gets the rest; needed where there are more than two.
    pub stable: Option<String>,
    /// Rising shares, such as `[10%, 50%, 100%]`.
    #[schemars(length(min = 1, max = 20))]
    pub steps: Vec<String>,
    /// How long the release must be passing at a step before the next one, such as `5m`, which it is when left out.
    pub each: Option<String>,
}

/// An object that splits traffic; in the namespace of the watch.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Route {
    pub kind: RouteKind,
    pub name: String,
    /// The rule that splits the traffic, by its name or its number from 1; needed where several do.
    pub rule: Option<String>,
}

/// Kinds of object that split traffic.
#[derive(Debug, JsonSchema)]
pub enum RouteKind {
    /// A canary Ingress of ingress-nginx.
    Ingress,
    #[schemars(rename = "HTTPRoute")]
    HttpRoute,
    #[schemars(rename = "GRPCRoute")]
    GrpcRoute,
    /// Of Istio.
    VirtualService,
}

/// What an unclear watch becomes.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum WhenUnclear {
    /// People are told what is missing.
    Inconclusive,
    /// Nothing was found against the release.
    Pass,
}

/// One action.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
pub struct OnFail {
    /// Takes the release back: `rollback: {}`.
    pub rollback: Option<Rollback>,
    /// More replicas for a workload, when the rollback is over.
    pub scale: Option<Scale>,
    /// Sets an environment variable of a workload, when the rollback is over.
    pub set_env: Option<SetEnv>,
    /// Sets an annotation of an object, when the rollback is over.
    pub annotate: Option<Annotate>,
    /// Applies a manifest, when the rollback is over.
    pub apply: Option<Apply>,
    /// Sets a backend's share of the traffic, when the rollback is over.
    pub shift: Option<ShiftTraffic>,
    /// Leads the traffic to another colour, when the rollback is over.
    pub switch: Option<Switch>,
    /// Calls somebody outside, when the rollback is over.
    pub webhook: Option<Webhook>,
    /// Runs the `Runbook` of this name, when the rollback is over.
    pub run: Option<String>,
    /// Tells these channels.
    pub notify: Option<Vec<String>>,
}

/// How a release is taken back.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollback {
    /// Of a `StatefulSet`: unready pods of the failed revision, which would block the way back, are deleted. It needs the
    /// right to delete pods. Left out, people are told which ones to delete.
    pub delete_stuck_pods: Option<bool>,
    /// A person has to agree before; left out, the settings say.
    pub approval: Option<Approval>,
}

/// Whether a person has to agree.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum Approval {
    /// By `recant approve`, or by the link in the message.
    Required,
}

/// What a watch does.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub enum Mode {
    /// The default.
    Act,
    /// Judges and tells what it would have done, without doing it.
    Observe,
}

/// One action.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OnPass {
    /// Tells these channels.
    pub notify: Vec<String>,
}

/// Rules that are looked at all the time, and what is done when one is broken.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct Always {
    /// A rule set (`queue`) or a single rule (`queue/depth`).
    #[schemars(extend("pattern" = RULE_NAME))]
    pub rule: String,
    /// How long events are looked at together, such as `5m`; for rules that count events.
    #[schemars(extend("pattern" = DURATION))]
    pub window: Option<String>,
    /// For how long the rule must be kept until what it broke has recovered, such as `5m`: `1m` when left out, and never
    /// less than the rule's `for`.
    #[schemars(extend("pattern" = DURATION))]
    pub recovery: Option<String>,
    /// What is done.
    #[schemars(length(min = 1))]
    pub on_fail: Vec<AlwaysAction>,
}

/// One action.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
pub struct AlwaysAction {
    /// More replicas for a workload, once per incident.
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
    /// Runs the `Runbook` of this name.
    pub run: Option<String>,
    /// Tells these channels.
    pub notify: Option<Vec<String>>,
}

/// More replicas, never fewer: as many as `replicas`, or `factor` times as many.
#[derive(Debug, JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("oneOf" = [{"required": ["replicas"]}, {"required": ["factor"]}])
)]
pub struct Scale {
    /// Kind and name, such as `Deployment/worker`; in the namespace of the watch.
    #[schemars(extend("pattern" = SCALED))]
    pub target: String,
    pub replicas: Option<u32>,
    /// A percentage of what there is, such as `150%`.
    #[schemars(extend("pattern" = PERCENT))]
    pub factor: Option<String>,
    /// Never above this.
    pub ceiling: Option<u32>,
    /// With `replicas: 0`: what is kept before the pods go.
    pub evidence: Option<Evidence>,
    /// The next action waits until the pods are ready, for this long at most, such as `2m`.
    pub wait: Option<String>,
    /// Back to what it was when the rule has been kept again for this long, such as `30m`.
    #[schemars(extend("pattern" = DURATION))]
    pub undo: Option<String>,
}

/// What is kept of pods before they go, in a `ConfigMap` or a file: their last logs and their states.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Evidence {
    /// Of the log of each container, the last lines; 1000 when left out.
    pub lines: Option<u32>,
    /// What cannot be kept within a minute holds the scaling up; when left out, that goes on without it.
    pub required: Option<bool>,
    /// A folder of the agent's, such as `/var/lib/recant/evidence`, in place of a `ConfigMap`; not in documents of the
    /// cluster. The newest 64 files stay.
    pub folder: Option<String>,
}

/// An environment variable in the pod template of a workload.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetEnv {
    /// Kind and name, such as `Deployment/api`; in the namespace of the watch.
    pub target: String,
    /// Only for kinds that Recant does not know.
    pub api_version: Option<String>,
    /// The only one, or the one that kubectl would take, when left out.
    pub container: Option<String>,
    pub name: String,
    pub value: String,
    /// Put back as it was after this long, such as `30m`; of an incident, after its end.
    pub undo: Option<String>,
}

/// A manifest that is applied by server-side apply, with the field manager `recant`: what others manage is not taken over.
#[derive(Debug, JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("oneOf" = [{"required": ["manifest"]}, {"required": ["file"]}])
)]
pub struct Apply {
    /// One object in the namespace of the watch, with `apiVersion`, `kind` and `metadata.name`.
    pub manifest: Option<serde_json::Map<String, serde_json::Value>>,
    /// A file with that one object, as seen from the file of rules; not in documents of the cluster. It is read with the
    /// rules.
    pub file: Option<String>,
}

/// A call by POST, with a JSON body: target, verdict, evidence, correlation, and an `idempotencyKey` that is the same in
/// every repeat. No redirect is followed, and nothing is made of the answer but its status.
#[derive(Debug, JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    extend("oneOf" = [{"required": ["url"]}, {"required": ["urlFrom"]}])
)]
pub struct Webhook {
    /// Without anything secret in it, such as `https://hooks.example.org/drain`.
    #[schemars(length(max = 2000))]
    pub url: Option<String>,
    /// Where the URL is found.
    pub url_from: Option<SecretRef>,
    /// Where the values of headers are found.
    #[schemars(extend("maxProperties" = 10))]
    pub headers: Option<BTreeMap<String, HeaderRef>>,
    /// At most `10s`; `5s` when left out.
    pub timeout: Option<String>,
}

/// An annotation of an object.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct Annotate {
    /// Kind and name, such as `Service/api`; in the namespace of the watch.
    pub target: String,
    /// Of kinds that Recant does not know.
    pub api_version: Option<String>,
    pub key: String,
    /// It is removed when this is left out.
    pub value: Option<String>,
    /// Put back as it was after this long, such as `30m`; of an incident, after its end.
    pub undo: Option<String>,
}

/// A backend's share of the traffic.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ShiftTraffic {
    /// What splits the traffic.
    pub route: Route,
    /// The backend. An `Ingress` may leave it out.
    pub canary: Option<String>,
    /// The backend that gets the rest; needed where there are more than two.
    pub stable: Option<String>,
    /// A whole percentage, such as `0%`.
    pub to: String,
    /// Put back as it was after this long, such as `30m`; of an incident, after its end.
    pub undo: Option<String>,
}

/// Blue-green: a Service selects other pods, or a path of an Ingress leads to another Service; never to pods that are not
/// ready.
#[derive(Debug, JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("oneOf" = [{"required": ["service"]}, {"required": ["ingress"]}])
)]
pub struct Switch {
    /// The Service whose selector is changed.
    pub service: Option<String>,
    /// The Ingress whose backend is changed.
    pub ingress: Option<String>,
    /// Of an Ingress with several.
    pub host: Option<String>,
    /// Of an Ingress with several.
    pub path: Option<String>,
    /// Labels, such as `{color: blue}`; of an Ingress `{service: checkout-blue}`.
    pub to: BTreeMap<String, String>,
    /// The workload of the new colour, which is scaled up before, such as `Deployment/checkout-blue`.
    pub target: String,
    /// What has the traffic now: the new colour gets as many replicas.
    pub present: Option<String>,
    /// The new colour gets at least as many replicas.
    #[schemars(range(min = 1, max = 10000))]
    pub min: Option<u32>,
    /// How long its pods may take to get ready, such as `5m`, which it is when left out.
    pub wait: Option<String>,
    /// What has had the traffic (`present`) goes to no replicas later; left out, it never does.
    #[schemars(rename = "thenScaleDown")]
    pub then_scale_down: Option<ThenScaleDown>,
    /// Put back as it was after this long, such as `30m`; of an incident, after its end.
    pub undo: Option<String>,
}

/// What has had the traffic goes, if the switch has proved itself.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ThenScaleDown {
    /// After this long, such as `30m`; of an incident, after its end. While anything is broken it stays.
    pub after: String,
}

/// Where a pod exposes its metrics.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Scrape {
    #[schemars(range(min = 1))]
    pub port: u16,
    /// `/metrics` when left out.
    pub path: Option<String>,
}

/// A link.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Link {
    pub label: String,
    pub url: String,
}
