//! What is said back to the cluster: the status of documents, and Kubernetes Events.

use std::sync::Arc;

use kube::Client;
use recant_core::record::Record;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::documents::Documents;
use crate::agent::{Observer, Parts};
use crate::cluster::kubernetes::events::Events;
use crate::cluster::kubernetes::lease::{self, Term};
use crate::config::settings::Settings;
use crate::http::Ops;
use crate::journal::read::read;
use crate::resources::{History, Teller};

/// Begins to say it; from now on the agent's observer is heard. `None`: nothing is to be said.
pub(super) async fn begin(
    settings: &Settings,
    parts: &mut Parts,
    documents: Option<&Documents>,
    client: &Client,
    term: &Term,
    ops: &Ops,
    stop: &CancellationToken,
) -> Option<JoinHandle<()>> {
    if documents.is_none() && !settings.events {
        return None;
    }
    let events = settings
        .events
        .then(|| Events::start(client.clone(), lease::identity(), stop.child_token()));
    let history = match documents {
        // A journal in the cluster is not read a second time: what statuses say of the past stays as it is there.
        Some(_) if settings.shards == 0 => history(settings).await,
        Some(_) | None => History::default(),
    };
    let loaded = match documents {
        Some(documents) => documents.loaded(),
        None => watch::channel(Arc::default()).1,
    };
    let store = documents.map(|documents| documents.store().clone());
    let term = term.clone();
    let inner = std::mem::replace(&mut parts.observer, Box::new(Deaf));
    let (teller, told) = Teller::new(
        inner,
        store,
        ops.clone(),
        loaded,
        events,
        history,
        move || term.holds(),
    );
    parts.observer = Box::new(told);
    Some(tokio::spawn(teller.run(stop.clone())))
}

/// What was judged and done, by the journal. What cannot be read of it is missing in a status, and in nothing else.
async fn history(settings: &Settings) -> History {
    let path = settings.journal.clone();
    let folded = tokio::task::spawn_blocking(move || {
        let mut history = History::default();
        for entry in read::<Record>(&path)? {
            let entry = entry?;
            history.apply(entry.at, &entry.record);
        }
        Ok::<_, crate::journal::JournalError>(history)
    });
    match folded.await {
        Ok(Ok(history)) => history,
        Ok(Err(error)) => {
            tracing::warn!("the last verdicts and actions are not in statuses: {error}");
            History::default()
        }
        Err(_) => History::default(),
    }
}

/// Stands in for a moment.
#[derive(Debug)]
struct Deaf;

impl Observer for Deaf {
    fn ticked(&mut self, _: &crate::agent::Ticked<'_>) {}
    fn gathered(&mut self, _: &crate::agent::Gathered) {}
    fn journal_failing(&mut self, _: &crate::journal::JournalError) {}
}
