//! Reads the past that must be judged before the first look at what is now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use recant_core::engine::{Answer, Back};
use recant_core::rule::{Question, SourceKind};

use crate::source::{NoRange, QueryTarget, RangeQuery, RangeTarget, Source};

/// Before a second attempt: a blip is no outage.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two moments. A sample that did not change is known by its time, so more than one look at it costs little;
/// with a slower scrape interval nothing is missed.
const STEP: SignedDuration = SignedDuration::from_secs(5);

/// Answers by time.
pub(in crate::cli) type Past = BTreeMap<Timestamp, Vec<Answer>>;

/// Asks one source for all that is to be read of the past.
///
/// # Errors
/// Why it is not known.
pub(in crate::cli) async fn read(
    source: &Arc<dyn Source>,
    kind: SourceKind,
    backs: &[Back],
    now: Timestamp,
) -> Result<Past, NoRange> {
    let mut asked: BTreeMap<&Arc<Question>, Vec<&Back>> = BTreeMap::new();
    for back in backs {
        let of_source = back.questions.iter().filter(|(of, _)| *of == kind);
        for (_, question) in of_source {
            asked.entry(question).or_default().push(back);
        }
    }
    let mut past = Past::new();
    for (question, backs) in asked {
        let Some(from) = backs.iter().map(|back| back.from).min() else {
            continue;
        };
        let query = RangeQuery {
            question: (**question).clone(),
            targets: backs.iter().map(|back| target(back)).collect(),
            from,
            to: now,
            step: STEP,
        };
        let answers = if let Ok(answers) = source.read_range(&query).await {
            answers
        } else {
            tokio::time::sleep(PAUSE).await;
            source.read_range(&query).await?
        };
        for moment in answers {
            let answers = past.entry(moment.at).or_default();
            for (back, observation) in backs.iter().zip(moment.observations) {
                if moment.at >= back.from {
                    answers.push(Answer {
                        target: back.state.id.clone(),
                        question: question.clone(),
                        observation,
                    });
                }
            }
        }
    }
    Ok(past)
}

fn target(back: &Back) -> RangeTarget {
    RangeTarget {
        target: QueryTarget {
            id: back.state.id.clone(),
            pods: back.state.pods.clone(),
            scrape: None,
        },
        revisions: back.state.revisions.clone(),
    }
}

/// The sources that are asked about the past.
pub(in crate::cli) fn sources(backs: &[Back]) -> BTreeSet<SourceKind> {
    let questions = backs.iter().flat_map(|back| &back.questions);
    questions.map(|(kind, _)| *kind).collect()
}

/// Without those whose past is not known, since a source does not tell it: nothing is decided about them.
pub(in crate::cli) fn without(backs: Vec<Back>, unusable: &[SourceKind]) -> Vec<Back> {
    let known = |back: &Back| {
        let mut kinds = back.questions.iter().map(|(kind, _)| kind);
        !kinds.any(|kind| unusable.contains(kind))
    };
    backs.into_iter().filter(known).collect()
}
