//! Where journals are: in a file, or in `ConfigMaps`, one pair for each shard of the targets.

use std::path::PathBuf;

use super::parts::Outside;
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
pub(super) fn journal(settings: &Settings, outside: &Outside) -> Place {
    match journals(settings, &outside.namespace).into_iter().next() {
        None => Place::File(settings.journal.clone()),
        Some(place) => Place::Shard {
            client: outside.client.clone(),
            place,
        },
    }
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
