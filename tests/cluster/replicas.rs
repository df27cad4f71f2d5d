//! Several replicas without a volume: whichever of them is lost, a bad release is taken back once.

mod journal;
pub(crate) mod leader;
mod meddling;
mod outages;
mod shards;

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt as _, watcher};
use recant::journal::compact::State;
use recant::journal::shard::look;
use recant_core::ids::TargetKind;
use recant_core::record::Record;
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::namespace::Namespace;
use crate::traffic::Traffic;
use crate::wait::wait_for;

/// Nothing that is waited for takes longer, with a dozen agents on a busy machine.
pub(crate) const WITHIN: Duration = Duration::from_secs(90);
const NAMES: [&str; 3] = ["-a", "-b", "-c"];

/// Replicas of one agent, and what they watch.
pub(crate) struct Fleet {
    pub(crate) ns: Namespace,
    agents: Vec<Agent>,
    shards: u32,
}

impl Fleet {
    /// Three that are ready; `checkout` serves `v1`.
    pub(crate) async fn start(name: &str, shards: u32, targets: &[&str]) -> Self {
        let ns = Bed::get().await.namespace(name).await;
        Self::start_in(ns, shards, targets, Vec::new()).await
    }

    pub(crate) async fn start_in(
        ns: Namespace,
        shards: u32,
        targets: &[&str],
        settings: Vec<(&'static str, Value)>,
    ) -> Self {
        join_all(targets.iter().map(|target| ns.deployment(target, "v1", 2))).await;
        let rules: String = targets.iter().map(|target| rules(&ns, target)).collect();
        let mut agents = Vec::new();
        for name in NAMES {
            let options = Options {
                name,
                settings: std::iter::once(("replicas.shards", json!(shards)))
                    .chain(settings.iter().cloned())
                    .collect(),
                ..Options::default()
            };
            agents.push(Agent::prepare(&[&ns], &rules, options).await);
        }
        for agent in &agents {
            agent.launch();
        }
        for agent in &agents {
            agent.wait_ready().await;
        }
        Self { ns, agents, shards }
    }

    /// Who holds a Lease.
    pub(crate) async fn holder(&self, lease: &str) -> &Agent {
        wait_for(
            &format!("the Lease `{lease}` to be held"),
            WITHIN,
            || async {
                let lease = self.ns.api::<Lease>().get(lease).await;
                let lease = lease.map_err(|error| error.to_string())?;
                let holder = lease.spec.and_then(|spec| spec.holder_identity);
                let holder = holder.unwrap_or_default();
                let mut agents = self.agents.iter();
                agents
                    .find(|agent| holder.starts_with(&format!("{}_", agent.name())))
                    .ok_or(format!("`{holder}` holds it"))
            },
        )
        .await
    }

    /// The state of a shard, as it is durable now; waits for an API server that does not answer.
    async fn state(&self, shard: u32) -> State {
        let client = self.ns.bed().client();
        wait_for("the journal to be readable", WITHIN, || async {
            let state = look(&client, self.ns.name(), &format!("recant-shard-{shard}")).await;
            state
                .map(Option::unwrap_or_default)
                .map_err(|error| error.to_string())
        })
        .await
    }

    /// Starts what has ended, as a kubelet does; how many that were.
    fn revive(&self) -> usize {
        let ended: Vec<&Agent> = self
            .agents
            .iter()
            .filter(|agent| agent.has_ended())
            .collect();
        for agent in &ended {
            agent.launch();
        }
        ended.len()
    }

    /// The latest records of all shards.
    async fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for shard in 0..self.shards {
            let recent = self.state(shard).await.recent;
            records.extend(recent.into_iter().map(|recent| recent.record));
        }
        records
    }

