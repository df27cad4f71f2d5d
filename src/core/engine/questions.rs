//! Which questions are due: each once, however many targets want the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Engine;
use super::live::Looking;
use crate::ids::TargetId;
use crate::rule::{Level, Question, SourceKind, What};
use crate::time::elapsed;

/// A question to a source about several targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub source: SourceKind,
    pub question: Arc<Question>,
    pub targets: Vec<TargetId>,
}

/// Looks are a little early rather than a whole tick late.
const EARLY: SignedDuration = SignedDuration::from_millis(100);
/// Metrics are looked at no less often than this, whatever the scrape interval seems to be.
const SELDOM: SignedDuration = SignedDuration::from_secs(30);

impl Engine {
    /// The questions that are due at `now`; they count as asked from then on.
    ///
    /// A metric is asked for twice per measured scrape interval: a sample is then at most half an interval old.
    pub fn questions(&mut self, now: Timestamp) -> Vec<Asked> {
        let mut asked: BTreeMap<(SourceKind, Arc<Question>), Vec<TargetId>> = BTreeMap::new();
        let settings = &self.settings;
        for (target, live) in &mut self.live {
            if live.state.is_none() {
                continue;
            }
            let typed = live.watch.source.unwrap_or(settings.source);
            let always = &mut live.always.measurements;
            let mut due_now: BTreeSet<Arc<Question>> = BTreeSet::new();
            for (question, looking) in live.measurements.iter().chain(always.iter()) {
                let least = settings.interval.max(step(question));
                // What is reported need not be asked for.
                let asked = question.source() != Some(SourceKind::Alerts);
                if asked && due(looking, now, least) {
                    due_now.insert(question.clone());
                }
            }
            for question in due_now {
                let of_release = live.measurements.get_mut(&question);
                for looking in of_release.into_iter().chain(always.get_mut(&question)) {
                    looking.asked = Some(now);
                }
                let source = question.source().unwrap_or(typed);
                asked
                    .entry((source, question))
                    .or_default()
                    .push(target.clone());
            }
        }
        asked
            .into_iter()
            .map(|((source, question), targets)| Asked {
                source,
                question,
                targets,
            })
            .collect()
    }
}

/// The points of a range query do not come more often than its step.
fn step(question: &Question) -> SignedDuration {
    match &question.what {
        What::Level(Level::Promql(promql)) => promql
            .range
            .and_then(|range| SignedDuration::try_from(range.step).ok())
            .unwrap_or_default(),
        What::Level(
            Level::Gauge(_)
            | Level::Kubernetes(_)
            | Level::HttpJson(_)
            | Level::Redis(_)
            | Level::Alert(_),
        )
        | What::Ratio { .. }
        | What::Histogram { .. } => SignedDuration::ZERO,
    }
}

fn due(looking: &Looking, now: Timestamp, least: SignedDuration) -> bool {
    let Some(asked) = looking.asked else {
        return true;
    };
    let measured = looking
        .measurement
        .interval()
        .and_then(|interval| SignedDuration::try_from(interval).ok());
    let interval = measured.map_or(least, |interval| (interval / 2).min(SELDOM).max(least));
    // A clock that was set back must not blind us until it has caught up.
    now < asked || elapsed(asked, now) >= interval - EARLY
}
