//! Slack, by incoming webhook: one message per notice, fixed channel, nothing to edit later.
//!
//! What is accepted is answered with status 200 and the body `ok`; what is not, with one word that says why.

mod blocks;

use async_trait::async_trait;

use recant_core::notice::Notice;
use recant_core::rule::SecretRef;

use super::client::HttpClient;
use super::pace::Pace;
use super::templates::Templates;
use super::{Attempt, Notifier, NotifyError};
use crate::secrets::{Secrets, place};

pub use blocks::render;

/// An incoming webhook; its address is the secret.
#[derive(Debug)]
pub struct Slack {
    client: HttpClient,
    secrets: Secrets,
    address: SecretRef,
    templates: Templates,
}

impl Slack {
    /// The webhook whose address is found at `address`, read anew for every message.
    pub fn new(
        client: HttpClient,
        secrets: Secrets,
        address: SecretRef,
        templates: Templates,
    ) -> Self {
        Self {
            client,
            secrets,
            address,
            templates,
        }
    }
}

#[async_trait]
impl Notifier for Slack {
    async fn send(&self, notice: &Notice, attempt: Attempt) -> Result<(), NotifyError> {
        let address = self.secrets.resolve(&self.address).await?;
        let body = render(notice, attempt, &self.templates)
            .to_string()
            .into_bytes();
        let answer = self
            .client
            .post(&address, &place(&self.address), None, body)
            .await?
            .into_success(explain)?;
        match answer.body {
            Ok(body) if body.trim() == "ok" => Ok(()),
            // Not tried again: a service that is like Slack but says otherwise would get it hundreds of times.
            Ok(body) => Err(NotifyError::Refused {
                host: answer.host,
                status: answer.status.as_u16(),
                answer: explain(&body),
            }),
            Err(reason) => Err(NotifyError::NoAnswer {
                host: answer.host,
                reason,
            }),
        }
    }

    fn pace(&self) -> Pace {
        Pace::SLACK
    }
}

/// Slack's word with what to do about it. Of other answers nothing is shown: they may repeat the address.
fn explain(body: &str) -> String {
    let word = body.trim();
    let is_word = (1..=60).contains(&word.len())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let advice = match word {
        "no_service" | "no_service_id" | "no_team" | "team_disabled" | "invalid_token"
        | "no_active_hooks" => "the webhook was removed or disabled: make a new one",
        "channel_not_found" | "channel_is_archived" => {
            "the webhook's channel is gone: make a webhook for another one"
        }
        "action_prohibited" | "posting_to_general_channel_denied" | "user_not_found" => {
            "an administrator of the workspace does not let it post there"
        }
        "invalid_payload"
        | "invalid_blocks"
        | "no_text"
        | "msg_blocks_too_long"
        | "too_many_attachments" => {
            "the message is not in Slack's format: please report this as a fault of Recant"
        }
        _ if is_word => return format!("`{word}`"),
        _ => {
            return "the answer is not Slack's `ok`: is this the address of a Slack webhook?"
                .to_owned();
        }
    };
    format!("`{word}`: {advice}")
}

#[cfg(test)]
mod tests;
