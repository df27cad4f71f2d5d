//! Reports of others on their way into a tick: whoever waits for one is told when its records are durable (P3).

use recant_core::hook::Hook;
use tokio::sync::oneshot;

use crate::http::reports::{NotTaken, Reported};

type Waiter = oneshot::Sender<Result<(), NotTaken>>;

/// Who waits for the tick that comes, and for the journal.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    next: Vec<Waiter>,
    written: Vec<Waiter>,
}

impl Waiting {
    /// Takes a report for the tick that comes.
    pub(super) fn take(&mut self, reported: Reported, hooks: &mut Vec<Hook>) {
        let Reported {
            hooks: new,
            durable,
        } = reported;
        // Who has given up sends it again: it need not be taken twice.
        if !durable.is_closed() {
            hooks.extend(new);
            self.next.push(durable);
        }
    }

    /// The tick is over; its records are to be written. `no_room`: not all could be taken, and who reported it is to send
    /// it again. What was taken of it is no news then.
    pub(super) fn ticked(&mut self, no_room: bool) {
        if no_room {
            for waiting in self.next.drain(..) {
                // Nobody may wait any more.
                waiting.send(Err(NotTaken::NoRoom)).unwrap_or_default();
            }
        }
        self.written.append(&mut self.next);
    }

    /// Everything that ticks led to is durable.
    pub(super) fn durable(&mut self) {
        for waiting in self.written.drain(..) {
            // Nobody may wait any more.
            waiting.send(Ok(())).unwrap_or_default();
        }
    }
}
