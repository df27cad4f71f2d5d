//! What others report, on its way to the engine: one bounded queue, and an answer only when the report is durable.

use recant_core::hook::Hook;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, timeout};

/// Reports that wait for the next tick; a delivery of Alertmanager is one, whatever number of alerts it holds.
const WAITING: usize = 64;
/// A tick comes at least once a second; while the journal cannot be written, none does.
const PATIENCE: Duration = Duration::from_secs(5);

/// One report, and who waits for it.
#[derive(Debug)]
pub struct Reported {
    pub hooks: Vec<Hook>,
    /// Told when all of it is in the journal, or why it will not be. Closed: nobody waits any more, and it will come again.
    pub durable: oneshot::Sender<Result<(), NotTaken>>,
}

/// Where reports are put in. Clones share the queue.
#[derive(Debug, Clone)]
pub struct Reports(mpsc::Sender<Reported>);

/// Why a report was not taken: it may come again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("too many reports wait already")]
    Full,
    #[error("it could not be written down in time")]
    Late,
    #[error("the target belongs to another replica")]
    Elsewhere,
    #[error("as many alerts fire as can be kept: send fewer, by a route of its own")]
    NoRoom,
}

/// A queue with both of its ends.
pub fn queue() -> (Reports, mpsc::Receiver<Reported>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Reports(sender), receiver)
}

impl Reports {
    /// Waits until the report is durable.
    ///
    /// # Errors
    /// The queue is full, or it takes too long. It may have been written all the same: then it is no news later.
    pub async fn submit(&self, hooks: Vec<Hook>) -> Result<(), NotTaken> {
        let (durable, told) = oneshot::channel();
        self.0
            .try_send(Reported { hooks, durable })
            .map_err(|_| NotTaken::Full)?;
        match timeout(PATIENCE, told).await {
            Ok(Ok(taken)) => taken,
            Ok(Err(_)) | Err(_) => Err(NotTaken::Late),
        }
    }
}
