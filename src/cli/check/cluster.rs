//! `recant check --cluster`: what the agent would find when it starts. Only looks: nothing is written anywhere.

use anyhow::Context as _;
use kube::Client;
use recant_core::rule::RuleBook;
use recant_core::spec::{Checked, Knowledge};

use super::findings::{Area, Findings};
use super::{channels, sources};
use crate::cli::run::needs;
use crate::cluster::{ClusterError, kubernetes};
use crate::config::files::Collected;
use crate::config::rules;
use crate::config::settings::Settings;

/// What was found in the files, with what the cluster knows of them, and outside.
pub(super) struct Looked {
    pub(super) checked: Checked,
    pub(super) findings: Findings,
}

/// Looks at everything; bounded in time by the deadlines of each question.
pub(super) fn look(settings: &Settings, collected: &Collected) -> anyhow::Result<Looked> {
    crate::tls::install();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let looked = runtime.block_on(look_around(settings, collected));
    runtime.shutdown_background();
    Ok(looked)
}

async fn look_around(settings: &Settings, collected: &Collected) -> Looked {
    let mut findings = Findings::default();
    let mut checked = rules::check(collected, &Knowledge::default());
    let client = match kubernetes::connect().await {
        Ok(client) => Some(client),
        Err(error) => {
            findings.unknown(
                Area::Cluster,
                error.to_string(),
                "without it neither rights, targets nor names in files can be looked up",
            );
            None
        }
    };
    let namespace = settings.lease.namespace.clone().unwrap_or_else(|| {
        client.as_ref().map_or_else(
            || "default".to_owned(),
            |client| client.default_namespace().to_owned(),
        )
    });
    if let Some(client) = &client
        && files(client, collected, &mut checked, &mut findings).await
        && let Some(book) = &checked.loaded.book
    {
        rights(client, settings, book, &namespace, &mut findings).await;
        sources::look(client, settings, book, &mut findings).await;
    }
    match &checked.loaded.book {
        None => findings.unknown(
            Area::Files,
            "the rules have errors, so rights, targets, sources and channels were not looked at",
            "mend the errors in the files first",
        ),
        Some(book) => channels::look(client.as_ref(), &namespace, book, &mut findings).await,
    }
    Looked { checked, findings }
}

/// Checks the files again with what the cluster knows; false when the API server does not answer.
async fn files(
    client: &Client,
    collected: &Collected,
    checked: &mut Checked,
    findings: &mut Findings,
) -> bool {
    let manifests = &checked.manifests;
    let asked = async {
        let version = kubernetes::version(client).await?;
        let (shapes, unserved) = kubernetes::shapes(client, &manifests.kinds).await?;
        let objects = kubernetes::presence(client, &manifests.elsewhere).await?;
        let knowledge = Knowledge {
            shapes,
            unserved,
            objects,
        };
        Ok::<_, ClusterError>((version, knowledge))
    };
    match asked.await {
        Ok((version, knowledge)) => {
            findings.ok(
                Area::Cluster,
                format!("the API server answers, and is of version {version}"),
            );
            if manifests.objects > 0 {
                let (kinds, names) = (manifests.kinds.len(), manifests.elsewhere.len());
                findings.ok(
                    Area::Files,
                    format!(
                        "asked the API server for the fields of {kinds} kinds, and for {names} objects that the files name"
                    ),
                );
            }
            *checked = rules::check(collected, &knowledge);
            true
        }
        Err(error) => {
            findings.unknown(
                Area::Cluster,
                error.to_string(),
                "is this the right cluster, and is it up? the kubeconfig says which ($KUBECONFIG, ~/.kube/config)",
            );
            false
        }
    }
}

async fn rights(
    client: &Client,
    settings: &Settings,
    book: &RuleBook,
    namespace: &str,
    findings: &mut Findings,
) {
    let needs = needs(settings, book, namespace);
    match kubernetes::missing_access(client, &needs).await {
        Ok(missing) if missing.is_empty() => findings.ok(
            Area::Rights,
            "everything that the agent needs in the cluster is allowed to this identity",
        ),
        Ok(missing) => {
            for missing in missing {
                let text = missing.to_string();
                let (what, help) = text.split_once(": ").unwrap_or((&text, ""));
                findings.error(Area::Rights, what, help);
            }
        }
        Err(error) => findings.unknown(
            Area::Rights,
            error.to_string(),
            "the API server did not say what this identity may do: try again",
        ),
    }
}
