//! What holds for each provider that asks for the verdict again and again.

use futures::future::join_all;
use serde_json::Value;

use super::{WITHIN, agent, rollouts, run_of, watches};
use crate::agent::Options;
use crate::bed::Bed;
use crate::case::run;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::namespace::Namespace;
use crate::wait::wait_for;

/// A limit alone: a verdict takes no more than some hundred requests.
const RULES: &str = r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~"5.."}', total: http_requests_total}
  max: 10%
"#;

/// What the value of a measurement holds.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) good: &'static str,
    /// The controller shows no more of why than this.
    pub(super) bad: &'static str,
    pub(super) undecided: &'static str,
}

fn arguments(provider: &str, url: &str, wait: &str) -> Vec<String> {
    vec![
        format!("--provider={provider}"),
        format!("--address={url}"),
        format!("--wait={wait}"),
        "--interval=1s".to_owned(),
    ]
}

/// Waits until the metric of the analysis is as wanted.
async fn wait_result(
    ns: &Namespace,
    name: &str,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    wait_for(&format!("{what} of `{name}`"), WITHIN, || async {
        let status = run_of(ns, name).await?;
        let metric = &status["metricResults"][0];
        if wanted(metric) {
            Ok(status)
        } else {
            Err(status.to_string())
        }
    })
    .await
}

/// A good version is promoted, a bad one aborted, and one without a verdict paused.
pub(super) fn promotes_aborts_and_pauses(provider: &'static str, told: Told) {
    run(async move {
        let ns = Bed::get()
            .await
            .namespace(&format!("argo-{provider}"))
            .await;
        let names = ["good", "bad", "unclear"];
        let address = format!("127.0.0.1:{}", ns.bed().free_port());
        let rules = RULES.to_owned() + &watches(&ns, &names, "shop");
        let asking = |name: &str| {
            let wait = if name == "unclear" { "6s" } else { "1m" };
            arguments(provider, &format!("http://{address}"), wait)
        };
        rollouts(&ns, &names, &rules, &[], asking).await;
        let _agent = agent(&ns, &rules, &address, Options::default()).await;
        let _traffic = [ns.traffic("good", 60.0), ns.traffic("bad", 60.0)];
        for (name, tag) in [("good", "v3"), ("bad", "v2"), ("unclear", "v3")] {
            ns.set_rollout_image(name, tag).await;
        }
        let good = async {
            ns.wait_phase("good", "Healthy").await;
            ns.wait_serving("good", "v3").await;
            let status = run_of(&ns, "good").await.expect("its run");
            assert_eq!(status["phase"], "Successful", "{status}");
            let metric = &status["metricResults"][0];
            // Undecided was asked for, and did not end it; one success did.
            assert_eq!(metric["successful"], 1, "{metric}");
            let value = metric["measurements"].as_array().and_then(|all| all.last());
            let value = value
                .and_then(|last| last["value"].as_str())
                .unwrap_or_default();
            assert!(value.len() < 1024 && value.contains(told.good), "{value}");
        };
        let bad = async {
            ns.wait_phase("bad", "Degraded").await;
            ns.wait_serving("bad", "v1").await;
            let status = run_of(&ns, "bad").await.expect("its run");
            assert_eq!(status["phase"], "Failed", "{status}");
            let value = status["metricResults"][0]["measurements"].to_string();
            assert!(value.contains(told.bad), "{value}");
        };
        let unclear = async {
            ns.wait_phase("unclear", "Paused").await;
            let status = run_of(&ns, "unclear").await.expect("its run");
            assert_eq!(status["phase"], "Inconclusive", "{status}");
            let rollout = ns.rollouts().get("unclear").await.expect("it is there");
            let reason = &rollout.data["status"]["pauseConditions"][0]["reason"];
            assert_eq!(reason, "InconclusiveAnalysisRun");
        };
        tokio::join!(good, bad, unclear);
    });
}

/// An agent that is killed or slow aborts nothing.
pub(super) fn outages_abort_nothing(provider: &'static str, told: Told) {
    run(async move {
        let bed = Bed::get().await;
        let ns = bed.namespace(&format!("argo-{provider}-down")).await;
        let names = ["killed", "slow"];
        let address = format!("127.0.0.1:{}", bed.free_port());
        let url = format!("http://{address}");
        let proxy = FaultProxy::start(bed, std::slice::from_ref(&url)).await;
        let asking = |name: &str| {
            let url = if name == "slow" { proxy.url() } else { &url };
            arguments(provider, url, "2m")
        };
        let rules = RULES.to_owned() + &watches(&ns, &names, "shop");
        rollouts(&ns, &names, &rules, &[], asking).await;
        let agent = agent(&ns, &rules, &address, Options::default()).await;
        // Without traffic nothing is decided: the analyses go on.
        for name in names {
            ns.set_rollout_image(name, "v3").await;
        }
        for name in names {
            wait_result(&ns, name, "a first answer", |metric| {
                let measurements = metric["measurements"].as_array();
                let last = measurements.and_then(|all| all.last());
                last.and_then(|last| last["value"].as_str())
                    .is_some_and(|value| value.contains(told.undecided))
            })
            .await;
        }
        proxy.set(Fault::Hang);
        agent.kill();
        for name in names {
            wait_result(&ns, name, "an error", |metric| {
                metric["error"].as_u64() > Some(0)
            })
            .await;
        }
        assert!(proxy.questions() > 0, "nobody met the slow answer");
        proxy.set(Fault::None);
        let _traffic = names.map(|name| ns.traffic(name, 60.0));
        agent.start_again().await;
        join_all(names.map(async |name| {
            ns.wait_phase(name, "Healthy").await;
            ns.wait_serving(name, "v3").await;
        }))
        .await;
        for name in names {
            let status = run_of(&ns, name).await.expect("its run");
            assert_eq!(status["phase"], "Successful", "{status}");
        }
    });
}
