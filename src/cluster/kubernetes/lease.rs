//! The acting Lease: of all replicas only its holder starts steps (P6).
//!
//! The holder stops acting before anybody else may begin: it counts from the *start* of its last renewal that worked,
//! by its monotonic clock, and gives itself two thirds of the duration; others wait for the whole of it, from when they
//! last saw the Lease change, by theirs. No clock of one machine is compared with that of another.

mod board;
mod term;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease as LeaseObject, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::api::Call;
use crate::cluster::ClusterError;

pub use board::{Board, Standing};
pub use term::{LeaseState, Term, holds};

/// A Lease counts in whole seconds, and a third of it must leave time for an answer.
const SHORTEST: Duration = Duration::from_secs(3);

/// How a Lease is taken and kept.
#[derive(Debug, Clone)]
pub struct LeaseSettings {
    pub namespace: String,
    pub name: String,
    /// Different for every process that may run at the same time: see [`identity`].
    pub identity: String,
    /// How long others wait for a holder that went silent; less than 3 s is 3 s. It is renewed three times as often.
    pub duration: Duration,
}

/// A Lease that is taken as soon as it can be, kept, and given back at the end.
#[derive(Debug)]
pub struct Lease {
    state: watch::Receiver<LeaseState>,
    task: JoinHandle<()>,
}

