//! Kubernetes Events (events.k8s.io/v1): what `kubectl describe` shows of a target, and of a document.
//!
//! They are a help for people, and nothing depends on them: written after the record is durable, in a task of their own,
//! bounded, and given up after a second attempt. What is the same again within minutes becomes a series.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use recant_core::ids::TargetId;
use recant_core::spec::ResourceKey;
use recant_core::wording::short;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::api::with_causes;
use super::objects::workload_resource;

/// Events that wait to be written. Above, they are dropped, and that is said.
const WAITING: usize = 500;
/// What the API server takes as a note, and a reserve for characters of several bytes.
const LONGEST_NOTE: usize = 900;
const DEADLINE: Duration = Duration::from_secs(10);
/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(2);
/// After a refusal for lack of a right, the next events are not tried for this long.
const REST: Duration = Duration::from_mins(1);

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Target { id: TargetId, uid: Option<String> },
    Document { key: ResourceKey, uid: String },
}

/// How much it weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Normal,
    Warning,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEvent {
    pub about: About,
    /// The document that it follows from.
    pub because_of: Option<(ResourceKey, String)>,
    pub weight: Weight,
    /// One word in `CamelCase`.
    pub reason: &'static str,
    pub action: &'static str,
    /// A sentence for people.
    pub note: String,
}

/// Where events are handed in.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::Sender<ObjectEvent>,
}

impl Events {
    /// Begins to write; ends when `stop` is cancelled, or nobody hands in any more. `instance` is the name of this process.
    pub fn start(client: Client, instance: String, stop: CancellationToken) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let reporter = Reporter {
            controller: "recant.dev/agent".to_owned(),
            instance: Some(instance),
        };
        tokio::spawn(write_all(Recorder::new(client, reporter), receiver, stop));
        Self { sender }
    }

    /// Hands one in; never waits.
    pub fn submit(&self, event: ObjectEvent) {
        if let Err(refused) = self.sender.try_send(event) {
            let event = match refused {
                mpsc::error::TrySendError::Full(event)
                | mpsc::error::TrySendError::Closed(event) => event,
            };
            tracing::warn!(
                "a Kubernetes Event (`{}`) was not written: {WAITING} others wait",
                event.reason
            );
        }
    }
}

async fn write_all(
    recorder: Recorder,
    mut events: mpsc::Receiver<ObjectEvent>,
    stop: CancellationToken,
) {
    let mut said = String::new();
    let mut rests_until = None;
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            event = events.recv() => event,
        };
        let Some(event) = event else { return };
        if rests_until.is_some_and(|until| tokio::time::Instant::now() < until) {
            continue;
        }
        rests_until = None;
        let Err(error) = write(&recorder, &event).await else {
            said.clear();
            continue;
        };
        if error != said {
            tracing::warn!(
                "Kubernetes Events cannot be written, which stops nothing else: {error}"
            );
            said.clone_from(&error);
        }
        if error.contains("not allowed") {
            rests_until = Some(tokio::time::Instant::now() + REST);
        }
    }
}

async fn write(recorder: &Recorder, event: &ObjectEvent) -> Result<(), String> {
    let ObjectEvent {
        about,
        because_of,
        weight,
        reason,
        action,
        note,
    } = event;
    let regarding = match about {
        About::Target { id, uid } => of_target(id, uid.as_deref()),
        About::Document { key, uid } => of_document(key, uid),
    };
    let event = Event {
        type_: match weight {
            Weight::Normal => EventType::Normal,
            Weight::Warning => EventType::Warning,
        },
        reason: (*reason).to_owned(),
        note: Some(short(note, LONGEST_NOTE)),
        action: (*action).to_owned(),
        secondary: because_of.as_ref().map(|(key, uid)| of_document(key, uid)),
    };
    let namespace = regarding.namespace.clone().unwrap_or_default();
    let mut last = String::new();
    for attempt in 0..2 {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        match tokio::time::timeout(DEADLINE, recorder.publish(&event, &regarding)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                return Err(format!(
                    "not allowed to `create` and `patch` `events.events.k8s.io` in namespace `{namespace}`: add it to the Role `recant` (charts/manifests/role.yaml), or set `events: false`"
                ));
            }
            Ok(Err(error)) => last = with_causes(&error),
            Err(_) => last = format!("the API server did not answer within {DEADLINE:?}"),
        }
    }
    Err(last)
}

fn of_target(id: &TargetId, uid: Option<&str>) -> ObjectReference {
    let resource = workload_resource(id.kind);
    ObjectReference {
        api_version: Some(resource.api_version),
        kind: Some(resource.kind),
        namespace: Some(id.namespace.clone()),
        name: Some(id.name.clone()),
        uid: uid.map(str::to_owned),
        ..ObjectReference::default()
    }
}

fn of_document(key: &ResourceKey, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("recant.dev/v1alpha1".to_owned()),
        kind: Some(key.kind.to_string()),
        namespace: Some(key.namespace.clone()),
        name: Some(key.name.clone()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}
