//! `release: {pauseAt: 1}` on the real API server and its Deployment controller: a canary without any other controller,
//! which never stays paused for nothing.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use recant_core::ids::{TargetId, TargetKind};
use recant_core::notice::NoticeKind;
use recant_core::pause::{PauseEnd, PauseNews};
use recant_core::record::Record;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;
use crate::traffic::Traffic;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_secs(90);

/// A watched Deployment under traffic, and every state of it that the API server showed.
struct Release {
    ns: Namespace,
    agent: Agent,
    _traffic: Traffic,
    seen: Arc<Mutex<Vec<(String, bool)>>>,
    watching: JoinHandle<()>,
}

impl Drop for Release {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// Of a Deployment: the tag of its image, and whether it is paused.
fn shown(deployment: &Deployment) -> (String, bool) {
    let spec = deployment.spec.as_ref().expect("a spec");
    let pod = spec.template.spec.as_ref().expect("a pod spec");
    let image = pod.containers[0].image.clone().unwrap_or_default();
    let tag = image.rsplit(':').next().unwrap_or_default().to_owned();
    (tag, spec.paused.unwrap_or(false))
}

impl Release {
    /// v1 serves in three pods; `watch`: how long a release is watched.
    async fn of(name: &str, watch: &str, rate: f64) -> Self {
        let bed = Bed::get().await;
        let ns = bed.namespace(name).await;
        let mut deployment = manifests::deployment("checkout", "v1", 3);
        // Pods of kwok are ready at once; real ones take their time, or are given it so that a pause is no race.
        deployment["spec"]["minReadySeconds"] = json!(6);
        ns.apply(&deployment).await;
        ns.wait_complete("checkout", "v1").await;
        let agent = Agent::start(&[&ns], &rules(ns.name(), watch), Options::default()).await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let config = watcher::Config::default().fields("metadata.name=checkout");
        let states = watcher(ns.api::<Deployment>(), config).applied_objects();
        let kept = Arc::clone(&seen);
        let watching = tokio::spawn(async move {
            let mut states = std::pin::pin!(states);
            while let Some(state) = states.next().await {
                let Ok(deployment) = state else { continue };
                let state = shown(&deployment);
                let mut kept = kept.lock().expect("nobody panics with it");
                if kept.last() != Some(&state) {
                    kept.push(state);
                }
            }
        });
        wait_for("the first picture of it", WITHIN, || async {
            let states = seen.lock().expect("nobody panics with it").len();
            (states > 0).then_some(()).ok_or_else(String::new)
        })
        .await;
        let traffic = ns.traffic("checkout", rate);
        traffic.next(1, WITHIN).await;
        Self {
            ns,
            agent,
            _traffic: traffic,
            seen,
            watching,
        }
    }

    fn target(&self) -> TargetId {
        TargetId {
            namespace: self.ns.name().to_owned(),
            kind: TargetKind::Deployment,
            name: "checkout".to_owned(),
        }
    }

    fn seen(&self) -> Vec<(String, bool)> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    async fn object(&self) -> Deployment {
        self.ns.api().get("checkout").await.expect("it is there")
    }

    /// Ships a version and waits until it is paused and that was told.
    async fn ship_paused(&self, tag: &str) {
        self.ns.set_image("checkout", tag).await;
        self.agent
            .wait_notice(NoticeKind::Paused, Some(&self.target()), WITHIN)
            .await;
        assert_eq!(
            shown(&self.object().await),
            (tag.to_owned(), true),
            "{:?}",
            self.seen()
        );
    }

    async fn wait_end(&self) -> PauseEnd {
        self.agent
            .wait_record("the end of the pause", WITHIN, |entry| {
                match &entry.record {
                    Record::Pause { news, .. } => match &**news {
                        PauseNews::Ended { end } => Some(end.clone()),
                        _ => None,
                    },
                    _ => None,
                }
            })
            .await
    }

    /// Pods of a version that ever were.
    fn pods_of(&self, tag: &str) -> usize {
        let services = self.ns.services();
        services.iter().filter(|service| service.tag == tag).count()
    }

    fn states(&self, expected: &[(&str, bool)]) {
        let expected: Vec<(String, bool)> = expected
            .iter()
            .map(|(tag, paused)| ((*tag).to_owned(), *paused))
            .collect();
        assert_eq!(self.seen(), expected);
    }
}

fn rules(namespace: &str, watch: &str) -> String {
    format!(
        "
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {{name: errors}}
rules:
- name: error-rate
  ratio: {{bad: 'http_requests_total{{status=~\"5..\"}}', total: http_requests_total}}
  max: 15%
  beside: false
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: checkout, namespace: {namespace}}}
target: {{kind: Deployment, name: checkout}}
rules: [errors]
release: {{watch: {watch}, pauseAt: 1}}
onFail: [{{rollback: {{}}}}, {{notify: [team]}}]
onPass: [{{notify: [team]}}]
"
    )
}

/// The program with the agent's identity.
async fn recant(agent: &Agent, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(Path::new(env!("CARGO_BIN_EXE_recant")))
        .args(arguments)
        .env("KUBECONFIG", agent.kubeconfig())
        .env("RUST_LOG", "error")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(30), output)
        .await
        .expect("it ends by itself")
        .expect("the program starts");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

