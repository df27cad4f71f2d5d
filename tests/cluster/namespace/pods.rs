//! What kubelets and schedulers write into the status of pods when something is wrong with them.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::Namespace;
use crate::manifests;
use crate::wait::wait_for;

impl Namespace {
    /// The pods of a workload of `manifests` that are not leaving, in the order of their names.
    pub(crate) async fn pods(&self, name: &str) -> Vec<Pod> {
        let of = ListParams::default().labels(&format!("app={name}"));
        let pods = self.api::<Pod>().list(&of).await.expect("a list of pods");
        let mut pods = pods.items;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        pods.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        pods
    }

    /// The container of a pod has been started so many times again.
    pub(crate) async fn set_restarts(&self, pod: &str, restarts: u32) {
        self.change_container(pod, |container| {
            container["restartCount"] = json!(restarts);
            container["lastState"] = terminated("Error", 1);
        })
        .await;
    }

    /// The kernel has killed the container once for its memory, and it was started again.
    pub(crate) async fn oom_kill(&self, pod: &str) {
        self.change_container(pod, |container| {
            let restarts = container["restartCount"].as_i64().unwrap_or_default();
            container["restartCount"] = json!(restarts + 1);
            container["lastState"] = terminated("OOMKilled", 137);
        })
        .await;
    }

    /// The container has ended again and waits for its next start; the pod is not Ready.
    pub(crate) async fn crash_loop(&self, pod: &str, restarts: u32) {
        self.set_restarts(pod, restarts).await;
        self.change_container(pod, |container| {
            let message = "back-off 5m0s restarting failed container";
            container["ready"] = json!(false);
            container["state"] =
                json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
        })
        .await;
        self.set_ready(pod, false).await;
    }

    /// The pod's readiness probe fails, or passes again.
    pub(crate) async fn set_ready(&self, pod: &str, ready: bool) {
        let status = if ready { "True" } else { "False" };
        let condition = |kind: &str| {
            json!({"type": kind, "status": status, "lastTransitionTime": second(),
                "reason": if ready { Value::Null } else { json!("ContainersNotReady") }})
        };
        let conditions = json!([condition("Ready"), condition("ContainersReady")]);
        self.patch_pod(
            pod,
            Patch::Strategic(json!({"status": {"conditions": conditions}})),
        )
        .await;
    }

    /// Ships a version that no node has room for, and waits until the Deployment is past its progress deadline, which
    /// is set to 2 s. Its pods are Pending, as the scheduler would have left them.
    pub(crate) async fn stuck_release(&self, name: &str, tag: &str) {
        let containers = json!([{"name": name, "image": manifests::image(name, tag)}]);
        // Without a node nobody makes its pods run.
        let template = json!({"spec": {"nodeName": null, "containers": containers}});
        let patch = json!({"spec": {"progressDeadlineSeconds": 2, "template": template}});
        let api = self.api::<Deployment>();
        api.patch(name, &PatchParams::default(), &Patch::Strategic(patch))
            .await
            .expect("an administrator may patch a Deployment");
        wait_for(
            "the pod that fits nowhere",
            Duration::from_secs(15),
            || async {
                let pods = self.pods(name).await;
                let pending = pods.iter().filter(|pod| {
                    let spec = pod.spec.as_ref();
                    spec.is_some_and(|spec| spec.node_name.is_none())
                });
                let names = pending.filter_map(|pod| pod.metadata.name.clone());
                let names: Vec<String> = names.collect();
                for pod in &names {
                    self.unschedulable(pod).await;
                }
                if names.is_empty() {
                    Err(format!("{pods:?}"))
                } else {
                    Ok(())
                }
            },
        )
        .await;
        wait_for("the progress deadline", Duration::from_secs(30), || async {
            let deployment = api.get(name).await.map_err(|error| error.to_string())?;
            let status = deployment.status.unwrap_or_default();
            let mut conditions = status.conditions.iter().flatten();
            let late =
                |reason: &Option<String>| reason.as_deref() == Some("ProgressDeadlineExceeded");
            if conditions
                .any(|condition| condition.type_ == "Progressing" && late(&condition.reason))
            {
                Ok(())
            } else {
                Err(format!("{status:?}"))
            }
        })
        .await;
    }

    async fn unschedulable(&self, pod: &str) {
        let message = "0/1 nodes are available: 1 Insufficient memory.";
        let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": message, "lastTransitionTime": second()});
        self.patch_pod(
            pod,
            Patch::Strategic(json!({"status": {"conditions": [condition]}})),
        )
        .await;
    }

    /// Changes the status of a pod's first container.
    async fn change_container(&self, pod: &str, change: impl FnOnce(&mut Value)) {
        let object = self.api::<Pod>().get(pod).await.expect("the pod is there");
        let object = serde_json::to_value(object).expect("a pod is JSON");
        let mut containers = object["status"]["containerStatuses"].clone();
        change(&mut containers[0]);
        self.patch_pod(
            pod,
            Patch::Merge(json!({"status": {"containerStatuses": containers}})),
        )
        .await;
    }

    async fn patch_pod(&self, pod: &str, patch: Patch<Value>) {
        let patched = self
            .api::<Pod>()
            .patch_status(pod, &PatchParams::default(), &patch)
            .await;
        patched.expect("an administrator may patch the status of a pod");
    }
}

fn terminated(reason: &str, exit_code: i32) -> Value {
    json!({"terminated": {
        "reason": reason, "exitCode": exit_code, "startedAt": second(), "finishedAt": second(),
    }})
}

/// The API's times have whole seconds.
fn second() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
