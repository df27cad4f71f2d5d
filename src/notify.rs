//! Where notices go: the seam `Notifier`, its dialects, and the outbox that brings every notice to its channels.
//!
//! An address is a secret (P10): no error, log line or `Debug` output in here shows more of it than the host.

#[cfg(feature = "whole")]
pub mod alertmanager;
#[cfg(feature = "whole")]
pub mod client;
#[cfg(feature = "whole")]
mod markup;
pub mod metrics;
pub mod outbox;
pub mod pace;
#[cfg(feature = "whole")]
pub mod reach;
#[cfg(feature = "whole")]
mod samples;
#[cfg(feature = "whole")]
pub mod silences;
#[cfg(feature = "whole")]
pub mod slack;
#[cfg(feature = "whole")]
pub mod teams;
#[cfg(feature = "whole")]
pub mod templates;
mod text;
#[cfg(feature = "whole")]
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use recant_core::notice::Notice;
use recant_core::rule::{Channel, ChannelKind};

use crate::secrets::{SecretError, Secrets};
#[cfg(feature = "whole")]
use alertmanager::Alertmanager;
#[cfg(feature = "whole")]
use client::HttpClient;
use pace::Pace;
#[cfg(feature = "whole")]
use slack::Slack;
#[cfg(feature = "whole")]
use teams::Teams;
#[cfg(feature = "whole")]
use templates::Templates;
#[cfg(feature = "whole")]
use webhook::Webhook;

/// Sends messages to one channel.
#[async_trait]
pub trait Notifier: Send + Sync + std::fmt::Debug {
    /// Tries once to send, within the deadline of the client.
    async fn send(&self, notice: &Notice, attempt: Attempt) -> Result<(), NotifyError>;

    /// What the service takes in which time.
    fn pace(&self) -> Pace {
        Pace::UNBOUNDED
    }
}

/// Whether the receiver may have got the same message before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    First,
    /// An earlier attempt may have arrived: the message says that it may be a repeat.
    MayBeRepeat,
}

/// Makes the notifier of a channel.
#[cfg(feature = "whole")]
pub fn notifier(
    channel: &Channel,
    client: &HttpClient,
    secrets: &Secrets,
    templates: &Templates,
) -> Arc<dyn Notifier> {
    let Channel { name: _, kind, url } = channel;
    let (client, secrets, url) = (client.clone(), secrets.clone(), url.clone());
    let templates = templates.clone();
    match kind {
        ChannelKind::Slack => Arc::new(Slack::new(client, secrets, url, templates)),
        ChannelKind::Webhook => Arc::new(Webhook::new(client, secrets, url)),
        ChannelKind::Teams => Arc::new(Teams::new(client, secrets, url, templates)),
        ChannelKind::Alertmanager { labels, bearer } => Arc::new(Alertmanager::new(
            client,
            secrets,
            alertmanager::Options {
                address: url,
                bearer: bearer.clone(),
                labels: labels.clone(),
            },
            templates,
        )),
    }
}

/// Why a message was not delivered, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The address could not be read.
    #[error("the address of the channel cannot be read")]
    Secret(#[from] SecretError),
    /// What was read is no address.
    #[error("{place} does not hold a http:// or https:// address: mend it")]
    Address { place: String },
    /// What was read is no token.
    #[error("{place} does not hold a token of one line of ASCII: mend it")]
    Token { place: String },
    /// Nothing was sent.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable { host: String, reason: String },
    /// It was sent, and then there was silence.
    #[error("{host} gave no answer: {reason}")]
    NoAnswer { host: String, reason: String },
    /// Too many messages.
    #[error("{host} asks to wait (status 429)")]
    Throttled {
        host: String,
        retry_after: Option<Duration>,
    },
    /// A failure of the receiver that may pass.
    #[error("{host} failed (status {status})")]
    Failing {
        host: String,
        status: u16,
        retry_after: Option<Duration>,
    },
    #[error(
        "{host} redirects (status {status}), and redirects are not followed: make the final address the channel's"
    )]
    Redirected { host: String, status: u16 },
    /// The receiver does not take this message, now or later.
    #[error("{host} refused the message (status {status}): {answer}")]
    Refused {
        host: String,
        status: u16,
        answer: String,
    },
}

impl NotifyError {
    /// Whether the same message may be delivered later, without or with a person mending something.
    pub fn retry(&self) -> bool {
        match self {
            Self::Secret(_)
            | Self::Address { .. }
            | Self::Token { .. }
            | Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Throttled { .. }
            | Self::Failing { .. } => true,
            Self::Redirected { .. } | Self::Refused { .. } => false,
        }
    }

    /// How long the receiver asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Failing { retry_after, .. } => *retry_after,
            Self::Secret(_)
            | Self::Address { .. }
            | Self::Token { .. }
            | Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Redirected { .. }
            | Self::Refused { .. } => None,
        }
    }

    /// Whether the message may have arrived all the same.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::NoAnswer { .. } => true,
            // A gateway that lost its server after it had passed the message on.
            Self::Failing { status, .. } => matches!(status, 502 | 504),
            Self::Secret(_)
            | Self::Address { .. }
            | Self::Token { .. }
            | Self::Unreachable { .. }
            | Self::Throttled { .. }
            | Self::Redirected { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// The error with all its causes, in one line.
    pub fn in_full(&self) -> String {
        match self {
            Self::Secret(error) => format!("{self}: {error}"),
            Self::Address { .. }
            | Self::Token { .. }
            | Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Throttled { .. }
            | Self::Failing { .. }
            | Self::Redirected { .. }
            | Self::Refused { .. } => self.to_string(),
        }
    }
}
