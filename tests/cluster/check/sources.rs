//! `recant check --cluster` asks every kind of source once, and looks for the rights that they need.

use super::{WITHIN, check};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::check::wire::Wire;
use crate::redis::Redis;
use crate::wait::wait_for;

fn rules(namespace: &str, redis: &str) -> String {
    format!(
        "apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {{name: values}}
rules:
- {{name: unready, kubernetes: unreadyPods, max: 50%}}
- {{name: queue, redis: {{address: '{redis}', list: jobs}}, max: 100}}
- name: backlog
  httpJson: {{url: 'http://127.0.0.1:1/stats', path: '$.backlog', authorization: {{secret: {{name: stats-token, key: token}}}}}}
  max: 100
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: checkout, namespace: {namespace}}}
target: {{kind: Deployment, name: checkout}}
rules: [values, http]
"
    )
}

#[test]
fn every_kind_of_source_is_asked_once() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("sources").await;
        ns.deployment("checkout", "v1", 1).await;
        let _traffic = ns.traffic("checkout", 20.0);
        let mut redis = Redis::start(bed, None).await;
        redis.push("jobs", 3).await;
        let url = redis.url();
        let rules = rules(ns.name(), url.trim_start_matches("redis://"));
        let agent = Agent::prepare(&[&ns], &rules, Options::default()).await;
        let wire = Wire::start(agent.client().await, ns.name()).await;
        // Right after its start the pod may not be ready, and the Role may not be in force.
        wait_for("Redis and the cluster to have answered", WITHIN, || async {
            let ran = check(&agent, &wire).await;
            let findings = ran.findings();
            let answered = [
                ("the status of Kubernetes objects", "1 of 1"),
                ("Redis", "1 of 1"),
                ("the pods' own metrics", "2 of 2"),
            ]
            .iter()
            .all(|(name, all)| {
                let good = format!("ok source {name} can be asked, and answered {all} questions");
                findings.iter().any(|found| found.starts_with(&good))
            });
            if !answered {
                return Err(ran.text);
            }
            ran.must_find(
                "error rights `get` on `secrets` `stats-token`",
                &["missing"],
            );
            ran.must_find("error source", &["stats-token"]);
            assert_eq!(ran.code, Some(2), "{}", ran.text);
            Ok(())
        })
        .await;
        redis.stop();
        let ran = check(&agent, &wire).await;
        ran.must_find("error source", &[url.trim_start_matches("redis://")]);
        assert_eq!(wire.writes(), Vec::<String>::new());
    });
}
