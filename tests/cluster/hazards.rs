//! A test for each hazard of automatic rollback, named after it, with the real agent.

mod hazard_01_storms_and_flapping;
mod hazard_02_wrong_version;
mod hazard_03_schema_floor;
mod hazard_04_config_versus_code;
mod hazard_05_missing_or_late_metrics;
mod hazard_06_gitops_re_applies_the_bad_version;
mod hazard_07_shared_dependency;
mod hazard_08_during_other_work;
mod hazard_09_thundering_herd;
mod hazard_10_slow_burn_after_promotion;
mod hazard_12_the_watchdog_itself_fails;
mod hazard_13_alert_already_firing_before_the_deploy;
mod hazard_14_partial_or_mixed;

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use recant_core::guard::{Guard, Hold};
use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;
use serde_json::{Value, json};

use crate::agent::{Agent, Options};
use crate::manifests;
use crate::namespace::Namespace;
use crate::traffic::Traffic;

/// Nothing that is waited for takes longer, on a busy machine.
const WITHIN: Duration = Duration::from_mins(1);

fn target(ns: &Namespace) -> TargetId {
    TargetId {
        namespace: ns.name().to_owned(),
        kind: TargetKind::Deployment,
        name: "checkout".to_owned(),
    }
}

/// An agent that watches the Deployment `checkout` and tells the team, and requests to it.
async fn watched(ns: &Namespace) -> (Agent, Traffic) {
    watched_at(ns, 20.0).await
}

/// The same with so many requests a second.
async fn watched_at(ns: &Namespace, rate: f64) -> (Agent, Traffic) {
    let namespace = ns.name();
    let rules = format!(
        "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: {namespace}}}\n\
         target: {{kind: Deployment, name: checkout}}\nrules: [http]\nrelease: {{watch: 10m}}\n\
         onFail: [{{rollback: {{}}}}, {{notify: [team]}}]\n"
    );
    let agent = Agent::start(&[ns], &rules, Options::default()).await;
    let traffic = ns.traffic("checkout", rate);
    (agent, traffic)
}

/// Waits until this guard holds the rollback, and says why to the team.
async fn held(agent: &Agent, ns: &Namespace, guard: Guard, why: &str) -> Hold {
    let target = target(ns);
    let hold = agent
        .wait_record(
            &format!("a hold by {guard}"),
            WITHIN,
            |entry| match &entry.record {
                Record::HoldBegan { target: held, hold }
                    if *held == target && hold.guard == guard =>
                {
                    Some(hold.clone())
                }
                _ => None,
            },
        )
        .await;
    assert!(hold.reason.contains(why), "{}", hold.reason);
    agent.wait_slack(why, WITHIN).await;
    assert_eq!(image(ns).await, manifests::image("checkout", "v2"));
    hold
}

/// The image in the template now.
async fn image(ns: &Namespace) -> String {
    template(ns).await["spec"]["containers"][0]["image"]
        .as_str()
        .expect("an image")
        .to_owned()
}

async fn template(ns: &Namespace) -> Value {
    let deployment = ns.api::<Deployment>().get("checkout").await;
    let deployment = serde_json::to_value(deployment.expect("it is there")).expect("JSON");
    deployment["spec"]["template"].clone()
}

/// A Deployment whose pods read a `ConfigMap`.
fn with_config(tag: &str, config: &str) -> Value {
    let mut deployment = manifests::deployment("checkout", tag, 2);
    deployment["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "config", "configMap": {"name": config}}]);
    deployment
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"mode": name}})
}
