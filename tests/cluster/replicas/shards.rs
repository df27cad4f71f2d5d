//! Targets divided among replicas: each takes its share, one that is lost is replaced, and one of them lets the others act.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use recant_core::guard::Guard;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;
use recant_core::share::shard_of;
use serde_json::json;

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

/// Nothing happens: Leases are renewed, and nothing else is written.
async fn idle(fleet: &Fleet) {
    const TIME: Duration = Duration::from_secs(12);
    let settled = || async {
        let versions = |maps: Vec<ConfigMap>| -> BTreeMap<String, String> {
            maps.into_iter()
                .map(|map| {
                    let metadata = map.metadata;
                    (
                        metadata.name.unwrap_or_default(),
                        metadata.resource_version.unwrap_or_default(),
                    )
                })
                .collect()
        };
        let maps = fleet
            .ns
            .api::<ConfigMap>()
            .list(&ListParams::default())
            .await;
        versions(maps.expect("an administrator may list").items)
    };
    let leases = || async {
        let leases = fleet.ns.api::<Lease>().list(&ListParams::default()).await;
        let leases = leases.expect("an administrator may list").items;
        leases
            .into_iter()
            .map(|lease| lease.metadata.resource_version.unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let mut before = settled().await;
    let mut since = Instant::now();
    let begun = Instant::now();
    let mut writes = 0;
    let mut seen = leases().await;
    while since.elapsed() < TIME {
        assert!(
            begun.elapsed() < WITHIN,
            "it writes although nothing happens"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = leases().await;
        writes += now.iter().filter(|version| !seen.contains(version)).count();
        seen = now;
        let now = settled().await;
        if now != before {
            (before, since, writes) = (now, Instant::now(), 0);
        }
    }
    let each_hour = writes * 3600 / usize::try_from(TIME.as_secs()).expect("a few");
    figure(&format!(
        "when nothing happens: {writes} writes of {} Leases in {TIME:?} and no other; {each_hour} an hour with a Lease \
         of 6 s, {} with one of 15 s",
        seen.len(),
        each_hour * 6 / 15
    ));
}

#[test]
fn shards_are_divided_taken_over_and_act_one_at_a_time_by_grants() {
    run(async {
        let ns = crate::bed::Bed::get().await.namespace("shards").await;
        let names: Vec<String> = names(ns.name()).into_values().collect();
        let targets: Vec<&str> = names.iter().map(String::as_str).collect();
        let settings = vec![("guards.atOnce", json!("1"))];
        let fleet = Fleet::start_in(ns, SHARDS, &targets, settings).await;
        let took = balanced(&fleet, &[1, 1, 1]).await;
        figure(&format!(
            "three shards are divided among three replicas after {took:?}"
        ));
        idle(&fleet).await;
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

/// From the verdict to the end of the write, with a grant in between, by the journals. `RECANT_FIGURE_RELEASES` says how many
/// releases there are.
#[test]
fn many_bad_releases_over_three_replicas_are_each_taken_back_once() {
    run(async {
        let wanted = std::env::var("RECANT_FIGURE_RELEASES").ok();
        let number: usize = wanted.and_then(|text| text.parse().ok()).unwrap_or(8);
        let ns = crate::bed::Bed::get().await.namespace("many").await;
        let names: Vec<String> = (0..number)
            .map(|number| format!("checkout{number}"))
            .collect();
        let targets: Vec<&str> = names.iter().map(String::as_str).collect();
        let settings = vec![
            ("guards.atOnce", json!("1000")),
            ("guards.actionsPerHour", json!(1000)),
            ("guards.manyAtOnce.targets", json!(0)),
        ];
        let fleet = Fleet::start_in(ns, SHARDS, &targets, settings).await;
        balanced(&fleet, &[1, 1, 1]).await;
        let traffic = join_all(targets.iter().map(|target| fleet.traffic(target))).await;
        join_all(
            targets
                .iter()
                .map(|target| fleet.ns.set_image(target, "v2")),
        )
        .await;
        wait_for("every release to be taken back", WITHIN, || async {
            match fleet.count(is_verified).await {
                verified if verified >= number => Ok(()),
                verified => Err(format!("{verified} of {number}")),
            }
        })
        .await;
        drop(traffic);
        assert_eq!(fleet.count(is_plan).await, number);
        let mut failed = BTreeMap::new();
        let mut took = Vec::new();
        for shard in 0..SHARDS {
            for recent in fleet.state(shard).await.recent {
                match recent.record {
                    Record::Failed { analysis, .. } => {
                        failed.insert(format!("{analysis}-rollback"), recent.at);
                    }
                    Record::StepEnded(outcome) if outcome.index == 0 => {
                        let at = failed.get(outcome.plan.as_str());
                        took.extend(at.map(|at| recent.at.duration_since(*at).as_millis()));
                    }
                    _ => {}
                }
            }
        }
        took.sort_unstable();
        let at =
            |share: usize| took.get((took.len() * share / 100).min(took.len().saturating_sub(1)));
        figure(&format!(
            "from verdict to patch over {} releases in {SHARDS} shards: p50 {:?} ms, p99 {:?} ms",
            took.len(),
            at(50),
            at(99)
        ));
    });
}
