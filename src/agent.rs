//! The wiring: gathers inputs, lets the engine decide, makes its records durable, and hands out the effects.
//!
//! One task owns the engine; readers get immutable snapshots. Nothing in here decides anything.

mod gather;
mod journaling;
mod links;
mod looking;
mod orders;
mod reports;
mod shut;
#[cfg(feature = "whole")]
mod traced;
mod updating;
#[cfg(feature = "whole")]
mod watching;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use recant_core::engine::{Effect, Engine, Inputs, Output, Silences};
use recant_core::ids::TargetId;
use recant_core::ledger::Ledger;
use recant_core::notice::Delivery;
use recant_core::plan::{StepOutcome, StepResult};
use recant_core::record::Record;
use recant_core::rule::{ScrapeEndpoint, SourceKind};
use recant_core::share::Acting;
use recant_core::snapshot::Snapshot;

use crate::actuate::{Executor, Gate, Permit};
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::http::approval::Links;
use crate::http::orders::Order;
use crate::http::reports::Reported;
use crate::journal::{Journal, JournalError};
use crate::notify::Attempt;
use crate::notify::outbox::Outbox;
use crate::source::Source;

use looking::Look;

pub use gather::Gathered;
pub use journaling::{Recovered, fold};
pub use shut::with_causes;
#[cfg(feature = "whole")]
pub use traced::Traced;
pub use updating::{Places, Update, endpoints};
#[cfg(feature = "whole")]
pub use watching::{Watching, log_record, show_numbers};

/// Everything that the agent is made of; the same for all ways to run it.
pub struct Parts {
    pub engine: Engine,
    pub journal: Box<dyn Journal>,
    pub sources: BTreeMap<SourceKind, Arc<dyn Source>>,
    /// Where a watch says its pods expose metrics.
    pub endpoints: BTreeMap<TargetId, ScrapeEndpoint>,
    pub cluster: Arc<dyn Cluster>,
    pub executor: Executor,
    /// A process that does not hold the acting Lease decides nothing either: its picture may be old, and another acts.
    pub gate: Arc<dyn Gate>,
    pub outcomes: mpsc::UnboundedReceiver<StepOutcome>,
    pub outbox: Outbox,
    pub deliveries: mpsc::UnboundedReceiver<Delivery>,
    /// Rules and settings that changed.
    pub updates: mpsc::Receiver<Update>,
    /// What others report.
    pub reports: mpsc::Receiver<Reported>,
    /// What people order.
    pub orders: mpsc::Receiver<Order>,
    /// Makes the links by which people agree to rollbacks; `None`: messages carry none.
    pub links: Option<Links>,
    /// What the Alertmanagers silence, each time that one was asked.
    pub silences: mpsc::Receiver<Silences>,
    /// What the acting replica says; `None`: there are no others.
    pub acting: Option<watch::Receiver<Option<Acting>>>,
    pub observer: Box<dyn Observer>,
    pub clock: Clock,
    /// Between ticks when nothing happens.
    pub interval: Duration,
}

/// Sees what happened in each tick: metrics, logs, the demo's table.
pub trait Observer: Send {
    /// After the records of a tick are durable and its effects have left.
    fn ticked(&mut self, tick: &Ticked<'_>);

    /// A source was asked, or was still busy with the question before.
    fn gathered(&mut self, gathered: &Gathered);

    /// The journal could not be written: nothing is decided until it can.
    fn journal_failing(&mut self, error: &JournalError);
}

/// One tick as readers see it.
#[derive(Debug)]
pub struct Ticked<'a> {
    pub at: Timestamp,
    pub took: Duration,
    pub records: &'a [Record],
    pub snapshot: &'a Arc<Snapshot>,
    /// The lasting state: that to which the journal folds now.
    pub ledger: &'a Ledger,
}

/// How long the rest of the work may take after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(8);

