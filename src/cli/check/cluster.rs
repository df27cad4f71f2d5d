//! `recant check --cluster`: what the agent would find when it starts. Only looks: nothing is written anywhere.

use anyhow::Context as _;
use kube::Client;
use recant_core::rule::RuleBook;
use recant_core::spec::{Checked, Knowledge, Manifests, Presence};

use super::findings::{Area, Findings};
use super::{channels, resources, scaled, sources};
use crate::cli::run::needs;
use crate::cluster::{ClusterError, kubernetes};
use crate::config::files::Collected;
use crate::config::rules;
use crate::config::settings::Settings;

/// Looks at everything; bounded in time by the deadlines of each question. Returns what was found in the files, with
/// what the cluster knows of them.
pub(super) fn look(
    settings: &Settings,
    collected: &Collected,
    findings: &mut Findings,
) -> anyhow::Result<Checked> {
    crate::tls::install();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let checked = runtime.block_on(look_around(settings, collected, findings));
    runtime.shutdown_background();
    Ok(checked)
}

async fn look_around(
    settings: &Settings,
    collected: &Collected,
    findings: &mut Findings,
) -> Checked {
    let first = rules::check(collected, &Knowledge::default());
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
    let known = match &client {
        Some(client) => knowledge(client, &first.manifests, findings).await,
        None => None,
    };
    let reached = known.is_some();
    let known = known.unwrap_or_else(|| nothing(&first.manifests));
    let checked = rules::check(collected, &known);
    let Some(book) = &checked.loaded.book else {
        findings.warning(
            Area::Files,
            "the rules have errors, so rights, targets, sources and channels were not looked at",
            "mend the errors in the files first",
        );
        return checked;
    };
    let with_resources = match &client {
        Some(client) if reached => {
            resources::look(settings, client, &namespace, &collected.files, findings).await
        }
        Some(_) | None => None,
    };
    let book = with_resources.as_ref().unwrap_or(book);
    if let Some(client) = client.as_ref().filter(|_| reached) {
        rights(client, settings, book, &namespace, findings).await;
        scaled::look(client, book, findings).await;
        sources::look(client, settings, book, &namespace, findings).await;
    }
    channels::look(client.as_ref(), &namespace, book, findings).await;
    checked
}

/// What to know of a cluster that does not answer: that nobody knows whether it has what the files name.
fn nothing(manifests: &Manifests) -> Knowledge {
    let unknown = Presence::Unknown {
        reason: "the cluster did not answer".to_owned(),
    };
    Knowledge {
        objects: manifests
            .elsewhere
            .iter()
            .map(|name| (name.clone(), unknown.clone()))
            .collect(),
        ..Knowledge::default()
    }
}

/// What the cluster knows of the objects in files and of those that they name; `None` when it does not answer.
async fn knowledge(
    client: &Client,
    manifests: &Manifests,
    findings: &mut Findings,
) -> Option<Knowledge> {
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
            Some(knowledge)
        }
        Err(error) => {
            findings.unknown(
                Area::Cluster,
                error.to_string(),
                "is this the right cluster, and is it up? the kubeconfig says which ($KUBECONFIG, ~/.kube/config)",
            );
            None
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
