//! The Kubernetes adapter on the real API server, as the identity and with the rights of `charts/manifests`.

mod changes;
mod contract;
mod evidence;
mod fences;
mod lease;
mod rights;
mod rollout_blue_green;
mod rollout_steps;
mod scaling;
mod shipped;
mod stateful_sets;
mod stuck_rollout;
mod traffic;
mod undo_oracle;
mod undo_oracle_revisions;
mod watching;
mod way_back;
mod wire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use recant::cluster::kubernetes::{KubernetesCluster, Needs, client, missing_access};
use recant::cluster::{Cluster as _, ClusterError};
use recant_core::ids::{RevisionHash, TargetId, TargetKind};
use recant_core::plan::{Action, Fence, RollbackStep, Step, StepCommand, StepResult};
use recant_core::rule::{ScaleKind, ScaleTarget};
use recant_core::target::{TargetNews, TargetState};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bed::Bed;
use crate::namespace::Namespace;
use crate::wait::wait_for;

/// Who the agent is, by `charts/manifests/role-binding.yaml`.
const AGENT: &str = "system:serviceaccount:recant:recant";
const WITHIN: Duration = Duration::from_secs(30);

fn target(ns: &Namespace, kind: TargetKind) -> TargetId {
    TargetId {
        namespace: ns.name().to_owned(),
        kind,
        name: "checkout".to_owned(),
    }
}

/// A file of `charts/manifests`.
fn manifest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("charts/manifests")
        .join(name)
}

/// A client with the rights that RBAC gives to a user, made as the agent makes its own.
async fn client_of(bed: &Bed, user: &str) -> Client {
    let kubeconfig = Kubeconfig::read_from(bed.kubeconfig_for(user)).expect("our own kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .expect("our own kubeconfig");
    client(config).expect("a client")
}

/// The agent's client, once the manifests' Role is in force in the namespace.
async fn agent(bed: &Bed, ns: &Namespace) -> Client {
    for file in ["role.yaml", "role-binding.yaml"] {
        let path = manifest(file);
        ns.kubectl(&["apply", "-f", path.to_str().expect("a path in UTF-8")])
            .await;
    }
    let client = client_of(bed, AGENT).await;
    let needs = Needs {
        targets: vec![
            target(ns, TargetKind::Deployment),
            target(ns, TargetKind::Rollout),
            target(ns, TargetKind::StatefulSet),
            target(ns, TargetKind::DaemonSet),
        ],
        scales: vec![ScaleTarget {
            namespace: ns.name().to_owned(),
            kind: ScaleKind::StatefulSet,
            name: "worker".to_owned(),
        }],
        acts: true,
        ..Needs::default()
    };
    wait_for("the Role to be in force", WITHIN, || async {
        match missing_access(&client, &needs).await {
            Ok(missing) if missing.is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    client
}

/// A target that is watched until this is dropped.
struct Watched {
    cluster: KubernetesCluster,
    target: TargetId,
    latest: BTreeMap<TargetId, Option<TargetState>>,
    /// How much news there was.
    news: usize,
    _stop: DropGuard,
}

impl Watched {
    fn start(client: Client, target: TargetId) -> Self {
        let stop = CancellationToken::new();
        Self {
            cluster: KubernetesCluster::start(client, std::slice::from_ref(&target), &stop),
            target,
            latest: BTreeMap::new(),
            news: 0,
            _stop: stop.drop_guard(),
        }
    }

    /// Takes what news there is.
    fn look(&mut self) -> Option<&Option<TargetState>> {
        for news in self.cluster.news() {
            self.news += 1;
            match news {
                TargetNews::State(state) => self.latest.insert(state.id.clone(), Some(*state)),
                TargetNews::Gone(target) => self.latest.insert(target, None),
            };
        }
        self.latest.get(&self.target)
    }

    /// Waits on the news until the state of the target is as wanted.
    async fn until(&mut self, what: &str, wanted: impl Fn(&TargetState) -> bool) -> TargetState {
        let deadline = Instant::now() + WITHIN;
        loop {
            if let Some(Some(state)) = self.look()
                && wanted(state)
            {
                return state.clone();
            }
            let waited = timeout_at(deadline, self.cluster.changed()).await;
            assert!(
                waited.is_ok(),
                "waited {WITHIN:?} for {what}; last seen: {:#?}; watches: {:#?}",
                self.latest,
                self.cluster.watches()
            );
        }
    }

    async fn until_complete(&mut self, tag: &str) -> TargetState {
        self.until(&format!("{tag} to be complete"), |state| {
            state.complete && state.current == hash_of(state, tag)
        })
        .await
    }

    async fn execute(&self, command: &StepCommand) -> StepResult {
        self.try_execute(command)
            .await
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    async fn try_execute(&self, command: &StepCommand) -> Result<StepResult, ClusterError> {
        self.cluster.execute(command).await
    }

    /// Executes; again while the controller lags or wrote in between.
    async fn execute_settled(&self, command: &StepCommand) -> StepResult {
        wait_for("the step to have a result", WITHIN, || async {
            match self.try_execute(command).await {
                Err(error) if error.retry() => Err(error.to_string()),
                other => Ok(other),
            }
        })
        .await
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }
}

/// Hash of the newest revision whose image has this tag.
fn hash_of(state: &TargetState, tag: &str) -> Option<RevisionHash> {
    let ending = format!(":{tag}");
    let with_tag = |image: &String| image.ends_with(&ending);
    state
        .revisions
        .iter()
        .rev()
        .find(|revision| revision.images.iter().any(with_tag))
        .map(|revision| revision.hash.clone())
}

/// A step of plan `plan` against the state that was judged.
fn command(plan: &str, judged: &TargetState, step: Step) -> StepCommand {
    StepCommand {
        plan: plan.into(),
        index: 0,
        action: Action::Rollback(RollbackStep {
            fence: Fence {
                target: judged.id.clone(),
                uid: judged.uid.clone(),
                judged: judged.current.clone().expect("a current revision"),
                number: None,
            },
            step,
        }),
        deadline: jiff::Timestamp::now() + Duration::from_mins(1),
        again: false,
    }
}

/// The undo of what was judged, back to the revision with this tag.
fn undo(judged: &TargetState, tag: &str) -> StepCommand {
    let to = hash_of(judged, tag).expect("the revision is there");
    let step = match judged.id.kind {
        TargetKind::Deployment => Step::UndoDeployment { to },
        TargetKind::Rollout => Step::UndoRollout { to },
        TargetKind::StatefulSet | TargetKind::DaemonSet => Step::ApplyRevision { to },
    };
    command("p1", judged, step)
}

/// The reason of a step that was not carried out.
fn reason(result: StepResult) -> String {
    match result {
        StepResult::Fenced { reason } | StepResult::Refused { reason } => reason,
        other => panic!("it was not held back: {other:?}"),
    }
}
