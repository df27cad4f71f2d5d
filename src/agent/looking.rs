//! Looks at what an action is decided from: workloads that are to be scaled, objects that are to be changed, ways back.
//! Each in a task of its own, one at a time for each of them.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use recant_core::change::ObjectRef;
use recant_core::engine::{Inputs, NodeAnswer, ObjectAnswer, ScaleAnswer};
use recant_core::ids::{PodName, TargetId};
use recant_core::preflight::{WayBackAnswer, WayBackQuestion};
use recant_core::rule::ScaleTarget;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::cluster::{Cluster, ClusterError};

/// Above the deadlines that the cluster has of its own.
const LONGEST: Duration = Duration::from_secs(30);
/// Looks under way at once; what is too many is asked again later.
const MOST: usize = 16;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Scale(ScaleTarget),
    Object(ObjectRef),
    WayBack(WayBackQuestion),
    Nodes {
        target: TargetId,
        pods: Vec<PodName>,
    },
}

/// What was seen.
pub(super) enum Seen {
    Scale(ScaleAnswer),
    Object(ObjectAnswer),
    WayBack(WayBackAnswer),
    /// With the pods that were asked about.
    Nodes(NodeAnswer, Vec<PodName>),
}

impl Seen {
    /// The engine hears of it with the next tick.
    pub(super) fn put(self, inputs: &mut Inputs) {
        match self {
            Self::Scale(answer) => inputs.scales.push(answer),
            Self::Object(answer) => inputs.objects.push(answer),
            Self::WayBack(answer) => inputs.ways_back.push(answer),
            Self::Nodes(answer, _) => inputs.nodes.push(answer),
        }
    }
}

pub(super) struct Looker {
    cluster: Arc<dyn Cluster>,
    busy: BTreeSet<Look>,
    sender: mpsc::UnboundedSender<Seen>,
    answers: mpsc::UnboundedReceiver<Seen>,
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
    pub(super) fn look(&mut self, look: Look) {
        if self.busy.len() >= MOST || !self.busy.insert(look.clone()) {
            return;
        }
        let (cluster, sender) = (Arc::clone(&self.cluster), self.sender.clone());
        tokio::spawn(async move {
            let seen = match look {
                Look::Scale(target) => {
                    let state = within(cluster.scale_state(&target)).await;
                    Seen::Scale(ScaleAnswer { target, state })
                }
                Look::Object(object) => {
                    let state = within(cluster.object(&object)).await;
                    Seen::Object(ObjectAnswer { object, state })
                }
                Look::WayBack(question) => {
                    let seen = within(cluster.preflight(&question)).await;
                    Seen::WayBack(WayBackAnswer { question, seen })
                }
                Look::Nodes { target, pods } => {
                    let report = within(cluster.nodes(&target, &pods)).await;
                    if let Err(reason) = &report {
                        tracing::info!(target.name = %target, "the nodes of {target} are not known, and hold nothing: {reason}");
                    }
                    Seen::Nodes(NodeAnswer { target, report }, pods)
                }
            };
            // Nobody listens any more when the agent shuts down.
            drop(sender.send(seen));
        });
    }

    /// The next answer; one comes for each look.
    pub(super) async fn answer(&mut self) -> Option<Seen> {
        let answer = self.answers.recv().await?;
        self.busy.remove(&match &answer {
            Seen::Scale(answer) => Look::Scale(answer.target.clone()),
            Seen::Object(answer) => Look::Object(answer.object.clone()),
            Seen::WayBack(answer) => Look::WayBack(answer.question.clone()),
            Seen::Nodes(answer, pods) => Look::Nodes {
                target: answer.target.clone(),
                pods: pods.clone(),
            },
        });
        Some(answer)
    }
}

async fn within<T>(look: impl Future<Output = Result<T, ClusterError>>) -> Result<T, String> {
    match timeout(LONGEST, look).await {
        Ok(Ok(state)) => Ok(state),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", LONGEST.as_secs())),
    }
}
