//! Channels that come, change and go while the outbox runs: nothing that waits is lost, nothing is sent twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use recant_core::ids::ChannelName;

use super::worker::{End, Worker};
use super::{Line, Outbox, Queue, given_up};
use crate::notify::Notifier;

impl Outbox {
    /// These are the channels from now on: those in `stay` as they are, those in `begin` with a new notifier.
    ///
    /// What waits for a channel that changed goes to its new address, in the same order; what waits for one that went
    /// is given up. An attempt that is being made is never cut short.
    pub fn follow(
        &mut self,
        stay: &BTreeSet<ChannelName>,
        begin: BTreeMap<ChannelName, Arc<dyn Notifier>>,
    ) {
        // Workers that ended since the last time.
        while self.workers.try_join_next().is_some() {}
        let gone: Vec<ChannelName> = self
            .lines
            .keys()
            .filter(|channel| !stay.contains(*channel) && !begin.contains_key(*channel))
            .cloned()
            .collect();
        for channel in gone {
            if let Some(line) = self.lines.remove(&channel) {
                self.end(channel, line);
            }
        }
        for (channel, notifier) in begin {
            let before = self.lines.remove(&channel);
            self.begin(channel, notifier, before);
        }
    }

    /// Starts the worker of a channel; behind the one before it, whose queue it takes over.
    pub(super) fn begin(
        &mut self,
        channel: ChannelName,
        notifier: Arc<dyn Notifier>,
        before: Option<Line>,
    ) {
        self.metrics.begin(&channel);
        let (queue, before) = match before {
            Some(Line { queue, end }) => {
                end.leave();
                queue.wake();
                (queue, Some(end))
            }
            None => (Arc::new(Queue::new(self.patience.queue)), None),
        };
        let end = End::new(&self.stop);
        let worker = Worker {
            channel: channel.clone(),
            notifier,
            queue: queue.clone(),
            patience: self.patience.clone(),
            deliveries: self.deliveries.clone(),
            metrics: self.metrics.clone(),
            end: end.clone(),
        };
        self.workers.spawn(async move {
            if let Some(before) = before {
                before.ended().await;
            }
            worker.run().await;
        });
        self.lines.insert(channel, Line { queue, end });
    }

    /// Ends the worker of a channel, and what still waits for it.
    fn end(&mut self, channel: ChannelName, line: Line) {
        let Line { queue, end } = line;
        end.leave();
        queue.wake();
        let (deliveries, metrics) = (self.deliveries.clone(), self.metrics.clone());
        self.workers.spawn(async move {
            end.ended().await;
            for item in queue.clear() {
                metrics.ended(&channel);
                metrics.gave_up(&channel);
                let reason = format!("there is no channel `{channel}` any more");
                given_up(&deliveries, &item.notice, &channel, reason);
            }
        });
    }
}