#[test]
fn a_good_release_is_paused_at_its_first_pod_and_goes_on_with_evidence() {
    run(async {
        let release = Release::of("pause-good", "10m", 60.0).await;
        release.ship_paused("v3").await;
        assert_eq!(release.pods_of("v3"), 1, "maxSurge is 1");
        let marks = release.object().await.metadata.annotations;
        let marks = marks.expect("annotations");
        assert!(marks["recant.dev/pause"].ends_with("-pause"), "{marks:?}");
        assert!(marks["recant.dev/paused-until"].ends_with('Z'), "{marks:?}");
        assert_eq!(release.wait_end().await, PauseEnd::Resumed);
        release.ns.wait_complete("checkout", "v3").await;
        release.states(&[("v1", false), ("v3", false), ("v3", true), ("v3", false)]);
        let marks = release.object().await.metadata.annotations;
        assert!(!marks.expect("some").contains_key("recant.dev/paused-until"));
    });
}

#[test]
fn a_bad_release_is_undone_and_resumed_in_one_patch() {
    run(async {
        let release = Release::of("pause-bad", "10m", 60.0).await;
        release.ship_paused("v2").await;
        release
            .agent
            .wait_notice(NoticeKind::Restored, None, WITHIN)
            .await;
        assert_eq!(release.wait_end().await, PauseEnd::Undone);
        // Neither the good template paused nor the bad one let go.
        release.states(&[("v1", false), ("v2", false), ("v2", true), ("v1", false)]);
        assert_eq!(release.pods_of("v2"), 1, "no further bad pod was made");
        release.ns.wait_complete("checkout", "v1").await;
    });
}

#[test]
fn an_agent_that_dies_while_it_is_paused_is_made_up_for() {
    run(async {
        // Little traffic: no evidence ends the pause before the agent dies.
        let release = Release::of("pause-killed", "10m", 8.0).await;
        release.ship_paused("v3").await;
        release.agent.kill();
        // Without any agent: what would be done, and that it is done.
        let namespace = release.ns.name();
        let all = ["resume", "--all", "--namespace", namespace];
        let (code, said) = recant(&release.agent, &[&all[..], &["--dry-run"]].concat()).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(r#""spec":{"paused":null}"#), "{said}");
        assert!(shown(&release.object().await).1, "a dry run writes nothing");
        let (code, said) = recant(&release.agent, &all).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("checkout goes on"), "{said}");
        release.ns.wait_complete("checkout", "v3").await;
        let (code, said) = recant(&release.agent, &all).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("nothing paused"), "{said}");
        // The next process sees that somebody ended it, and does not pause it again.
        release.agent.start_again().await;
        let end = release.wait_end().await;
        assert!(matches!(end, PauseEnd::BySomebody { .. }), "{end:?}");
        release.states(&[("v1", false), ("v3", false), ("v3", true), ("v3", false)]);

        // And once more: killed while it is paused, and the next process goes on with it, by evidence.
        release.ns.set_image("checkout", "v5").await;
        wait_for("the second pause", WITHIN, || async {
            let state = shown(&release.object().await);
            (state == ("v5".to_owned(), true))
                .then_some(())
                .ok_or(format!("{state:?}"))
        })
        .await;
        release.agent.kill();
        let _more = release.ns.traffic("checkout", 60.0);
        release.agent.start_again().await;
        release.ns.wait_complete("checkout", "v5").await;
    });
}

/// The watch ends without evidence, and an autoscaler scales meanwhile.
#[test]
fn without_evidence_it_goes_on_at_the_end_whatever_an_autoscaler_does() {
    run(async {
        let release = Release::of("pause-scaled", "15s", 0.2).await;
        // Next to no requests: no evidence.
        let Release { ns, agent, .. } = &release;
        release.ship_paused("v3").await;
        let scale = json!({"spec": {"replicas": 5}});
        ns.api::<Deployment>()
            .patch_scale("checkout", &PatchParams::default(), &Patch::Merge(scale))
            .await
            .expect("an autoscaler may scale");
        assert_eq!(release.wait_end().await, PauseEnd::Resumed);
        ns.wait_complete("checkout", "v3").await;
        let ended = agent
            .wait_notice(NoticeKind::PauseEnded, None, WITHIN)
            .await;
        assert!(
            ended.sentences.concat().contains("without a verdict"),
            "{ended:?}"
        );
    });
}

#[test]
fn what_a_person_does_to_the_pause_is_theirs() {
    run(async {
        let release = Release::of("pause-person", "10m", 8.0).await;
        release.ship_paused("v3").await;
        let namespace = release.ns.name();
        let rollout = |what| ["rollout", what, "deployment/checkout"];
        release.ns.kubectl(&rollout("resume")).await;
        let end = release.wait_end().await;
        assert!(matches!(end, PauseEnd::BySomebody { .. }), "{end:?}");
        release.ns.wait_complete("checkout", "v3").await;
        // A person's own pause, with our mark still on the object.
        release.ns.kubectl(&rollout("pause")).await;
        let all = ["resume", "--all", "--namespace", namespace];
        let (code, said) = recant(&release.agent, &all).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("nothing paused"), "{said}");
        let object: Value = serde_json::to_value(release.object().await).expect("JSON");
        assert_eq!(object["spec"]["paused"], json!(true));
    });
}
