//! `recant check --cluster` against a real API server, and the shipped field lists against its schemas.

mod fields;
mod sources;
mod wire;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use self::wire::Wire;
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::wait::wait_for;

/// One look at everything.
const WITHIN: Duration = Duration::from_mins(1);

/// What a run of the program said.
struct Ran {
    code: Option<i32>,
    document: Value,
    text: String,
}

impl Ran {
    /// All findings as `weight area what`.
    fn findings(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = self.document["findings"].as_array();
        found
            .into_iter()
            .flatten()
            .map(|found| {
                format!(
                    "{} {} {}",
                    text(&found["weight"]),
                    text(&found["area"]),
                    text(&found["what"])
                )
            })
            .collect()
    }

    /// Panics unless one finding begins with `begin` and holds `words`.
    fn must_find(&self, begin: &str, words: &[&str]) {
        let findings = self.findings();
        let found = findings.iter().any(|finding| {
            finding.starts_with(begin) && words.iter().all(|word| finding.contains(word))
        });
        assert!(found, "`{begin}` with {words:?}: {}", self.text);
    }

    /// Messages of the diagnostics of files.
    fn diagnostics(&self) -> Vec<String> {
        let found = self.document["diagnostics"].as_array();
        found
            .into_iter()
            .flatten()
            .map(|found| format!("{} {}", found["severity"], found["message"]))
            .collect()
    }
}

/// Runs the program with the agent's settings and identity, through `wire`.
async fn check(agent: &Agent, wire: &Wire) -> Ran {
    let kubeconfig = agent.kubeconfig().with_extension("through-the-wire");
    let namespace = wire.namespace();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "wire",
        "clusters": [{"name": "wire", "cluster": {"server": wire.url()}}],
        "users": [{"name": "wire", "user": {}}],
        "contexts": [{"name": "wire", "context": {"cluster": "wire", "user": "wire", "namespace": namespace}}],
    });
    std::fs::write(&kubeconfig, config.to_string()).expect("the bed's folder is writable");
    let settings = agent.settings_file();
    let output = Command::new(Path::new(env!("CARGO_BIN_EXE_recant")))
        .args(["check", "--cluster", "--json", "--config"])
        .arg(&settings)
        .env("KUBECONFIG", &kubeconfig)
        .env(
            "TEAM_SLACK",
            format!("{}/services/T0/SECRET", agent.slack().url()),
        )
        .env("DEAD_SLACK", "http://127.0.0.1:1/services/T0/SECRET")
        // It answers everything with 200, but it is asked for the status only.
        .env("ALERTS", agent.slack().url())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(WITHIN, output)
        .await
        .expect("it ends by itself")
        .expect("the program starts");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!text.contains("SECRET"), "an address was shown: {text}");
    Ran {
        code: output.status.code(),
        document: serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {text}")),
        text,
    }
}

fn watch(namespace: &str, name: &str) -> String {
    format!(
        "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: {namespace}}}\ntarget: {{kind: Deployment, name: {name}}}\nrules: [http]\nonFail: [{{rollback: {{}}}}, {{notify: [team]}}]\n"
    )
}

/// The watch, with a rule that scales between releases.
fn scaling(watch: &str, target: &str) -> String {
    format!(
        "{watch}always: [{{rule: http/error-rate, window: 5m, onFail: [{{scale: {{target: {target}, replicas: 5}}}}, {{notify: [office]}}]}}]\n"
    )
}

