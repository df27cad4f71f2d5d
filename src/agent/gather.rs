//! Asks the sources: each source in a task of its own, one round of questions at a time, so that a slow source delays
//! neither the engine nor another source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use recant_core::engine::{Answer, Asked};
use recant_core::ids::TargetId;
use recant_core::rule::{ScrapeEndpoint, SourceKind};

use super::Parts;
use crate::source::{Query, QueryTarget, Source};

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

async fn read(
    kind: SourceKind,
    source: Arc<dyn Source>,
    round: Vec<Asked>,
    queries: Vec<Query>,
) -> Gathered {
    let begun = Instant::now();
    let observations = source.read(&queries).await;
    let answers = round
        .iter()
        .zip(observations)
        .flat_map(|(asked, observations)| {
            asked
                .targets
                .iter()
                .zip(observations)
                .map(|(target, observation)| Answer {
                    target: target.clone(),
                    question: asked.question.clone(),
                    observation,
                })
        })
        .collect();
    Gathered {
        source: kind,
        questions: round.len(),
        took: begun.elapsed(),
        missed: false,
        answers,
    }
}
