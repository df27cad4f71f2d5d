//! Custom resources of a running agent: watched, put beside the files, and held back where the agent lacks rights.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kube::Client;
use recant_core::ids::WatchName;
use recant_core::rule::{RuleBook, SecretRef};
use recant_core::share::shard_of;
use recant_core::spec::{ResourceKey, ResourceKind, SourceFile};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::needs;
use super::places::Share;
use crate::cluster::kubernetes::resources::{ResourceStore, Where};
use crate::cluster::kubernetes::{Granted, Missing};
use crate::config::rules;
use crate::config::settings::Settings;
use crate::http::Ops;
use crate::resources::{Loaded, Loader};

/// Between two looks at rights that are missing.
const AGAIN: Duration = Duration::from_secs(10);
/// What was not listed by then is waited for beside: what the files say must not wait for it.
const LISTED: Duration = Duration::from_secs(30);

/// The documents of the cluster.
pub(super) struct Documents {
    loader: Loader,
    granted: Granted,
    client: Client,
    namespace: String,
    loaded: watch::Sender<Arc<Loaded>>,
    /// Whose documents this engine speaks about.
    share: Share,
    /// Since when documents are held back for lack of rights, which may be granted without any document changing.
    held_back: Option<Instant>,
}

impl Documents {
    /// Begins to watch, and waits until everything was listed, or for [`LISTED`]. Safe to cancel.
    pub(super) async fn open(
        settings: &Settings,
        client: &Client,
        namespace: &str,
        share: Share,
        ops: &Ops,
        stop: &CancellationToken,
    ) -> Option<Self> {
        let places = places(settings, namespace)?;
        let store = ResourceStore::start(client.clone(), &places, stop);
        let begun = Instant::now();
        let mut said = String::new();
        while let Err(reason) = store.synced() {
            ops.health.ticked();
            ops.readiness.block("resources", reason.clone());
            if begun.elapsed() > LISTED {
                tracing::error!(
                    "custom resources are not known yet, so only what is in files is watched: {reason}"
                );
                break;
            }
            if reason.contains("not allowed") || reason.contains("does not know") {
                if reason != said {
                    tracing::error!("custom resources cannot be read: {reason}");
                }
                said = reason;
            }
            sleep(Duration::from_millis(100)).await;
        }
        Some(Self {
            loader: Loader::new(store, namespace),
            granted: Granted::default(),
            client: client.clone(),
            namespace: namespace.to_owned(),
            loaded: watch::channel(Arc::default()).0,
            share,
            held_back: None,
        })
    }

    pub(super) fn store(&self) -> &Arc<ResourceStore> {
        self.loader.store()
    }

    /// What was loaded last.
    pub(super) fn loaded(&self) -> watch::Receiver<Arc<Loaded>> {
        self.loaded.subscribe()
    }

    /// Whether documents have changed since they were loaded, or are to be looked at again.
    pub(super) fn have_changed(&self) -> bool {
        let again = self.held_back.is_some_and(|since| since.elapsed() > AGAIN);
        let changed = self.store().version() != self.loaded.borrow().version;
        self.store().synced().is_ok() && (changed || again)
    }

    /// Says in readiness whether the watches work.
    pub(super) fn report(&self, ops: &Ops) {
        let faults: Vec<String> = self
            .store()
            .watches()
            .into_iter()
            .filter_map(|watch| watch.error)
            .collect();
        if faults.is_empty() && self.store().synced().is_ok() {
            ops.readiness.clear("resources");
        } else if !faults.is_empty() {
            ops.readiness.block("resources", faults.join("; "));
        }
    }

