//! The worker of one channel: takes one notice after the other, and tries until it has an end.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use recant_core::ids::ChannelName;
use recant_core::notice::{Delivery, DeliveryOutcome};

use super::Patience;
use super::queue::{Item, Queue};
use crate::notify::metrics::NotifyMetrics;
use crate::notify::{Attempt, Notifier, NotifyError};

pub(super) struct Worker {
    pub(super) channel: ChannelName,
    pub(super) notifier: Arc<dyn Notifier>,
    pub(super) queue: Arc<Queue>,
    pub(super) patience: Patience,
    pub(super) deliveries: mpsc::UnboundedSender<Delivery>,
    pub(super) metrics: NotifyMetrics,
    pub(super) stop: CancellationToken,
}

impl Worker {
    pub(super) async fn run(self) {
        // When the next message may leave at the earliest.
        let mut free = Instant::now();
        while let Some(mut item) = self.next().await {
            let Some(outcome) = self.deliver(&mut item, &mut free).await else {
                self.queue.put_back(item);
                return;
            };
            self.metrics.ended(&self.channel);
            // Nobody listens any more: then it stays open in the journal, and the next process tries again.
            drop(self.deliveries.send(Delivery {
                notice: item.notice.id.clone(),
                channel: self.channel.clone(),
                outcome,
            }));
        }
    }

    /// The next notice, or `None` when there is none and the outbox stops.
    async fn next(&self) -> Option<Item> {
        loop {
            if let Some(item) = self.queue.pop() {
                return Some(item);
            }
            tokio::select! {
                // What was pushed before the stop is still tried.
                biased;
                () = self.queue.wait() => {}
                () = self.stop.cancelled() => return self.queue.pop(),
            }
        }
    }

    /// Tries until there is an end; `None` when the outbox stops before.
    async fn deliver(&self, item: &mut Item, free: &mut Instant) -> Option<DeliveryOutcome> {
        let Patience {
            queue: _,
            interval,
            attempt: deadline,
            backoff: (shortest, longest),
            attempts,
            time,
        } = self.patience;
        let mut backoff = ExponentialBuilder::new()
            .with_min_delay(shortest)
            .with_max_delay(longest)
            .without_max_times()
            .with_jitter()
            .build();
        let begun = Instant::now();
        let mut count = 0;
        loop {
            sleep_until(*free).await;
            *free = Instant::now() + interval;
            self.metrics.attempted(&self.channel);
            count += 1;
            let result = timeout(deadline, self.notifier.send(&item.notice, item.attempt))
                .await
                .unwrap_or_else(|_| {
                    Err(NotifyError::NoAnswer {
                        host: "the receiver".to_owned(),
                        reason: "nothing came in time".to_owned(),
                    })
                });
            let error = match result {
                Ok(()) => return Some(DeliveryOutcome::Delivered),
                Err(error) => error,
            };
            self.metrics.failed(&self.channel, &error);
            if error.may_have_arrived() {
                item.attempt = Attempt::MayBeRepeat;
            }
            let wait = backoff
                .next()
                .unwrap_or(longest)
                .max(error.retry_after().unwrap_or_default())
                .min(longest);
            if !error.retry() || count >= attempts || begun.elapsed() + wait > time {
                return Some(self.give_up(item, &error, count));
            }
            self.tell(item, &error, count, wait);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = sleep(wait) => {}
            }
        }
    }

    fn give_up(&self, item: &Item, error: &NotifyError, count: usize) -> DeliveryOutcome {
        self.metrics.gave_up(&self.channel);
        let reason = match count {
            1 => error.in_full(),
            count => format!("{} (tried {count} times)", error.in_full()),
        };
        tracing::error!(
            channel.name = %self.channel,
            notice.id = %item.notice.id,
            "a notice for channel `{}` was given up: {reason}",
            self.channel
        );
        DeliveryOutcome::GivenUp { reason }
    }

    /// The first failure is news; the later ones are counted in the metrics.
    fn tell(&self, item: &Item, error: &NotifyError, count: usize, wait: Duration) {
        let (channel, error) = (&self.channel, error.in_full());
        if count == 1 {
            tracing::warn!(
                channel.name = %channel,
                notice.id = %item.notice.id,
                wait_ms = wait.as_millis(),
                "a notice for channel `{channel}` was not delivered yet, it will be tried again: {error}"
            );
        } else {
            tracing::debug!(
                channel.name = %channel,
                notice.id = %item.notice.id,
                count,
                wait_ms = wait.as_millis(),
                "a notice for channel `{channel}` was not delivered yet: {error}"
            );
        }
    }
}
