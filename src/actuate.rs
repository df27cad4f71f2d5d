//! The executor: carries out steps that were decided and written down elsewhere, one at a time for each plan.
//!
//! It decides nothing (P4). It asks before every attempt whether this process may act, tries again what may succeed
//! later, and says in the end what became of the step.

mod attempts;
mod gate;
mod webhook;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use recant_core::ids::PlanId;
use recant_core::plan::{StepCommand, StepOutcome, StepResult};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::attempts::{Ended, carry_out};
pub use self::gate::{Gate, Permit};
pub use self::webhook::{Allowed, Webhooks};
use crate::clock::Clock;
use crate::cluster::Cluster;

/// Steps that wait for their turn; more are refused. Far above what guards let through.
const WAITING: usize = 256;

/// What the executor works with.
#[derive(Clone)]
pub struct Parts {
    pub cluster: Arc<dyn Cluster>,
    pub gate: Arc<dyn Gate>,
    /// Calls those outside.
    pub webhooks: Webhooks,
    /// The time now.
    pub clock: Clock,
    /// Steps of different plans under way at once, at least 1.
    pub at_once: usize,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("at_once", &self.at_once)
            .finish_non_exhaustive()
    }
}

/// Takes steps and tells what became of them.
#[derive(Debug)]
pub struct Executor {
    commands: mpsc::Sender<StepCommand>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// The executor takes no step now; the step stays in the journal as begun and can be submitted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("{WAITING} steps wait for the executor already")]
    Full,
    #[error("the executor has stopped")]
    Stopped,
}

impl Executor {
    /// Starts the executor; needs a runtime. Every step that is taken has one outcome in `outcomes`, but for those that
    /// are left over at [`Self::shutdown`].
    pub fn start(parts: Parts, outcomes: mpsc::UnboundedSender<StepOutcome>) -> Self {
        let (commands, inbox) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let dispatcher = Dispatcher {
            parts,
            outcomes,
            stop: stop.clone(),
            plans: BTreeMap::new(),
            running: JoinSet::new(),
            names: BTreeMap::new(),
        };
        let task = tokio::spawn(dispatcher.run(inbox));
        Self {
            commands,
            stop,
            task,
        }
    }

    /// Hands a step over. A step that is under way or waits already is not taken twice.
    ///
    /// # Errors
    /// The executor is full or has stopped.
    pub fn submit(&self, command: StepCommand) -> Result<(), NotTaken> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => NotTaken::Full,
                mpsc::error::TrySendError::Closed(_) => NotTaken::Stopped,
            })
    }

    /// Starts no new attempt, and waits until those under way have ended.
    ///
    /// Steps without an outcome then were not carried out, or may have been: the next process repeats them.
    pub async fn shutdown(self) {
        self.stop.cancel();
        drop(self.commands);
        if let Err(error) = self.task.await {
            tracing::error!("the executor ended badly: {error}");
        }
    }
}

/// The one owner of what waits and what runs.
struct Dispatcher {
    parts: Parts,
    outcomes: mpsc::UnboundedSender<StepOutcome>,
    stop: CancellationToken,
    plans: BTreeMap<PlanId, Plan>,
    running: JoinSet<(StepCommand, Ended)>,
    /// Which step a task carries out: what is left of it when it panics.
    names: BTreeMap<Id, (PlanId, usize)>,
}

/// The steps of one plan that were handed over.
#[derive(Default)]
struct Plan {
    /// Index of the step under way.
    running: Option<usize>,
    waiting: VecDeque<StepCommand>,
}

impl Dispatcher {
    async fn run(mut self, mut inbox: mpsc::Receiver<StepCommand>) {
        loop {
            tokio::select! {
                // Stopping comes first, then what ended: both make room.
                biased;
                () = self.stop.cancelled() => break,
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                command = inbox.recv() => match command {
                    Some(command) => self.take(command),
                    None => break,
                },
            }
            self.start_waiting();
        }
        // The attempt in hand ends by itself: it sees the token before the next one.
        while let Some(ended) = self.running.join_next_with_id().await {
            self.ended(ended);
        }
    }

    fn take(&mut self, command: StepCommand) {
        let plan = self.plans.entry(command.plan.clone()).or_default();
        let known = plan.running == Some(command.index)
            || plan.waiting.iter().any(|step| step.index == command.index);
        if !known {
            plan.waiting.push_back(command);
        }
    }

    fn start_waiting(&mut self) {
        let at_once = self.parts.at_once.max(1);
        for plan in self.plans.values_mut() {
            if self.running.len() >= at_once {
                return;
            }
            if plan.running.is_some() {
                continue;
            }
            let Some(command) = plan.waiting.pop_front() else {
                continue;
            };
            plan.running = Some(command.index);
            let name = (command.plan.clone(), command.index);
            let parts = self.parts.clone();
            let stop = self.stop.clone();
            let task = self.running.spawn(async move {
                let ended = carry_out(&parts, &command, &stop).await;
                (command, ended)
            });
            self.names.insert(task.id(), name);
        }
    }

    fn ended(&mut self, ended: Result<(Id, (StepCommand, Ended)), tokio::task::JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some((plan, index)) = self.names.remove(&id) else {
            return;
        };
        if let Some(steps) = self.plans.get_mut(&plan) {
            steps.running = None;
            if steps.waiting.is_empty() {
                self.plans.remove(&plan);
            }
        }
        let result = match ended {
            Ok((_, (command, Ended::With(result)))) => {
                log(&command, &result);
                result
            }
            Ok((_, (_, Ended::ByShutdown))) => return,
            Err(error) => StepResult::Failed {
                reason: format!("the step ended badly, which is a fault of Recant: {error}"),
            },
        };
        let outcome = StepOutcome {
            plan,
            index,
            result,
        };
        if self.outcomes.send(outcome).is_err() {
            tracing::debug!("nobody waits for the outcomes of steps any more");
        }
    }
}

fn log(command: &StepCommand, result: &StepResult) {
    let StepCommand { plan, index, .. } = command;
    let target = command.object();
    // As the journal counts them.
    let step = index + 1;
    match result {
        StepResult::Done => {
            tracing::info!(plan.id = %plan, step, target.name = %target, "step {step} of plan `{plan}` was carried out on {target}");
        }
        StepResult::Kept { place, sha256 } => {
            tracing::info!(plan.id = %plan, step, target.name = %target, "step {step} of plan `{plan}` kept evidence in {place}, sha256 {sha256}");
        }
        StepResult::Called { status, repeated } => {
            tracing::info!(plan.id = %plan, step, repeated, "step {step} of plan `{plan}` called {target}, which answered {status}");
        }
        StepResult::AlreadyDone => {
            tracing::info!(plan.id = %plan, step, target.name = %target, "step {step} of plan `{plan}` was carried out on {target} before");
        }
        StepResult::Fenced { reason } | StepResult::Refused { reason } => {
            tracing::warn!(plan.id = %plan, step, target.name = %target, "step {step} of plan `{plan}` was not carried out on {target}: {reason}");
        }
        StepResult::Failed { reason } => {
            tracing::error!(plan.id = %plan, step, target.name = %target, "step {step} of plan `{plan}` failed on {target}: {reason}");
        }
    }
}

#[cfg(test)]
mod tests;
