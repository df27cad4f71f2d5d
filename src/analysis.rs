//! Runs an Argo analysis without Argo: asks the providers when `recant_core::argo` says so, until the run is complete.
//!
//! Decides nothing: what is due, what an answer means and how the run ends is the core's.

mod client;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use recant_core::argo::Phase;
use recant_core::argo::argument::Secrets;
use recant_core::argo::run::{Answer, Measurement, Round, Run, Task, What};

use crate::clock::Clock;

pub use client::Client;

/// The shortest pause between two rounds: an interval of `0s` would never pause.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// How a run is driven.
#[derive(Debug, Clone, Default)]
pub struct Driving {
    pub secrets: Secrets,
    /// When the run is asked to terminate, counted from its start.
    pub terminate_after: Option<Duration>,
}

/// Drives a run to its end; `told` hears of each measurement.
pub async fn drive(
    run: &mut Run,
    driving: &Driving,
    client: &Client,
    clock: &Clock,
    told: &mut (dyn FnMut(&str, &Measurement) + Send),
) {
    let start = clock();
    let deadline = driving
        .terminate_after
        .and_then(|after| SignedDuration::try_from(after).ok())
        .and_then(|after| start.checked_add(after).ok());
    loop {
        let now = clock();
        if deadline.is_some_and(|deadline| now >= deadline) {
            run.spec.terminate = true;
        }
        let Some(round) = run.begin(&driving.secrets, now) else {
            return;
        };
        let started = run.status.started_at;
        let before = run.status.clone();
        let answers = measure(&round, client, started, clock).await;
        for (task, answer) in round.tasks.iter().zip(&answers) {
            if let Answer::Measured(measurement) = answer {
                told(&task.metric.name, measurement);
            }
        }
        let next = run.finish(&round, answers, clock());
        run.status = run.status.as_stored();
        if run.status.phase.is_some_and(Phase::is_complete) {
            return;
        }
        // The controller hears of its own change: what is left of a run that has gone wrong waits for nothing.
        if run.is_terminating() && run.status != before {
            continue;
        }
        let Some(wake) = [next, deadline].into_iter().flatten().min() else {
            // Nothing will ever be due: only a person can end it.
            run.spec.terminate = true;
            continue;
        };
        let pause = wake.duration_since(clock());
        let pause = Duration::try_from(pause).unwrap_or_default();
        tokio::time::sleep(pause.max(SHORTEST_PAUSE)).await;
    }
}

/// Asks all that is due at once.
async fn measure(
    round: &Round,
    client: &Client,
    started: Option<Timestamp>,
    clock: &Clock,
) -> Vec<Answer> {
    let asked = round
        .tasks
        .iter()
        .map(|task| answer(task, client, started, clock));
    futures::future::join_all(asked).await
}

async fn answer(task: &Task, client: &Client, started: Option<Timestamp>, clock: &Clock) -> Answer {
    let clock = Arc::clone(clock);
    match &task.what {
        What::Run => client.run(&task.metric, started, &clock).await,
        What::Resume(open) => client.resume(&task.metric, open, &clock).await,
        // No provider that is spoken here stops anything: the measurement comes back as it is.
        What::Terminate(open) => Answer::Measured(open.clone()),
    }
}
