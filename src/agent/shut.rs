//! The orderly end: the step in hand is finished, what came of it is written down, and nothing new is decided or begun.

use std::time::Duration;

use recant_core::engine::Inputs;
use recant_core::plan::StepOutcome;
use recant_core::record::Record;

use super::Parts;
use super::journaling::Held;
use crate::journal::JournalError;

pub(super) async fn down(mut parts: Parts, mut inputs: Inputs, mut held: Held, grace: Duration) {
    let written = held.write_last(&mut parts);
    // Whatever the journal does: the step in hand is never cut short by us.
    if tokio::time::timeout(grace, parts.executor.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("the step in hand did not end in time; the next start repeats it");
    }
    parts.outbox.shutdown(grace / 4).await;
    if let Err(error) = written {
        log_unwritten(&error);
        return;
    }
    while let Ok(outcome) = parts.outcomes.try_recv() {
        inputs.steps.push(outcome);
    }
    while let Ok(delivery) = parts.deliveries.try_recv() {
        inputs.deliveries.push(delivery);
    }
    // No tick: it would decide, perhaps after the Lease was lost, and what it decides would be carried out much later.
    // The next process folds these results and draws the conclusions.
    let ledger = parts.engine.ledger();
    let in_hand = |outcome: &StepOutcome| {
        let mut plans = ledger
            .targets
            .values()
            .filter_map(|known| known.plan.as_ref());
        let mut scalings = ledger
            .always
            .values()
            .filter_map(|known| known.scaling(&outcome.plan));
        plans.any(|plan| plan.plan.id == outcome.plan && plan.next == outcome.index)
            || scalings.any(|scaling| scaling.in_hand.is_some())
    };
    let mut records: Vec<Record> = inputs
        .deliveries
        .into_iter()
        .map(Record::NoticeEnded)
        .collect();
    let ended = inputs.steps.into_iter().filter(in_hand);
    records.extend(ended.map(Record::StepEnded));
    if let Err(error) = parts.journal.append((parts.clock)(), &records) {
        log_unwritten(&error);
    }
}

fn log_unwritten(error: &JournalError) {
    tracing::error!(
        "the last records could not be written: {}; the next start does again what they would have told",
        with_causes(error)
    );
}

/// An error with all its causes, in one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
