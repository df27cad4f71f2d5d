//! A fault that creeps: 2 % of errors become 4 %. Beside a baseline it is found; rolled in place there is only the time
//! before the release to compare with, and what becomes of it is printed.

use std::time::Duration;

use futures::future::join;
use jiff::Timestamp;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;
use serde_json::json;

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::{figure, run};
use crate::namespace::Namespace;
use crate::services::Behaviour;

/// Requests a second of each arm.
const RATE: f64 = 120.0;
/// Wald's bound alone, with both rates and the moment known, is about two minutes.
const WITHIN: Duration = Duration::from_mins(10);

fn rules(ns: &Namespace, targets: &[&TargetId]) -> String {
    let mut text = r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~"5.."}', total: http_requests_total}
  compare: {margin: 25%, plus: 0.1%}
"#
    .to_owned();
    text.extend(targets.iter().map(|target| {
        format!(
            "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: {ns}}}\n\
             target: {{kind: {kind}, name: {name}}}\nrules: [shop]\nrelease: {{watch: 30m}}\n\
             onFail: [{{rollback: {{}}}}, {{notify: [team]}}]\n",
            name = target.name,
            ns = ns.name(),
            kind = target.kind,
        )
    }));
    text
}

#[test]
fn twice_the_errors_are_found_beside_a_baseline() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("creeping").await;
        for (tag, errors) in [("v1", 0.02), ("v2", 0.04)] {
            let behaviour = Behaviour {
                errors,
                ..Behaviour::GOOD
            };
            ns.behave(tag, behaviour);
        }
        let target = |kind, name: &str| TargetId {
            namespace: ns.name().to_owned(),
            kind,
            name: name.to_owned(),
        };
        let beside = target(TargetKind::Rollout, "beside");
        let in_place = target(TargetKind::Deployment, "in-place");
        let steps = json!([{"setWeight": 50}, {"pause": {}}]);
        join(
            ns.rollout(&beside.name, "v1", 2, &steps),
            ns.deployment(&in_place.name, "v1", 2),
        )
        .await;
        let prometheus = ns.prometheus().await;
        let options = Options {
            prometheus: Some(prometheus.url()),
            ..Options::default()
        };
        let agent = Agent::start(&[&ns], &rules(&ns, &[&beside, &in_place]), options).await;
        let two_arms = ns.traffic(&beside.name, 2.0 * RATE);
        let one_arm = ns.traffic(&in_place.name, RATE);
        one_arm.next(1_000, WITHIN).await;
        join(
            ns.set_rollout_image(&beside.name, "v2"),
            ns.set_image(&in_place.name, "v2"),
        )
        .await;
        let shipped = Timestamp::now();
        let failed = |target: TargetId| move |record: &Record| matches!(record, Record::Failed { target: of, .. } if *of == target);
        let found = failed(beside.clone());
        let at = agent
            .wait_record("the verdict", WITHIN, |entry| {
                found(&entry.record).then_some(entry.at)
            })
            .await;
        figure(&format!(
            "CREEPING 2 % to 4 % at {RATE} requests a second and arm, margin 25 %: called {:.0} s after it was shipped",
            at.duration_since(shipped).as_secs_f64()
        ));
        ns.wait_serving(&beside.name, "v1").await;
        let found = failed(in_place.clone());
        let in_place = agent
            .journal()
            .into_iter()
            .find(|entry| found(&entry.record));
        figure(&match in_place {
            Some(entry) => format!(
                "CREEPING the same rolled in place: called {:.0} s after it was shipped",
                entry.at.duration_since(shipped).as_secs_f64()
            ),
            None => "CREEPING the same rolled in place: not called in that time; 20 s before the release say little of what \
                     it was then, and counts of another time are allowed to drift by half"
                .to_owned(),
        });
        two_arms.stop().await;
        one_arm.stop().await;
    });
}
