//! kwok, a kubelet for a node that does not exist: it gives pods addresses, makes them Ready and lets them go.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Node;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;

use super::binaries::Binaries;
use super::process::Process;
use crate::wait::wait_for;

/// The node that all pods name in their template: there is no scheduler.
pub(crate) const NODE: &str = "testbed";

/// Starts kwok and waits until its node is Ready.
pub(crate) async fn start(
    binaries: &Binaries,
    client: &Client,
    kubeconfig: &Path,
    pods: &str,
    logs: &Path,
) -> Result<Process> {
    let kwok = Process::start(
        "kwok",
        &binaries.path("kwok")?,
        [
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--cidr={pods}"),
            "--node-ip=127.0.0.1".to_owned(),
            "--manage-all-nodes=false".to_owned(),
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake".to_owned(),
        ],
        // It reads ~/.kwok/kwok.yaml, and what a person keeps there is not for us.
        &[("KWOK_WORKDIR", &logs.to_string_lossy())],
        logs,
    )?;
    let nodes: Api<Node> = Api::all(client.clone());
    let node = serde_json::from_value(json!({
        "metadata": {"name": NODE, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"allocatable": {"cpu": "64", "memory": "256Gi", "pods": "1000"}},
    }))
    .context("the node's own manifest")?;
    nodes
        .create(&PostParams::default(), &node)
        .await
        .context("creating the node")?;
    let kwok = std::cell::RefCell::new(kwok);
    wait_for("kwok's node to be Ready", Duration::from_secs(30), || {
        let alive = kwok.borrow_mut().check();
        let nodes = nodes.clone();
        async move {
            if let Err(end) = alive {
                panic!("{end}");
            }
            let node = nodes.get(NODE).await.map_err(|error| error.to_string())?;
            let conditions = node
                .status
                .and_then(|status| status.conditions)
                .unwrap_or_default();
            let ready = conditions
                .iter()
                .any(|condition| condition.type_ == "Ready" && condition.status == "True");
            if ready {
                Ok(())
            } else {
                Err(format!("conditions {conditions:?}"))
            }
        }
    })
    .await;
    Ok(kwok.into_inner())
}
