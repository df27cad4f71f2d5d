//! The acting replica: looks at what all shards show, and grants what the guards over all targets allow. And what every
//! replica hears of it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{SelectAll, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::watch_object;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use recant_core::guard::GuardSettings;
use recant_core::share::{Shown, grants};

use crate::agent;
use crate::cluster::kubernetes::lease::{LeaseState, Term};
use crate::journal::JournalError;
use crate::journal::acting::{ActingBoard, Published};
use crate::journal::shard::{ShardPlace, shown};

/// What only time changes, as an action that becomes an hour old, is looked at this often.
const EVERY: Duration = Duration::from_secs(1);
/// After a failure.
const AGAIN: Duration = Duration::from_millis(500);

/// Where the shards and the acting replica meet.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) namespace: String,
    pub(super) acting: String,
    pub(super) journals: Vec<ShardPlace>,
}

/// Grants, whenever the acting Lease is held.
pub(super) async fn act(
    client: kube::Client,
    places: Places,
    guards: watch::Receiver<GuardSettings>,
    lease: watch::Receiver<LeaseState>,
    stop: CancellationToken,
) {
    loop {
        let Some(term) = Term::of(&lease) else {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(100)) => continue,
            }
        };
        tracing::info!("this replica lets the others act from now on");
        tokio::select! {
            () = stop.cancelled() => return,
            () = term.ended() => tracing::info!("this replica lets the others act no more"),
            error = grant(&client, &places, &guards, &term) => {
                tracing::warn!("the acting replica cannot grant anything, and tries again: {error}");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Ends only with a failure.
async fn grant(
    client: &kube::Client,
    places: &Places,
    guards: &watch::Receiver<GuardSettings>,
    term: &Term,
) -> String {
    let board = ActingBoard::open(client, &places.namespace, &places.acting).await;
    let mut board = match board {
        Ok(board) => board,
        Err(error) => return error.to_string(),
    };
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &places.namespace);
    let mut logs = SelectAll::new();
    for (shard, place) in (0..).zip(&places.journals) {
        let seen = watch_object(api.clone(), &place.log_name()).default_backoff();
        logs.push(seen.map(move |found| (shard, found)).boxed());
    }
    let mut shards: BTreeMap<u32, Shown> = BTreeMap::new();
    let mut every = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            Some((shard, found)) = logs.next() => match found {
                Ok(found) => {
                    let data = found.and_then(|log| log.data).unwrap_or_default();
                    shards.insert(shard, shown(&data));
                }
                Err(error) => tracing::debug!("watching the journal of shard {shard}: {error}"),
            },
            _ = every.tick() => {}
        }
        // What a shard counts is not known before it was seen once.
        if shards.len() < places.journals.len() || !term.holds() {
            continue;
        }
        let settings = guards.borrow().clone();
        let granted = grants(
            Timestamp::now(),
            &settings,
            &shards,
            &board.published().granted,
        );
        let published = Published::of(&shards, granted);
        match board.publish(published).await {
            Ok(()) => {}
            Err(error @ JournalError::Disturbed { .. }) => return agent::with_causes(&error),
            Err(error) => tracing::warn!(
                "what is granted could not be told, and is told again: {}",
                agent::with_causes(&error)
            ),
        }
    }
}

/// Keeps what the acting replica says current; `None` before it was heard.
pub(super) async fn hear(
    client: kube::Client,
    places: Places,
    said: watch::Sender<Option<Published>>,
) {
    let api: Api<ConfigMap> = Api::namespaced(client, &places.namespace);
    let mut seen = watch_object(api, &places.acting).default_backoff().boxed();
    while let Some(found) = seen.next().await {
        match found {
            Ok(Some(object)) => {
                said.send_replace(Some(Published::read(&object.data.unwrap_or_default())));
            }
            Ok(None) => {}
            Err(error) => tracing::debug!("watching what the acting replica says: {error}"),
        }
    }
}
