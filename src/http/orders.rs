//! What people order, on its way to the engine: one bounded queue, and an answer when what came of it is durable.

use recant_core::command::CommandOutcome;
use recant_core::engine::Given;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, timeout};

/// Orders that wait for the next tick: people are few.
const WAITING: usize = 32;
/// A tick comes at least once a second, and a dry run reads the object. Less than a connection may last.
const PATIENCE: Duration = Duration::from_secs(12);

/// One order, and who waits for its answer.
#[derive(Debug)]
pub struct Order {
    pub given: Given,
    /// Closed: nobody waits any more, and it is not to be carried out.
    pub answer: oneshot::Sender<Answer>,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub outcome: CommandOutcome,
    /// Of a dry run: the writes that there would be, each or why it cannot be said.
    pub writes: Vec<Result<Value, String>>,
}

/// Where orders are put in. Clones share the queue.
#[derive(Debug, Clone)]
pub struct Orders(mpsc::Sender<Order>);

/// Why an order was not taken: it may be sent again, with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("too many orders wait already")]
    Full,
    #[error("it could not be carried out and written down in time")]
    Late,
}

/// A queue with both of its ends.
pub fn queue() -> (Orders, mpsc::Receiver<Order>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Orders(sender), receiver)
}

impl Orders {
    /// Waits until what came of it is durable.
    ///
    /// # Errors
    /// The queue is full, or it takes too long. It may have been carried out all the same: the same key says so.
    pub async fn give(&self, given: Given) -> Result<Answer, NotTaken> {
        let (answer, told) = oneshot::channel();
        self.0
            .try_send(Order { given, answer })
            .map_err(|_| NotTaken::Full)?;
        match timeout(PATIENCE, told).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(NotTaken::Late),
        }
    }
}
