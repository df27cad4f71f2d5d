//! Looks at workloads that are to be scaled: each in a task of its own, one at a time for each workload.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use recant_core::engine::ScaleAnswer;
use recant_core::rule::ScaleTarget;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::cluster::Cluster;

/// Above the deadlines that the cluster has of its own.
const LONGEST: Duration = Duration::from_secs(30);
/// Looks under way at once; what is too many is asked again later.
const MOST: usize = 16;

pub(super) struct Looker {
    cluster: Arc<dyn Cluster>,
    busy: BTreeSet<ScaleTarget>,
    sender: mpsc::UnboundedSender<ScaleAnswer>,
    answers: mpsc::UnboundedReceiver<ScaleAnswer>,
}

impl Looker {
    pub(super) fn new(cluster: Arc<dyn Cluster>) -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        Self {
            cluster,
            busy: BTreeSet::new(),
            sender,
            answers,
        }
    }

    /// Begins to look, unless it does already.
    pub(super) fn look(&mut self, target: ScaleTarget) {
        if self.busy.len() >= MOST || !self.busy.insert(target.clone()) {
            return;
        }
        let (cluster, sender) = (Arc::clone(&self.cluster), self.sender.clone());
        tokio::spawn(async move {
            let state = match timeout(LONGEST, cluster.scale_state(&target)).await {
                Ok(Ok(state)) => Ok(state),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no answer within {} s", LONGEST.as_secs())),
            };
            // Nobody listens any more when the agent shuts down.
            drop(sender.send(ScaleAnswer { target, state }));
        });
    }

    /// The next answer; one comes for each look.
    pub(super) async fn answer(&mut self) -> Option<ScaleAnswer> {
        let answer = self.answers.recv().await?;
        self.busy.remove(&answer.target);
        Some(answer)
    }
}
