//! The seam `Source` of one process: counters as of the last whole second, or one of the ways in which a source fails.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use recant::source::{Query, QueryTarget, Source};
use recant_core::observation::{Cause, Cumulative, Observation, Reading, SeriesKey, SeriesReading};
use recant_core::rule::What;

use crate::incarnation::Incarnation;
use crate::scenario::{Mode, Point};
use crate::workload::SimPod;
use crate::world::{Sim, World, at};

/// The metric that no pod exposes.
pub(crate) const ABSENT: &str = "absent_total";
/// Requests that had to wait: what a rule between releases looks at.
pub(crate) const BUSY: &str = "busy_total";

#[derive(Debug)]
pub(crate) struct SimSource {
    pub(crate) sim: Arc<Sim>,
    pub(crate) process: Arc<Incarnation>,
}

#[async_trait]
impl Source for SimSource {
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
        self.sim.arrive(&self.process, Point::InQuestion);
        self.process.pass().await;
        let (mode, skew) = {
            let world = self.sim.world();
            (world.source, world.skew[self.process.replica])
        };
        match mode {
            Mode::Hangs => {
                let until = self.sim.world().source_until;
                while self.sim.world().now < until {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                return Vec::new();
            }
            Mode::Slow => tokio::time::sleep(Duration::from_secs(4)).await,
            Mode::Well | Mode::Down | Mode::Empty | Mode::Garbage | Mode::Partial | Mode::Stale => {
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
        self.process.pass().await;
        let unavailable = |cause, reason: &str| Observation::Unavailable {
            cause,
            reason: reason.to_owned(),
        };
        let mut world = self.sim.world();
        let mut answer = |query: &Query, target: &QueryTarget| match mode {
            // As the real source does: nothing is decided with a clock that is off by more than 30 s.
            _ if skew.abs() > 30 => unavailable(Cause::Clock, "its clock differs from ours"),
            Mode::Down => unavailable(Cause::Down, "connection refused"),
            Mode::Garbage => unavailable(Cause::Malformed, "two series for one pod"),
            Mode::Partial => unavailable(Cause::Partial, "a store did not answer"),
            Mode::Empty => Observation::NoData {
                reason: "there is no such series".to_owned(),
            },
            Mode::Well | Mode::Slow | Mode::Hangs => counters(&mut world, query, target, false),
            Mode::Stale => counters(&mut world, query, target, true),
        };
        queries
            .iter()
            .map(|query| {
                query
                    .targets
                    .iter()
                    .map(|target| answer(query, target))
                    .collect()
            })
            .collect()
    }
}

fn counters(world: &mut World, query: &Query, target: &QueryTarget, stale: bool) -> Observation {
    let (absent, busy) = match &query.question.what {
        What::Ratio { part, .. } => (part.metric == ABSENT, part.metric == BUSY),
        What::Histogram { .. } | What::Level(_) => (true, false),
    };
    let now = world.now;
    let Some(workload) = world
        .workloads
        .get(&target.id)
        .filter(|workload| !absent && !workload.deleted)
    else {
        return Observation::NoData {
            reason: "there is no such series".to_owned(),
        };
    };
    let series = |(sampled, pod): (i64, &SimPod)| SeriesReading {
        key: SeriesKey::Pod {
            namespace: target.id.namespace.clone(),
            pod: pod.name.clone(),
        },
        member: None,
        at: at(sampled),
        value: Cumulative::Ratio {
            part: Some(if busy { pod.busy } else { pod.bad }),
            total: Some(pod.total),
            part_shape: true,
        },
    };
    if stale {
        let old: Vec<_> = world
            .stale
            .iter()
            .filter(|(id, ..)| *id == target.id)
            .collect();
        if let Some((_, sampled, _)) = old.first() {
            let pods = old.iter().map(|(_, _, pod)| pod);
            world.oracle.measured(&target.id, *sampled, pods);
        }
        let series = old
            .iter()
            .map(|(_, sampled, pod)| series((*sampled, pod)))
            .collect();
        return Observation::Reading(Reading { series });
    }
    let series = workload.exposed().map(|pod| series((now, pod))).collect();
    world.oracle.measured(&target.id, now, workload.exposed());
    Observation::Reading(Reading { series })
}
