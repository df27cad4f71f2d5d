//! That nothing was written but the targets: by who manages the fields, and by things that must not have changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::namespace::Namespace;

/// Everything that a namespace of these tests can hold; Rollouts only where they are defined.
const KINDS: &str = "deployments,replicasets,statefulsets,daemonsets,pods,services,configmaps,secrets,\
                     serviceaccounts,leases,roles,rolebindings,horizontalpodautoscalers,networkpolicies,jobs";

/// Things beside the targets, as they were.
pub(super) struct Untouched {
    kinds: String,
    bystanders: BTreeMap<String, Value>,
}

impl Untouched {
    /// Puts a bystander of each kind into the namespace: a Deployment that nobody watches, and a `ConfigMap`.
    pub(super) async fn begin(ns: &Namespace, rollouts: bool) -> Self {
        ns.deployment("bystander", "v1", 1).await;
        let notes =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bystander"}});
        ns.apply(&notes).await;
        let mut kinds = KINDS.to_owned();
        if rollouts {
            kinds.push_str(",rollouts");
        }
        let bystanders = bystanders(objects(ns, &kinds).await);
        assert!(bystanders.len() >= 4, "{bystanders:?}");
        Self { kinds, bystanders }
    }

    /// Asserts that the agent has written the workloads `expected` and its Lease, and that nothing of the bystanders
    /// has changed.
    pub(super) async fn end(&self, ns: &Namespace, expected: &[String]) {
        let objects = objects(ns, &self.kinds).await;
        let expected: BTreeSet<String> = expected.iter().cloned().collect();
        assert_eq!(written_by(&objects, "recant"), expected);
        // The client of the agent, and of the tests, where it names no field manager: the tests ship versions.
        let mut unnamed = written_by(&objects, "unknown");
        unnamed.retain(|id| !id.starts_with("Deployment/") && !id.starts_with("Rollout/"));
        assert_eq!(unnamed, BTreeSet::from(["Lease/recant".to_owned()]));
        assert_eq!(bystanders(objects), self.bystanders);
    }
}

/// The objects of which `manager` has written a field.
fn written_by(objects: &[Value], manager: &str) -> BTreeSet<String> {
    let written = objects.iter().filter(|object| {
        let entries = object["metadata"]["managedFields"].as_array();
        let mut entries = entries.into_iter().flatten();
        entries.any(|entry| entry["manager"] == manager)
    });
    written.map(id).collect()
}

async fn objects(ns: &Namespace, kinds: &str) -> Vec<Value> {
    let listed = ns
        .kubectl(&["get", kinds, "-o", "json", "--show-managed-fields"])
        .await;
    let mut list: Value = serde_json::from_str(&listed).expect("kubectl prints JSON");
    match list["items"].take() {
        Value::Array(items) => items,
        other => panic!("no list: {other}"),
    }
}

/// The bystanders without what their controllers report of them, which may go on after they are complete.
fn bystanders(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let of_bystanders = objects
        .into_iter()
        .filter(|object| id(object).contains("/bystander"));
    let without_status = of_bystanders.map(|mut object| {
        let name = id(&object);
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
            metadata.remove("managedFields");
        }
        (name, object)
    });
    without_status.collect()
}

fn id(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{}/{}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}
