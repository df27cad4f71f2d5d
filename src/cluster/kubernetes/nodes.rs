//! The nodes under pods: which of them are not ready, or under pressure. Needs the right to get nodes, which is optional
//! (`charts/manifests/nodes.yaml`); one read for each pod and each node, a few at most.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, Client};
use recant_core::ids::{PodName, TargetId};
use recant_core::target::{NodeReport, TroubledPod};

use super::api::Call;
use crate::cluster::ClusterError;

/// Conditions of which `True` is trouble.
const PRESSURES: [&str; 4] = [
    "MemoryPressure",
    "DiskPressure",
    "PIDPressure",
    "NetworkUnavailable",
];

pub(super) async fn report(
    client: &Client,
    target: &TargetId,
    pods: &[PodName],
) -> Result<NodeReport, ClusterError> {
    let namespace = &target.namespace;
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let nodes: Api<Node> = Api::all(client.clone());
    let mut seen: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut report = NodeReport::default();
    for name in pods {
        let call = to("get", "pods", namespace);
        let Some(pod) = call.answer(api.get(name.as_str())).await? else {
            continue;
        };
        report.pods += 1;
        let Some(node) = pod.spec.and_then(|spec| spec.node_name) else {
            continue;
        };
        if !seen.contains_key(&node) {
            let call = to("get", "nodes", "");
            let trouble = match call.answer(nodes.get(&node)).await? {
                Some(found) => trouble(&found),
                None => Some("it does not exist any more".to_owned()),
            };
            seen.insert(node.clone(), trouble);
        }
        if let Some(Some(why)) = seen.get(&node) {
            report.troubled.push(TroubledPod {
                pod: name.clone(),
                node,
                why: why.clone(),
            });
        }
    }
    Ok(report)
}

/// What is wrong with a node, if anything.
fn trouble(node: &Node) -> Option<String> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    let found: Vec<&str> = conditions
        .iter()
        .filter(|condition| match condition.type_.as_str() {
            "Ready" => condition.status != "True",
            kind => PRESSURES.contains(&kind) && condition.status == "True",
        })
        .map(|condition| match condition.type_.as_str() {
            "Ready" => "NotReady",
            kind => kind,
        })
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}

fn to<'a>(verb: &'static str, resource: &str, namespace: &'a str) -> Call<'a> {
    Call {
        verb,
        resource: resource.to_owned(),
        namespace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_in_trouble_when_it_is_not_ready_or_under_pressure() {
        let node = |conditions: serde_json::Value| -> Node {
            serde_json::from_value(serde_json::json!({"status": {"conditions": conditions}}))
                .expect("a node")
        };
        let condition =
            |kind: &str, status: &str| serde_json::json!({"type": kind, "status": status});
        for (conditions, told) in [
            (
                vec![
                    condition("Ready", "True"),
                    condition("MemoryPressure", "False"),
                ],
                None,
            ),
            (vec![condition("Ready", "False")], Some("NotReady")),
            (vec![condition("Ready", "Unknown")], Some("NotReady")),
            (
                vec![
                    condition("Ready", "True"),
                    condition("DiskPressure", "True"),
                ],
                Some("DiskPressure"),
            ),
            (vec![], None),
        ] {
            let node = node(serde_json::Value::Array(conditions));
            assert_eq!(trouble(&node).as_deref(), told);
        }
        assert_eq!(trouble(&Node::default()), None);
    }
}
