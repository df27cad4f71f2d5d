//! Reports of others on their way into a tick: whoever waits for one is told when its records are durable (P3).

use recant_core::hook::Hook;
use tokio::sync::oneshot;

use crate::http::reports::Reported;

/// Who waits for the tick that comes, and for the journal.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    next: Vec<oneshot::Sender<()>>,
    written: Vec<oneshot::Sender<()>>,
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

    /// The tick is over; its records are to be written.
    pub(super) fn ticked(&mut self) {
        self.written.append(&mut self.next);
    }

    /// Everything that ticks led to is durable.
    pub(super) fn durable(&mut self) {
        for waiting in self.written.drain(..) {
            // Nobody may wait any more.
            waiting.send(()).unwrap_or_default();
        }
    }
}
