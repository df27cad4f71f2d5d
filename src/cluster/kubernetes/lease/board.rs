//! The Leases of all replicas and shards as somebody who only looks on sees them: who holds each, and who has gone silent.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::time::Instant;

use crate::cluster::ClusterError;
use crate::cluster::kubernetes::api::Call;

/// Leases whose names begin with the same words.
pub struct Board {
    api: Api<LeaseObject>,
    namespace: String,
    prefix: String,
    standing: BTreeMap<String, Standing>,
}

/// One Lease as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Empty: nobody.
    pub holder: String,
    /// Changes with every renewal,
    pub version: String,
    /// and was seen first then.
    pub since: Instant,
    duration: Duration,
}

impl Standing {
    /// Whether anybody may take it now: it was given back, or its holder has been silent for its whole time.
    pub fn is_free(&self) -> bool {
        self.holder.is_empty() || self.since.elapsed() >= self.duration
    }
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Board")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Board {
    /// Nothing is asked yet.
    pub fn new(client: Client, namespace: &str, prefix: String) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            prefix,
            standing: BTreeMap::new(),
        }
    }

    /// Looks again. One call; `at_least`: how long a holder may be silent, whatever its Lease says.
    ///
    /// # Errors
    /// No right, or no answer within the deadline: what was seen before stays.
    pub async fn look(
        &mut self,
        at_least: Duration,
    ) -> Result<&BTreeMap<String, Standing>, ClusterError> {
        let call = Call {
            verb: "list",
            resource: "leases.coordination.k8s.io".to_owned(),
            namespace: &self.namespace,
        };
        let params = ListParams::default();
        let found = call.answer(self.api.list(&params)).await?;
        let now = Instant::now();
        let mut standing = BTreeMap::new();
        for lease in found.into_iter().flatten() {
            let name = lease.metadata.name.unwrap_or_default();
            if !name.starts_with(&self.prefix) {
                continue;
            }
            let version = lease.metadata.resource_version.unwrap_or_default();
            let since = match self.standing.get(&name) {
                Some(before) if before.version == version => before.since,
                Some(_) | None => now,
            };
            let spec = lease.spec.unwrap_or_default();
            let seconds = spec.lease_duration_seconds.unwrap_or(0);
            let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).max(at_least);
            let seen = Standing {
                holder: spec.holder_identity.unwrap_or_default(),
                version,
                since,
                duration,
            };
            standing.insert(name, seen);
        }
        self.standing = standing;
        Ok(&self.standing)
    }
}
