//! Whether the channels can be reached. No message is sent.

use std::sync::Arc;

use futures::StreamExt as _;
use kube::Client;
use recant_core::rule::RuleBook;

use super::findings::{Area, Findings, some};
use crate::notify::reach::Reach;
use crate::secrets::{KubernetesSecrets, Secrets};

/// Channels looked at at once.
const AT_ONCE: usize = 8;

/// Reads each address, and calls its host.
pub(super) async fn look(
    client: Option<&Client>,
    namespace: &str,
    book: &RuleBook,
    findings: &mut Findings,
) {
    let secrets = match client {
        Some(client) => {
            Secrets::in_cluster(Arc::new(KubernetesSecrets::new(client.clone(), namespace)))
        }
        None => Secrets::local(),
    };
    let reach = match Reach::new(secrets) {
        Ok(reach) => reach,
        Err(error) => {
            findings.unknown(
                Area::Channel,
                format!("no HTTP client can be made: {error}"),
                "are the system's certificates installed?",
            );
            return;
        }
    };
    let asked: Vec<_> = book
        .channels
        .values()
        .map(|channel| {
            let reach = &reach;
            async move { (&channel.name, reach.reach(channel).await) }
        })
        .collect();
    let answers: Vec<_> = futures::stream::iter(asked)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut there = Vec::new();
    for (name, answer) in answers {
        match answer {
            Ok(host) => there.push(format!("`{name}` ({host})")),
            Err(error) => findings.error(
                Area::Channel,
                format!("`{name}`: {}", error.in_full()),
                "mend it, or nobody is told over this channel",
            ),
        }
    }
    if !there.is_empty() {
        findings.ok(
            Area::Channel,
            format!("can be reached, and no message was sent: {}", some(&there)),
        );
    }
}
