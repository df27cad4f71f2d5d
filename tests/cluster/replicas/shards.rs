//! Targets divided among replicas: each takes its share, one that is lost is replaced, and one of them lets the others act.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use recant_core::guard::Guard;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;
use recant_core::share::shard_of;

use super::{Fleet, WITHIN, is_plan, is_verified};
use crate::agent::Agent;
use crate::case::{figure, run};
use crate::wait::wait_for;

const SHARDS: u32 = 3;

/// A name for a target of each shard.
fn names(namespace: &str) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for number in 0..100 {
        let name = format!("checkout{number}");
        let target = TargetId {
            namespace: namespace.to_owned(),
            kind: TargetKind::Deployment,
            name: name.clone(),
        };
        names.entry(shard_of(&target, SHARDS)).or_insert(name);
    }
    names
}

async fn holders(fleet: &Fleet) -> Vec<&Agent> {
    let mut holders = Vec::new();
    for shard in 0..SHARDS {
        holders.push(fleet.holder(&format!("recant-shard-{shard}")).await);
    }
    holders
}

/// Until each of them has one shard, but for those that are not counted.
async fn balanced(fleet: &Fleet, each: &[usize]) -> Duration {
    let begun = Instant::now();
    wait_for("the shards to be divided", WITHIN, || async {
        let mut numbers: Vec<usize> = Vec::new();
        let holders = holders(fleet).await;
        for agent in &fleet.agents {
            let of = holders
                .iter()
                .filter(|holder| holder.name() == agent.name());
            numbers.push(of.count());
        }
        numbers.sort_unstable();
        if numbers == each {
            Ok(())
        } else {
            Err(format!("{numbers:?}"))
        }
    })
    .await;
    begun.elapsed()
}

#[test]
fn shards_are_divided_taken_over_and_act_one_at_a_time_by_grants() {
    run(async {
        let ns = crate::bed::Bed::get().await.namespace("shards").await;
        let names: Vec<String> = names(ns.name()).into_values().collect();
        let targets: Vec<&str> = names.iter().map(String::as_str).collect();
        let settings = vec![("guards.atOnce", serde_json::json!("1"))];
        let fleet = Fleet::start_in(ns, SHARDS, &targets, settings).await;
        let took = balanced(&fleet, &[1, 1, 1]).await;
        figure(&format!(
            "three shards are divided among three replicas after {took:?}"
        ));
        let mut observers = Vec::new();
        let mut traffic = Vec::new();
        for target in &targets {
            observers.push(fleet.observe(target).await);
            traffic.push(fleet.traffic(target).await);
        }
        // The one that grants is lost while the other two have a bad release each, of which one at a time may be undone.
        let acting = fleet.holder("recant").await;
        let holders = holders(&fleet).await;
        let bad: Vec<usize> = (0..3)
            .filter(|shard| holders[*shard].name() != acting.name())
            .collect();
        acting.kill();
        let killed = Instant::now();
        for shard in &bad {
            fleet.ns.set_image(targets[*shard], "v2").await;
        }
        balanced(&fleet, &[0, 1, 2]).await;
        figure(&format!(
            "a lost replica's shard is another's after {:?}, with a Lease of 6 s",
            killed.elapsed()
        ));
        fleet
            .wait_records("both verifications", 2, is_verified)
            .await;
        for shard in &bad {
            fleet.ns.wait_serving(targets[*shard], "v1").await;
            observers[*shard].assert_one_rollback();
        }
        assert_eq!(fleet.count(is_plan).await, 2);
        // Never two at once: the second began after the first was seen to have helped.
        let mut times = Vec::new();
        for shard in 0..SHARDS {
            for recent in fleet.state(shard).await.recent {
                if is_plan(&recent.record) {
                    times.push((recent.at, "begins"));
                } else if is_verified(&recent.record) {
                    times.push((recent.at, "ends"));
                }
            }
        }
        times.sort();
        let order: Vec<&str> = times.iter().map(|(_, what)| *what).collect();
        assert_eq!(order, ["begins", "ends", "begins", "ends"], "{times:?}");
        let held = |record: &Record| {
            matches!(record, Record::HoldBegan { hold, .. }
                if matches!(hold.guard, Guard::BlastRadius | Guard::ActingReplica))
        };
        let records = fleet.records().await;
        figure(&format!(
            "{} holds of guards over all shards",
            records.iter().filter(|record| held(record)).count()
        ));
        // It comes back, and gets a share.
        acting.launch();
        let took = balanced(&fleet, &[1, 1, 1]).await;
        figure(&format!(
            "a replica that comes has its share after {took:?}"
        ));
        for target in &targets {
            fleet.ns.wait_serving(target, "v1").await;
        }
        // What was granted is used: nothing is left over.
        wait_for("no grant to be left over", WITHIN, || async {
            let object: ConfigMap = fleet
                .ns
                .api()
                .get("recant-acting")
                .await
                .map_err(|error| error.to_string())?;
            let text = object
                .data
                .unwrap_or_default()
                .remove("acting")
                .unwrap_or_default();
            if text.contains("\"granted\":[]") {
                Ok(())
            } else {
                Err(text)
            }
        })
        .await;
    });
}
