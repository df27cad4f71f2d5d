//! Hazard 6: Argo CD writes back what Git says, so a rollback of a plain Deployment is reverted within seconds. Recant
//! undoes once, says who reverted it and what to commit, and does not fight.
//!
//! Argo CD itself is not among the parts: a stand-in writes what Git says as field manager `argocd-controller`, as its
//! self-heal does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use recant_core::drift::DriftNews;
use recant_core::guard::Guard;
use recant_core::notice::NoticeKind;
use recant_core::plan::StepResult;
use recant_core::record::Record;
use serde_json::{Value, json};
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
    let spec = deployment.spec.as_ref().expect("a spec");
    let pod = spec.template.spec.as_ref().expect("a pod spec");
    let image = pod.containers[0].image.clone().unwrap_or_default();
    image.rsplit(':').next().unwrap_or_default().to_owned()
}

/// Argo CD's Applications.
fn applications(ns: &Namespace) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    let resource = ApiResource::from_gvk_with_plural(&kind, "applications");
    Api::namespaced_with(ns.bed().client(), ns.name(), &resource)
}

fn heals(application: &DynamicObject) -> bool {
    application.data["spec"]["syncPolicy"]["automated"]["selfHeal"] == true
}

impl SelfHeal {
    /// A commit is synchronised at once; a drift is put right after a while, unless the Application `shop` says no.
    fn start(ns: &Namespace, tag: &str) -> Self {
        let git = Arc::new(Mutex::new(tag.to_owned()));
        let wrote = Arc::new(Mutex::new(Vec::new()));
        let api: Api<Deployment> = ns.api();
        let applications = applications(ns);
        let namespace = ns.name().to_owned();
        let (wanted, written) = (Arc::clone(&git), Arc::clone(&wrote));
        let task = tokio::spawn(async move {
            let mut synced = String::new();
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let wanted = wanted.lock().expect("nobody panics with it").clone();
                let Ok(found) = api.get("checkout").await else {
                    continue;
                };
                if synced == wanted {
                    let application = applications.get("shop").await;
                    let off = application.is_ok_and(|application| !heals(&application));
                    if off || tag_of(&found) == wanted {
                        continue;
                    }
                    tokio::time::sleep(HEALS_AFTER).await;
                }
                let patch = desired(&namespace, &wanted);
                let params = PatchParams::apply(MANAGER);
                let patch = Patch::Strategic(patch);
                let sent = api.patch("checkout", &params, &patch);
                if sent.await.is_ok() {
                    synced.clone_from(&wanted);
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

/// What Argo CD applies on the client's side: the images, its tracking annotation, and what was applied.
fn desired(namespace: &str, tag: &str) -> Value {
    let image = manifests::image("checkout", tag);
    let spec =
        json!({"template": {"spec": {"containers": [{"name": "checkout", "image": image}]}}});
    let id = format!("{namespace}_shop:apps/Deployment:{namespace}/checkout");
    json!({
        "metadata": {"annotations": {
            "argocd.argoproj.io/tracking-id": id,
            "kubectl.kubernetes.io/last-applied-configuration": json!({"spec": spec}).to_string(),
        }},
        "spec": spec,
    })
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
    let (heal, agent) = owned_in(&ns, policy).await;
    (ns, heal, agent)
}

async fn owned_in(ns: &Namespace, policy: &str) -> (SelfHeal, Agent) {
    ns.deployment("checkout", "v1", 2).await;
    let heal = SelfHeal::start(ns, "v1");
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
    let agent = Agent::start(&[ns], &rules(ns.name(), policy), Options::default()).await;
    (heal, agent)
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
        assert!(told.contains("Argo CD (Application "), "{told}");
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

/// The real definition of Argo CD's Application; its self-heal is off while the bad version stands in Git.
#[test]
fn hazard_06_self_heal_is_suspended_for_the_rollback_and_resumed_once_git_shows_a_good_version() {
    run(async {
        let bed = Bed::get().await;
        let folder = bed.definitions("argocd");
        let folder = folder.to_str().expect("a path in UTF-8");
        bed.kubectl(&["apply", "--server-side", "-f", folder]).await;
        // kubectl gives up at once on a definition that has no conditions yet.
        let established = "--for=condition=Established";
        let wait = ["wait", established, "--timeout=5s", "-f", folder];
        wait_for("the definition to be established", WITHIN, || async {
            bed.kubectl_as(bed.admin(), &wait, "").await.map(drop)
        })
        .await;
        let ns = bed.namespace("hazard-06-suspend").await;
        for file in ["gitops-role.yaml", "gitops-role-binding.yaml"] {
            let path = format!("{}/charts/manifests/{file}", env!("CARGO_MANIFEST_DIR"));
            ns.kubectl(&["apply", "-f", &path]).await;
        }
        ns.apply(&json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "shop"},
            "spec": {
                "project": "default",
                "destination": {"namespace": ns.name(), "server": "https://kubernetes.default.svc"},
                "source": {"repoURL": "https://git.example/shop", "path": "."},
                "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
            },
        }))
        .await;
        let (heal, agent) = owned_in(&ns, "suspend").await;
        let traffic = ns.traffic("checkout", 40.0);
        traffic.next(80, WITHIN).await;
        heal.commit("v2");
        agent.wait_notice(NoticeKind::Restored, None, WITHIN).await;
        let api = applications(&ns);
        let suspended = api.get("shop").await.expect("it is there");
        assert!(!heals(&suspended));
        assert_eq!(
            suspended.data["spec"]["syncPolicy"]["automated"]["prune"],
            true
        );
        let marks = suspended.metadata.annotations.expect("a mark");
        assert!(
            marks["recant.dev/suspended"].ends_with("-sync"),
            "{marks:?}"
        );
        assert_eq!(heal.wrote("v2"), 1, "the release, and no revert");
        // The revert is committed and synchronised: there is nothing left to hold back.
        heal.commit("v1");
        wait_for("the self-heal to be on again", WITHIN, || async {
            let application = api.get("shop").await.map_err(|error| error.to_string())?;
            let marks = application.metadata.annotations.clone().unwrap_or_default();
            let resumed = heals(&application) && !marks.contains_key("recant.dev/suspended");
            resumed.then_some(()).ok_or(format!("{marks:?}"))
        })
        .await;
        drop(traffic);
    });
}
