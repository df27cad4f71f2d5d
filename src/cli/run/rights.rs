//! What the agent needs rights for, and which of them it lacks.

use anyhow::{Context as _, bail};
use recant_core::ids::{TargetId, TargetKind};
use recant_core::rule::{Channel, RuleBook, SecretRef, StuckPods, Webhook};

use super::places;
use crate::cluster::kubernetes::{Missing, Needs, missing_access};
use crate::config::settings::Settings;
use crate::journal::shard::ShardPlace;

pub(super) async fn check_access(
    client: &kube::Client,
    settings: &Settings,
    book: &RuleBook,
    namespace: &str,
) -> anyhow::Result<()> {
    let missing = missing(client, settings, book, namespace).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = missing
        .iter()
        .map(|missing| format!("\n  - {missing}"))
        .collect();
    bail!("this agent lacks rights in the cluster:{}", lines.concat());
}

/// The rights that it needs and lacks, as the API server says.
pub(super) async fn missing(
    client: &kube::Client,
    settings: &Settings,
    book: &RuleBook,
    namespace: &str,
) -> anyhow::Result<Vec<Missing>> {
    missing_access(client, &needs(settings, book, namespace))
        .await
        .context("asking the API server what this agent may do")
}

/// What the agent needs rights for, whose own namespace is `namespace`.
pub(in crate::cli) fn needs(settings: &Settings, book: &RuleBook, namespace: &str) -> Needs {
    let rules = book.every_watch().flat_map(|watch| {
        let always = watch.always.iter().map(|always| &always.rule);
        watch.rules.iter().chain(always)
    });
    let secrets = book
        .channels
        .values()
        .flat_map(Channel::secrets)
        .chain(rules.filter_map(|rule| rule.secret()))
        .chain(book.webhooks().flat_map(Webhook::secrets))
        .filter_map(|secret| match secret {
            SecretRef::KubernetesSecret {
                name,
                key: _,
                namespace: own,
            } => Some((
                own.clone().unwrap_or_else(|| namespace.to_owned()),
                name.clone(),
            )),
            SecretRef::Env(_) | SecretRef::File(_) => None,
        });
    let named = book.watches.iter().map(|watch| watch.target.clone());
    // Rights are for kinds and namespaces: one name stands for all.
    let places = book.places().into_iter().map(|(namespace, kind)| TargetId {
        namespace,
        kind,
        name: String::new(),
    });
    Needs {
        targets: named.chain(places).collect(),
        deletes_pods: book
            .every_watch()
            .filter(|watch| watch.on_fail.stuck_pods == StuckPods::Delete)
            .filter(|watch| watch.target.kind == TargetKind::StatefulSet)
            .map(|watch| watch.target.namespace.clone())
            .collect(),
        checks_secrets: settings.guards.check_secrets,
        scales: book.scaled().cloned().collect(),
        objects: book.changed().cloned().collect(),
        routes: book.routes().cloned().collect(),
        acts: !settings.guards.dry_run,
        lease: Some((namespace.to_owned(), settings.lease.name.clone())),
        secrets: secrets.collect(),
        reviews_tokens: settings.api.as_ref().is_some_and(|api| api.token_review),
        state: None,
        shared: (settings.shards > 0).then(|| {
            let journals = places::journals(settings, namespace);
            let mut names: Vec<String> = journals.iter().flat_map(ShardPlace::names).collect();
            names.extend((settings.shards > 1).then(|| places::acting(settings)));
            (namespace.to_owned(), names)
        }),
        divided: places::divided(settings),
    }
}
