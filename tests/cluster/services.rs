//! Pods that really answer: watches pods and runs one HTTP service per pod, on the pod's own address and port.

mod behaviour;
mod ledger;
mod mesh;
mod server;
mod settable;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::TryStreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};

pub(crate) use self::behaviour::Behaviour;
use self::behaviour::Behaviours;
pub(crate) use self::server::{Exposes, Service};
pub(crate) use self::settable::Line;
use self::settable::Settable;

/// The port of a pod that declares none.
const PORT: u16 = 8080;

/// All services of the bed.
#[derive(Debug, Default)]
pub(crate) struct Services {
    pods: Arc<Mutex<Pods>>,
    behaviours: Behaviours,
    settable: Settable,
}

#[derive(Debug, Default)]
struct Pods {
    /// The pods that are there, by uid.
    present: BTreeMap<String, Present>,
    /// All services that ever were, in the order of their start.
    services: Vec<Arc<Service>>,
}

#[derive(Debug)]
struct Present {
    labels: BTreeMap<String, String>,
    ready: bool,
    service: Arc<Service>,
}

/// What a service needs to know of its pod.
#[derive(Debug)]
struct ServedPod {
    namespace: String,
    name: String,
    tag: String,
    hash: String,
    app: String,
}

impl Services {
    /// Starts the watch; it ends with the process.
    pub(crate) fn start(client: Client) -> Self {
        let services = Self::default();
        let pods = Arc::clone(&services.pods);
        let told = (services.behaviours.clone(), services.settable.clone());
        tokio::spawn(async move {
            let events = watcher(Api::<Pod>::all(client), watcher::Config::default());
            let mut events = std::pin::pin!(events.default_backoff());
            let mut listed = Vec::new();
            loop {
                // An error is a watch that broke; the stream starts again by itself.
                let event = match events.try_next().await {
                    Ok(Some(event)) => event,
                    Ok(None) => return,
                    Err(_) => continue,
                };
                let mut pods = lock(&pods);
                match event {
                    watcher::Event::Init => listed.clear(),
                    watcher::Event::InitApply(pod) => {
                        listed.push(uid(&pod));
                        pods.see(&pod, &told);
                    }
                    watcher::Event::InitDone => pods.keep_only(&listed),
                    watcher::Event::Apply(pod) => pods.see(&pod, &told),
                    watcher::Event::Delete(pod) => pods.remove(&uid(&pod)),
                }
            }
        });
        services
    }

    /// Changes how all pods of a namespace with this image tag answer, from now on.
    pub(crate) fn behave(&self, namespace: &str, tag: &str, behaviour: Behaviour) {
        self.behaviours.set(namespace, tag, behaviour);
    }

    /// Sets a series, such as `queue_length{queue="mail"}`, that the pods of an image tag or one pod show from the next
    /// scrape on, or takes it away.
    pub(crate) fn set_metric(
        &self,
        namespace: &str,
        tag_or_pod: &str,
        series: &str,
        line: Option<Line>,
    ) {
        self.settable.set(namespace, tag_or_pod, series, line);
    }

    /// The services that traffic may be sent to: their pods are Ready, not leaving, and carry these labels.
    pub(crate) fn ready(
        &self,
        namespace: &str,
        selector: &BTreeMap<String, String>,
    ) -> Vec<Arc<Service>> {
        let pods = lock(&self.pods);
        let matching = pods.present.values().filter(|pod| {
            pod.ready
                && pod.service.listening()
                && pod.service.namespace == namespace
                && selector
                    .iter()
                    .all(|(key, value)| pod.labels.get(key) == Some(value))
        });
        matching.map(|pod| Arc::clone(&pod.service)).collect()
    }

    /// All services that a namespace ever had.
    pub(crate) fn all(&self, namespace: &str) -> Vec<Arc<Service>> {
        let pods = lock(&self.pods);
        let matching = pods
            .services
            .iter()
            .filter(|service| service.namespace == namespace);
        matching.map(Arc::clone).collect()
    }