/// Name of the pod or host, and the process id: a container that starts again in its pod is the same holder.
pub fn identity() -> String {
    let host = ["POD_NAME", "HOSTNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .unwrap_or_else(|| "recant".to_owned());
    format!("{}_{}", host.trim(), std::process::id())
}

impl Lease {
    /// Begins to compete for the Lease; `stop` gives it back.
    ///
    /// Cancel `stop` only when the last step has ended: until then nobody else may act.
    pub fn start(client: Client, settings: LeaseSettings, stop: &CancellationToken) -> Self {
        Self::start_knowing(client, settings, None, stop)
    }

    /// The same for somebody who has looked on: a holder that has been silent for so long already need not be waited for
    /// once more.
    pub fn start_knowing(
        client: Client,
        mut settings: LeaseSettings,
        seen: Option<&Standing>,
        stop: &CancellationToken,
    ) -> Self {
        settings.duration = settings.duration.max(SHORTEST);
        let waiting = LeaseState::Waiting {
            reason: "not asked for yet".to_owned(),
        };
        let (sender, state) = watch::channel(waiting);
        let candidate = Candidate {
            api: Api::namespaced(client, &settings.namespace),
            settings,
            own: None,
            seen: seen.map(|seen| (seen.version.clone(), seen.since)),
            written: None,
            term: 0,
        };
        let task = tokio::spawn(candidate.run(sender, stop.clone()));
        Self { state, task }
    }

    /// Whether this process may start a step now.
    pub fn holds(&self) -> bool {
        holds(&self.state)
    }

    /// The state as it changes. [`LeaseState::Held`] runs out by itself: use [`holds`] to ask.
    pub fn state(&self) -> watch::Receiver<LeaseState> {
        self.state.clone()
    }

    /// Resolves when the Lease was given back, after `stop` was cancelled.
    pub async fn released(self) {
        // A panic in the task was reported by its own hook; the Lease runs out by itself then.
        drop(self.task.await);
    }
}

struct Candidate {
    api: Api<LeaseObject>,
    settings: LeaseSettings,
    /// The Lease as we wrote it last: it can be renewed without a read.
    own: Option<LeaseObject>,
    /// The version that another holder wrote last, and when we saw it first.
    seen: Option<(String, Instant)>,
    /// How often it had changed hands by our last write.
    written: Option<i32>,
    /// How often it was taken here.
    term: u64,
}

enum Round {
    Held,
    /// By somebody who may be silent for this much longer.
    HeldBy {
        holder: String,
        left: Duration,
    },
}

impl Candidate {
    async fn run(mut self, sender: watch::Sender<LeaseState>, stop: CancellationToken) {
        let third = self.settings.duration / 3;
        loop {
            let begun = Instant::now();
            let round = tokio::select! {
                // Stopping comes first: a renewal would only delay it.
                biased;
                () = stop.cancelled() => break,
                round = timeout(third, self.round()) => round,
            };
            let pause = match round {
                Ok(Ok(Round::Held)) => {
                    // By the state as others see it: it may have run out while this process was stopped.
                    if !holds(&sender.subscribe()) {
                        self.term += 1;
                    }
                    let (until, term) = (begun + 2 * third, self.term);
                    self.tell(&sender, LeaseState::Held { until, term });
                    third
                }
                Ok(Ok(Round::HeldBy { holder, left })) => {
                    let reason = format!("`{holder}` holds it");
                    self.tell(&sender, LeaseState::Waiting { reason });
                    // Looking twice per renewal: a renewal that is seen late makes the takeover late.
                    left.min(third / 2)
                }
                Ok(Err(error)) => self.failed(&sender, error.to_string()),
                Err(_) => {
                    let reason = format!("the API server took more than {} ms", third.as_millis());
                    self.failed(&sender, reason)
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.release(third).await;
        let reason = "given back".to_owned();
        self.tell(&sender, LeaseState::Waiting { reason });
    }

    /// A round that failed: what was held is held until it runs out. Returns how long to wait before the next.
    fn failed(&mut self, sender: &watch::Sender<LeaseState>, reason: String) -> Duration {
        // Whether a write arrived is not known: look before the next.
        self.own = None;
        let held =
            matches!(&*sender.borrow(), LeaseState::Held { until, .. } if Instant::now() < *until);
        if held {
            tracing::debug!(
                lease.name = self.settings.name,
                "renewing the Lease failed: {reason}"
            );
        } else {
            self.tell(sender, LeaseState::Waiting { reason });
        }
        self.settings.duration / 15
    }

    /// The one who asked for the Lease tells people; here a line is only for those who look closer.
    fn tell(&self, sender: &watch::Sender<LeaseState>, state: LeaseState) {
        let LeaseSettings {
            namespace, name, ..
        } = &self.settings;
        let before = sender.send_replace(state.clone());
        match (before, state) {
            (LeaseState::Held { .. }, LeaseState::Held { .. }) => {}
            (_, LeaseState::Held { .. }) => {
                tracing::debug!(
                    lease.namespace = namespace,
                    lease.name = name,
                    "holding the Lease `{namespace}/{name}`: this process acts"
                );
            }
            (before, LeaseState::Waiting { reason }) => {
                if before
                    != (LeaseState::Waiting {
                        reason: reason.clone(),
                    })
                {
                    tracing::debug!(
                        lease.namespace = namespace,
                        lease.name = name,
                        "not holding the Lease `{namespace}/{name}`, so this process does not act: {reason}"
                    );
                }
            }
        }
    }

    async fn round(&mut self) -> Result<Round, ClusterError> {
        if let Some(own) = self.own.take()
            && self.write(own).await?
        {
            return Ok(Round::Held);
        }
        let get = self.call("get").answer(self.api.get(&self.settings.name));
        let Some(found) = get.await? else {
            return self.create().await;
        };
        let spec = found.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        if !holder.is_empty() && holder != self.settings.identity {
            let now = Instant::now();
            let version = found.metadata.resource_version.clone().unwrap_or_default();
            let since = match &self.seen {
                Some((seen, since)) if *seen == version => *since,
                _ => now,
            };
            self.seen = Some((version, since));
            let seconds = spec.lease_duration_seconds.unwrap_or(0);
            let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
                .max(self.settings.duration);
            let left = duration.saturating_sub(now.duration_since(since));
            if !left.is_zero() {
                return Ok(Round::HeldBy { holder, left });
            }
        }
        if self.write(found).await? {
            Ok(Round::Held)
        } else {
            Err(ClusterError::Conflict)
        }
    }

    async fn create(&mut self) -> Result<Round, ClusterError> {
        let lease = LeaseObject {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                namespace: Some(self.settings.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(self.spec(LeaseSpec::default())),
        };
        let created = self
            .call("create")
            .answer(self.api.create(&PostParams::default(), &lease))
            .await?;
        // 404 here: the namespace does not exist.
        let created = created.ok_or_else(|| ClusterError::Rejected {
            reason: format!("there is no namespace `{}`", self.settings.namespace),
        })?;
        self.keep(created);
        Ok(Round::Held)
    }

    /// Writes us into the Lease; `false` when somebody wrote or deleted it meanwhile.
    async fn write(&mut self, mut lease: LeaseObject) -> Result<bool, ClusterError> {
        lease.spec = Some(self.spec(lease.spec.unwrap_or_default()));
        let params = PostParams::default();
        let replace = self.api.replace(&self.settings.name, &params, &lease);
        match self.call("update").answer(replace).await {
            Ok(Some(written)) => {
                self.keep(written);
                self.seen = None;
                Ok(true)
            }
            Ok(None) | Err(ClusterError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Remembers what was written. Clocks may stand still while a machine sleeps: whether somebody else had it in between
    /// is also seen by how often it changed hands.
    fn keep(&mut self, written: LeaseObject) {
        let transitions = written
            .spec
            .as_ref()
            .and_then(|spec| spec.lease_transitions);
        if self.written != transitions {
            self.term += 1;
        }
        self.written = transitions;
        self.own = Some(written);
    }

    fn spec(&self, before: LeaseSpec) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = before.holder_identity.as_ref() == Some(&self.settings.identity);
        let seconds = self.settings.duration.as_secs();
        LeaseSpec {
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
            acquire_time: before.acquire_time.filter(|_| ours).or(Some(now.clone())),
            lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(!ours)),
            renew_time: Some(now),
            ..before
        }
    }

    /// As client-go gives one back: nobody holds it.
    async fn release(&mut self, deadline: Duration) {
        let own = self.own.take();
        let get = self.call("get").answer(self.api.get(&self.settings.name));
        let lease = match own {
            Some(own) => Some(own),
            // A renewal was under way: it may have arrived.
            None => timeout(deadline, get)
                .await
                .ok()
                .and_then(Result::ok)
                .flatten(),
        };
        let ours = |lease: &LeaseObject| {
            let holder = lease
                .spec
                .as_ref()
                .and_then(|spec| spec.holder_identity.as_ref());
            holder == Some(&self.settings.identity)
        };
        let Some(mut lease) = lease.filter(ours) else {
            return;
        };
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        let params = PostParams::default();
        let replace = self.api.replace(&self.settings.name, &params, &lease);
        let released = timeout(deadline, self.call("update").answer(replace)).await;
        if !matches!(released, Ok(Ok(_))) {
            tracing::info!(
                lease.name = self.settings.name,
                "the Lease could not be given back; it runs out after {} s",
                self.settings.duration.as_secs()
            );
        }
    }

    fn call(&self, verb: &'static str) -> Call<'_> {
        Call {
            verb,
            resource: "leases.coordination.k8s.io".to_owned(),
            namespace: &self.settings.namespace,
        }
    }
}
