//! Brings notices to their channels: one bounded queue and one worker per channel, so that a dead channel delays no
//! other, and no action.
//!
//! What a channel is told, and when:
//! - The order is kept, but for one case: the beginning of an incident goes before what waits of others, by itself. Of
//!   one incident nothing overtakes anything: its end is never told before its beginning.
//! - One message a second at most, and no more than the service takes ([`Pace`](super::pace::Pace)); of its long ceilings
//!   a fifth is kept for beginnings. When notices come faster than that, or the receiver was away, chat services get
//!   what waits in one message, at most twenty notices in each; machines get each by itself.
//! - A failed attempt is repeated after 1 s, 2 s, 4 s and so on up to five minutes, with jitter; or as long as the
//!   receiver asks for, up to five minutes. After a day, or when the receiver refuses the message, it is given up; the
//!   notices of a message that is refused are tried one by one first.
//! - The end of an incident whose beginning is still waiting is told with it or after it; of one whose beginning was
//!   given up it is told with the headline of that. To drop it would hide that something was done.
//! - A notice that is submitted again while it waits or after it was delivered is not told twice.
//!
//! When a queue is full the oldest of the least urgent notices in it gives way; an end is as urgent as what it ends. Each
//! of these ends is reported as a [`Delivery`] for the journal; what has none when the process ends is submitted again,
//! as a possible repeat, by the next one.

mod budget;
mod digest;
mod follow;
mod queue;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use recant_core::ids::ChannelName;
use recant_core::notice::{Delivery, DeliveryOutcome, Notice};

use super::metrics::NotifyMetrics;
use super::{Attempt, Notifier};
use queue::{Pushed, Queue};
use worker::End;

/// How patient the outbox is. The default is what the agent uses; tests are quicker.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Notices that wait for one channel.
    pub queue: usize,
    /// Least time between two messages to one channel.
    pub interval: Duration,
    /// Deadline of one attempt, reading the address included.
    pub attempt: Duration,
    /// First and longest wait between attempts; the latter also bounds `Retry-After`.
    pub backoff: (Duration, Duration),
    /// Attempts for one notice.
    pub attempts: usize,
    /// Time for one notice, from its first attempt.
    pub time: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            queue: 200,
            interval: Duration::from_secs(1),
            attempt: Duration::from_secs(20),
            backoff: (Duration::from_secs(1), Duration::from_mins(5)),
            attempts: 1000,
            time: Duration::from_hours(24),
        }
    }
}

/// The queues of all channels.
#[derive(Debug)]
pub struct Outbox {
    lines: BTreeMap<ChannelName, Line>,
    patience: Patience,
    deliveries: mpsc::UnboundedSender<Delivery>,
    metrics: NotifyMetrics,
    workers: JoinSet<()>,
    stop: CancellationToken,
}

/// One channel: what waits for it, and the end of its worker.
#[derive(Debug)]
struct Line {
    queue: Arc<Queue>,
    end: End,
}

impl Outbox {
    /// Starts a worker per channel. What became of each notice comes out of the receiver, at most one [`Delivery`] for
    /// each submission; that is why it needs no bound of its own.
    pub fn start(
        notifiers: BTreeMap<ChannelName, Arc<dyn Notifier>>,
        patience: &Patience,
        metrics: NotifyMetrics,
    ) -> (Self, mpsc::UnboundedReceiver<Delivery>) {
        let (deliveries, receiver) = mpsc::unbounded_channel();
        let mut outbox = Self {
            lines: BTreeMap::new(),
            patience: patience.clone(),
            deliveries,
            metrics,
            workers: JoinSet::new(),
            stop: CancellationToken::new(),
        };
        for (channel, notifier) in notifiers {
            outbox.begin(channel, notifier, None);
        }
        (outbox, receiver)
    }

    /// Puts a notice into the queue of one channel; never waits.
    pub fn submit(&self, notice: &Arc<Notice>, channel: &ChannelName, attempt: Attempt) {
        let Some(Line { queue, .. }) = self.lines.get(channel) else {
            let reason = format!("there is no channel `{channel}` any more");
            self.give_up(notice, channel, reason);
            return;
        };
        match queue.push(notice, attempt) {
            Pushed::Waits => self.metrics.queued(channel),
            Pushed::WaitsAlready => {}
            Pushed::DeliveredBefore => {
                drop(self.deliveries.send(Delivery {
                    notice: notice.id.clone(),
                    channel: channel.clone(),
                    outcome: DeliveryOutcome::Delivered,
                }));
            }
            Pushed::Instead(loser) => {
                self.metrics.queued(channel);
                self.metrics.ended(channel);
                self.metrics.gave_up(channel);
                let reason = format!(
                    "{} newer or more urgent notices were waiting for the channel",
                    queue.capacity()
                );
                self.give_up(&loser.notice, channel, reason);
            }
        }
    }

    /// Stops: each notice in a queue gets one more try, until the first failure of its channel or the end of `grace`.
    ///
    /// Read the receiver of deliveries to its end afterwards: what is in it was delivered and belongs into the journal.
    pub async fn shutdown(mut self, grace: Duration) {
        self.stop.cancel();
        let all = async { while self.workers.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            self.workers.shutdown().await;
        }
        for (channel, Line { queue, .. }) in &self.lines {
            let left = queue.length();
            if left > 0 {
                tracing::warn!(
                    channel.name = %channel,
                    left,
                    "{left} notices for channel `{channel}` were not sent before the end; they will be after the next start"
                );
            }
        }
    }

    fn give_up(&self, notice: &Notice, channel: &ChannelName, reason: String) {
        given_up(&self.deliveries, notice, channel, reason);
    }
}

fn given_up(
    deliveries: &mpsc::UnboundedSender<Delivery>,
    notice: &Notice,
    channel: &ChannelName,
    reason: String,
) {
    tracing::warn!(
        channel.name = %channel,
        notice.id = %notice.id,
        "a notice for channel `{channel}` was given up: {reason}"
    );
    // Nobody listens any more: then it stays open in the journal, and the next process tries again.
    drop(deliveries.send(Delivery {
        notice: notice.id.clone(),
        channel: channel.clone(),
        outcome: DeliveryOutcome::GivenUp { reason },
    }));
}

#[cfg(test)]
mod tests;
