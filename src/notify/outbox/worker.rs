//! The worker of one channel: sends one message after the other, and tries until each notice has an end.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use recant_core::ids::ChannelName;
use recant_core::notice::{Delivery, DeliveryOutcome, Notice};

use super::Patience;
use super::budget::Budget;
use super::digest::digest;
use super::queue::{Item, Queue};
use crate::notify::metrics::NotifyMetrics;
use crate::notify::{Attempt, Notifier, NotifyError};

/// A wait for a ceiling of the service that is worth telling several notices in one message.
const LONG_WAIT: Duration = Duration::from_secs(3);

pub(super) struct Worker {
    pub(super) channel: ChannelName,
    pub(super) notifier: Arc<dyn Notifier>,
    pub(super) queue: Arc<Queue>,
    pub(super) patience: Patience,
    pub(super) deliveries: mpsc::UnboundedSender<Delivery>,
    pub(super) metrics: NotifyMetrics,
    pub(super) end: End,
}

/// How a worker ends: when the outbox stops it tries what is in its queue once more; when it leaves, another worker, or
/// none, has the queue from then on.
#[derive(Debug, Clone)]
pub(super) struct End {
    stop: CancellationToken,
    left: CancellationToken,
    ended: CancellationToken,
}

impl End {
    pub(super) fn new(stop: &CancellationToken) -> Self {
        Self {
            stop: stop.child_token(),
            left: CancellationToken::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Nothing more is taken from the queue, and what waits for its next attempt is put back.
    pub(super) fn leave(&self) {
        self.left.cancel();
        self.stop.cancel();
    }

    /// Resolves when the worker has made its last attempt.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

/// What follows an attempt.
enum Next {
    GoOn,
    /// Wait; `asked`: the receiver said so.
    Wait {
        wait: Duration,
        asked: bool,
    },
}

impl Worker {
    pub(super) async fn run(self) {
        // Also when it is aborted: whoever waits for its end must not wait for ever.
        let _ended = self.end.ended.clone().drop_guard();
        let pace = self.notifier.pace();
        let mut budget = Budget::new(pace, self.patience.interval);
        let mut backoff = self.backoff();
        // Behind: what waits is told together where that is possible.
        let mut behind = false;
        while self.something().await {
            let waited = self.wait_for_budget(&budget).await;
            if self.end.left.is_cancelled() {
                return;
            }
            let pressed = behind || waited > LONG_WAIT || self.end.stop.is_cancelled();
            let now = Instant::now();
            let batch = self.queue.take(pace.merges, budget.left(now), pressed);
            budget.spend(now);
            match self.attempt(batch, &mut backoff).await {
                Next::GoOn => behind = behind && self.queue.length() > 1,
                Next::Wait { wait, asked } => {
                    behind = true;
                    self.pause(wait, asked).await;
                    // One failure is enough: the next process goes on.
                    if self.end.stop.is_cancelled() {
                        return;
                    }
                }
            }
        }
    }

    fn backoff(&self) -> ExponentialBackoff {
        let (shortest, longest) = self.patience.backoff;
        ExponentialBuilder::new()
            .with_min_delay(shortest)
            .with_max_delay(longest)
            .without_max_times()
            .with_jitter()
            .build()
    }

    /// Waits until there is a notice; false when there is none and the outbox stops.
    async fn something(&self) -> bool {
        loop {
            if self.end.left.is_cancelled() {
                return false;
            }
            if self.queue.length() > 0 {
                return true;
            }
            tokio::select! {
                // What was pushed before the stop is still tried.
                biased;
                () = self.queue.wait() => {}
                () = self.end.stop.cancelled() => {
                    return self.queue.length() > 0 && !self.end.left.is_cancelled();
                }
            }
        }
    }

    /// Waits until a message may leave: the beginning of an incident, which may come meanwhile, sooner than others.
    async fn wait_for_budget(&self, budget: &Budget) -> Duration {
        let begun = Instant::now();
        loop {
            let now = Instant::now();
            let free = budget.free_at(self.queue.begins(false), now);
            if free <= now {
                return begun.elapsed();
            }
            tokio::select! {
                () = sleep_until(free) => {}
                () = self.queue.wait() => {}
                () = self.end.left.cancelled() => return begun.elapsed(),
            }
        }
    }

    /// Waits after a failure. The beginning of an incident is tried at once, unless the receiver asked to wait.
    async fn pause(&self, wait: Duration, asked: bool) {
        let over = sleep(wait);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                () = self.end.stop.cancelled() => return,
                () = &mut over => return,
                () = self.queue.wait(), if !asked => {
                    if self.queue.begins(true) {
                        return;
                    }
                }
            }
        }
    }

    /// Sends these notices in one message, and gives each its end if it has one.
    async fn attempt(&self, mut batch: Vec<Item>, backoff: &mut ExponentialBackoff) -> Next {
        let Some(notice) = self.message(&batch) else {
            return Next::GoOn;
        };
        let attempt = batch
            .iter()
            .map(|item| item.attempt)
            .find(|attempt| *attempt == Attempt::MayBeRepeat)
            .unwrap_or(Attempt::First);
        let now = Instant::now();
        for item in &mut batch {
            item.tries += 1;
            item.begun.get_or_insert(now);
        }
        self.metrics.attempted(&self.channel);
        let sent = timeout(self.patience.attempt, self.notifier.send(&notice, attempt)).await;
        let error = match sent {
            Ok(Ok(())) => {
                for item in batch {
                    self.queue.delivered(&item.notice);
                    self.end(&item, DeliveryOutcome::Delivered);
                }
                *backoff = self.backoff();
                return Next::GoOn;
            }
            Ok(Err(error)) => error,
            Err(_) => NotifyError::NoAnswer {
                host: "the receiver".to_owned(),
                reason: "nothing came in time".to_owned(),
            },
        };
        self.metrics.failed(&self.channel, &error);
        let longest = self.patience.backoff.1;
        let wait = if error.retry() {
            backoff
                .next()
                .unwrap_or(longest)
                .max(error.retry_after().unwrap_or_default())
                .min(longest)
        } else {
            Duration::ZERO
        };
        let several = batch.len() > 1;
        let mut left = false;
        for mut item in batch {
            if error.may_have_arrived() {
                item.attempt = Attempt::MayBeRepeat;
            }
            let age = item.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
            if !error.retry() && several {
                // Which of them is refused is not known.
                item.alone = true;
                self.queue.put_back(item);
            } else if !error.retry()
                || item.tries >= self.patience.attempts
                || age + wait > self.patience.time
            {
                self.give_up(&item, &error);
            } else {
                self.tell(&item, &error, wait);
                self.queue.put_back(item);
                left = true;
            }
        }
        if left {
            Next::Wait {
                wait,
                asked: error.retry_after().is_some(),
            }
        } else {
            Next::GoOn
        }
    }

    /// The message that tells of all of these.
    fn message(&self, batch: &[Item]) -> Option<Notice> {
        let notices: Vec<&Notice> = batch.iter().map(|item| &*item.notice).collect();
        let (first, others) = notices.split_first()?;
        let mut message = digest(first, others);
        // Machines are told the end as it is; people would wonder what it is the end of.
        if self.notifier.pace().merges
            && others.is_empty()
            && let Some(headline) = self.queue.lost_beginning(first)
        {
            let before =
                format!("The message about its beginning was never delivered: {headline}.");
            message.sentences.insert(0, before);
        }
        Some(message)
    }

    fn end(&self, item: &Item, outcome: DeliveryOutcome) {
        self.metrics.ended(&self.channel);
        // Nobody listens any more: then it stays open in the journal, and the next process tries again.
        drop(self.deliveries.send(Delivery {
            notice: item.notice.id.clone(),
            channel: self.channel.clone(),
            outcome,
        }));
    }

    fn give_up(&self, item: &Item, error: &NotifyError) {
        self.metrics.gave_up(&self.channel);
        let reason = match item.tries {
            1 => error.in_full(),
            count => format!("{} (tried {count} times)", error.in_full()),
        };
        tracing::error!(
            channel.name = %self.channel,
            notice.id = %item.notice.id,
            "a notice for channel `{}` was given up: {reason}",
            self.channel
        );
        self.queue.given_up(&item.notice);
        self.end(item, DeliveryOutcome::GivenUp { reason });
    }

    /// The first failure is news; the later ones are counted in the metrics.
    fn tell(&self, item: &Item, error: &NotifyError, wait: Duration) {
        let count = item.tries;
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
