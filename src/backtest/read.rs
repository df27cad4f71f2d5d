//! Reads history in pieces: first which pods there were, then what they counted while a release was judged. Bounded in
//! what is read in all; a piece that fails is asked for once more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use recant_core::ids::{PodName, TargetId};
use recant_core::observation::{Cause, Cumulative, Observation, SeriesKey};
use recant_core::rule::{ArmsBy, Level, Question, Selector, Watch, What};
use recant_core::target::{Pod, Revision};

use super::releases::{PodLife, revision_of, stand_in};
use super::{BacktestError, Task, named};
use crate::source::{Life, NoRange, QueryTarget, RangeQuery, RangeTarget, Source};

/// Pods that live shorter than this may be missed.
const STEP_OF_LIVES: SignedDuration = SignedDuration::from_secs(60);
/// Before a second attempt: a blip is no outage.
const PAUSE: Duration = Duration::from_secs(2);
/// Counters and values that are read of all watches together.
const MOST_VALUES: usize = 200_000_000;
/// Pods that have gone are asked about for so long.
const GONE: SignedDuration = SignedDuration::from_mins(15);

/// The series that show which pods there are.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Shows {
    Counter(Selector),
    Histogram(Selector),
}

/// `None`: an expression shows no pods for sure.
fn shows(question: &Question) -> Option<Shows> {
    match &question.what {
        What::Ratio { total, .. } => Some(Shows::Counter(total.clone())),
        What::Histogram { histogram } => Some(Shows::Histogram(histogram.clone())),
        What::Level(Level::Gauge(gauge)) => Some(Shows::Counter(gauge.clone())),
        What::Level(
            Level::Promql(_)
            | Level::Kubernetes(_)
            | Level::HttpJson(_)
            | Level::Redis(_)
            | Level::Alert(_),
        ) => None,
    }
}

pub(super) struct Reader<'a> {
    history: &'a dyn Source,
    task: &'a Task,
    values_left: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(history: &'a dyn Source, task: &'a Task) -> Self {
        Self {
            history,
            task,
            values_left: MOST_VALUES,
        }
    }

    /// The pods of each watch's target: what all watches ask alike is asked once.
    pub(super) async fn lives(&mut self) -> Result<Vec<BTreeMap<PodName, PodLife>>, BacktestError> {
        let watches = &self.task.watches;
        // Questions about the same series show the same pods.
        let mut asking: BTreeMap<(Shows, Option<String>), (Question, Vec<usize>)> = BTreeMap::new();
        for (place, watch) in watches.iter().enumerate() {
            for rule in &watch.rules {
                let question = Question::of(rule);
                let Some(shows) = shows(&question) else {
                    continue;
                };
                let key = (shows, question.label.clone());
                let (_, places) = asking.entry(key).or_insert((question, Vec::new()));
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        let mut pods: Vec<BTreeMap<PodName, PodLife>> = vec![BTreeMap::new(); watches.len()];
        for (question, places) in asking.into_values() {
            let asked: Vec<&Watch> = places
                .iter()
                .filter_map(|place| watches.get(*place))
                .collect();
            let targets = asked.iter().map(|watch| RangeTarget {
                target: query_target(&watch.target, Vec::new()),
                revisions: Vec::new(),
            });
            let query = RangeQuery {
                targets: targets.collect(),
                question,
                from: self.task.from,
                to: self.task.to,
                step: STEP_OF_LIVES,
            };
            let lives = match self.history.read_lives(&query).await {
                Err(NoRange {
                    cause: Cause::Down, ..
                }) => {
                    tokio::time::sleep(PAUSE).await;
                    self.history.read_lives(&query).await
                }
                read => read,
            };
            let lives = lives.map_err(|error| failed(&asked, error))?;
            for life in lives {
                for place in &places {
                    let (Some(watch), Some(pods)) = (watches.get(*place), pods.get_mut(*place))
                    else {
                        continue;
                    };
                    if let Some((name, life)) = life_of(watch, &query.question, asked.len(), &life)
                    {
                        merge(pods, name, life);
                    }
                }
            }
        }
        Ok(pods)
    }

    /// The answers to all questions of a watch for a stretch of time, moment by moment. What they tell of pods goes to
    /// `pods`.
    pub(super) async fn stretch(
        &mut self,
        watch: &Watch,
        questions: &[Arc<Question>],
        (from, to): (Timestamp, Timestamp),
        pods: &mut BTreeMap<PodName, PodLife>,
    ) -> Result<Vec<Vec<Observation>>, BacktestError> {
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            let query = RangeQuery {
                question: (**question).clone(),
                targets: vec![target_with_pods(watch, pods, (from, to))],
                from,
                to,
                step: self.task.step,
            };
            let past = match self.history.read_range(&query).await {
                Err(NoRange {
                    cause: Cause::Down, ..
                }) => {
                    tokio::time::sleep(PAUSE).await;
                    self.history.read_range(&query).await
                }
                read => read,
            };
            let past = past.map_err(|error| failed(&[watch], error))?;
            let mut of_question = Vec::with_capacity(past.len());
            for moment in past {
                let observation = moment.observations.into_iter().next();
                let observation = observation.unwrap_or_else(|| Observation::NoData {
                    reason: "the history says nothing".to_owned(),
                });
                self.count(&observation)?;
                see(question, &observation, watch, pods);
                of_question.push(observation);
            }
            answers.push(of_question);
        }
        Ok(answers)
    }

    fn count(&mut self, observation: &Observation) -> Result<(), BacktestError> {
        let values = match observation {
            Observation::Reading(reading) => reading
                .series
                .iter()
                .map(|series| match &series.value {
                    Cumulative::Ratio { .. } => 2,
                    Cumulative::Histogram(histogram) => histogram.counters.len(),
                    Cumulative::Unusable { .. } => 1,
                })
                .sum(),
            Observation::Levels(levels) => levels.readings.len(),
            Observation::NoData { .. } | Observation::Unavailable { .. } => 0,
        };
        match self.values_left.checked_sub(values) {
            Some(left) => {
                self.values_left = left;
                Ok(())
            }
            None => Err(BacktestError::TooMuch(format!(
                "the history has more than {MOST_VALUES} values to judge: give a shorter time by --from and --to, or \
                 fewer watches at once"
            ))),
        }
    }
}