    /// Waits until so many records are one that `is` takes.
    pub(crate) async fn wait_records(&self, what: &str, number: usize, is: fn(&Record) -> bool) {
        let begun = Instant::now();
        // The journals change when one of these does.
        let maps: Api<PartialObjectMeta<ConfigMap>> =
            Api::namespaced(self.ns.bed().client(), self.ns.name());
        let maps = watcher(maps, watcher::Config::default());
        let mut maps = pin!(maps.default_backoff());
        loop {
            let records = self.records().await;
            let found = records.iter().filter(|record| is(record)).count();
            if found >= number {
                return;
            }
            assert!(
                begun.elapsed() < WITHIN,
                "{what}: {found} of {number}; the last records: {:#?}",
                records.iter().rev().take(8).collect::<Vec<_>>()
            );
            drop(tokio::time::timeout(Duration::from_millis(500), maps.next()).await);
        }
    }

    async fn count(&self, is: fn(&Record) -> bool) -> usize {
        self.records()
            .await
            .iter()
            .filter(|record| is(record))
            .count()
    }

    /// Watches a workload, and keeps every change of what it runs and who wrote it.
    pub(crate) async fn observe(&self, target: &str) -> Observer {
        let api = self.ns.api::<Deployment>();
        let object = api.get(target).await.expect("it is there");
        let mut writes = vec![Write::of(&object)];
        let (sender, seen) = tokio::sync::watch::channel(writes.clone());
        let name = target.to_owned();
        let task = tokio::spawn(async move {
            let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
            let mut states = pin!(watcher(api, config).default_backoff().applied_objects());
            while let Some(state) = states.next().await {
                let Ok(object) = state else { continue };
                let write = Write::of(&object);
                if writes.last() != Some(&write) {
                    writes.push(write);
                    sender.send_replace(writes.clone());
                }
            }
        });
        Observer {
            seen,
            _task: AbortOnDropHandle::new(task),
        }
    }

    pub(crate) async fn traffic(&self, target: &str) -> Traffic {
        let traffic = self.ns.traffic(target, 20.0);
        traffic.next(40, WITHIN).await;
        traffic
    }
}

/// What a workload was made to be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Write {
    generation: i64,
    image: String,
    plan: Option<String>,
}

impl Write {
    fn of(object: &Deployment) -> Self {
        let spec = object
            .spec
            .as_ref()
            .and_then(|spec| spec.template.spec.as_ref());
        let annotations = object.metadata.annotations.as_ref();
        Self {
            generation: object.metadata.generation.unwrap_or_default(),
            image: spec
                .and_then(|spec| spec.containers.first()?.image.clone())
                .unwrap_or_default(),
            plan: annotations.and_then(|all| all.get("recant.dev/plan").cloned()),
        }
    }
}

pub(crate) struct Observer {
    seen: tokio::sync::watch::Receiver<Vec<Write>>,
    _task: AbortOnDropHandle<()>,
}

impl Observer {
    /// Whatever others did, nothing was written by a plan of ours.
    fn assert_never_ours(&self) {
        let seen = self.seen.borrow().clone();
        assert!(seen.iter().all(|write| write.plan.is_none()), "{seen:#?}");
    }

    /// Made, shipped, undone, by one plan: and nothing else was ever written.
    pub(crate) fn assert_one_rollback(&self) {
        let seen = self.seen.borrow().clone();
        let generations: Vec<i64> = seen.iter().map(|write| write.generation).collect();
        assert_eq!(generations, [1, 2, 3], "{seen:#?}");
        let plans: Vec<bool> = seen.iter().map(|write| write.plan.is_some()).collect();
        assert_eq!(plans, [false, false, true], "{seen:#?}");
    }
}

pub(crate) fn is_step(record: &Record) -> bool {
    matches!(record, Record::StepBegun(_))
}

fn is_plan(record: &Record) -> bool {
    matches!(record, Record::PlanBegan { .. })
}

fn is_verified(record: &Record) -> bool {
    matches!(record, Record::VerificationEnded { .. })
}

fn rules(ns: &Namespace, target: &str) -> String {
    let (name, kind) = (ns.name(), TargetKind::Deployment);
    format!(
        r"
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: {target}, namespace: {name}}}
target: {{kind: {kind}, name: {target}}}
rules: [http]
release: {{watch: 10m}}
onFail: [{{rollback: {{}}}}, {{notify: [team]}}]
"
    )
}
