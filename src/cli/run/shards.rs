//! Several replicas that divide the targets among them: each shard of the targets has a Lease, a journal, and an engine
//! wherever that Lease is held. Replicas count each other by Leases too, so that each takes its share; one that comes gets
//! some, and those of one that is lost are taken over within the time of the Lease.

mod desk;
mod engine;
mod merge;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use recant_core::rule::RuleBook;

use super::{Around, acting, check_access, places};
use crate::cluster::kubernetes;
use crate::cluster::kubernetes::lease::{self, Lease};
use crate::config::settings::Settings;
use crate::http::Ops;
use crate::http::metrics::Metrics;
use crate::journal::shard::{self, ShardError, ShardPlace};

use desk::Desk;
use merge::Merged;

/// Between two looks at what goes on here.
const EVERY: Duration = Duration::from_millis(100);

/// Works on as many shards as are this replica's share, until it is told to stop.
pub(super) async fn lead(
    settings: &Settings,
    book: &RuleBook,
    metrics: &Metrics,
    ops: &Ops,
    stop: &CancellationToken,
    around: Around,
) -> anyhow::Result<ExitCode> {
    let client = kubernetes::connect().await?;
    let namespace = settings
        .lease
        .namespace
        .clone()
        .unwrap_or_else(|| client.default_namespace().to_owned());
    check_access(&client, settings, book, &namespace).await?;
    check_layout(&client, &places::journals(settings, &namespace)).await?;
    if around.spans.is_some() {
        tracing::warn!("with `replicas.shards` above 1 nothing is traced");
    }
    let meeting = acting::Places {
        namespace: namespace.clone(),
        acting: places::acting(settings),
        journals: places::journals(settings, &namespace),
    };
    let acting_stop = CancellationToken::new();
    let acting_lease = Lease::start(
        client.clone(),
        lease::LeaseSettings {
            namespace: namespace.clone(),
            name: settings.lease.name.clone(),
            identity: lease::identity(),
            duration: settings.lease.duration,
        },
        &acting_stop,
    );
    let (guards, guards_now) = watch::channel(settings.guards.clone());
    let acting = tokio::spawn(acting::act(
        client.clone(),
        meeting.clone(),
        guards_now,
        acting_lease.state(),
        stop.clone(),
    ));
    let (said, heard) = watch::channel(None);
    let hearing = acting::hear(client.clone(), meeting, said);
    let _hearing = AbortOnDropHandle::new(tokio::spawn(hearing));

    let merged = Arc::new(Merged::new(settings.shards, metrics.clone(), ops.clone()));
    let finding = merged.clone();
    ops.finder.set(move |naming| finding.find(naming));
    let merging = tokio::spawn(merged.clone().run(stop.clone()));
    let routing = tokio::spawn(merged.clone().route(around.reports, stop.clone()));
    let ordering = tokio::spawn(merged.clone().order(around.orders, stop.clone()));
    ops.readiness.started();

    let mut desk = Desk::new(
        engine::Common {
            client,
            namespace,
            settings: settings.clone(),
            book: book.clone(),
            good: around.files.good.clone(),
            metrics: metrics.clone(),
            merged,
            heard,
            guards: Arc::new(guards),
            files: around.files.origin(),
            hangup: around.hangup,
            kayenta: around.kayenta,
            links: around.links,
        },
        lease::identity(),
    );
    let mut every = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = every.tick() => desk.tend().await,
        }
        if acting_lease.holds() {
            metrics.work.leads();
        } else {
            metrics.work.follows();
        }
    }
    desk.close().await;
    // They only report by now.
    drop(tokio::join!(acting, merging, routing, ordering));
    acting_stop.cancel();
    acting_lease.released().await;
    Ok(ExitCode::SUCCESS)
}

/// Before any engine begins: a journal that is one of another number of shards holds what would be lost to the others.
async fn check_layout(client: &kube::Client, places: &[ShardPlace]) -> Result<(), ShardError> {
    for place in places {
        // What else is wrong with it the engine of that shard says, and waits where that helps.
        if let Err(error @ ShardError::OtherLayout { .. }) = shard::check(client, place).await {
            return Err(error);
        }
    }
    Ok(())
}
