//! What people and the cluster do while a release is being judged or taken back: each has a defined outcome, is told, and
//! nothing is done twice.

use std::time::Duration;

use futures::future::join;
use k8s_openapi::api::apps::v1::Deployment;
use recant_core::analysis::Ending;
use recant_core::record::Record;
use recant_core::saga::PlanEnd;

use super::leader::taken_over;
use super::{Fleet, WITHIN, is_plan};
use crate::case::run;
use crate::wait::wait_for;

fn is_analysis(record: &Record) -> bool {
    matches!(record, Record::AnalysisBegan { .. })
}

fn is_not_failed(record: &Record) -> bool {
    matches!(record, Record::AnalysisEnded { ending, .. } if !matches!(ending, Ending::Fail))
}

fn is_stuck(record: &Record) -> bool {
    matches!(
        record,
        Record::PlanEnded {
            end: PlanEnd::Stuck { .. },
            ..
        }
    )
}

/// While nobody looks: the replica that judged is stopped, and the one that takes over finds another world.
#[test]
fn a_person_who_rolls_back_and_an_object_made_anew_are_left_alone() {
    run(async {
        let fleet = Fleet::start("meddled", 1, &["checkout", "cart"]).await;
        let ns = &fleet.ns;
        let observer = fleet.observe("checkout").await;
        let _traffic = (fleet.traffic("checkout").await, fleet.traffic("cart").await);
        let leader = fleet.holder("recant").await;
        join(ns.set_image("checkout", "v2"), ns.set_image("cart", "v2")).await;
        fleet.wait_records("both analyses", 2, is_analysis).await;
        leader.signal("STOP");
        assert_eq!(fleet.count(is_plan).await, 0, "it was stopped too late");
        // A person undoes the one,
        ns.set_image("checkout", "v1").await;
        // and the other is deleted and created again, as it was.
        let before = ns
            .api::<Deployment>()
            .get("cart")
            .await
            .expect("it is there");
        ns.kubectl(&["delete", "deployment", "cart", "--wait=true"])
            .await;
        ns.apply(&crate::manifests::deployment("cart", "v2", 2))
            .await;
        taken_over(&fleet, leader.name()).await;
        leader.signal("CONT");
        let status = leader.wait_end(Duration::from_secs(20)).await;
        assert_eq!(status.code(), Some(1), "{}", leader.log());
        fleet
            .wait_records(
                "the end of the analysis that the person ended",
                1,
                is_not_failed,
            )
            .await;
        wait_for("the new object to be seen", WITHIN, || async {
            let state = fleet.state(0).await;
            let known = state
                .ledger
                .targets
                .iter()
                .find(|(target, _)| target.name == "cart");
            match known {
                Some((_, known)) if Some(&known.uid) != before.metadata.uid.as_ref() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        // Long enough for a verdict on what is bad.
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(fleet.count(is_plan).await, 0);
        observer.assert_never_ours();
        let after = ns
            .api::<Deployment>()
            .get("cart")
            .await
            .expect("it is there");
        assert_eq!(after.metadata.generation, Some(1), "nobody wrote to it");
    });
}

#[test]
fn a_right_that_is_taken_away_in_the_middle_is_told_and_nothing_is_written() {
    run(async {
        let fleet = Fleet::start("deprived", 1, &["checkout"]).await;
        let ns = &fleet.ns;
        let observer = fleet.observe("checkout").await;
        let _traffic = fleet.traffic("checkout").await;
        ns.set_image("checkout", "v2").await;
        let role = include_str!("../../../charts/manifests/role.yaml");
        let without = role.replace("verbs: [patch]", "verbs: [create]");
        assert_ne!(role, without);
        let without = without.replace("patch]", "create]");
        let apply = ["-n", ns.name(), "apply", "-f", "-"];
        let applied = ns
            .bed()
            .kubectl_as(ns.bed().admin(), &apply, &without)
            .await;
        applied.expect("an administrator may");
        fleet.wait_records("the end of the plan", 1, is_stuck).await;
        let records = fleet.records().await;
        let reasons: Vec<&str> = records
            .iter()
            .filter_map(|record| match record {
                Record::PlanEnded {
                    end: PlanEnd::Stuck { reason, .. },
                    ..
                } => Some(reason.as_str()),
                _ => None,
            })
            .collect();
        assert!(
            reasons
                .iter()
                .all(|reason| reason.contains("patch deployments.apps")),
            "{reasons:?}"
        );
        let leader = fleet.holder("recant").await;
        leader.wait_slack("patch deployments.apps", WITHIN).await;
        assert_eq!(fleet.count(is_plan).await, 1);
        observer.assert_never_ours();
    });
}
