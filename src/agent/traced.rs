//! An observer that also makes spans of what it sees.

use recant_core::observation::Observation;

use super::{Gathered, Observer, Ticked};
use crate::journal::JournalError;
use crate::telemetry::Spans;

/// Passes everything on, and traces it.
#[derive(Debug)]
pub struct Traced<O> {
    inner: O,
    spans: Spans,
}

impl<O> Traced<O> {
    /// What `inner` sees is traced, too.
    pub fn new(inner: O, spans: Spans) -> Self {
        Self { inner, spans }
    }
}

impl<O: Observer> Observer for Traced<O> {
    fn ticked(&mut self, tick: &Ticked<'_>) {
        self.spans.ticked(tick.at, tick.took, tick.records);
        self.inner.ticked(tick);
    }

    fn gathered(&mut self, gathered: &Gathered) {
        if !gathered.missed {
            let unavailable = gathered
                .answers
                .iter()
                .filter(|answer| matches!(answer.observation, Observation::Unavailable { .. }))
                .count();
            let source = format!("{:?}", gathered.source).to_lowercase();
            self.spans
                .asked(source, gathered.took, gathered.questions, unavailable);
        }
        self.inner.gathered(gathered);
    }

    fn journal_failing(&mut self, error: &JournalError) {
        self.inner.journal_failing(error);
    }
}
