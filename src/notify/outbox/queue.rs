//! The bounded queue of one channel.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use recant_core::notice::Notice;

use crate::notify::Attempt;

/// A notice on its way to one channel.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) notice: Arc<Notice>,
    pub(super) attempt: Attempt,
}

#[derive(Debug)]
pub(super) struct Queue {
    items: Mutex<VecDeque<Item>>,
    pushed: Notify,
    capacity: usize,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            items: Mutex::default(),
            pushed: Notify::new(),
            capacity,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn length(&self) -> usize {
        self.lock().len()
    }

    /// Puts `item` at the end. When the queue is full, returns what gave way: of the least urgent the oldest, which is
    /// `item` itself when all others are more urgent.
    pub(super) fn push(&self, item: Item) -> Option<Item> {
        let loser = {
            let mut items = self.lock();
            items.push_back(item);
            if items.len() > self.capacity {
                let oldest = items
                    .iter()
                    .enumerate()
                    .min_by_key(|(_, item)| item.notice.severity)
                    .map(|(position, _)| position);
                oldest.and_then(|position| items.remove(position))
            } else {
                None
            }
        };
        self.pushed.notify_one();
        loser
    }

    pub(super) fn pop(&self) -> Option<Item> {
        self.lock().pop_front()
    }

    /// Puts back what was popped and not ended, so that it counts as left.
    pub(super) fn put_back(&self, item: Item) {
        self.lock().push_front(item);
    }

    /// Resolves when something was pushed since the last call. Safe to cancel.
    pub(super) async fn wait(&self) {
        self.pushed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Item>> {
        // Nothing in here can panic half way.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
