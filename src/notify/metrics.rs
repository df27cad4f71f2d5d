//! What the outbox counts. A series exists from the start for each channel and reason, so that the first increase is seen.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use recant_core::ids::ChannelName;

use super::NotifyError;

/// Counters of all channels; clones share them.
#[derive(Debug, Clone, Default)]
pub struct NotifyMetrics {
    attempts: Family<ChannelLabel, Counter>,
    failures: Family<FailureLabels, Counter>,
    given_up: Family<ChannelLabel, Counter>,
    queue_length: Family<ChannelLabel, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabel {
    channel: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    channel: String,
    reason: Reason,
}

/// Why an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "these names are the label's values")]
enum Reason {
    address,
    unreachable,
    no_answer,
    throttled,
    failing,
    redirected,
    refused,
}

const REASONS: [Reason; 7] = [
    Reason::address,
    Reason::unreachable,
    Reason::no_answer,
    Reason::throttled,
    Reason::failing,
    Reason::redirected,
    Reason::refused,
];

impl NotifyMetrics {
    /// Adds the metrics to a registry with the prefix `recant`.
    pub fn register(&self, registry: &mut Registry) {
        let Self {
            attempts,
            failures,
            given_up,
            queue_length,
        } = self;
        registry.register(
            "notifications",
            "Attempts to send a notice",
            attempts.clone(),
        );
        registry.register(
            "notifications_failed",
            "Attempts to send a notice that failed",
            failures.clone(),
        );
        registry.register(
            "notifications_given_up",
            "Notices that a channel never got",
            given_up.clone(),
        );
        registry.register(
            "notification_queue_length",
            "Notices that wait for a channel or are being sent",
            queue_length.clone(),
        );
    }

    /// The channel is in use: its series exist from now on.
    pub fn begin(&self, channel: &ChannelName) {
        let label = label(channel);
        drop(self.attempts.get_or_create(&label));
        drop(self.given_up.get_or_create(&label));
        drop(self.queue_length.get_or_create(&label));
        for reason in REASONS {
            drop(self.failures.get_or_create(&FailureLabels {
                channel: channel.0.clone(),
                reason,
            }));
        }
    }

    pub(super) fn attempted(&self, channel: &ChannelName) {
        self.attempts.get_or_create(&label(channel)).inc();
    }

    pub(super) fn failed(&self, channel: &ChannelName, error: &NotifyError) {
        let reason = match error {
            NotifyError::Secret(_) | NotifyError::Address { .. } | NotifyError::Token { .. } => {
                Reason::address
            }
            NotifyError::Unreachable { .. } => Reason::unreachable,
            NotifyError::NoAnswer { .. } => Reason::no_answer,
            NotifyError::Throttled { .. } => Reason::throttled,
            NotifyError::Failing { .. } => Reason::failing,
            NotifyError::Redirected { .. } => Reason::redirected,
            NotifyError::Refused { .. } => Reason::refused,
        };
        self.failures
            .get_or_create(&FailureLabels {
                channel: channel.0.clone(),
                reason,
            })
            .inc();
    }

    pub(super) fn gave_up(&self, channel: &ChannelName) {
        self.given_up.get_or_create(&label(channel)).inc();
    }

    pub(super) fn queued(&self, channel: &ChannelName) {
        self.queue_length.get_or_create(&label(channel)).inc();
    }

    pub(super) fn ended(&self, channel: &ChannelName) {
        self.queue_length.get_or_create(&label(channel)).dec();
    }
}

fn label(channel: &ChannelName) -> ChannelLabel {
    ChannelLabel {
        channel: channel.0.clone(),
    }
}
