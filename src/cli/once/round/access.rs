//! The rights of a round: all that are missing are named before anything is begun.

use anyhow::{Context as _, bail};

use super::Desk;
use crate::cli::run;
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
        let state = Some((namespace.clone(), task.state.clone()));
        let needs = Needs {
            lease: state.clone(),
            state,
            ..run::needs(&task.settings, book, namespace)
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
