//! One process of the agent, seen from outside: it may be stopped for a while, and it may die at any moment.
//!
//! A process that is stopped or dead reaches nothing: every seam asks [`Incarnation::pass`] before it touches the world.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use recant::http::orders::Orders;
use recant_core::ledger::Ledger;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(crate) struct Incarnation {
    pub(crate) replica: usize,
    number: u64,
    dead: AtomicBool,
    frozen: AtomicBool,
    /// It was stopped at some time: what it knows and has on its way may be old.
    stopped: AtomicBool,
    changed: Notify,
    waker: Mutex<Option<Waker>>,
    /// Until when it holds the Lease, by its own reckoning, and which time that is.
    held: Mutex<(Option<Instant>, u64)>,
    /// What it has written down, folded.
    pub(crate) shadow: Mutex<Ledger>,
    /// Where people order something, once it acts.
    orders: OnceLock<Orders>,
    pub(crate) stop: CancellationToken,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "agent {}.{}", self.replica, self.number)
    }
}

impl Incarnation {
    pub(crate) fn new(replica: usize, number: u64) -> Self {
        Self {
            replica,
            number,
            dead: AtomicBool::new(false),
            frozen: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            changed: Notify::new(),
            waker: Mutex::new(None),
            held: Mutex::default(),
            shadow: Mutex::new(Ledger::default()),
            orders: OnceLock::new(),
            stop: CancellationToken::new(),
        }
    }

    pub(crate) fn orders(&self) -> Option<Orders> {
        self.orders.get().cloned()
    }

    pub(crate) fn takes_orders(&self, orders: Orders) {
        drop(self.orders.set(orders));
    }

    pub(crate) fn dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    pub(crate) fn frozen(&self) -> bool {
        self.frozen.load(Ordering::Relaxed)
    }

    pub(crate) fn was_frozen(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(crate) fn freeze(&self) {
        self.frozen.store(true, Ordering::Relaxed);
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn thaw(&self) {
        self.frozen.store(false, Ordering::Relaxed);
        self.wake();
    }

    fn wake(&self) {
        self.changed.notify_waiters();
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Goes on when the process runs; never once it is dead.
    pub(crate) async fn pass(&self) {
        loop {
            if self.dead() {
                return std::future::pending().await;
            }
            if !self.frozen() {
                return;
            }
            self.changed.notified().await;
        }
    }

    /// Runs `work` as far as the process does; `None`: it died.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        std::future::poll_fn(|context| {
            if self.dead() {
                return Poll::Ready(None);
            }
            *self.waker.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(context.waker().clone());
            if self.frozen() {
                return Poll::Pending;
            }
            let polled = work.as_mut().poll(context).map(Some);
            if self.dead() {
                Poll::Ready(None)
            } else {
                polled
            }
        })
        .await
    }

    /// As the real one: a Lease that is held again after it ran out is another term.
    pub(crate) fn renewed(&self, until: Instant) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.is_none_or(|until| until <= Instant::now()) {
            held.1 += 1;
        }
        held.0 = Some(until);
    }

    /// Whether it holds the Lease, as far as it knows.
    pub(crate) fn holds(&self) -> bool {
        self.term().is_some()
    }

    /// The present time of holding the Lease, if it does.
    pub(crate) fn term(&self) -> Option<u64> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, term) = *held;
        until
            .is_some_and(|until| Instant::now() < until)
            .then_some(term)
    }
}
