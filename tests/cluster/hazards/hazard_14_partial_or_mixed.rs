//! Partial or mixed changes: what is done only in part is said step by step, and taken back at once if that was asked for.

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use recant_core::notice::NoticeKind;
use recant_core::operation::OperationEnd;
use serde_json::json;

use super::WITHIN;
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;
use crate::operations::{replicas, rules, wait_end};
use crate::services::Behaviour;

/// The agent may see disruption budgets and not change them: the second step cannot be done.
async fn look_at_budgets(ns: &Namespace) {
    ns.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "sees-budgets"},
        "rules": [{"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["get"]}],
    }))
    .await;
    ns.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "sees-budgets"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "sees-budgets"},
        "subjects": [{"kind": "ServiceAccount", "name": "recant", "namespace": "recant"}],
    }))
    .await;
}

#[test]
fn hazard_14_what_is_done_only_in_part_is_told_and_taken_back() {
    run(async {
        let bed = Bed::get().await;
        let ns = &bed.namespace("hazard-14").await;
        ns.deployment("worker", "v1", 1).await;
        ns.deployment("checkout", "v1", 2).await;
        ns.apply(&json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "front"},
            "spec": {"selector": {"matchLabels": {"app": "checkout"}}, "maxUnavailable": 1},
        }))
        .await;
        look_at_budgets(ns).await;
        let runbook = "apiVersion: recant.dev/v1alpha1
kind: Runbook
metadata: {name: both}
whenStuck: undo
steps:
- scale: {target: Deployment/worker, replicas: 3}
- annotate: {target: PodDisruptionBudget/front, apiVersion: policy/v1, key: example.org/mode, value: maintenance}
---";
        let rules = rules(ns, runbook, "{run: both}");
        let agent = Agent::start(&[ns], &rules, Options::default()).await;
        let traffic = ns.traffic("checkout", 20.0);
        traffic.next(60, WITHIN).await;
        ns.behave("v1", Behaviour::FAILING);
        let OperationEnd::Partly { reason } = wait_end(&agent, false).await else {
            panic!("the second step is not allowed");
        };
        assert!(
            reason.contains("not allowed to patch poddisruptionbudgets"),
            "{reason}"
        );
        let told = agent
            .wait_notice(NoticeKind::OperationEnded, None, WITHIN)
            .await;
        let text = told.sentences.join(" ");
        assert!(told.headline.contains("done only in part"), "{told:?}");
        for says in [
            "Done: scale Deployment",
            "Not done: PodDisruptionBudget",
            "What was done is taken back now.",
            "A person has to look.",
        ] {
            assert!(text.contains(says), "{says}: {text}");
        }
        // At once, although the incident goes on.
        assert_eq!(wait_end(&agent, true).await, OperationEnd::Done);
        assert_eq!(replicas(ns, "worker").await, 1);
        let front: PodDisruptionBudget = ns.api().get("front").await.expect("it is there");
        let annotations = front.metadata.annotations.unwrap_or_default();
        assert!(!annotations.contains_key("example.org/mode"));
    });
}
