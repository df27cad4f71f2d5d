//! The orderly end: the step in hand is finished, what came of it is written down, and nothing new begins.

use std::time::Duration;

use recant_core::engine::Inputs;

use super::Parts;
use super::journaling::Held;

pub(super) async fn down(mut parts: Parts, mut inputs: Inputs, mut held: Held, grace: Duration) {
    let log_unwritten = |error: crate::journal::JournalError| {
        tracing::error!(
            "the last records could not be written: {error}; the next start does again what they would have told"
        );
    };
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
        log_unwritten(error);
        return;
    }
    while let Ok(outcome) = parts.outcomes.try_recv() {
        inputs.steps.push(outcome);
    }
    while let Ok(delivery) = parts.deliveries.try_recv() {
        inputs.deliveries.push(delivery);
    }
    let now = (parts.clock)();
    let output = parts.engine.tick(now, inputs);
    if let Err(error) = parts.journal.append(now, &output.records) {
        log_unwritten(error);
    }
}
