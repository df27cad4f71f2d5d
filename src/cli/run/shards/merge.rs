//! One picture of all engines of a process: what its ports show, and to which engine a report goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use recant_core::command::{self, CommandOutcome};
use recant_core::hook::Hook;
use recant_core::ids::TargetId;
use recant_core::share::shard_of;
use recant_core::snapshot::Snapshot;
use recant_core::target::naming::{Named, Naming};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::agent::show_numbers;
use crate::http::Ops;
use crate::http::health::{Health, Readiness};
use crate::http::metrics::Metrics;
use crate::http::orders::{self, Answer, Order, Orders};
use crate::http::reports::{self, NotTaken, Reported, Reports};

/// Between two pictures.
const EVERY: Duration = Duration::from_millis(250);
/// As long as a single engine may stand still.
const STUCK: Duration = Duration::from_mins(1);

/// What an engine shows, and where its reports go.
struct Part {
    ops: Ops,
    reports: Reports,
    orders: Orders,
}

/// The engines of this process, by shard.
pub(super) struct Merged {
    shards: u32,
    metrics: Metrics,
    ops: Ops,
    parts: Mutex<BTreeMap<u32, Part>>,
    failed: Mutex<BTreeMap<u32, String>>,
}

impl Merged {
    pub(super) fn new(shards: u32, metrics: Metrics, ops: Ops) -> Self {
        Self {
            shards,
            metrics,
            ops,
            parts: Mutex::default(),
            failed: Mutex::default(),
        }
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<u32, Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<u32, String>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An engine begins: what it shows itself on, and what is reported to it.
    pub(super) fn begin(
        &self,
        shard: u32,
    ) -> (Ops, mpsc::Receiver<Reported>, mpsc::Receiver<Order>) {
        let (reports, reported) = reports::queue();
        let (orders, ordered) = orders::queue();
        let ops = Ops {
            health: Arc::new(Health::new(STUCK)),
            readiness: Arc::new(Readiness::default()),
            registry: self.ops.registry.clone(),
            snapshot: Arc::default(),
            view: Arc::default(),
            finder: Arc::default(),
        };
        let part = Part {
            ops: ops.clone(),
            reports,
            orders,
        };
        self.parts().insert(shard, part);
        self.failures().remove(&shard);
        (ops, reported, ordered)
    }

    pub(super) fn end(&self, shard: u32) {
        self.parts().remove(&shard);
    }

    /// The engine of a shard ended by a failure: readiness says so until it works here or elsewhere.
    pub(super) fn failed(&self, shard: u32, reason: String) {
        self.end(shard);
        self.failures().insert(shard, reason);
    }

    /// Whether a release is being judged or taken back in this shard.
    pub(super) fn is_busy(&self, shard: u32) -> bool {
        let view = self.parts().get(&shard).map(|part| part.ops.view.clone());
        view.and_then(|view| view.load().ok())
            .is_some_and(|snapshot| {
                let busy = |target: &recant_core::snapshot::TargetSnapshot| {
                    target.analysis.is_some() || target.plan.is_some() || target.verifying
                };
                snapshot.targets.iter().any(busy)
            })
    }

    /// Says on the ports that others know more; `None`: this replica has something to show.
    pub(super) fn elsewhere(&self, who: Option<String>) {
        self.ops.view.elsewhere(who);
    }

    /// The workloads that are meant, of all shards here.
    pub(super) fn find(&self, naming: &Naming) -> Result<Vec<Named>, String> {
        let finders: Vec<_> = self
            .parts()
            .values()
            .map(|part| part.ops.finder.clone())
            .collect();
        let mut found: Vec<Named> = Vec::new();
        let mut error = Some("this replica has no targets now".to_owned());
        for finder in finders {
            match finder.find(naming) {
                Ok(named) => {
                    error = None;
                    for named in named {
                        if !found.contains(&named) {
                            found.push(named);
                        }
                    }
                }
                Err(reason) => error = error.map(|_| reason),
            }
        }
        error.map_or(Ok(found), Err)
    }

    /// Keeps the picture current.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut every = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => self.show(),
            }
        }
    }

    fn show(&self) {
        let parts: Vec<(u32, Ops)> = self
            .parts()
            .iter()
            .map(|(shard, part)| (*shard, part.ops.clone()))
            .collect();
        if parts.iter().all(|(_, ops)| ops.health.check().is_ok()) {
            self.ops.health.ticked();
        }
        let mut reasons: Vec<String> = Vec::new();
        for (shard, ops) in &parts {
            let of_shard = ops.readiness.reasons();
            reasons.extend(
                of_shard
                    .into_iter()
                    .map(|(part, reason)| format!("shard {shard}, {part}: {reason}")),
            );
        }
        for (shard, reason) in &*self.failures() {
            reasons.push(format!("shard {shard}: {reason}"));
        }
        if reasons.is_empty() {
            self.ops.readiness.clear("shards");
        } else {
            self.ops.readiness.block("shards", reasons.join("; "));
        }
        let pictures: Vec<Arc<Snapshot>> = parts
            .iter()
            .filter_map(|(_, ops)| ops.view.load().ok())
            .collect();
        if let Some(snapshot) = merged(&pictures) {
            show_numbers(&self.metrics, &snapshot);
            let snapshot = Arc::new(snapshot);
            self.ops.view.store(snapshot.clone());
            self.ops.snapshot.store(snapshot);
        }
    }

    /// Hands reports on: those about a target to its shard, all others to every shard here.
    pub(super) async fn route(
        self: Arc<Self>,
        mut reports: mpsc::Receiver<Reported>,
        stop: CancellationToken,
    ) {
        loop {
            let reported = tokio::select! {
                () = stop.cancelled() => return,
                reported = reports.recv() => match reported {
                    Some(reported) => reported,
                    None => return,
                },
            };
            let Reported { hooks, durable } = reported;
            let mut by_shard: Vec<(Reports, Vec<Hook>)> = Vec::new();
            let mut missing = false;
            {
                let parts = self.parts();
                for (shard, part) in &*parts {
                    let own = |hook: &&Hook| self.of(hook).is_none_or(|of| of == *shard);
                    let hooks: Vec<Hook> = hooks.iter().filter(own).cloned().collect();
                    if !hooks.is_empty() {
                        by_shard.push((part.reports.clone(), hooks));
                    }
                }
                for hook in &hooks {
                    missing |= self
                        .of(hook)
                        .map_or(parts.is_empty(), |of| !parts.contains_key(&of));
                }
            }
            tokio::spawn(async move {
                // Somebody else has the shard: the report comes again, perhaps to that one.
                let mut taken = if missing {
                    Err(NotTaken::Elsewhere)
                } else {
                    Ok(())
                };
                for (reports, hooks) in by_shard {
                    taken = reports.submit(hooks).await.and(taken);
                }
                // Nobody may wait any more.
                durable.send(taken).unwrap_or_default();
            });
        }
    }

    /// Hands what people order on to the engine whose target it is about.
    pub(super) async fn order(
        self: Arc<Self>,
        mut orders: mpsc::Receiver<Order>,
        stop: CancellationToken,
    ) {
        loop {
            let order = tokio::select! {
                () = stop.cancelled() => return,
                order = orders.recv() => match order {
                    Some(order) => order,
                    None => return,
                },
            };
            let Order { given, answer } = order;
            match self.whose(&given.command.order) {
                Ok(orders) => {
                    tokio::spawn(async move {
                        // Without an answer it came to nothing in time, and whoever waits is told so.
                        if let Ok(answered) = orders.give(given).await {
                            answer.send(answered).unwrap_or_default();
                        }
                    });
                }
                Err(reason) => {
                    let refused = Answer {
                        outcome: CommandOutcome::Refused { reason },
                        writes: Vec::new(),
                    };
                    answer.send(refused).unwrap_or_default();
                }
            }
        }
    }

    fn whose(&self, order: &command::Order) -> Result<Orders, String> {
        let parts = self.parts();
        let waits = |ops: &Ops, plan| {
            let snapshot = ops.view.load().ok();
            snapshot.is_some_and(|snapshot| {
                let mut approvals = snapshot.approvals.iter();
                approvals.any(|approval| approval.plan == plan)
            })
        };
        let found = match (order, order.target()) {
            (_, Some(target)) => parts.get(&shard_of(target, self.shards)),
            (command::Order::Approve { plan }, None) => {
                let mut parts = parts.values();
                parts.find(|part| waits(&part.ops, plan.clone()))
            }
            (_, None) => {
                return Err(
                    "with `replicas.shards` above 1 each replica knows its own targets only: freeze one target at a \
                     time, or set `guards.freeze` or `killSwitch` in the settings, which holds for all"
                        .to_owned(),
                );
            }
        };
        found.map(|part| part.orders.clone()).ok_or_else(|| {
            "another replica works on this target: ask that one (the Leases say which shard is whose)".to_owned()
        })
    }

    /// Whose a report is; `None`: everybody's.
    fn of(&self, hook: &Hook) -> Option<u32> {
        let of = |target: &TargetId| Some(shard_of(target, self.shards));
        match hook {
            Hook::Alert(_) => None,
            Hook::Marker(marker) => of(&marker.target),
            Hook::Wanted { target, by: _ } => of(target),
        }
    }
}

