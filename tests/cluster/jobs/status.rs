//! What a kubelet writes into the status of a pod with one container.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::End;

/// What the container does now.
#[derive(Debug, Clone, Copy)]
pub(super) enum State<'a> {
    /// It cannot be started yet, or not again yet.
    Waiting {
        reason: &'a str,
        message: &'a str,
    },
    Running {
        since: Timestamp,
    },
    Terminated {
        since: Timestamp,
        end: End,
        reason: &'a str,
    },
}

/// Writes one pod's status.
pub(super) struct Status {
    api: Api<Pod>,
    pod: String,
    container: String,
    image: String,
    started: Timestamp,
    last: Value,
}

impl Status {
    pub(super) fn new(api: Api<Pod>, pod: &str, container: &Container) -> Self {
        Self {
            api,
            pod: pod.to_owned(),
            container: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            started: Timestamp::now(),
            last: json!({}),
        }
    }

    /// Keeps how the container ended as its last state, for the next run.
    pub(super) fn remember(&mut self, state: State<'_>) {
        self.last = write(state);
    }

    /// Writes the status; an error is a pod that has gone, or an API server that has.
    pub(super) async fn write(
        &self,
        phase: &str,
        restarts: u32,
        state: State<'_>,
        reason: Option<&str>,
    ) -> Result<(), kube::Error> {
        let running = matches!(state, State::Running { .. });
        let condition = |kind: &str, holds: bool| {
            let status = if holds { "True" } else { "False" };
            json!({"type": kind, "status": status, "lastTransitionTime": second(Timestamp::now())})
        };
        let patch = json!({"status": {
            "phase": phase,
            "reason": reason,
            "startTime": second(self.started),
            "hostIP": "127.0.0.1",
            "conditions": [
                condition("PodScheduled", true),
                condition("Initialized", true),
                condition("ContainersReady", running),
                condition("Ready", running),
            ],
            "containerStatuses": [{
                "name": self.container,
                "image": self.image,
                "imageID": "",
                "ready": running,
                "started": running,
                "restartCount": restarts,
                "state": write(state),
                "lastState": self.last,
            }],
        }});
        let (parameters, patch) = (PatchParams::default(), Patch::Merge(patch));
        let patched = self.api.patch_status(&self.pod, &parameters, &patch);
        patched.await.map(drop)
    }
}

fn write(state: State<'_>) -> Value {
    match state {
        State::Waiting { reason, message } => {
            json!({"waiting": {"reason": reason, "message": message}})
        }
        State::Running { since } => json!({"running": {"startedAt": second(since)}}),
        State::Terminated { since, end, reason } => json!({"terminated": {
            "exitCode": end.exit_code,
            "reason": reason,
            "startedAt": second(since),
            "finishedAt": second(end.at),
        }}),
    }
}

/// The API's times have whole seconds.
fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
