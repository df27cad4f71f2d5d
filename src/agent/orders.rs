//! What people order on its way into a tick: whoever waits is answered when its records are durable (P3). Of a dry run
//! the object is read then, beside the loop, and nothing is written.

use std::sync::Arc;
use std::time::Duration;

use recant_core::engine::{Given, Reply};
use recant_core::plan::StepCommand;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::http::orders::{Answer, Order};

/// For one look at the object.
const LOOK: Duration = Duration::from_secs(8);

type Waiter = oneshot::Sender<Answer>;

/// Who waits for the tick that comes, and for the journal.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    coming: Vec<Order>,
    /// The cluster was asked something for them first.
    asked: Vec<Order>,
    next: Vec<Order>,
    written: Vec<(Reply, Waiter)>,
    looks: JoinSet<()>,
}

impl Waiting {
    /// Whether none waits for the tick that comes.
    pub(super) fn is_empty(&self) -> bool {
        self.coming.is_empty()
    }

    /// Takes an order for the tick that comes.
    pub(super) fn take(&mut self, order: Order) {
        self.coming.push(order);
    }

    /// For the tick that is about to begin. Who has given up gets nothing done: whoever was told that it failed must not
    /// see it happen minutes later.
    pub(super) fn hand_in(&mut self) -> Vec<Given> {
        let waiting = self.asked.drain(..).chain(self.coming.drain(..));
        self.next = waiting.filter(|order| !order.answer.is_closed()).collect();
        self.next.iter().map(|order| order.given.clone()).collect()
    }

    /// The tick is over; its records are to be written.
    pub(super) fn ticked(&mut self, replies: Vec<Option<Reply>>) {
        for (reply, order) in replies.into_iter().zip(self.next.drain(..)) {
            match reply {
                Some(reply) => self.written.push((reply, order.answer)),
                None => self.asked.push(order),
            }
        }
    }

    /// Everything that ticks led to is durable.
    pub(super) fn durable(&mut self, cluster: &Arc<dyn Cluster>) {
        while self.looks.try_join_next().is_some() {}
        for (Reply { outcome, steps }, waiter) in self.written.drain(..) {
            if steps.is_empty() {
                // Nobody may wait any more.
                drop(waiter.send(Answer {
                    outcome,
                    writes: Vec::new(),
                }));
                continue;
            }
            let cluster = Arc::clone(cluster);
            self.looks.spawn(async move {
                let mut writes = Vec::new();
                for step in &steps {
                    writes.push(preview(&*cluster, step).await);
                }
                drop(waiter.send(Answer { outcome, writes }));
            });
        }
    }
}

async fn preview(cluster: &dyn Cluster, step: &StepCommand) -> Result<Value, String> {
    match tokio::time::timeout(LOOK, cluster.preview(step)).await {
        Ok(Ok(write)) => Ok(write),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "{} could not be read within {} s",
            step.object(),
            LOOK.as_secs()
        )),
    }
}