fn failed(watches: &[&Watch], error: NoRange) -> BacktestError {
    let targets: Vec<&TargetId> = watches.iter().map(|watch| &watch.target).collect();
    BacktestError::NoRange {
        question: format!("the history of {} cannot be read", named(&targets)),
        error,
    }
}

fn query_target(id: &TargetId, pods: Vec<Pod>) -> QueryTarget {
    QueryTarget {
        id: id.clone(),
        pods,
        scrape: None,
    }
}

/// The target with the pods that may have samples in a stretch.
fn target_with_pods(
    watch: &Watch,
    pods: &BTreeMap<PodName, PodLife>,
    (from, to): (Timestamp, Timestamp),
) -> RangeTarget {
    let near = |life: &&PodLife| life.first <= to && life.last.duration_until(from) <= GONE;
    let mut revisions: Vec<Revision> = Vec::new();
    for life in pods.values().filter(near) {
        if revisions.iter().all(|known| known.hash != life.revision) {
            revisions.push(Revision {
                hash: life.revision.clone(),
                number: 0,
                images: Vec::new(),
                created: life.first,
            });
        }
    }
    let near = pods.iter().filter(|(_, life)| near(life));
    let pods = near.map(|(name, life)| Pod {
        name: name.clone(),
        hash: life.revision.clone(),
        created: life.first,
        ready: true,
        terminating: false,
        ip: None,
        metrics: None,
        unready_reason: None,
    });
    RangeTarget {
        target: query_target(&watch.target, pods.collect()),
        revisions,
    }
}

/// What a life says of the pods of a watch's target; `targets` ask the same.
fn life_of(
    watch: &Watch,
    question: &Question,
    targets: usize,
    life: &Life,
) -> Option<(PodName, PodLife)> {
    let target = &watch.target;
    if !life.namespace.is_empty() && life.namespace != target.namespace {
        return None;
    }
    let lived = |revision| PodLife {
        revision,
        first: life.first,
        last: life.last,
    };
    if !life.pod.as_str().is_empty() {
        let revision = revision_of(&target.name, &life.pod)?;
        return Some((life.pod.clone(), lived(revision)));
    }
    // A label that holds the hash, of series without pods: whose it is, only a single target can know.
    (tells_hash(watch, question) && targets == 1 && !life.arm.is_empty()).then(|| {
        let revision = life.arm.as_str().into();
        (stand_in(&target.name, &revision), lived(revision))
    })
}

/// Whether the values of a question's label are pod-template hashes.
fn tells_hash(watch: &Watch, question: &Question) -> bool {
    watch.rules.iter().any(|rule| match &rule.arms {
        ArmsBy::HashLabel(label) => question.label.as_ref() == Some(label),
        ArmsBy::Pod | ArmsBy::NamedLabel { .. } => false,
    })
}

/// What answers to a question tell of the pods.
fn see(
    question: &Question,
    observation: &Observation,
    watch: &Watch,
    pods: &mut BTreeMap<PodName, PodLife>,
) {
    let by_hash = question.label.is_some() && tells_hash(watch, question);
    let mut see = |key: &SeriesKey, at: Timestamp| {
        let stands_in;
        let pod = match key {
            SeriesKey::Pod { pod, .. } => pod,
            SeriesKey::Label(value) if by_hash => {
                stands_in = stand_in(&watch.target.name, &value.as_str().into());
                let mut lives = pods.values();
                // Its pods are known by themselves.
                if !pods.contains_key(&stands_in) && lives.any(|life| *value == life.revision.0) {
                    return;
                }
                &stands_in
            }
            SeriesKey::Label(_) | SeriesKey::Whole => return,
        };
        match pods.get_mut(pod) {
            Some(life) => {
                life.first = life.first.min(at);
                life.last = life.last.max(at);
            }
            None => {
                if let Some(revision) = revision_of(&watch.target.name, pod) {
                    let life = PodLife {
                        revision,
                        first: at,
                        last: at,
                    };
                    pods.insert(pod.clone(), life);
                }
            }
        }
    };
    match observation {
        Observation::Reading(reading) => {
            for series in &reading.series {
                see(&series.key, series.at);
            }
        }
        Observation::Levels(levels) => {
            for reading in &levels.readings {
                see(&reading.key, reading.at);
            }
        }
        Observation::NoData { .. } | Observation::Unavailable { .. } => {}
    }
}

fn merge(pods: &mut BTreeMap<PodName, PodLife>, name: PodName, life: PodLife) {
    match pods.get_mut(&name) {
        Some(known) => {
            known.first = known.first.min(life.first);
            known.last = known.last.max(life.last);
        }
        None => {
            pods.insert(name, life);
        }
    }
}
