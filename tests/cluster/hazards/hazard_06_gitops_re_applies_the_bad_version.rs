//! Hazard 6: Argo CD writes back what Git says, so a rollback of a plain Deployment is reverted within seconds. Recant
//! undoes once, says who reverted it and what to commit, and does not fight.
//!
//! Argo CD itself is not among the parts: a stand-in writes what Git says as field manager `argocd-controller`, as its
//! self-heal does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use recant_core::drift::DriftNews;
use recant_core::guard::Guard;
use recant_core::notice::NoticeKind;
use recant_core::plan::StepResult;
use recant_core::record::Record;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_secs(90);
const MANAGER: &str = "argocd-controller";
/// From the drift to its end; Argo CD's own default is 5 s.
const HEALS_AFTER: Duration = Duration::from_secs(2);

/// Writes what Git says onto the Deployment, again and again: the stand-in for Argo CD's self-heal.
struct SelfHeal {
    git: Arc<Mutex<String>>,
    /// Tags that it wrote, in their order.
    wrote: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for SelfHeal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn tag_of(deployment: &Deployment) -> String {
    let pod = deployment
        .spec
        .as_ref()
        .expect("a spec")
        .template
        .spec
        .as_ref();
    let image = pod.expect("a pod spec").containers[0].image.clone();
    let image = image.unwrap_or_default();
    image.rsplit(':').next().unwrap_or_default().to_owned()
}

impl SelfHeal {
    fn start(ns: &Namespace, tag: &str) -> Self {
        let git = Arc::new(Mutex::new(tag.to_owned()));
        let wrote = Arc::new(Mutex::new(Vec::new()));
        let api: Api<Deployment> = ns.api();
        let namespace = ns.name().to_owned();
        let (wanted, written) = (Arc::clone(&git), Arc::clone(&wrote));
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let wanted = wanted.lock().expect("nobody panics with it").clone();
                let Ok(found) = api.get("checkout").await else {
                    continue;
                };
                let tracked = found.metadata.annotations.iter().flatten();
                let tracked = tracked
                    .into_iter()
                    .any(|(key, _)| key == "argocd.argoproj.io/tracking-id");
                if tracked && tag_of(&found) == wanted {
                    continue;
                }
                if tracked && found.metadata.managed_fields.is_some() && written_by_others(&found) {
                    tokio::time::sleep(HEALS_AFTER).await;
                }
                let id = format!("shop:apps/Deployment:{namespace}/checkout");
                let image = manifests::image("checkout", &wanted);
                let patch = json!({
                    "metadata": {"annotations": {"argocd.argoproj.io/tracking-id": id}},
                    "spec": {"template": {"spec": {"containers": [{"name": "checkout", "image": image}]}}},
                });
                let params = PatchParams::apply(MANAGER);
                if api
                    .patch("checkout", &params, &Patch::Strategic(patch))
                    .await
                    .is_ok()
                {
                    written.lock().expect("nobody panics with it").push(wanted);
                }
            }
        });
        Self { git, wrote, task }
    }

    /// Commits another version.
    fn commit(&self, tag: &str) {
        tag.clone_into(&mut self.git.lock().expect("nobody panics with it"));
    }

    fn wrote(&self, tag: &str) -> usize {
        let wrote = self.wrote.lock().expect("nobody panics with it");
        wrote.iter().filter(|wrote| *wrote == tag).count()
    }
}

/// Whether somebody else wrote the image that is there: a drift, and no commit.
fn written_by_others(deployment: &Deployment) -> bool {
    let object = serde_json::to_value(&deployment.metadata).expect("JSON");
    let entries = object["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let owners: Vec<_> = entries
        .iter()
        .filter(|entry| {
            entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
                .to_string()
                .contains("f:image\"")
        })
        .filter_map(|entry| entry["manager"].as_str())
        .collect();
    !owners.contains(&MANAGER)
}

fn rules(namespace: &str, policy: &str) -> String {
    format!(
        "
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: checkout, namespace: {namespace}}}
target: {{kind: Deployment, name: checkout}}
rules: [http]
gitops: {policy}
release: {{watch: 10m}}
onFail: [{{rollback: {{}}}}, {{notify: [team]}}]
"
    )
}