/// Runs until `stop` is cancelled; then finishes the step in hand and writes down what became of it.
///
/// # Errors
/// The journal can never be written again: it was taken away, or does not take a record. The step in hand is finished, and
/// the next process repeats it.
pub async fn run(mut parts: Parts, stop: CancellationToken) -> Result<(), JournalError> {
    let (answers_in, mut answers) = mpsc::channel::<Gathered>(16);
    let mut gatherer = gather::Gatherer::new(&parts, answers_in);
    let mut ticks = tokio::time::interval(parts.interval);
    // A missed tick is skipped, not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut inputs = Inputs::default();
    let mut held = journaling::Held::default();
    let mut waiting = reports::Waiting::default();
    let mut orders = orders::Waiting::default();
    let mut looker = looking::Looker::new(Arc::clone(&parts.cluster));
    let mut lost = None;
    loop {
        let mut look = false;
        tokio::select! {
            // What ends something comes before what begins something.
            biased;
            () = stop.cancelled() => break,
            Some(outcome) = parts.outcomes.recv() => inputs.steps.push(outcome),
            Some(delivery) = parts.deliveries.recv() => inputs.deliveries.push(delivery),
            Some(gathered) = answers.recv() => take(&mut parts, &mut inputs, &mut gatherer, gathered),
            Some(seen) = looker.answer() => seen.put(&mut inputs),
            Some(update) = parts.updates.recv() => {
                updating::take_up(&mut parts, &mut gatherer, &mut inputs, update);
            }
            Some(silences) = parts.silences.recv() => inputs.silences.push(silences),
            acting = said(parts.acting.as_mut()) => inputs.acting = Some(acting),
            () = parts.cluster.changed() => {}
            _ = ticks.tick() => look = true,
            Some(order) = parts.orders.recv(), if orders.is_empty() => {
                orders.take(order);
                while let Ok(order) = parts.orders.try_recv() {
                    orders.take(order);
                }
            }
            // Last, so that a flood of them keeps nobody waiting; and not while the journal cannot be written: then they
            // wait in their queue, which is bounded.
            Some(reported) = parts.reports.recv(), if inputs.hooks.is_empty() => {
                waiting.take(reported, &mut inputs.hooks);
                while let Ok(reported) = parts.reports.try_recv() {
                    waiting.take(reported, &mut inputs.hooks);
                }
            }
        }
        while let Ok(outcome) = parts.outcomes.try_recv() {
            inputs.steps.push(outcome);
        }
        while let Ok(delivery) = parts.deliveries.try_recv() {
            inputs.deliveries.push(delivery);
        }
        while let Ok(gathered) = answers.try_recv() {
            take(&mut parts, &mut inputs, &mut gatherer, gathered);
        }
        if matches!(parts.gate.permit(), Permit::Later { .. })
            || (look && !held.undisturbed(&mut parts))
            || !held.write(&mut parts, look)
        {
            lost = held.lost();
            if lost.is_some() {
                break;
            }
            continue;
        }
        waiting.durable();
        orders.durable(&parts.cluster);
        inputs.steps.append(&mut held.refused);
        inputs.cluster = parts.cluster.news();
        inputs.commands = orders.hand_in();
        let begun = Instant::now();
        let now = (parts.clock)();
        let mut output = parts.engine.tick(now, std::mem::take(&mut inputs));
        let no_room = output.no_room;
        orders.ticked(std::mem::take(&mut output.replies));
        updating::follow_engine(&parts, &mut gatherer, &output.records);
        held.hold(now, output, begun.elapsed());
        waiting.ticked(no_room);
        if held.write(&mut parts, true) {
            waiting.durable();
            orders.durable(&parts.cluster);
            if look {
                gatherer.ask(&mut parts, now);
            }
        } else {
            lost = held.lost();
            if lost.is_some() {
                break;
            }
        }
        for look in held.looks.drain(..) {
            looker.look(look);
        }
    }
    shut::down(parts, inputs, held, GRACE).await;
    lost.map_or(Ok(()), Err)
}

/// What the acting replica says next.
async fn said(acting: Option<&mut watch::Receiver<Option<Acting>>>) -> Acting {
    let Some(acting) = acting else {
        return std::future::pending().await;
    };
    loop {
        if acting.changed().await.is_err() {
            return std::future::pending().await;
        }
        if let Some(said) = acting.borrow_and_update().clone() {
            return said;
        }
    }
}

fn take(
    parts: &mut Parts,
    inputs: &mut Inputs,
    gatherer: &mut gather::Gatherer,
    gathered: Gathered,
) {
    gatherer.came_back(&gathered);
    parts.observer.gathered(&gathered);
    inputs.answers.extend(gathered.answers);
}

/// Hands out effects; what cannot be handed out comes back as a result, so that nothing waits for it.
fn hand_out(
    parts: &Parts,
    effects: Vec<Effect>,
    inputs: &mut Vec<StepOutcome>,
    looks: &mut Vec<Look>,
) {
    for effect in effects {
        match effect {
            Effect::Step(command) => {
                let (plan, index) = (command.plan.clone(), command.index);
                let (again, object) = (command.again, command.object());
                if let Err(error) = parts.executor.submit(command) {
                    let result = if again {
                        let reason = format!("{error}; look whether {object} was changed");
                        StepResult::Failed { reason }
                    } else {
                        let reason = error.to_string();
                        StepResult::Refused { reason }
                    };
                    inputs.push(StepOutcome {
                        plan,
                        index,
                        result,
                    });
                }
            }
            Effect::LookAtScale { target } => looks.push(Look::Scale(target)),
            Effect::LookAtObject { object } => looks.push(Look::Object(object)),
            Effect::LookAtWayBack(question) => looks.push(Look::WayBack(question)),
            Effect::LookAtNodes { target, pods } => looks.push(Look::Nodes { target, pods }),
            Effect::Notify {
                notice,
                channels,
                repeat,
            } => {
                let ledger = parts.engine.ledger();
                let notice = Arc::new(links::signed(notice, parts.links.as_ref(), ledger));
                let attempt = if repeat {
                    Attempt::MayBeRepeat
                } else {
                    Attempt::First
                };
                for channel in channels {
                    parts.outbox.submit(&notice, &channel, attempt);
                }
            }
        }
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

type Pending = (Timestamp, Output, Duration);
