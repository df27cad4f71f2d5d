//! The custom resource definitions of the documents: what `recant schema --crds` prints.
//!
//! Made from the types of the documents, so that a field is written once. All kinds belong to a namespace: teams own
//! their watches.

use serde_json::{Value, json};

use super::status::{DocumentStatus, WatchStatus};
use super::{schema, schema_of, structural};

/// The group of all kinds.
pub const GROUP: &str = "recant.dev";
/// Their version.
pub const VERSION: &str = "v1alpha1";

/// A kind that can be a custom resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    pub kind: &'static str,
    pub plural: &'static str,
    short: &'static str,
    columns: Columns,
}

/// What `kubectl get` shows besides name and age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Columns {
    Watch,
    Document,
}

/// All of them, in the order in which they are printed.
pub const DEFINITIONS: [Definition; 4] = [
    Definition {
        kind: "Watch",
        plural: "watches",
        short: "rcw",
        columns: Columns::Watch,
    },
    Definition {
        kind: "RuleSet",
        plural: "rulesets",
        short: "rcr",
        columns: Columns::Document,
    },
    Definition {
        kind: "Runbook",
        plural: "runbooks",
        short: "rcb",
        columns: Columns::Document,
    },
    Definition {
        kind: "Channel",
        plural: "channels",
        short: "rcc",
        columns: Columns::Document,
    },
];

impl Definition {
    /// Its `CustomResourceDefinition`.
    pub fn manifest(&self) -> Value {
        let Self {
            kind,
            plural,
            short,
            columns,
        } = self;
        let singular = kind.to_lowercase();
        let (status, columns) = match columns {
            Columns::Watch => (schema_of::<WatchStatus>(), of_watches()),
            Columns::Document => (schema_of::<DocumentStatus>(), of_documents()),
        };
        let schema = structural::root(kind, &schema(), structural::status(&status));
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": format!("{plural}.{GROUP}"),
                "labels": {"app.kubernetes.io/name": "recant"},
            },
            "spec": {
                "group": GROUP,
                "scope": "Namespaced",
                "names": {
                    "kind": kind,
                    "listKind": format!("{kind}List"),
                    "plural": plural,
                    "singular": singular,
                    "shortNames": [short],
                    "categories": ["recant"],
                },
                "versions": [{
                    "name": VERSION,
                    "served": true,
                    "storage": true,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                    "schema": {"openAPIV3Schema": schema},
                }],
            },
        })
    }
}

fn column(name: &str, path: &str, priority: u8) -> Value {
    json!({"name": name, "type": "string", "jsonPath": path, "priority": priority})
}

fn ready(field: &str) -> String {
    format!(".status.conditions[?(@.type==\"Ready\")].{field}")
}

fn age() -> Value {
    json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})
}

fn of_watches() -> Value {
    json!([
        column("Target", ".status.target", 0),
        column("Ready", &ready("status"), 0),
        column(
            "Healthy",
            ".status.conditions[?(@.type==\"Healthy\")].status",
            0,
        ),
        column("Verdict", ".status.lastVerdict.result", 0),
        column("Last Action", ".status.lastAction.action", 0),
        column("Outcome", ".status.lastAction.outcome", 0),
        age(),
        column("Why", &ready("message"), 1),
        column("Evidence", ".status.lastVerdict.message", 1),
    ])
}

fn of_documents() -> Value {
    json!([
        column("Ready", &ready("status"), 0),
        age(),
        column("Why", &ready("message"), 1),
    ])
}

/// All definitions as YAML documents, for `kubectl apply`.
///
/// # Panics
/// Never: the definitions are made here, and are JSON.
pub fn yaml() -> String {
    let head = "# The custom resources of Recant, printed by `recant schema --crds`: do not change them by hand.\n#   kubectl apply --server-side -f recant.yaml\n";
    let documents = DEFINITIONS.iter().map(|definition| {
        let text =
            serde_saphyr::to_string(&definition.manifest()).expect("JSON can be written as YAML");
        format!("---\n{}\n", text.trim_end())
    });
    format!("{head}{}", documents.collect::<String>())
}
