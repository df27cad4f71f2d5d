//! Jobs run real processes, as real controllers want them, with what their manifests give them.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::case::run;
use crate::jobs::{Jobs, cronjob_with_command};
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_secs(30);

fn job(name: &str, spec: &Value, container: &Value) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {"spec": {"restartPolicy": "OnFailure", "containers": [container]}}},
    });
    let fields = spec.as_object().expect("fields of a Job's spec").clone();
    job["spec"]
        .as_object_mut()
        .expect("it was written as one")
        .extend(fields);
    job
}

#[test]
fn a_job_runs_its_command_with_environment_volumes_and_identity() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("job").await;
        let tools = bed.folder("tools");
        std::os::unix::fs::symlink(bed.binary("kubectl"), tools.join("kubectl"))
            .expect("the bed's folder is writable");
        let jobs = Jobs::start_with_tools(&ns, Some(&tools));
        ns.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files"},
            "data": {"hello.sh": "echo \"$PLAIN $SECRET $MAP $POD $NS $1\"; kubectl auth whoami -o yaml; kubectl config view --minify -o jsonpath={..namespace} >&2\n"}}))
        .await;
        let job = {
            let mut job = job(
                "look",
                &json!({}),
                &json!({
                    "name": "look", "image": "bitnami/kubectl:latest",
                    "command": ["/bin/bash", "/files/hello.sh"], "args": ["--at=/files/x"],
                    "env": [
                        {"name": "PLAIN", "value": "plain"},
                        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "word"}}},
                        {"name": "MAP", "valueFrom": {"configMapKeyRef": {"name": "files", "key": "none", "optional": true}}},
                        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                        {"name": "NS", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                    ],
                    "volumeMounts": [{"name": "files", "mountPath": "/files"}],
                }),
            );
            job["spec"]["template"]["spec"]["volumes"] =
                json!([{"name": "files", "configMap": {"name": "files", "defaultMode": 0o755}}]);
            job
        };
        ns.apply(&job).await;
        // As a kubelet, it waits for what the pod refers to, and says so.
        wait_for("the pod to wait for its secret", WITHIN, || async {
            let pods = ns.kubectl(&["get", "pods", "-o", "json"]).await;
            if pods.contains("CreateContainerConfigError") && pods.contains("hidden") {
                Ok(())
            } else {
                Err(pods)
            }
        })
        .await;
        ns.kubectl(&[
            "create",
            "secret",
            "generic",
            "hidden",
            "--from-literal=word=open",
        ])
        .await;

        let ran = jobs.wait_run("look", 1, WITHIN).await;
        assert_eq!(jobs.wait_job("look", WITHIN).await, "Complete");
        let (out, err) = (ran.stdout(), ran.stderr());
        let start = format!("plain open  {} {} --at=/", ran.pod, ns.name());
        assert!(out.starts_with(&start), "{out}\n{err}");
        assert!(!out.contains("--at=/files"), "{out}");
        let user = format!("username: system:serviceaccount:{}:default", ns.name());
        assert!(out.contains(&user), "{out}");
        assert_eq!(err, ns.name());
        assert_eq!(
            (ran.restarts, ran.exit_code(), jobs.runs().len()),
            (0, 0, 1)
        );
        let pod = ns.api::<Pod>().get(&ran.pod).await.expect("it stays");
        let pod = serde_json::to_value(pod).expect("a pod is JSON");
        let end = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!(
            (&pod["status"]["phase"], &end["exitCode"]),
            (&json!("Succeeded"), &json!(0))
        );
        assert!(end["finishedAt"].is_string(), "{end}");
    });
}

#[test]
fn a_job_that_fails_is_tried_again_and_one_that_is_late_is_ended() {
    run(async {
        let ns = Bed::get().await.namespace("job-fails").await;
        let jobs = Jobs::start(&ns);
        let bash = |script: &str| json!({"name": "bash", "image": "bash", "command": ["bash", "-c", script]});
        ns.apply(&job(
            "fails",
            &json!({"backoffLimit": 2}),
            &bash("echo no; exit 3"),
        ))
        .await;
        let late = "trap 'echo asked; exit 0' TERM; echo here; sleep 60 & wait";
        ns.apply(&job(
            "late",
            &json!({"activeDeadlineSeconds": 2}),
            &bash(late),
        ))
        .await;

        let second = jobs.wait_run("fails", 2, WITHIN).await;
        assert_eq!(jobs.wait_job("fails", WITHIN).await, "Failed");
        assert_eq!((second.restarts, second.exit_code()), (1, 3));
        assert_eq!(second.stdout(), "no\n");

        assert_eq!(jobs.wait_job("late", WITHIN).await, "Failed");
        let ended = jobs.wait_run("late", 1, WITHIN).await;
        assert_eq!(ended.stdout(), "here\nasked\n");
        let lasted = ended
            .end
            .expect("it ended")
            .at
            .duration_since(ended.started);
        assert!((1.0..20.0).contains(&lasted.as_secs_f64()), "{ended:?}");
    });
}

#[test]
fn the_users_cronjob_runs_with_another_command_whenever_a_test_says_so() {
    run(async {
        let ns = Bed::get().await.namespace("cronjob").await;
        let jobs = Jobs::start(&ns);
        ns.kubectl(&[
            "create",
            "secret",
            "generic",
            "slack-notifications",
            "--from-literal=webhook-url=http://127.0.0.1:9/",
        ])
        .await;
        let name = cronjob_with_command(&ns, "recant:latest", &["recant", "--version"]).await;
        assert_eq!(name, "deployment-health-check");
        let schedule = jobs.every(&name, Duration::from_secs(1));
        for number in 0..2 {
            let job = format!("{name}-{number}");
            let ran = jobs.wait_run(&job, 1, WITHIN).await;
            assert_eq!(ran.exit_code(), 0, "{}", ran.stderr());
            assert!(ran.stdout().starts_with("recant "), "{}", ran.stdout());
        }
        drop(schedule);
        let found = ns
            .api::<Job>()
            .list(&ListParams::default())
            .await
            .expect("a list");
        for job in found {
            let owners = job.metadata.owner_references.unwrap_or_default();
            assert!(
                owners
                    .iter()
                    .any(|owner| owner.kind == "CronJob" && owner.name == name),
                "{owners:?}"
            );
        }
    });
}
