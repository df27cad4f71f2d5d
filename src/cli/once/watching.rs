//! Sees what the agent does in a round, and says when there is nothing left to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use recant_core::ids::TargetId;
use recant_core::observation::Observation;
use recant_core::record::Record;
use recant_core::rule::{Question, RuleBook, SourceKind};
use recant_core::snapshot::{Doing, Snapshot};

use super::sampled::Sampling;
use super::verdict::{BetweenOnly, Blind, Verdict, between_only, of_target};
use crate::agent::{Gathered, Observer, Ticked, log_record};
use crate::journal::JournalError;

/// How long a round stays for what must last before it is told: a lost source, one that is back, a hold.
const SETTLE: Duration = Duration::from_secs(15);
/// Records that a round remembers for its report.
const MOST_RECORDS: usize = 10_000;

/// What was seen so far. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Seen(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    records: Vec<(Timestamp, Record)>,
    snapshot: Option<Arc<Snapshot>>,
    /// Why each question was not answered last, if it was not.
    answers: BTreeMap<TargetId, BTreeMap<Arc<Question>, Option<String>>>,
    journal: Option<String>,
    done: bool,
    between: BetweenOnly,
}

impl Seen {
    pub(super) fn new(book: &RuleBook) -> Self {
        let inner = Inner {
            between: between_only(book),
            ..Inner::default()
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// What happened before the first tick.
    pub(super) fn remember(&self, at: Timestamp, records: &[Record]) {
        let mut inner = self.lock();
        for record in records {
            log_record(record);
            if let Record::Checkpoint { .. } | Record::AlwaysCheckpoint { .. } = record {
                continue;
            }
            if inner.records.len() < MOST_RECORDS {
                inner.records.push((at, record.clone()));
            }
        }
    }

    pub(super) fn records(&self) -> Vec<(Timestamp, Record)> {
        self.lock().records.clone()
    }

    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.lock().snapshot.clone()
    }

    /// Targets of which nothing could be measured, with the reason.
    pub(super) fn blind(&self) -> Blind {
        self.lock().blind()
    }

    /// Whether every target that is there was asked about.
    pub(super) fn looked(&self) -> bool {
        self.lock().looked()
    }

    /// Why the state could not be written.
    pub(super) fn journal(&self) -> Option<String> {
        self.lock().journal.clone()
    }

    /// All that could be done is done.
    pub(super) fn done(&self) -> bool {
        self.lock().done
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Targets of which a source that their rules need answered nothing.
    fn blind(&self) -> Blind {
        let mut blind = Blind::new();
        for (target, answers) in &self.answers {
            let mut sources: BTreeMap<Option<SourceKind>, Vec<&Option<String>>> = BTreeMap::new();
            for (question, reason) in answers {
                sources.entry(question.source()).or_default().push(reason);
            }
            for reasons in sources.values() {
                if let Some(Some(first)) = reasons.first()
                    && reasons.iter().all(|reason| reason.is_some())
                {
                    blind.insert(target.clone(), first.clone());
                }
            }
        }
        blind
    }

    fn looked(&self) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| {
            let mut targets = snapshot.targets.iter();
            targets.all(|target| !target.seen || self.answers.contains_key(&target.target))
        })
    }

    /// Whether nothing is left to do after looking for so long.
    fn idle(&self, looked: Duration, sampling: &Sampling, waits: bool) -> bool {
        let settled = looked >= SETTLE;
        let Some(snapshot) = self.snapshot.as_ref().filter(|_| self.looked()) else {
            return false;
        };
        let blind = self.blind();
        let lost = !snapshot.lost_sources.is_empty();
        let source_is_news = blind.is_empty() == lost;
        if source_is_news && !settled {
            return false;
        }
        let busy = |target: &recant_core::snapshot::TargetSnapshot| {
            let failed = target.analysis.as_ref().is_some_and(|found| found.failed);
            let unclear = || {
                let (verdict, _) = of_target(target, &self.records, &blind, &self.between);
                match verdict {
                    Verdict::Pass | Verdict::Passing | Verdict::Fail | Verdict::Inconclusive => {
                        false
                    }
                    Verdict::Undecided | Verdict::Nothing | Verdict::NotLooked => true,
                }
            };
            let scales = target.always.iter().any(|rule| match rule.doing {
                Some(Doing::Acting) => true,
                // A guard may hold it for longer than a round lasts.
                Some(Doing::Deciding) => !settled,
                None => false,
            });
            target.plan.is_some()
                || target.verifying
                || scales
                || sampling.looks_on(target, looked)
                || (failed && target.holds.is_empty() && !settled)
                || (waits && unclear())
        };
        snapshot.pending_notices == 0 && !snapshot.targets.iter().any(busy)
    }
}

/// Ends the agent when there is nothing left to do.
pub(super) struct Watching {
    seen: Seen,
    stop: CancellationToken,
    /// Until when a verdict is waited for.
    wait: Option<Instant>,
    sampling: Sampling,
    first_look: Option<Instant>,
}

impl Watching {
    pub(super) fn new(
        seen: Seen,
        stop: CancellationToken,
        wait: Option<Instant>,
        sampling: Sampling,
    ) -> Self {
        Self {
            seen,
            stop,
            wait,
            sampling,
            first_look: None,
        }
    }
}

impl Observer for Watching {
    fn ticked(&mut self, tick: &Ticked<'_>) {
        self.seen.remember(tick.at, tick.records);
        let now = Instant::now();
        let waits = self.wait.is_some_and(|until| now < until);
        let mut inner = self.seen.lock();
        inner.journal = None;
        inner.snapshot = Some(tick.snapshot.clone());
        if inner.looked() {
            let first = *self.first_look.get_or_insert(now);
            // A picture may be shown again for a while; what has just been answered is not in it then.
            let fresh = tick.snapshot.at >= tick.at;
            if fresh && inner.idle(now - first, &self.sampling, waits) {
                inner.done = true;
                self.stop.cancel();
            }
        }
    }

    fn gathered(&mut self, gathered: &Gathered) {
        let mut inner = self.seen.lock();
        for answer in &gathered.answers {
            let reason = match &answer.observation {
                Observation::Reading(_) | Observation::Levels(_) | Observation::NoData { .. } => {
                    None
                }
                Observation::Unavailable { cause: _, reason } => Some(reason.clone()),
            };
            inner
                .answers
                .entry(answer.target.clone())
                .or_default()
                .insert(answer.question.clone(), reason);
        }
    }

    fn journal_failing(&mut self, error: &JournalError) {
        let retry = error.retry();
        let reason = crate::agent::with_causes(error);
        tracing::error!("the state cannot be written, so nothing is done: {reason}");
        self.seen.lock().journal = Some(reason);
        if !retry {
            self.stop.cancel();
        }
    }
}