#[test]
fn what_the_agent_would_lack_is_found_without_a_write() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("check").await;
        ns.deployment("checkout", "v1", 1).await;
        ns.deployment("worker", "v1", 1).await;
        let _traffic = ns.traffic("checkout", 20.0);
        let mut prometheus = ns.prometheus().await;
        prometheus.wait_scraping(1).await;
        let options = Options {
            prometheus: Some(prometheus.url()),
            ..Options::default()
        };
        let rules = format!(
            "{}---\napiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {{name: alerts}}\nalertmanager: {{url: {{env: ALERTS}}}}\n---\napiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {{name: office}}\nteams: {{url: {{env: TEAM_SLACK}}}}\n",
            scaling(&watch(ns.name(), "checkout"), "Deployment/worker")
        );
        let agent = Agent::prepare(&[&ns], &rules, options).await;
        let wire = Wire::start(agent.client().await, ns.name()).await;

        // The first scrape with traffic in it may take a second.
        wait_for("everything to be well", WITHIN, || async {
            let ran = check(&agent, &wire).await;
            let well = ran.code == Some(0)
                && ran
                    .findings()
                    .iter()
                    .all(|finding| finding.starts_with("ok "));
            if well {
                ran.must_find("ok rights", &[]);
                ran.must_find("ok target", &["checkout"]);
                ran.must_find("ok target there, to be changed", &["worker"]);
                ran.must_find("ok source Prometheus", &["2 of 2"]);
                let channels = ["`team`", "`office`", "`alerts`", "no message was sent"];
                ran.must_find("ok channel", &channels);
                Ok(())
            } else {
                Err(ran.text)
            }
        })
        .await;
        let sent: Vec<String> = agent
            .slack()
            .received()
            .iter()
            .map(|it| it.body.clone())
            .collect();
        assert!(sent.iter().all(String::is_empty), "{sent:?}");

        // One fault of each sort.
        let role = include_str!("../../charts/manifests/role.yaml");
        let without = role.replace(
            "resources: [deployments]\n  verbs: [patch]",
            "resources: [deployments]\n  verbs: [create]",
        );
        let without = without.replace("verbs: [list, patch]", "verbs: [list]");
        assert_ne!(role, without);
        bed.kubectl_as(
            bed.admin(),
            &["-n", ns.name(), "apply", "-f", "-"],
            &without,
        )
        .await
        .expect("an administrator may");
        agent.write(
            "rules/more.yaml",
            &format!(
                "{}---\napiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {{name: dead}}\nslack: {{url: {{env: DEAD_SLACK}}}}\n---\napiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {{name: unset}}\nslack: {{url: {{env: NOBODY_SET_THIS}}}}\n",
                scaling(&watch(ns.name(), "nowhere"), "StatefulSet/nobody")
            ),
        );
        agent.write(
            "rules/objects.yaml",
            "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\n---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: a}\nspec: {limit: []}\n---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: checkout}}\n---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: b}\nspec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: nowhere}}\n---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: b}\nspec: {limits: [{type: 3, max: {cpu: 1}}]}\n",
        );
        prometheus.stop();
        let ran = wait_for("the smaller Role to be in force", WITHIN, || async {
            let ran = check(&agent, &wire).await;
            if ran.text.contains("`patch` on `deployments.apps`") {
                Ok(ran)
            } else {
                Err(ran.text)
            }
        })
        .await;
        assert_eq!(ran.code, Some(2), "{}", ran.text);
        ran.must_find(
            "error rights `patch` on `deployments.apps`",
            &["is missing"],
        );
        ran.must_find(
            "error rights `patch` on `horizontalpodautoscalers.autoscaling`",
            &["is missing"],
        );
        ran.must_find("error target", &["nowhere", "does not exist"]);
        ran.must_find("error target", &["StatefulSet", "nobody", "does not exist"]);
        ran.must_find("ok target", &["checkout"]);
        ran.must_find("error source Prometheus at", &["cannot be reached"]);
        ran.must_find("error channel `dead`", &["127.0.0.1:1 cannot be reached"]);
        ran.must_find("error channel `unset`", &["NOBODY_SET_THIS", "is not set"]);
        ran.must_find("ok channel", &["`team`"]);
        let diagnostics = ran.diagnostics().join("\n");
        for words in [
            "the API server has no kind `example.com/v1 Widget`",
            "unknown field `limit` in `spec` of LimitRange `a`",
            "`spec.limits[0].type` of LimitRange `b` must be text, and is a number",
            "Deployment `nowhere` is neither in the files given nor in the cluster",
        ] {
            assert!(diagnostics.contains(words), "{words}: {}", ran.text);
        }
        assert!(!diagnostics.contains("`checkout`"), "{}", ran.text);

        assert!(wire.reads() > 10, "{} reads went through", wire.reads());
        assert_eq!(wire.writes(), Vec::<String>::new());
    });
}

#[test]
fn a_cluster_that_cannot_be_asked_is_told_apart_from_a_faulty_one() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("unasked").await;
        let agent = Agent::prepare(&[&ns], &watch(ns.name(), "checkout"), Options::default()).await;
        let wire = Wire::to_nowhere(ns.name());
        let ran = check(&agent, &wire).await;
        assert_eq!(ran.code, Some(4), "{}", ran.text);
        ran.must_find("unknown cluster", &["did not answer"]);
        ran.must_find("ok channel", &["`team`"]);
    });
}
