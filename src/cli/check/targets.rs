//! Whether the targets are there, and what would keep Recant from acting on them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use recant_core::ids::TargetId;
use recant_core::target::{TargetNews, TargetState};

use super::findings::{Area, Findings, some};
use crate::cluster::Cluster as _;
use crate::cluster::kubernetes::KubernetesCluster;

/// By when the watches have shown the targets.
const SEEN: Duration = Duration::from_secs(10);

/// What the cluster shows of each target that it has.
pub(super) async fn look(
    cluster: &KubernetesCluster,
    wanted: &BTreeSet<TargetId>,
    findings: &mut Findings,
) -> BTreeMap<TargetId, TargetState> {
    let mut states = BTreeMap::new();
    let mut gone = BTreeSet::new();
    let seen = async {
        loop {
            for news in cluster.news() {
                match news {
                    TargetNews::State(state) => {
                        states.insert(state.id.clone(), *state);
                    }
                    TargetNews::Gone(target) => {
                        gone.insert(target);
                    }
                }
            }
            let synced = cluster.watches().iter().all(|watch| watch.synced);
            let complete = states.len() + gone.len() >= wanted.len();
            if synced && complete {
                return;
            }
            tokio::select! {
                () = cluster.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
        }
    };
    // What was not seen by then is told below.
    drop(tokio::time::timeout(SEEN, seen).await);
    let faults: BTreeMap<String, String> = cluster
        .watches()
        .into_iter()
        .filter_map(|watch| {
            Some((
                watch.namespace,
                format!("{}: {}", watch.resource, watch.error?),
            ))
        })
        .collect();

    let mut there = Vec::new();
    for target in wanted {
        if let Some(state) = states.get(target) {
            there.push(format!("{target}"));
            state_of(state, findings);
        } else if gone.contains(target) {
            findings.error(
                Area::Target,
                format!("{target} does not exist"),
                "create it, or mend `target` and `metadata.namespace` of the Watch",
            );
        } else {
            let why = faults
                .get(&target.namespace)
                .map_or("the cluster did not show it in time", String::as_str);
            findings.unknown(
                Area::Target,
                format!("{target} could not be looked at: {why}"),
                "see the rights above, or try again",
            );
        }
    }
    if !there.is_empty() {
        findings.ok(Area::Target, format!("there: {}", some(&there)));
    }
    states
}

fn state_of(state: &TargetState, findings: &mut Findings) {
    let target = &state.id;
    if let Some(place) = &state.kill_switch {
        findings.warning(
            Area::Target,
            format!("{target} will not be acted on: the kill switch is on at {place}"),
            "remove the annotation `recant.dev/kill-switch` when it is to be acted on",
        );
    }
    if state.paused {
        findings.warning(
            Area::Target,
            format!("{target} is paused: nothing is done to it while it is"),
            "resume it when it is to be acted on",
        );
    }
    if state.pods.is_empty() {
        findings.warning(
            Area::Target,
            format!("{target} has no pod, so there is nothing to measure"),
            "is it scaled to 0?",
        );
    }
}
