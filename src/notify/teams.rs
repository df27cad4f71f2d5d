//! Microsoft Teams, by a webhook of Workflows ("When a Teams webhook request is received"): one Adaptive Card per notice.
//!
//! Status 202 means accepted: the card is posted later, by the flow, and nothing says whether it was. There is nothing to
//! edit or answer later. Older addresses answer 200, and may hide a failure in the body.

mod card;

use async_trait::async_trait;

use recant_core::notice::Notice;
use recant_core::rule::SecretRef;

use super::client::{Answer, HttpClient};
use super::pace::Pace;
use super::templates::Templates;
use super::{Attempt, Notifier, NotifyError};
use crate::secrets::{Secrets, place};

pub use card::{Size, render};

/// A webhook of Workflows; its address is the secret.
#[derive(Debug)]
pub struct Teams {
    client: HttpClient,
    secrets: Secrets,
    address: SecretRef,
    templates: Templates,
}

impl Teams {
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

    async fn post(
        &self,
        notice: &Notice,
        attempt: Attempt,
        size: Size,
    ) -> Result<Answer, NotifyError> {
        let address = self.secrets.resolve(&self.address).await?;
        let body = render(notice, attempt, size, &self.templates)
            .to_string()
            .into_bytes();
        self.client
            .post(&address, &place(&self.address), None, body)
            .await
    }
}

#[async_trait]
impl Notifier for Teams {
    async fn send(&self, notice: &Notice, attempt: Attempt) -> Result<(), NotifyError> {
        let mut answer = self.post(notice, attempt, Size::Usual).await?;
        if real_status(&answer) == 413 {
            answer = self.post(notice, attempt, Size::Small).await?;
        }
        judge(answer)
    }

    fn pace(&self) -> Pace {
        Pace::TEAMS
    }
}

/// What the answer means, whatever its status line says.
fn judge(mut answer: Answer) -> Result<(), NotifyError> {
    let status = real_status(&answer);
    if !answer.status.is_success() || status != answer.status.as_u16() {
        answer.set_status(status);
        return answer
            // What it says may repeat the address, which nobody may see.
            .into_success(|_| explain(status).to_owned())
            .map(drop);
    }
    if status == 202 {
        return Ok(());
    }
    let host = answer.host;
    match answer.body {
        // As connectors did, and as flows do that answer by themselves.
        Ok(body)
            if matches!(body.trim(), "" | "1") || body.trim_start().starts_with(['{', '[']) =>
        {
            Ok(())
        }
        Ok(_) => Err(NotifyError::Refused {
            host,
            status,
            answer: "the answer is not that of a webhook of Workflows: is this its address?"
                .to_owned(),
        }),
        Err(reason) => Err(NotifyError::NoAnswer { host, reason }),
    }
}

/// The status, or the one that the body of a successful answer speaks of.
fn real_status(answer: &Answer) -> u16 {
    let status = answer.status.as_u16();
    if !answer.status.is_success() {
        return status;
    }
    let body = answer.body.as_deref().unwrap_or_default();
    let body = body.to_ascii_lowercase();
    if let Some((_, rest)) = body.split_once("returned http error ") {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        return digits.parse().unwrap_or(502);
    }
    if ["toomanyrequests", "too many requests", "ratelimit"]
        .iter()
        .any(|word| body.contains(word))
    {
        return 429;
    }
    status
}

fn explain(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "the flow does not take the address's signature, or not from anyone: look at who may trigger it"
        }
        404 | 410 => {
            "the flow is gone or turned off, as it is when its owner leaves: make a new one and give its address"
        }
        413 => "the message is too large even when shortened: shorten the template `teams.jinja`",
        _ => "look at the runs of the flow for the reason",
    }
}

#[cfg(test)]
mod tests;