    /// All documents beside these files, which are without errors; without those for which the agent lacks rights.
    ///
    /// # Errors
    /// The API server does not say what the agent may do.
    pub(super) async fn load(
        &mut self,
        settings: &Settings,
        files: &[SourceFile],
    ) -> anyhow::Result<RuleBook> {
        let loader = &mut self.loader;
        let mut loaded = tokio::task::block_in_place(|| loader.load(files, rules::merge));
        let others = others(&loaded, self.share);
        let all = needs(settings, &loaded.book, &self.namespace);
        let missing = self
            .granted
            .missing(&self.client, &all)
            .await
            .context("asking the API server what this agent may do")?;
        self.held_back = (!missing.is_empty()).then(Instant::now);
        if !missing.is_empty() {
            hold_back(settings, &self.namespace, &missing, &mut loaded);
        }
        let book = loaded.book.clone();
        loaded.standings.retain(|key, _| !others.contains(key));
        self.loaded.send_replace(Arc::new(loaded));
        Ok(book)
    }
}

/// Where documents are looked for; `None`: nowhere. The agent's own namespace is always among them: what lies there is for
/// all.
pub(in crate::cli) fn places(settings: &Settings, namespace: &str) -> Option<Where> {
    let resources = &settings.resources;
    if !resources.enabled {
        return None;
    }
    if resources.namespaces.is_empty() {
        return Some(Where::Everywhere);
    }
    let mut namespaces: BTreeSet<String> = resources.namespaces.iter().cloned().collect();
    namespaces.insert(namespace.to_owned());
    Some(Where::In(namespaces.into_iter().collect()))
}

/// Documents that the engines of other shards speak about: a watch belongs to the shard of its target, and what belongs to
/// no target to the first one.
fn others(loaded: &Loaded, share: Share) -> BTreeSet<ResourceKey> {
    let of_watch: BTreeMap<&WatchName, u32> = loaded
        .book
        .watches
        .iter()
        .map(|watch| (&watch.name, shard_of(&watch.target, share.shards)))
        .collect();
    let owner = |key: &ResourceKey| match key.kind {
        ResourceKind::Watch => {
            let name = WatchName {
                namespace: key.namespace.clone(),
                name: key.name.clone(),
            };
            of_watch.get(&name).copied().unwrap_or(0)
        }
        ResourceKind::RuleSet | ResourceKind::Channel | ResourceKind::Runbook => 0,
    };
    let keys = loaded.standings.keys();
    keys.filter(|key| owner(key) != share.shard)
        .cloned()
        .collect()
}

/// Takes the watches out of the book for which rights are missing, and says so of these documents.
fn hold_back(settings: &Settings, namespace: &str, missing: &[Missing], loaded: &mut Loaded) {
    let Loaded {
        version: _,
        book,
        standings,
    } = loaded;
    let lacking = |part: RuleBook| -> Vec<String> {
        let wanted = needs(settings, &part, namespace);
        missing
            .iter()
            .filter(|missing| wanted.include(missing))
            .map(ToString::to_string)
            .collect()
    };
    let key = |kind, namespace: &str, name: &str| ResourceKey {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let mut note = |key: ResourceKey, lacking: Vec<String>| {
        let standing = standings.get_mut(&key).filter(|_| !lacking.is_empty());
        standing
            .map(|standing| standing.lacking = lacking)
            .is_some()
    };
    book.watches.retain(|watch| {
        let part = RuleBook {
            watches: vec![watch.clone()],
            ..RuleBook::default()
        };
        let name = &watch.name;
        !note(
            key(ResourceKind::Watch, &name.namespace, &name.name),
            lacking(part),
        )
    });
    book.on_request.retain(|asked| {
        let part = RuleBook {
            on_request: vec![asked.clone()],
            ..RuleBook::default()
        };
        let name = asked.name();
        !note(
            key(ResourceKind::Watch, &name.namespace, &name.name),
            lacking(part),
        )
    });
    for (name, channel) in &book.channels {
        let part = RuleBook {
            channels: [(name.clone(), channel.clone())].into(),
            ..RuleBook::default()
        };
        let of_secret = channel.secrets().find_map(|secret| match secret {
            SecretRef::KubernetesSecret { namespace, .. } => namespace.as_deref(),
            SecretRef::Env(_) | SecretRef::File(_) => None,
        });
        if let Some(owner) = of_secret {
            let name = name.as_str();
            let name = name.split_once('/').map_or(name, |(_, name)| name);
            note(key(ResourceKind::Channel, owner, name), lacking(part));
        }
    }
}
