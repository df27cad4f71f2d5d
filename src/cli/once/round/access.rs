//! The rights of a round: all that are missing are named before anything is begun.

use anyhow::{Context as _, bail};

use recant_core::rule::{Channel, SecretRef};

use super::Desk;
use crate::cluster::kubernetes::{Needs, missing_access};

impl Desk<'_> {
    /// # Errors
    /// A right is missing, or the API server does not say.
    pub(super) async fn check_access(&self) -> anyhow::Result<()> {
        let Self {
            task,
            book,
            namespace,
            ..
        } = self;
        let secrets = book
            .channels
            .values()
            .flat_map(Channel::secrets)
            .filter_map(|secret| match secret {
                SecretRef::KubernetesSecret { name, key: _ } => {
                    Some((namespace.clone(), name.clone()))
                }
                SecretRef::Env(_) | SecretRef::File(_) => None,
            });
        let needs = Needs {
            targets: self.targets(),
            scales: book
                .watches
                .iter()
                .flat_map(|watch| &watch.always)
                .filter_map(|always| always.scale.as_ref())
                .map(|scale| scale.target.clone())
                .collect(),
            acts: !task.settings.dry_run,
            lease: Some((namespace.clone(), task.state.clone())),
            secrets: secrets.collect(),
            state: Some((namespace.clone(), task.state.clone())),
        };
        let missing = missing_access(&self.client, &needs)
            .await
            .context("asking the API server what this run may do")?;
        if missing.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = missing
            .iter()
            .map(|missing| format!("\n  - {missing}"))
            .collect();
        bail!("this run lacks rights in the cluster:{}", lines.concat());
    }
}
