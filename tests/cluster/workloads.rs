//! Releases of a `StatefulSet` and of a `DaemonSet`, from the first bad answer to the verified rollback, with the real
//! agent.

use std::time::Duration;

use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;
use recant_core::verify::VerificationEnd;

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;

const WITHIN: Duration = Duration::from_mins(1);

#[test]
fn a_bad_stateful_set_and_a_bad_daemon_set_are_taken_back() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("workloads").await;
        let (set, daemon) = ("ledger", "relay");
        ns.apply(&manifests::stateful_set(set, "v1", 2)).await;
        ns.apply(&manifests::daemon_set(daemon, "v1")).await;
        ns.wait_serving(set, "v1").await;
        ns.wait_serving(daemon, "v1").await;
        let watch = |kind: TargetKind, name: &str| {
            format!(
                "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: {}}}\n\
                 target: {{kind: {kind}, name: {name}}}\nrules: [http]\nrelease: {{watch: 10m}}\n\
                 onFail: [{{rollback: {{}}}}, {{notify: [team]}}]\n",
                ns.name()
            )
        };
        let rules = watch(TargetKind::StatefulSet, set) + &watch(TargetKind::DaemonSet, daemon);
        let agent = Agent::start(&[&ns], &rules, Options::default()).await;
        let traffic = [ns.traffic(set, 20.0), ns.traffic(daemon, 20.0)];
        traffic[0].next(40, WITHIN).await;
        ns.apply(&manifests::stateful_set(set, "v2", 2)).await;
        ns.apply(&manifests::daemon_set(daemon, "v2")).await;
        for (kind, name) in [
            (TargetKind::StatefulSet, set),
            (TargetKind::DaemonSet, daemon),
        ] {
            let target = TargetId {
                namespace: ns.name().to_owned(),
                kind,
                name: name.to_owned(),
            };
            let end = agent
                .wait_record(
                    &format!("{target} to be verified"),
                    WITHIN,
                    |entry| match &entry.record {
                        Record::VerificationEnded {
                            target: of, end, ..
                        } if *of == target => Some(end.clone()),
                        _ => None,
                    },
                )
                .await;
            assert_eq!(end, VerificationEnd::Gone, "{target}");
            ns.wait_serving(name, "v1").await;
            let message = format!("Rolling back {target}");
            agent.wait_slack(&message, WITHIN).await;
            let plans = agent.journal().into_iter().filter(|entry| {
                matches!(&entry.record, Record::PlanBegan { plan } if plan.fence.target == target)
            });
            assert_eq!(plans.count(), 1, "{target}");
        }
    });
}
