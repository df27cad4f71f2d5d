//! Asks the sources: each source in a task of its own, one round of questions at a time, so that a slow source delays
//! neither the engine nor another source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use recant_core::engine::{Answer, Asked};
use recant_core::ids::TargetId;
use recant_core::observation::{Cause, Observation};
use recant_core::rule::{ScrapeEndpoint, SourceKind};

use super::Parts;
use crate::source::{Query, QueryTarget, Source};

/// Above the deadlines that the sources have of their own, which are 60 s at most.
const LONGEST: Duration = Duration::from_secs(90);

/// A round of questions to one source that came back, or could not begin.
#[derive(Debug)]
pub struct Gathered {
    pub source: SourceKind,
    pub questions: usize,
    pub took: Duration,
    /// The source was still busy: the round was skipped.
    pub missed: bool,
    pub answers: Vec<Answer>,
}

/// Keeps track of which sources are busy.
pub(super) struct Gatherer {
    sources: BTreeMap<SourceKind, Arc<dyn Source>>,
    endpoints: BTreeMap<TargetId, ScrapeEndpoint>,
    busy: BTreeSet<SourceKind>,
    answers: mpsc::Sender<Gathered>,
}

impl Gatherer {
    pub(super) fn new(parts: &Parts, answers: mpsc::Sender<Gathered>) -> Self {
        Self {
            sources: parts.sources.clone(),
            endpoints: parts.endpoints.clone(),
            busy: BTreeSet::new(),
            answers,
        }
    }

    /// Asks these from now on; a round that is under way still comes back.
    pub(super) fn follow(
        &mut self,
        sources: BTreeMap<SourceKind, Arc<dyn Source>>,
        endpoints: BTreeMap<TargetId, ScrapeEndpoint>,
    ) {
        self.sources = sources;
        self.endpoints = endpoints;
    }

    /// These are the pages of the targets' pods from now on.
    pub(super) fn point(&mut self, endpoints: BTreeMap<TargetId, ScrapeEndpoint>) {
        self.endpoints = endpoints;
    }

    /// Asks everything that is due now.
    pub(super) fn ask(&mut self, parts: &mut Parts, now: Timestamp) {
        let mut rounds: BTreeMap<SourceKind, Vec<Asked>> = BTreeMap::new();
        for asked in parts.engine.questions(now) {
            rounds.entry(asked.source).or_default().push(asked);
        }
        for (kind, round) in rounds {
            if self.busy.contains(&kind) {
                let missed = Gathered {
                    source: kind,
                    questions: round.len(),
                    took: Duration::ZERO,
                    missed: true,
                    answers: Vec::new(),
                };
                parts.observer.gathered(&missed);
                continue;
            }
            let Some(source) = self.sources.get(&kind).cloned() else {
                continue;
            };
            let queries: Vec<Query> = round.iter().map(|asked| self.query(parts, asked)).collect();
            let answers = self.answers.clone();
            self.busy.insert(kind);
            tokio::spawn(async move {
                let gathered = read(kind, source, round, queries).await;
                // Nobody listens any more when the agent shuts down.
                drop(answers.send(gathered).await);
            });
        }
    }

    pub(super) fn came_back(&mut self, gathered: &Gathered) {
        self.busy.remove(&gathered.source);
    }

    fn query(&self, parts: &Parts, asked: &Asked) -> Query {
        let targets = asked
            .targets
            .iter()
            .map(|target| QueryTarget {
                id: target.clone(),
                pods: parts
                    .engine
                    .state(target)
                    .map(|state| state.pods.clone())
                    .unwrap_or_default(),
                scrape: self.endpoints.get(target).cloned(),
            })
            .collect();
        Query {
            question: (*asked.question).clone(),
            targets,
        }
    }
}

/// Every round comes back, with an observation for each question: a source that panicked, hung or answered too little
/// is unavailable, and does not count as busy for ever.
async fn read(
    kind: SourceKind,
    source: Arc<dyn Source>,
    round: Vec<Asked>,
    queries: Vec<Query>,
) -> Gathered {
    let begun = Instant::now();
    let mut task = AbortOnDropHandle::new(tokio::spawn(async move { source.read(&queries).await }));
    let read = timeout(LONGEST, &mut task).await;
    let (observations, fault) = match read {
        Ok(Ok(observations)) => (observations, "the source did not answer this question"),
        Ok(Err(_)) => (Vec::new(), "the source failed, which is a fault of Recant"),
        Err(_) => (Vec::new(), "the source did not come back with answers"),
    };
    let mut observations = observations.into_iter();
    let mut answers = Vec::new();
    for asked in &round {
        let mut of_targets = observations.next().unwrap_or_default().into_iter();
        answers.extend(asked.targets.iter().map(|target| {
            Answer {
                target: target.clone(),
                question: asked.question.clone(),
                observation: of_targets
                    .next()
                    .unwrap_or_else(|| Observation::Unavailable {
                        cause: Cause::Down,
                        reason: fault.to_owned(),
                    }),
            }
        }));
    }
    Gathered {
        source: kind,
        questions: round.len(),
        took: begun.elapsed(),
        missed: false,
        answers,
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use recant_core::ids::TargetKind;
    use recant_core::observation::Reading;
    use recant_core::rule::{Question, Selector, What};

    use super::*;

    /// What a source does with its questions.
    #[derive(Debug, Clone, Copy)]
    enum Does {
        Answer,
        AnswerNothing,
        Panic,
        Hang,
    }

    #[async_trait]
    impl Source for Does {
        async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
            match self {
                Self::Answer => queries
                    .iter()
                    .map(|query| {
                        let well = Observation::Reading(Reading::default());
                        query.targets.iter().map(|_| well.clone()).collect()
                    })
                    .collect(),
                Self::AnswerNothing => Vec::new(),
                Self::Panic => panic!("as a bug in a source would"),
                Self::Hang => std::future::pending().await,
            }
        }
    }

    fn asked() -> Asked {
        let histogram = Selector {
            metric: "m".to_owned(),
            matchers: Vec::new(),
        };
        Asked {
            source: SourceKind::Scrape,
            question: Arc::new(Question {
                what: What::Histogram { histogram },
                label: None,
            }),
            targets: vec![TargetId {
                namespace: "shop".to_owned(),
                kind: TargetKind::Deployment,
                name: "checkout".to_owned(),
            }],
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_round_comes_back_whatever_the_source_does() {
        for (does, said) in [
            (Does::Answer, None),
            (Does::AnswerNothing, Some("did not answer this question")),
            (Does::Panic, Some("a fault of Recant")),
            (Does::Hang, Some("did not come back")),
        ] {
            let round = vec![asked()];
            let queries = round
                .iter()
                .map(|asked| Query {
                    question: (*asked.question).clone(),
                    targets: asked
                        .targets
                        .iter()
                        .map(|target| QueryTarget {
                            id: target.clone(),
                            pods: Vec::new(),
                            scrape: None,
                        })
                        .collect(),
                })
                .collect();
            let gathered = read(SourceKind::Scrape, Arc::new(does), round, queries).await;
            let [answer] = gathered.answers.as_slice() else {
                panic!("{does:?}: {gathered:?}");
            };
            match (&answer.observation, said) {
                (Observation::Reading(_), None) => {}
                (Observation::Unavailable { reason, .. }, Some(said)) => {
                    assert!(reason.contains(said), "{does:?}: {reason}");
                }
                other => panic!("{does:?}: {other:?}"),
            }
        }
    }
}
