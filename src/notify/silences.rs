//! Asks the Alertmanagers among the channels what is silenced there, all the time.
//!
//! What cannot be had changes nothing: what was last known holds to the end that it had.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use recant_core::engine::Silences;
use recant_core::ids::ChannelName;
use recant_core::rule::{Channel, ChannelKind};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::alertmanager::silences::Asked;
use super::client::HttpClient;
use crate::secrets::Secrets;

/// Between two questions to each Alertmanager: as soon as that a silence is there.
const EVERY: Duration = Duration::from_secs(10);
/// Answers that wait for the next tick.
const WAITING: usize = 16;

/// Who is asked: the channels that lead to an Alertmanager.
pub type Askable = BTreeMap<ChannelName, Arc<Asked>>;

/// The Alertmanagers among the channels.
pub fn askable<'c>(
    channels: impl IntoIterator<Item = &'c Channel>,
    client: &HttpClient,
    secrets: &Secrets,
) -> Askable {
    let asked = |channel: &Channel| match &channel.kind {
        ChannelKind::Alertmanager { bearer, .. } => Some((
            channel.name.clone(),
            Arc::new(Asked::new(
                client.clone(),
                secrets.clone(),
                channel.url.clone(),
                bearer.clone(),
            )),
        )),
        ChannelKind::Slack | ChannelKind::Webhook | ChannelKind::Teams => None,
    };
    channels.into_iter().filter_map(asked).collect()
}

/// Begins to ask. It ends when nobody takes the answers any more. What is sent later is asked instead.
pub fn start(first: Askable) -> (watch::Sender<Askable>, mpsc::Receiver<Silences>) {
    let (follow, followed) = watch::channel(first);
    let (answers, told) = mpsc::channel(WAITING);
    tokio::spawn(ask_on(followed, answers));
    (follow, told)
}

async fn ask_on(mut followed: watch::Receiver<Askable>, answers: mpsc::Sender<Silences>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Told once when it begins to fail, and once when it works again.
    let mut failing: BTreeMap<ChannelName, String> = BTreeMap::new();
    loop {
        tokio::select! {
            () = answers.closed() => return,
            _ = every.tick() => {}
            changed = followed.changed() => if changed.is_err() { return },
        }
        let askable = followed.borrow_and_update().clone();
        failing.retain(|channel, _| askable.contains_key(channel));
        let round = askable.into_iter().map(async |(channel, asked)| {
            let answer = asked.silences().await;
            (channel, answer)
        });
        // One that hangs is given up at its deadline; the others are not told later by it than that.
        for (channel, answer) in futures::future::join_all(round).await {
            match answer {
                Ok(silences) => {
                    if failing.remove(&channel).is_some() {
                        tracing::info!("Alertmanager `{channel}` tells its silences again");
                    }
                    let told = answers.send(Silences { channel, silences }).await;
                    if told.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let reason = error.in_full();
                    if failing.get(&channel) != Some(&reason) {
                        tracing::warn!(
                            "Alertmanager `{channel}` does not tell its silences, so those known before hold to their ends, and nothing else is silenced: {reason}"
                        );
                    }
                    failing.insert(channel, reason);
                }
            }
        }
    }
}
