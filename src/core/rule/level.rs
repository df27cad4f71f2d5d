//! Metrics that are read: CPU, memory, queue depth. A value at a time, not a count of events.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alert::AlertSelector;
use super::channel::SecretRef;
use super::promql::Promql;
use super::selector::Selector;

/// A value, how it is had, and how the values of several pods become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelMetric {
    pub sampled: Sampled,
    pub over: Over,
    pub unit: LevelUnit,
}

/// How far the value of the canary may lie from that of the baseline beside it, on the side of the limit: for a `max`
/// at most `baseline + margin * |baseline| + plus`, for a `min` at least `baseline - margin * |baseline| - plus`.
///
/// Compared are the means over the pods of each arm, whatever [`LevelMetric::over`] says: that is how pods become one
/// for the limit. The highest of nine pods is higher than the one of a canary, and the sum of nine larger, without any
/// difference between them; and a comparison that is added must not change what the limit says. Rates are compared per
/// pod, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelCompare {
    /// Relative tolerance, 0..=10; below 1 for a `min`.
    pub margin: f64,
    /// Absolute tolerance in the metric's own unit, >= 0.
    pub plus: f64,
    /// Whether it may call a release bad, with the weight that the rule has; else it is advisory, and only shown.
    ///
    /// It says so itself and is not implied by a `weight`: samples of a value depend on each other, so this test is
    /// called wrongly in up to 4 % of good releases where they do most (judge.md 8), and the rule's weight is also that
    /// of its limit, which is no test.
    pub decides: bool,
}

/// How a value is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sampled {
    /// Read as it stands.
    Level(Level),
    /// Events of a counter within the last `per`, counted exactly.
    Rate { counter: Selector, per: Duration },
}

/// What can be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// A gauge: one series per pod, or one for the service.
    Gauge(Selector),
    Promql(Promql),
    Kubernetes(KubernetesFact),
    HttpJson(HttpJson),
    Redis(Redis),
    /// How many such alerts fire.
    Alert(AlertSelector),
}

impl Level {
    /// The secret that its source needs to read it.
    pub fn secret(&self) -> Option<&SecretRef> {
        match self {
            Self::HttpJson(json) => json.authorization.as_ref(),
            Self::Redis(redis) => redis.password.as_ref(),
            Self::Gauge(_) | Self::Promql(_) | Self::Kubernetes(_) | Self::Alert(_) => None,
        }
    }

    pub(super) fn belong_to(&mut self, namespace: &str) {
        let secret = match self {
            Self::HttpJson(json) => json.authorization.as_mut(),
            Self::Redis(redis) => redis.password.as_mut(),
            Self::Gauge(_) | Self::Promql(_) | Self::Kubernetes(_) | Self::Alert(_) => None,
        };
        if let Some(secret) = secret {
            secret.belong_to(namespace);
        }
    }
}

/// What the status of Kubernetes objects says of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KubernetesFact {
    /// Restarts of a pod's containers within the last `per`.
    Restarts { per: Duration },
    /// Containers of a pod that were killed for want of memory within the last `per`.
    OutOfMemoryKills { per: Duration },
    /// 1 for a pod that is not ready, else 0.
    UnreadyPods,
    /// 1 for a pod that is pending, else 0.
    PendingPods,
    /// 1 when the controller has given the rollout up (its progress deadline is over), else 0.
    FailedProgress,
}

/// A number in a JSON document that an HTTP service gives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpJson {
    pub url: String,
    /// A `JSONPath` (RFC 9535) that selects exactly one number.
    pub path: String,
    /// The value of the `Authorization` header.
    pub authorization: Option<SecretRef>,
}

/// The length of a list or stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redis {
    /// `host:port`.
    pub address: String,
    pub database: u8,
    pub key: RedisKey,
    pub username: Option<String>,
    pub password: Option<SecretRef>,
}

/// What is measured in a Redis.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RedisKey {
    /// `LLEN`.
    List(String),
    /// `XLEN`.
    Stream(String),
}

/// How the values of several pods become one for the limit; a comparison takes the mean of each arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Over {
    /// The worst pod decides, for a `max`.
    Max,
    /// The worst pod decides, for a `min`.
    Min,
    Mean,
    Sum,
}

/// How a value and its limit are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LevelUnit {
    Number,
    /// A share: 0.8 is shown as 80 %.
    Percent,
    Bytes,
    Seconds,
}
