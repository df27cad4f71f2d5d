//! Twenty good releases of services whose errors come five at a time: none is taken back.

use std::sync::Arc;

use futures::future::join_all;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;

use super::{WITHIN, rules, target};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;
use crate::services::{Behaviour, Service};

const RELEASES: usize = 20;

/// One answer in a hundred is an error, and each brings four more: a fifth of the limit.
const CLUMPED: Behaviour = Behaviour {
    errors: 0.01,
    clump: 5,
    slower: 1.0,
};

#[test]
fn twenty_good_releases_with_clumped_errors_are_left_alone() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("clumped").await;
        for tag in ["v1", "v3"] {
            ns.behave(tag, CLUMPED);
        }
        let releases: Vec<TargetId> = (0..RELEASES)
            .map(|number| target(&ns, TargetKind::Deployment, &format!("good-{number}")))
            .collect();
        join_all(
            releases
                .iter()
                .map(|release| ns.deployment(&release.name, "v1", 1)),
        )
        .await;
        let prometheus = ns.prometheus().await;
        let watches = releases.iter().map(|release| (release, "prometheus"));
        let rules = rules(watches, "release: {watch: 20s, whenUnclear: pass}");
        let options = Options {
            prometheus: Some(prometheus.url()),
            ..Options::default()
        };
        let agent = Agent::start(&[&ns], &rules, options).await;
        let of_each = join_all(releases.iter().map(|release| one(&ns, &agent, release))).await;
        let errors: u64 = of_each.into_iter().sum();
        // Else nothing was shown.
        assert!(errors > 20, "{errors} errors in all");
        for entry in agent.journal() {
            assert!(
                !matches!(
                    entry.record,
                    Record::Failed { .. } | Record::PlanBegan { .. }
                ),
                "{entry:#?}"
            );
        }
    });
}

/// The errors that the new version answered with.
async fn one(ns: &Namespace, agent: &Agent, release: &TargetId) -> u64 {
    let traffic = ns.traffic(&release.name, 12.0);
    traffic.next(150, WITHIN).await;
    ns.set_image(&release.name, "v3").await;
    ns.wait_complete(&release.name, "v3").await;
    agent
        .wait_record("the end of its watch", WITHIN, |entry| {
            match &entry.record {
                Record::AnalysisEnded { target, .. } if target == release => Some(()),
                _ => None,
            }
        })
        .await;
    ns.wait_complete(&release.name, "v3").await;
    traffic.stop().await;
    let of_new = |service: &Arc<Service>| {
        service.tag == "v3" && service.pod.starts_with(&format!("{}-", release.name))
    };
    let services = ns.services().into_iter().filter(of_new);
    services.map(|service| service.ledger().errors()).sum()
}