    /// When the first bad answer of this image tag was given.
    pub(crate) fn first_bad(&self, namespace: &str, tag: &str) -> Option<Timestamp> {
        let services = self.all(namespace);
        let of_tag = services.iter().filter(|service| service.tag == tag);
        of_tag
            .filter_map(|service| service.ledger().first_bad)
            .min()
    }

    /// One line per service, for the report of a failure.
    pub(crate) fn picture(&self, namespace: &str) -> String {
        let mut picture = String::new();
        for service in self.all(namespace) {
            let ledger = service.ledger();
            writeln!(
                picture,
                "{} image tag {} hash {} at {}, listening: {}, {} requests, {} errors, first bad answer: {:?}",
                service.pod,
                service.tag,
                service.hash,
                service.address,
                service.listening(),
                ledger.requests(),
                ledger.errors(),
                ledger.first_bad,
            )
            .expect("a String takes everything");
        }
        picture
    }
}

impl Pods {
    /// Takes a pod as it is now.
    fn see(&mut self, pod: &Pod, (behaviours, settable): &(Behaviours, Settable)) {
        let uid = uid(pod);
        let leaving = pod.metadata.deletion_timestamp.is_some();
        let Some(address) = address(pod).filter(|_| !leaving) else {
            self.remove(&uid);
            return;
        };
        let ready = is_ready(pod);
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        if let Some(present) = self.present.get_mut(&uid) {
            present.ready = ready;
            present.labels = labels;
            return;
        }
        // kwok gives an address away again before the watch says that its last pod has gone.
        let before = self
            .present
            .values()
            .find(|other| other.service.address == address);
        if let Some(before) = before {
            before.service.stop();
        }
        let hash = labels
            .get("pod-template-hash")
            .or_else(|| labels.get("rollouts-pod-template-hash"));
        let served = ServedPod {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            tag: tag(pod),
            hash: hash.cloned().unwrap_or_default(),
            app: labels.get("app").cloned().unwrap_or_default(),
        };
        let service = Service::start(served, address, behaviours.clone(), settable.clone());
        self.services.push(Arc::clone(&service));
        self.present.insert(
            uid,
            Present {
                labels,
                ready,
                service,
            },
        );
    }

    fn remove(&mut self, uid: &str) {
        if let Some(pod) = self.present.remove(uid) {
            pod.service.stop();
        }
    }

    /// After a new list: what is not in it has gone while the watch was broken.
    fn keep_only(&mut self, listed: &[String]) {
        let gone: Vec<String> = self
            .present
            .keys()
            .filter(|uid| !listed.contains(uid))
            .cloned()
            .collect();
        for uid in gone {
            self.remove(&uid);
        }
    }
}

fn lock(pods: &Mutex<Pods>) -> MutexGuard<'_, Pods> {
    pods.lock().unwrap_or_else(PoisonError::into_inner)
}

fn uid(pod: &Pod) -> String {
    pod.metadata.uid.clone().unwrap_or_default()
}

/// Where its service listens, once kwok has given it an address.
fn address(pod: &Pod) -> Option<SocketAddr> {
    let ip: IpAddr = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
    let containers = pod.spec.as_ref().map_or(&[][..], |spec| &spec.containers);
    let declared = containers
        .iter()
        .flat_map(|container| container.ports.iter().flatten())
        .find_map(|port| u16::try_from(port.container_port).ok());
    Some(SocketAddr::new(ip, declared.unwrap_or(PORT)))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}

/// The tag of its first container's image.
fn tag(pod: &Pod) -> String {
    let containers = pod.spec.as_ref().map_or(&[][..], |spec| &spec.containers);
    let image = containers
        .first()
        .and_then(|container| container.image.as_deref());
    image
        .and_then(|image| image.rsplit_once(':'))
        .map(|(_, tag)| tag.to_owned())
        .unwrap_or_default()
}
