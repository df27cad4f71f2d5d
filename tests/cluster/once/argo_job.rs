//! Argo's `job` provider: an analysis of a Rollout's own steps that runs `recant once --wait`. The verdict is Recant's,
//! what is done about it is Argo's: the run itself changes nothing.

use std::time::Duration;

use serde_json::json;

use super::{grant, rules};
use crate::bed::Bed;
use crate::case::run;
use crate::jobs::Jobs;
use crate::manifests;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_mins(1);

#[test]
fn an_analysis_of_argo_fails_a_bad_version_and_lets_a_good_one_go_on() {
    run(async {
        let ns = Bed::get().await.namespace("argo-job").await;
        grant(&ns).await;
        let prometheus = ns.prometheus().await;
        let jobs = Jobs::start(&ns);
        let watch = rules(&ns, "checkout", "10m")
            .replace("kind: Deployment, name", "kind: Rollout, name")
            .replace(", {notify: [team]}", "")
            .replace("onPass: [{notify: [team]}]\n", "");
        ns.apply(
            &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "recant"},
            "data": {"watch.yaml": watch}}),
        )
        .await;
        let steps = json!([
            {"setWeight": 50},
            {"analysis": {"templates": [{"templateName": "recant"}]}},
        ]);
        let prometheus_url = format!("--prometheus={}", prometheus.url());
        let command = [
            "recant",
            "once",
            "--dry-run",
            "--rules=/rules/watch.yaml",
            &prometheus_url,
            // A Rollout ends its watch only when it has been promoted, which waits for this: Passing is enough.
            "--wait=90s",
        ];
        ns.bed().rollouts().await;
        ns.apply(&json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "recant"},
            "spec": {"metrics": [{"name": "recant", "provider": {"job": {"spec": {
                "backoffLimit": 0,
                "template": {"spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "recant", "image": "registry.example/recant", "command": command,
                        "volumeMounts": [{"name": "rules", "mountPath": "/rules"}]}],
                    "volumes": [{"name": "rules", "configMap": {"name": "recant"}}],
                }},
            }}}}]},
        }))
        .await;
        ns.rollout("checkout", "v1", 2, &steps).await;
        let _traffic = ns.traffic("checkout", 50.0);
        prometheus.wait_scraping(2).await;

        ns.set_rollout_image("checkout", "v3").await;
        ns.wait_phase("checkout", "Healthy").await;
        ns.wait_serving("checkout", "v3").await;
        let runs = jobs.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        assert_eq!(runs[0].exit_code(), 0, "{}", runs[0].stderr());
        assert!(runs[0].stdout().contains("PASSING"), "{}", runs[0].stdout());

        ns.set_rollout_image("checkout", "v2").await;
        ns.wait_phase("checkout", "Degraded").await;
        ns.wait_serving("checkout", "v3").await;
        let bad = wait_for("the second run", WITHIN, || async {
            let runs = jobs.runs();
            runs.get(1).cloned().ok_or_else(|| format!("{runs:?}"))
        })
        .await;
        assert_eq!(bad.exit_code(), 1, "{}", bad.stderr());
        assert!(bad.stdout().contains("FAIL"), "{}", bad.stdout());
        let rollout = ns.rollouts().get("checkout").await.expect("it is there");
        let message = rollout.data["status"]["message"]
            .as_str()
            .unwrap_or_default();
        assert!(
            message.contains("Metric \"recant\" assessed Failed"),
            "{message}"
        );
        let image = &rollout.data["spec"]["template"]["spec"]["containers"][0]["image"];
        assert_eq!(*image, manifests::image("checkout", "v2"), "Argo aborts");
    });
}
