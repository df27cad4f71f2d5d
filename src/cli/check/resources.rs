//! The custom resources of the cluster, as the agent would take them up beside the files.

use std::time::Duration;

use kube::Client;
use recant_core::rule::RuleBook;
use recant_core::spec::SourceFile;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::findings::{Area, Findings, some};
use crate::cli::run::documents::places;
use crate::cluster::kubernetes::resources::ResourceStore;
use crate::config::rules;
use crate::config::settings::Settings;
use crate::resources::Loader;

/// By when they have been listed.
const LISTED: Duration = Duration::from_secs(10);

/// The book of files and resources together; `None`: resources do not count, or could not be listed.
pub(super) async fn look(
    settings: &Settings,
    client: &Client,
    namespace: &str,
    files: &[SourceFile],
    findings: &mut Findings,
) -> Option<RuleBook> {
    let places = places(settings, namespace)?;
    let stop = CancellationToken::new();
    let store = ResourceStore::start(client.clone(), &places, &stop);
    let until = Instant::now() + LISTED;
    let mut listed = store.synced();
    while listed.is_err() && Instant::now() < until {
        sleep(Duration::from_millis(50)).await;
        listed = store.synced();
    }
    let merged = match listed {
        Ok(()) => Some(Loader::new(store, namespace).load(files, rules::merge)),
        Err(reason) => {
            findings.unknown(
                Area::Resource,
                reason,
                "are the definitions there (`kubectl apply --server-side -f charts/crds/recant.yaml`), and may this identity list them?",
            );
            None
        }
    };
    stop.cancel();
    let loaded = merged?;
    let mut good = Vec::new();
    for (key, standing) in &loaded.standings {
        for fault in &standing.faults {
            findings.error(
                Area::Resource,
                format!("{key}: {fault}"),
                "mend the document and apply it again",
            );
        }
        for warning in &standing.warnings {
            findings.warning(
                Area::Resource,
                format!("{key}: {warning}"),
                "perhaps it is not meant",
            );
        }
        if standing.good {
            good.push(key.to_string());
        }
    }
    findings.ok(
        Area::Resource,
        match good.len() {
            0 => "there is no custom resource that holds".to_owned(),
            1 => format!("1 holds: {}", some(&good)),
            count => format!("{count} hold: {}", some(&good)),
        },
    );
    Some(loaded.book)
}
