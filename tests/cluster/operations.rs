//! Operations with the real agent on the real API server: the users' emergency set as one plan with one undo.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use recant_core::notice::NoticeKind;
use recant_core::operation::{OperationEnd, OperationEvent};
use recant_core::record::Record;

use crate::agent::{Agent, Options};
use crate::autoscaler::Autoscaler;
use crate::bed::Bed;
use crate::case::run_waiting;
use crate::manifests;
use crate::namespace::Namespace;
use crate::rules::{always, error_rate};
use crate::services::Behaviour;

pub(crate) const WITHIN: Duration = Duration::from_mins(1);
/// The window of the rule has to be good again, and to stay so.
pub(crate) const BACK_WITHIN: Duration = Duration::from_mins(3);

/// A service whose errors begin what `actions` says.
pub(crate) fn rules(ns: &Namespace, runbook: &str, actions: &str) -> String {
    error_rate("5%", "") + runbook + &always(ns, "checkout", actions)
}

async fn deployment(ns: &Namespace, name: &str) -> Deployment {
    ns.api().get(name).await.expect("it is there")
}

pub(crate) async fn replicas(ns: &Namespace, name: &str) -> i32 {
    let spec = deployment(ns, name).await.spec.expect("a spec");
    spec.replicas.expect("a number")
}

async fn generation(ns: &Namespace, name: &str) -> i64 {
    let metadata = deployment(ns, name).await.metadata;
    metadata.generation.expect("a number")
}

/// What a variable of the one container is set to.
async fn variable(ns: &Namespace, name: &str, variable: &str) -> Option<String> {
    let spec = deployment(ns, name).await.spec.expect("a spec");
    let pod = spec.template.spec.expect("a pod");
    let env = pod.containers.into_iter().next()?.env?;
    env.into_iter().find(|found| found.name == variable)?.value
}

async fn minimum(ns: &Namespace, name: &str) -> i32 {
    let autoscaler: HorizontalPodAutoscaler = ns.api().get(name).await.expect("it is there");
    let spec = autoscaler.spec.expect("it has a spec");
    spec.min_replicas.expect("the test sets it")
}

pub(crate) async fn wait_end(agent: &Agent, undo: bool) -> OperationEnd {
    agent
        .wait_record(
            "the end of an operation",
            BACK_WITHIN,
            |entry| match &entry.record {
                Record::Operation(OperationEvent::Ended { operation, end, .. })
                    if operation.as_str().ends_with("-undo") == undo =>
                {
                    Some(end.clone())
                }
                _ => None,
            },
        )
        .await
}

#[test]
fn the_emergency_set_is_one_plan_with_one_undo_while_an_autoscaler_scales() {
    run_waiting(async {
        let bed = Bed::get().await;
        let ns = &bed.namespace("emergency").await;
        ns.deployment("worker", "v1", 1).await;
        ns.apply(&manifests::autoscaler("worker", 1, 6)).await;
        let _autoscaler = Autoscaler::start(ns, "worker", 1);
        ns.deployment("api", "v1", 1).await;
        ns.deployment("checkout", "v1", 2).await;
        let runbook = r#"apiVersion: recant.dev/v1alpha1
kind: Runbook
metadata: {name: emergency}
undo: 5s
steps:
- scale: {target: Deployment/api, replicas: 3, wait: 1m}
- scale: {target: Deployment/worker, replicas: 4}
- setEnv: {target: Deployment/checkout, name: MAINTENANCE_MODE, value: "true"}
- notify: [team]
---"#;
        // Half of what it is when it fails: that it is good again is proved sooner than with a limit near to nothing.
        let rule = error_rate("15%", "");
        let rules = rule + runbook + &always(ns, "checkout", "{run: emergency}");
        let agent = Agent::start(&[ns], &rules, Options::default()).await;
        let traffic = ns.traffic("checkout", 20.0);
        traffic.next(60, WITHIN).await;
        let before = generation(ns, "checkout").await;
        ns.behave("v1", Behaviour::FAILING);
        assert_eq!(wait_end(&agent, false).await, OperationEnd::Done);
        assert_eq!(
            (replicas(ns, "api").await, minimum(ns, "worker").await),
            (3, 4)
        );
        let set = variable(ns, "checkout", "MAINTENANCE_MODE").await;
        assert_eq!(set.as_deref(), Some("true"));
        let told = agent
            .wait_notice(NoticeKind::OperationEnded, None, WITHIN)
            .await;
        assert!(told.headline.contains("`emergency` is done"), "{told:?}");
        agent.wait_slack("`emergency` begins", WITHIN).await;

        ns.behave("v1", Behaviour::GOOD);
        assert_eq!(wait_end(&agent, true).await, OperationEnd::Done);
        assert_eq!(
            (replicas(ns, "api").await, minimum(ns, "worker").await),
            (1, 1)
        );
        assert_eq!(variable(ns, "checkout", "MAINTENANCE_MODE").await, None);
        assert_eq!(
            generation(ns, "checkout").await,
            before + 2,
            "written twice in all"
        );
        let journal = agent.journal();
        let count = |wanted: fn(&Record) -> bool| {
            journal.iter().filter(|entry| wanted(&entry.record)).count()
        };
        let began =
            |record: &Record| matches!(record, Record::Operation(OperationEvent::Began { .. }));
        assert_eq!(count(began), 2, "one plan, one undo");
        // The revision with the variable is our own: it is no release.
        assert_eq!(
            count(|record| matches!(record, Record::AnalysisBegan { .. })),
            0
        );
        assert!(agent.ledger().operations.is_empty());
    });
}
