//! Where a journal is, for the commands that read one.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use kube::Client;

use crate::cluster::kubernetes;
use crate::cluster::kubernetes::config_map::ConfigMapObject;
use crate::journal::shard::{self, Stand};
use crate::journal::{compact, config_map};

/// A journal file, or the state that `recant once`, or the replicas of `recant run`, keep in a `ConfigMap`.
#[derive(Debug, Args)]
pub(super) struct JournalPlace {
    /// The journal file
    #[arg(
        long,
        env = "RECANT_JOURNAL",
        value_name = "FILE",
        default_value = "recant.journal"
    )]
    pub(super) journal: PathBuf,
    /// In place of a file: the `ConfigMap` in which `recant once`, or a shard of `recant run`, keeps its state, with its last records
    #[arg(long, value_name = "NAME")]
    config_map: Option<String>,
    /// Namespace of that `ConfigMap`; without it that of the kubeconfig or the pod
    #[arg(long, value_name = "NAMESPACE", requires = "config_map")]
    namespace: Option<String>,
}

impl JournalPlace {
    /// The state in the `ConfigMap`, with its path; `None`: the journal is a file.
    ///
    /// # Errors
    /// It cannot be read, or no run has written it yet.
    pub(super) fn state(&self) -> anyhow::Result<Option<(String, compact::State)>> {
        self.in_config_map(async |client, namespace, name| {
            let object = ConfigMapObject::new(client.clone(), namespace, name);
            let path = object.path();
            if let Some(state) = shard::look(client, namespace, name).await? {
                return Ok((path, state));
            }
            match config_map::read(&object).await? {
                (Some(_), state) => Ok((path, state)),
                (None, _) => {
                    bail!("there is no ConfigMap {path}: no run has written its state there yet")
                }
            }
        })
    }

    /// How far the chain of a shard's journal goes, with the path of its `ConfigMap`; `None`: the journal is a file.
    ///
    /// # Errors
    /// It cannot be read, does not hold together, or is no journal with a chain.
    pub(super) fn stand(&self) -> anyhow::Result<Option<(String, Stand)>> {
        self.in_config_map(async |client, namespace, name| {
            let object = ConfigMapObject::new(client.clone(), namespace, name);
            let path = object.path();
            match shard::stand(client, namespace, name).await? {
                Some(stand) => Ok((path, stand)),
                None => bail!(
                    "the ConfigMap {path} holds no journal of a shard, so there is no chain of records to check. The state \
                     that `recant once` keeps has only a digest, which every run checks"
                ),
            }
        })
    }

    fn in_config_map<T>(
        &self,
        read: impl AsyncFnOnce(&Client, &str, &str) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        let Some(name) = &self.config_map else {
            return Ok(None);
        };
        crate::tls::install();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let found = runtime.block_on(async {
            let client = kubernetes::connect().await?;
            let own = client.default_namespace().to_owned();
            let namespace = self.namespace.as_deref().unwrap_or(&own);
            read(&client, namespace, name).await
        })?;
        Ok(Some(found))
    }
}
