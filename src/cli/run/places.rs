//! Where journals are: in a file, or in `ConfigMaps`, one pair for each shard of the targets.

use std::path::PathBuf;

use recant_core::rule::RuleBook;
use recant_core::share::shard_of;

use crate::config::settings::Settings;
use crate::journal::shard::ShardPlace;

/// Where the journal of one engine is.
#[derive(Clone)]
pub(super) enum Place {
    File(PathBuf),
    Shard {
        client: kube::Client,
        place: ShardPlace,
    },
}

/// The journal of the one engine of this process.
pub(super) fn journal(settings: &Settings, client: &kube::Client, namespace: &str) -> Place {
    match journals(settings, namespace).into_iter().next() {
        None => Place::File(settings.journal.clone()),
        Some(place) => Place::Shard {
            client: client.clone(),
            place,
        },
    }
}

/// Which of the watches are one engine's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) shard: u32,
    pub(super) shards: u32,
}

impl Share {
    /// All of them.
    pub(super) const WHOLE: Self = Self {
        shard: 0,
        shards: 1,
    };

    /// The rules with these watches alone.
    pub(super) fn book(self, mut book: RuleBook) -> RuleBook {
        book.watches
            .retain(|watch| shard_of(&watch.target, self.shards) == self.shard);
        book
    }
}

/// The `ConfigMap` in which the acting replica tells what it grants.
pub(super) fn acting(settings: &Settings) -> String {
    format!("{}-acting", settings.lease.name)
}

/// The journals of all shards; none: there is one journal, in a file.
pub(super) fn journals(settings: &Settings, namespace: &str) -> Vec<ShardPlace> {
    (0..settings.shards)
        .map(|shard| ShardPlace {
            namespace: namespace.to_owned(),
            name: format!("{}-shard-{shard}", settings.lease.name),
            shards: settings.shards,
        })
        .collect()
}

/// The Leases of shards and replicas; none, where one replica works.
pub(super) fn divided(settings: &Settings) -> Vec<String> {
    let name = &settings.lease.name;
    let all = (0..settings.shards).filter(|_| settings.shards > 1);
    all.flat_map(|number| ["shard", "replica"].map(|kind| format!("{name}-{kind}-{number}")))
        .collect()
}
