//! Reads single settings out of the merged layers: each as the type that it has, or with what is wrong with it.

use std::path::PathBuf;
use std::time::Duration;

use config::Config;
use serde::{Deserialize, Deserializer};

use recant_core::rule::{SecretRef, SourceKind};
use recant_core::spec::duration;

use super::errors::{Faults, Told};
use super::layers::Layers;
use super::{PrometheusSettings, SettingsError};

/// Reads single settings out of the merged layers.
pub(super) struct Getter<'a> {
    pub(super) layers: &'a Layers,
    pub(super) merged: &'a Config,
}

impl Getter<'_> {
    pub(super) fn invalid(&self, key: &str, reason: impl Into<String>) -> SettingsError {
        SettingsError::Invalid {
            key: key.to_owned(),
            reason: reason.into(),
            place: self.layers.origin(key),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<String, SettingsError> {
        self.merged
            .get::<Text>(key)
            .map(|text| text.0)
            .map_err(|_| self.invalid(key, "is no single value"))
    }

    pub(super) fn optional(&self, key: &str) -> Result<Option<String>, SettingsError> {
        Ok(Some(self.text(key)?).filter(|text| !text.is_empty()))
    }

    pub(super) fn list(&self, key: &str) -> Result<Vec<String>, SettingsError> {
        self.merged
            .get::<Vec<Text>>(key)
            .map(|texts| texts.into_iter().map(|text| text.0).collect())
            .map_err(|_| self.invalid(key, "is no list"))
    }

    pub(super) fn parse<T: std::str::FromStr>(
        &self,
        key: &str,
        reason: &str,
    ) -> Result<T, SettingsError> {
        let text = self.text(key)?;
        text.parse()
            .map_err(|_| self.invalid(key, format!("`{text}` {reason}")))
    }

    /// The value that stands for one of some words.
    pub(super) fn one_of<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<T, SettingsError> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.invalid(key, format!("`{text}` is none of {}", words.join(", ")))
        })
    }

    pub(super) fn span(
        &self,
        key: &str,
        least: Duration,
        most: Duration,
    ) -> Result<Duration, SettingsError> {
        let text = self.text(key)?;
        let span = duration(&text).map_err(|_| {
            self.invalid(key, format!("`{text}` is no duration like `90s` or `10m`"))
        })?;
        if (least..=most).contains(&span) {
            return Ok(span);
        }
        Err(self.invalid(
            key,
            format!(
                "`{text}` lies outside {} s to {} s",
                least.as_secs(),
                most.as_secs()
            ),
        ))
    }

    pub(super) fn secret(&self, key: &str) -> Result<Option<SecretRef>, SettingsError> {
        let environment = self.optional(&format!("{key}.env"))?;
        let file = self.optional(&format!("{key}.file"))?;
        match (environment, file) {
            (Some(_), Some(_)) => Err(self.invalid(
                &format!("{key}.env"),
                "stands beside `file`: give one of them",
            )),
            (Some(name), None) => Ok(Some(SecretRef::Env(name))),
            (None, Some(path)) => Ok(Some(SecretRef::File(path))),
            (None, None) => Ok(None),
        }
    }

    /// The address goes into logs and messages: it is not repeated here when it may hold a password (P10).
    fn checked_url(&self, url: String) -> Result<String, SettingsError> {
        let key = "prometheus.url";
        let parsed: reqwest::Url = url
            .parse()
            .map_err(|_| self.invalid(key, "is no URL like `http://prometheus:9090`"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(self.invalid(
                key,
                "holds a user name or a password: use `prometheus.basic` or `prometheus.bearer`",
            ));
        }
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(self.invalid(key, "is no URL like `http://prometheus:9090`"));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(self.invalid(key, "has a `?` or `#`: give the address alone"));
        }
        Ok(url)
    }

    /// How many targets may be watched on request.
    pub(super) fn on_request(&self) -> Result<usize, SettingsError> {
        let reason = "is no whole number of 0 to 10000";
        let most = self.parse("onRequest.most", reason)?;
        if most > 10_000 {
            return Err(self.invalid("onRequest.most", reason));
        }
        Ok(most)
    }

    /// How many shards the targets are divided among.
    pub(super) fn shards(&self) -> Result<u32, SettingsError> {
        let reason = "is no whole number of 0 to 16";
        let shards = self.parse("replicas.shards", reason)?;
        if shards > 16 {
            return Err(self.invalid("replicas.shards", reason));
        }
        Ok(shards)
    }

    /// A whole number of MiB, in bytes.
    pub(super) fn mebibytes(&self, key: &str) -> Result<u64, SettingsError> {
        let reason = "is no whole number of 1 to 65536";
        let count: u64 = self.parse(key, reason)?;
        if (1..=65_536).contains(&count) {
            return Ok(count << 20);
        }
        Err(self.invalid(key, reason))
    }

    /// A number from 0 to 1.
    pub(super) fn share(&self, key: &str) -> Result<f64, SettingsError> {
        let share: f64 = self.parse(key, "is no number from 0 to 1")?;
        if (0.0..=1.0).contains(&share) {
            return Ok(share);
        }
        Err(self.invalid(key, format!("`{share}` is no number from 0 to 1")))
    }

    /// Where traces go, if anywhere; as little repeated as the address of Prometheus.
    pub(super) fn collector(&self) -> Result<Option<String>, SettingsError> {
        let key = "otel.endpoint";
        let Some(url) = self.optional(key)? else {
            return Ok(None);
        };
        let wrong = || self.invalid(key, "is no URL like `http://collector:4318`");
        let parsed: reqwest::Url = url.parse().map_err(|_| wrong())?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(self.invalid(key, "holds a user name or a password: use `otel.headers`"));
        }
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(wrong());
        }
        Ok(Some(url))
    }

    /// The source of watches that name none; never `auto`.
    pub(super) fn source(&self) -> Result<SourceKind, SettingsError> {
        let key = "source";
        // Whether the address is good is told for itself.
        let address = !self.text("prometheus.url").is_ok_and(|url| url.is_empty());
        match self.text(key)?.as_str() {
            "auto" | "prometheus" if address => Ok(SourceKind::Prometheus),
            "auto" | "scrape" => Ok(SourceKind::Scrape),
            "prometheus" => Err(self.invalid(key, "`prometheus` needs `prometheus.url`")),
            other => {
                let reason = format!("`{other}` is none of `auto`, `prometheus`, `scrape`");
                Err(self.invalid(key, reason))
            }
        }
    }

    /// How to reach Prometheus, if its address is set.
    pub(super) fn prometheus(
        &self,
        faults: &mut Faults,
    ) -> Result<Option<PrometheusSettings>, Told> {
        let url = self
            .optional("prometheus.url")
            .and_then(|url| url.map(|url| self.checked_url(url)).transpose());
        let second = Duration::from_secs(1);
        let url = faults.take(url);
        let timeout = faults.take(self.span("prometheus.timeout", second, second * 60));
        let pod_label = faults.take(self.text("prometheus.podLabel"));
        let namespace_label = faults.take(self.optional("prometheus.namespaceLabel"));
        let ca_file = faults.take(self.optional("prometheus.caFile"));
        let bearer = faults.take(self.secret("prometheus.bearer"));
        let basic = self.basic(faults);
        let basic = basic?;
        let bearer = bearer.ok_or(Told)?;
        let Some(url) = url.ok_or(Told)? else {
            return Ok(None);
        };
        if bearer.is_some() && basic.is_some() {
            faults.add(self.invalid(
                "prometheus.basic.user",
                "stands beside a bearer token: give one of them",
            ));
        }
        Ok(Some(PrometheusSettings {
            url,
            timeout: timeout.ok_or(Told)?,
            pod_label: pod_label.ok_or(Told)?,
            namespace_label: namespace_label.ok_or(Told)?,
            ca_file: ca_file.ok_or(Told)?.map(PathBuf::from),
            bearer,
            basic,
        }))
    }

    /// User and password.
    fn basic(&self, faults: &mut Faults) -> Result<Option<(String, SecretRef)>, Told> {
        let user = faults.take(self.optional("prometheus.basic.user"));
        let password = faults.take(self.secret("prometheus.basic.password"));
        let (key, reason) = match (user.ok_or(Told)?, password.ok_or(Told)?) {
            (Some(user), Some(password)) => return Ok(Some((user, password))),
            (None, None) => return Ok(None),
            (Some(_), None) => ("prometheus.basic.user", "needs `prometheus.basic.password`"),
            (None, Some(SecretRef::File(_))) => (
                "prometheus.basic.password.file",
                "needs `prometheus.basic.user`",
            ),
            (None, Some(SecretRef::Env(_) | SecretRef::KubernetesSecret { .. })) => (
                "prometheus.basic.password.env",
                "needs `prometheus.basic.user`",
            ),
        };
        faults.add(self.invalid(key, reason));
        Err(Told)
    }
}

/// A scalar of whatever type, as text: the meaning is the setting's.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            serde_json::Value::Bool(value) => Ok(Self(value.to_string())),
            serde_json::Value::Number(value) => Ok(Self(value.to_string())),
            serde_json::Value::Null => Ok(Self(String::new())),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                Err(serde::de::Error::custom("not a single value"))
            }
        }
    }
}
