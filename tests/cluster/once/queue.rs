//! A queue in a real Redis, of which nobody knows the past: it is looked at for long enough within the round.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use recant_core::incident::ScalingEnd;

use super::{Once, deployment};
use crate::bed::Bed;
use crate::case::run;
use crate::redis::Redis;

const WITHIN: Duration = Duration::from_secs(20);

#[test]
fn a_long_queue_has_its_workers_scaled_within_one_round_and_not_again_in_the_next() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("once-queue").await;
        let redis = Redis::start(bed, None).await;
        ns.deployment("packers", "v1", 1).await;
        // No rule asks it.
        let once = Once::prepare(&ns, "http://127.0.0.1:1".to_owned()).await;
        let url = redis.url();
        let rules = once.rules(&format!(
            "apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {{name: team}}
slack: {{url: {{env: TEAM_SLACK}}}}
---
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {{name: shop}}
rules:
- name: queue
  redis: {{address: '{}', list: integration_queue}}
  max: 100
  for: 3s
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: packers, namespace: {}}}
target: {{kind: Deployment, name: packers}}
always:
- rule: shop/queue
  onFail: [{{scale: {{target: Deployment/packers, replicas: 5}}}}, {{notify: [team]}}]
",
            url.trim_start_matches("redis://"),
            ns.name()
        ));
        redis.push("integration_queue", 100).await;
        let kept = once.run(&[&rules, "--verdict"], &[]).await;
        assert_eq!(kept.code, 0, "{kept:#?}");
        assert!(kept.out.contains("its rules are kept"), "{kept:#?}");

        redis.push("integration_queue", 1).await;
        let broken = once.run(&[&rules, "--json"], &[]).await;
        assert_eq!(broken.code, 1, "{broken:#?}");
        let document = broken.document();
        let rule = &document["watches"][0]["always"][0];
        assert_eq!(rule["rule"], "shop/queue", "{document:#}");
        assert!(rule["brokenSince"].is_string(), "{document:#}");
        ns.wait_replicas("deployment/packers", 5, WITHIN).await;
        let state = once.state().await;
        let always = &state.ledger.always[&deployment(&ns, "packers")];
        let incidents: Vec<_> = always.incidents.values().collect();
        assert_eq!(incidents.len(), 1);
        // It stayed until they were ready.
        assert_eq!(incidents[0].settled, Some(ScalingEnd::Done));
        let told = once.slack.received();
        assert_eq!(told.len(), 2, "broken, scaled: {told:#?}");

        let generation = || async {
            let found = ns.api::<Deployment>().get("packers").await;
            found.expect("it is there").metadata.generation
        };
        let before = generation().await;
        let again = once.run(&[&rules], &[]).await;
        assert_eq!(again.code, 1, "{again:#?}");
        assert_eq!(
            (generation().await, once.slack.received().len()),
            (before, 2)
        );
    });
}