/// Undo steps that were carried out.
fn undone(agent: &Agent) -> usize {
    let records = agent.journal().into_iter();
    records
        .filter(|entry| {
            matches!(&entry.record, Record::StepEnded(outcome)
                if outcome.index == 0 && matches!(outcome.result, StepResult::Done))
        })
        .count()
}

async fn owned(name: &str, policy: &str) -> (Namespace, SelfHeal, Agent) {
    let bed = Bed::get().await;
    let ns = bed.namespace(name).await;
    ns.deployment("checkout", "v1", 2).await;
    let heal = SelfHeal::start(&ns, "v1");
    let api: Api<Deployment> = ns.api();
    wait_for("the tracking annotation", WITHIN, || async {
        let found = api
            .get("checkout")
            .await
            .map_err(|error| error.to_string())?;
        let marks = found.metadata.annotations.unwrap_or_default();
        let tracked = marks.contains_key("argocd.argoproj.io/tracking-id");
        tracked.then_some(()).ok_or(format!("{marks:?}"))
    })
    .await;
    let agent = Agent::start(&[&ns], &rules(ns.name(), policy), Options::default()).await;
    (ns, heal, agent)
}

#[test]
fn hazard_06_a_rollback_that_self_heal_reverts_is_told_and_not_fought_over() {
    run(async {
        let (ns, heal, agent) = owned("hazard-06", "verify").await;
        let traffic = ns.traffic("checkout", 40.0);
        traffic.next(80, WITHIN).await;
        heal.commit("v2");
        // It undoes, Argo CD writes v2 back, and that is told with who did it and what to commit.
        let by = agent
            .wait_record("the revert", WITHIN, |entry| match &entry.record {
                Record::Drift { news, .. } => match &**news {
                    DriftNews::Reverted { by } => Some(by.clone()),
                    _ => None,
                },
                _ => None,
            })
            .await;
        assert_eq!(by, MANAGER);
        let told = agent
            .wait_notice(NoticeKind::RollingBack, None, WITHIN)
            .await;
        let told = told.sentences.concat();
        assert!(told.contains("Argo CD (Application shop)"), "{told}");
        assert!(
            told.contains("Commit `image: shop/checkout:v1` in place of `image: shop/checkout:v2`"),
            "{told}"
        );
        agent.wait_slack(MANAGER, WITHIN).await;
        // Through the same way comes another bad version: judged, told, and left to Git.
        heal.commit("bad5");
        agent
            .wait_record("the guard", WITHIN, |entry| match &entry.record {
                Record::HoldBegan { hold, .. } if hold.guard == Guard::GitOps => {
                    Some(hold.reason.clone())
                }
                _ => None,
            })
            .await;
        assert_eq!(undone(&agent), 1, "it undid once, and never again");
        assert_eq!(heal.wrote("v2"), 2, "the release, and one revert");
        assert_eq!(heal.wrote("bad5"), 1);
        drop(traffic);
    });
}

#[test]
fn hazard_06_by_a_policy_of_telling_nothing_is_written() {
    run(async {
        let (ns, heal, agent) = owned("hazard-06-tell", "tell").await;
        let traffic = ns.traffic("checkout", 40.0);
        traffic.next(80, WITHIN).await;
        heal.commit("v2");
        let held = agent.wait_notice(NoticeKind::Held, None, WITHIN).await;
        let held = held.sentences.concat();
        assert!(held.contains("the policy for that is `tell`"), "{held}");
        assert!(held.contains("Commit `image: shop/checkout:v1`"), "{held}");
        assert_eq!(undone(&agent), 0);
        assert_eq!(heal.wrote("v2"), 1);
        drop(traffic);
    });
}