/// All pictures as one; `None` without any.
fn merged(pictures: &[Arc<Snapshot>]) -> Option<Snapshot> {
    let (first, rest) = pictures.split_first()?;
    let mut all = Snapshot::clone(first);
    for picture in rest {
        let Snapshot {
            at,
            targets,
            lost_sources,
            pending_notices,
            alerts,
            silences,
            approvals,
            held_notices,
            // The same for all.
            on_request: _,
            room,
        } = &**picture;
        all.at = all.at.max(*at);
        all.targets.extend(targets.iter().cloned());
        all.pending_notices += pending_notices;
        let lost = |source| !all.lost_sources.iter().any(|lost| lost.source == source);
        let new: Vec<_> = lost_sources
            .iter()
            .filter(|new| lost(new.source))
            .cloned()
            .collect();
        all.lost_sources.extend(new);
        for alert in alerts {
            if !all.alerts.contains(alert) {
                all.alerts.push(alert.clone());
            }
        }
        for silence in silences {
            if !all.silences.contains(silence) {
                all.silences.push(silence.clone());
            }
        }
        all.approvals.extend(approvals.iter().cloned());
        all.held_notices.extend(held_notices.iter().cloned());
        all.room.taken += room.taken;
        all.room.most += room.most;
        all.room.free |= room.free;
    }
    all.targets.sort_by(|a, b| a.target.cmp(&b.target));
    Some(all)
}
