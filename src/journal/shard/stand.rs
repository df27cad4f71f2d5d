//! How far the chain of a shard's journal goes: for those who check it from outside.

use jiff::Timestamp;
use kube::Client;

use super::texts::{self, Folded};
use super::{ShardError, ShardPlace};

/// What the base and the log of a journal vouch for together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// Number and hash of the record that the base ends with, if it holds any, and of each record of the log behind it.
    pub heads: Vec<(u64, String)>,
    /// When the last record was written.
    pub last: Option<Timestamp>,
}

/// Reads a journal and checks all that can be checked: the digest of the base, and that the log goes on from it, record by
/// record. `None`: there is no journal of a shard.
///
/// # Errors
/// It cannot be read, is of a newer version, was edited, or is something else.
pub async fn stand(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Stand>, ShardError> {
    let place = ShardPlace {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        shards: 0,
    };
    let (mut base, mut log) = place.slots(client);
    // The log first: a base that is written in between has taken it up.
    let lines = log.read().await;
    let lines = lines.map_err(|source| ShardError::Unreadable {
        path: log.path(),
        source,
    })?;
    let texts = base.read().await;
    let texts = texts.map_err(|source| ShardError::Unreadable {
        path: base.path(),
        source,
    })?;
    if !texts::is_base(&texts) {
        return Ok(None);
    }
    let unusable = |source| ShardError::Unusable {
        namespace: namespace.to_owned(),
        names: place.names().join(" "),
        source,
    };
    let heads = Folded::heads(&texts, &lines).map_err(unusable)?;
    let folded = Folded::read(&texts, &lines, 0).map_err(unusable)?;
    Ok(Some(Stand {
        heads,
        last: folded.position.last,
    }))
}
