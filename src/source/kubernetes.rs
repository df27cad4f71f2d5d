//! The source that answers from the status of Kubernetes objects: restarts, kills for want of memory, pods that are not
//! ready or pending, rollouts that the controller has given up.
//!
//! It asks nobody: the cluster's watches have the objects already. When these do not work, there is no answer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use recant_core::ids::TargetId;
use recant_core::observation::{Cause, LevelReading, Levels, Observation, SeriesKey};
use recant_core::rule::{KubernetesFact, Level, What};
use recant_core::target::{ObjectStatus, PodStatus};

use super::{Query, Source};
use crate::clock::Clock;

mod restarts;

use restarts::Restarts;

/// Tells what the status of a target's objects is now, or why that is not known.
pub type StatusOf = Arc<dyn Fn(&TargetId) -> Result<ObjectStatus, String> + Send + Sync>;

/// Answers from object status.
pub struct Kubernetes {
    status: StatusOf,
    clock: Clock,
    restarts: Mutex<BTreeMap<TargetId, Restarts>>,
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubernetes").finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// A source over what `status` tells.
    pub fn new(status: StatusOf, clock: Clock) -> Self {
        Self {
            status,
            clock,
            restarts: Mutex::default(),
        }
    }

    fn answer(&self, target: &TargetId, fact: KubernetesFact) -> Observation {
        let now = (self.clock)();
        let status = match (self.status)(target) {
            Ok(status) => status,
            Err(reason) => {
                return Observation::Unavailable {
                    cause: Cause::Down,
                    reason,
                };
            }
        };
        if fact == KubernetesFact::FailedProgress {
            return levels(vec![reading(SeriesKey::Whole, now, status.failed_progress)]);
        }
        if status.pods.is_empty() {
            return Observation::NoData {
                reason: format!("{target} has no pods"),
            };
        }
        let mut restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
        let restarts = restarts.entry(target.clone()).or_default();
        restarts.forget_all_but(&status.pods);
        let mut value = |pod: &PodStatus| match fact {
            KubernetesFact::Restarts { per } => restarts.within(pod, now, signed(per)),
            KubernetesFact::OutOfMemoryKills { per } => {
                let recent = |at: &&Timestamp| at.duration_until(now) <= signed(per);
                pod.out_of_memory.iter().filter(recent).count() as f64
            }
            KubernetesFact::UnreadyPods => f64::from(u8::from(!pod.ready)),
            KubernetesFact::PendingPods => f64::from(u8::from(pod.pending)),
            KubernetesFact::FailedProgress => 0.0,
        };
        let readings = status
            .pods
            .iter()
            .map(|pod| LevelReading {
                key: SeriesKey::Pod {
                    namespace: target.namespace.clone(),
                    pod: pod.name.clone(),
                },
                at: now,
                value: value(pod),
            })
            .collect();
        levels(readings)
    }
}

#[async_trait]
impl Source for Kubernetes {
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
        queries
            .iter()
            .map(|query| {
                let fact = match &query.question.what {
                    What::Level(Level::Kubernetes(fact)) => Some(*fact),
                    What::Level(
                        Level::Gauge(_)
                        | Level::Promql(_)
                        | Level::HttpJson(_)
                        | Level::Redis(_)
                        | Level::Alert(_),
                    )
                    | What::Ratio { .. }
                    | What::Histogram { .. } => None,
                };
                let answer = |target: &super::QueryTarget| match fact {
                    Some(fact) => self.answer(&target.id, fact),
                    None => Observation::Unavailable {
                        cause: Cause::Malformed,
                        reason: "object status does not answer this question".to_owned(),
                    },
                };
                query.targets.iter().map(answer).collect()
            })
            .collect()
    }
}

fn levels(readings: Vec<LevelReading>) -> Observation {
    Observation::Levels(Levels {
        readings,
        unusable: Vec::new(),
    })
}

