//! An agent whose Role lacks a right says which, and where it belongs, before it does anything.

use std::time::Duration;

use serde_json::json;

use super::{WITHIN, watch};
use crate::agent::{Agent, IDENTITY, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::wait::wait_for;

#[test]
fn a_missing_right_is_named_at_the_start() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("rights").await;
        ns.deployment("checkout", "v1", 1).await;
        let agent =
            Agent::prepare(&[&ns], &watch(&ns, "checkout", "team"), Options::default()).await;
        // As the Role of the manifests, without the right to patch Deployments.
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "recant"},
            "rules": [
                {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]},
                {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list", "watch"]},
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
                {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
                {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]},
            ],
        });
        ns.apply(&role).await;
        let kubeconfig = bed.kubeconfig_for(IDENTITY);
        let may_patch = [
            "auth",
            "can-i",
            "patch",
            "deployments.apps",
            "-n",
            ns.name(),
        ];
        wait_for("the lesser Role to be in force", WITHIN, || async {
            // kubectl says no with an exit code.
            match bed.kubectl_as(&kubeconfig, &may_patch, "").await {
                Ok(yes) => Err(yes),
                Err(_) => Ok(()),
            }
        })
        .await;
        agent.launch();
        let status = agent.wait_end(Duration::from_secs(20)).await;
        let log = agent.log();
        assert_eq!(status.code(), Some(1), "{log}");
        let last = log.lines().last().unwrap_or_default();
        for words in ["`patch` on `deployments.apps`", ns.name(), "role.yaml"] {
            assert!(last.contains(words), "`{words}`: {log}");
        }
        assert!(!log.contains("panicked"), "{log}");
        assert!(!log.contains("`list`"), "only what is missing: {log}");
        assert!(!agent.journal_file().exists(), "nothing has begun");
    });
}
