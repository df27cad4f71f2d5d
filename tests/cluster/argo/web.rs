//! Argo's `web` provider: one GET for each measurement, and the reason with the verdict.

use std::time::{Duration, Instant};

use super::polled::{self, Told};
use super::{agent, rollouts, run_of, verdict};
use crate::agent::Options;
use crate::bed::Bed;
use crate::case::run;

const TOLD: Told = Told {
    good: "\"phase\":\"Successful\"",
    bad: "shop/error-rate",
    undecided: "\"phase\":\"Running\"",
};

#[test]
fn a_good_version_is_promoted_a_bad_one_aborted_and_an_unclear_one_paused() {
    polled::promotes_aborts_and_pauses("web", TOLD);
}

#[test]
fn an_agent_that_is_killed_or_slow_aborts_nothing() {
    polled::outages_abort_nothing("web", TOLD);
}

/// A Watch whose rules all hold between releases: of a release there is no verdict, and Recant says so.
#[test]
fn what_will_have_no_verdict_is_paused_long_before_the_wait_is_over() {
    run(async {
        let ns = Bed::get().await.namespace("argo-web-unclear").await;
        let address = format!("127.0.0.1:{}", ns.bed().free_port());
        let rules = r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~"5.."}', total: http_requests_total}
  max: 10%
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: checkout, namespace: NAMESPACE}
target: {kind: Rollout, name: checkout}
source: scrape
always: [{rule: shop/error-rate, onFail: [{notify: [team]}]}]
---
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {name: team}
slack: {url: {env: TEAM_SLACK}}
"#;
        let rules = rules.replace("NAMESPACE", ns.name());
        let url = format!("http://{address}");
        let asking = |_: &str| {
            let arguments = [&*format!("--address={url}"), "--wait=10m", "--interval=1s"];
            arguments.map(str::to_owned).to_vec()
        };
        rollouts(&ns, &["checkout"], &rules, &[], asking).await;
        // The agent has that channel of its own.
        let (without_channel, _) = rules.rsplit_once("---").expect("several documents");
        let _agent = agent(&ns, without_channel, &address, Options::default()).await;
        let begun = Instant::now();
        ns.set_rollout_image("checkout", "v3").await;
        ns.wait_phase("checkout", "Paused").await;
        assert!(begun.elapsed() < Duration::from_mins(1), "{begun:?}");
        let status = run_of(&ns, "checkout").await.expect("its run");
        assert_eq!(status["phase"], "Inconclusive", "{status}");
        // The metric of the verdict was not what ended it.
        let told = verdict(&status);
        assert!(
            told["count"].as_u64().is_some_and(|count| count < 60),
            "{status}"
        );
        let rollout = ns.rollouts().get("checkout").await.expect("it is there");
        let reason = &rollout.data["status"]["pauseConditions"][0]["reason"];
        assert_eq!(reason, "InconclusiveAnalysisRun");
    });
}