fn reading(key: SeriesKey, at: Timestamp, is: bool) -> LevelReading {
    LevelReading {
        key,
        at,
        value: f64::from(u8::from(is)),
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use recant_core::ids::TargetKind;
    use recant_core::rule::Question;

    use super::super::QueryTarget;
    use super::*;

    const PER: Duration = Duration::from_mins(10);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + seconds).expect("in range")
    }

    fn pod(name: &str, created: i64, restarts: u32) -> PodStatus {
        PodStatus {
            name: name.into(),
            created: at(created),
            ready: true,
            pending: false,
            restarts,
            out_of_memory: Vec::new(),
        }
    }

    /// A source whose objects and clock the test moves.
    struct World {
        source: Kubernetes,
        now: Arc<Mutex<(i64, Result<ObjectStatus, String>)>>,
    }

    impl World {
        fn new() -> Self {
            let now = Arc::new(Mutex::new((0, Ok(ObjectStatus::default()))));
            let (status, clock) = (now.clone(), now.clone());
            let source = Kubernetes::new(
                Arc::new(move |_: &TargetId| status.lock().expect("no panic").1.clone()),
                Arc::new(move || at(clock.lock().expect("no panic").0)),
            );
            Self { source, now }
        }

        async fn look(
            &self,
            second: i64,
            fact: KubernetesFact,
            status: Result<ObjectStatus, String>,
        ) -> Observation {
            *self.now.lock().expect("no panic") = (second, status);
            let query = Query {
                question: Question {
                    what: What::Level(Level::Kubernetes(fact)),
                    label: None,
                },
                targets: vec![QueryTarget {
                    id: TargetId {
                        namespace: "shop".to_owned(),
                        kind: TargetKind::Deployment,
                        name: "web".to_owned(),
                    },
                    pods: Vec::new(),
                    scrape: None,
                }],
            };
            self.source.read(&[query]).await.remove(0).remove(0)
        }

        async fn values(
            &self,
            second: i64,
            fact: KubernetesFact,
            pods: Vec<PodStatus>,
        ) -> Vec<f64> {
            let status = ObjectStatus {
                pods,
                failed_progress: false,
            };
            match self.look(second, fact, Ok(status)).await {
                Observation::Levels(levels) => levels
                    .readings
                    .iter()
                    .map(|reading| reading.value)
                    .collect(),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn restarts_are_counted_within_their_time_and_from_the_first_look() {
        let world = World::new();
        let fact = KubernetesFact::Restarts { per: PER };
        // An old pod with a past, and one that was born a minute ago.
        let pods = |old, young| vec![pod("old", -86_400, old), pod("young", -60, young)];
        assert_eq!(world.values(0, fact, pods(7, 2)).await, [0.0, 2.0]);
        assert_eq!(world.values(30, fact, pods(8, 2)).await, [1.0, 2.0]);
        assert_eq!(world.values(300, fact, pods(10, 3)).await, [3.0, 3.0]);
        // Ten minutes after the first look at 30 s that restart is over, those of 300 s are not.
        assert_eq!(world.values(640, fact, pods(10, 3)).await, [2.0, 1.0]);
        assert_eq!(world.values(901, fact, pods(10, 3)).await, [0.0, 0.0]);
        // A pod of the same name is another pod.
        let again = vec![pod("young", 890, 1)];
        assert_eq!(world.values(902, fact, again).await, [1.0]);
    }

    #[tokio::test]
    async fn what_is_read_from_status_is_of_now() {
        let world = World::new();
        let mut killed = pod("a", -3600, 1);
        killed.out_of_memory = vec![at(-500), at(-5000)];
        let mut waiting = pod("b", -3600, 0);
        (waiting.ready, waiting.pending) = (false, true);
        let pods = || vec![killed.clone(), waiting.clone()];
        let kills = KubernetesFact::OutOfMemoryKills { per: PER };
        assert_eq!(world.values(0, kills, pods()).await, [1.0, 0.0]);
        assert_eq!(world.values(101, kills, pods()).await, [0.0, 0.0]);
        let unready = KubernetesFact::UnreadyPods;
        assert_eq!(world.values(102, unready, pods()).await, [0.0, 1.0]);
        let pending = KubernetesFact::PendingPods;
        assert_eq!(world.values(103, pending, pods()).await, [0.0, 1.0]);
        let failed = ObjectStatus {
            pods: Vec::new(),
            failed_progress: true,
        };
        let fact = KubernetesFact::FailedProgress;
        let Observation::Levels(levels) = world.look(104, fact, Ok(failed)).await else {
            panic!("a value");
        };
        assert_eq!(levels.readings.len(), 1);
        assert!((levels.readings[0].value - 1.0).abs() < 1e-12);
        let blind = world
            .look(105, unready, Err("pods cannot be watched".to_owned()))
            .await;
        assert!(
            matches!(blind, Observation::Unavailable { .. }),
            "{blind:?}"
        );
        let none = world.look(106, unready, Ok(ObjectStatus::default())).await;
        assert!(matches!(none, Observation::NoData { .. }), "{none:?}");
    }
}
