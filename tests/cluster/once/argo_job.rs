//! Argo's `job` provider: an analysis of a Rollout's own steps that runs `recant once --wait`, by the template that
//! `recant argo-template` prints. The verdict is Recant's, what is done about it is Argo's: the run itself changes
//! nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::{grant, rules};
use crate::bed::Bed;
use crate::case::run;
use crate::jobs::{Jobs, Run};
use crate::manifests;
use crate::namespace::Namespace;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_mins(1);

/// A Rollout at v1 whose step runs a Job by the printed template, with its Watch in a `ConfigMap` of its own: the worst
/// verdict of all watches that a run is given would count.
async fn rollout(ns: &Namespace, name: &str, prometheus: &str, arguments: &[&str]) {
    let watch = rules(ns, name, "10m")
        .replace("kind: Deployment, name", "kind: Rollout, name")
        .replace(", {notify: [team]}", "")
        .replace("onPass: [{notify: [team]}]\n", "");
    let config_map = format!("rules-of-{name}");
    ns.apply(
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": config_map},
        "data": {"rules.yaml": watch}}),
    )
    .await;
    let folder = ns.bed().folder("job-template");
    std::fs::write(folder.join("rules.yaml"), &watch).expect("the folder is writable");
    let ran = tokio::process::Command::new(env!("CARGO_BIN_EXE_recant"))
        .current_dir(&folder)
        .args([
            "argo-template",
            name,
            "--rules=rules.yaml",
            "--provider=job",
        ])
        .args([
            "--image=registry.example/recant",
            &format!("--config-map={config_map}"),
        ])
        .arg(format!("--prometheus={prometheus}"))
        .args(arguments)
        .output()
        .await
        .expect("the program can be started");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let file = folder.join("template.yaml");
    std::fs::write(&file, ran.stdout).expect("the folder is writable");
    ns.kubectl(&["apply", "-f", file.to_str().expect("UTF-8")])
        .await;
    let steps = json!([
        {"setWeight": 50},
        {"analysis": {"templates": [{"templateName": format!("recant-{name}")}]}},
    ]);
    ns.rollout(name, "v1", 2, &steps).await;
}

async fn message(ns: &Namespace, name: &str) -> (String, Value) {
    let rollout = ns.rollouts().get(name).await.expect("it is there");
    let message = rollout.data["status"]["message"].as_str();
    let image = &rollout.data["spec"]["template"]["spec"]["containers"][0]["image"];
    (message.unwrap_or_default().to_owned(), image.clone())
}

#[test]
fn an_analysis_of_argo_fails_a_bad_version_and_lets_a_good_one_go_on() {
    run(async {
        let ns = Bed::get().await.namespace("argo-job").await;
        grant(&ns).await;
        ns.bed().rollouts().await;
        let prometheus = ns.prometheus().await;
        let jobs = Jobs::start(&ns);
        // A Rollout ends its watch only when it has been promoted, which waits for this: Passing is enough.
        rollout(&ns, "checkout", &prometheus.url(), &["--wait=90s"]).await;
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
        let (message, image) = message(&ns, "checkout").await;
        assert!(
            message.contains("Metric \"recant\" assessed Failed"),
            "{message}"
        );
        assert_eq!(image, manifests::image("checkout", "v2"), "Argo aborts");
    });
}

/// Without traffic there is no verdict, and a Job knows only zero and non-zero: it cannot pause.
#[test]
fn what_is_unclear_goes_on_or_is_aborted_as_the_template_says() {
    run(async {
        let ns = Bed::get().await.namespace("argo-job-unclear").await;
        grant(&ns).await;
        ns.bed().rollouts().await;
        let prometheus = ns.prometheus().await;
        let url = prometheus.url();
        let jobs = Jobs::start(&ns);
        tokio::join!(
            rollout(&ns, "lenient", &url, &["--wait=3s", "--when-unclear=pass"]),
            rollout(&ns, "strict", &url, &["--wait=3s", "--when-unclear=fail"]),
        );
        for name in ["lenient", "strict"] {
            ns.set_rollout_image(name, "v3").await;
        }
        let lenient = async {
            ns.wait_phase("lenient", "Healthy").await;
            ns.wait_serving("lenient", "v3").await;
        };
        let strict = async {
            ns.wait_phase("strict", "Degraded").await;
            ns.wait_serving("strict", "v1").await;
        };
        tokio::join!(lenient, strict);
        let mut codes: Vec<i32> = jobs.runs().iter().map(Run::exit_code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 1], "{:?}", jobs.runs());
        for run in jobs.runs() {
            assert!(run.stdout().contains("UNDECIDED"), "{}", run.stdout());
        }
    });
}
