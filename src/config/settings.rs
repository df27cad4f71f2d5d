//! The agent's settings: file, environment and flags, in that order of strength.
//!
//! [`TABLE`] is the one list of keys, defaults and meanings: what is read, what is refused and what is documented
//! all follow from it.

mod layers;
mod restart;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::Config;
use serde::{Deserialize, Deserializer};

use recant_core::rule::{SecretRef, SourceKind};
use recant_core::spec::duration;

/// One setting as it is documented.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Path in the file; in the environment `RECANT_`, upper case, `__` for each dot: `RECANT_GUARDS__COOL_DOWN`.
    pub key: &'static str,
    /// As it would stand in the file; empty: none.
    pub default: &'static str,
    pub meaning: &'static str,
}

const fn entry(key: &'static str, default: &'static str, meaning: &'static str) -> Entry {
    Entry {
        key,
        default,
        meaning,
    }
}

/// Every setting.
pub const TABLE: &[Entry] = &[
    entry(
        "rules",
        "[]",
        "files, or folders of files, with rule sets, watches and channels; in the environment separated by `:`",
    ),
    entry(
        "source",
        "auto",
        "where metrics come from when a watch does not say: `prometheus`, `scrape`, or `auto`: Prometheus when its address is set",
    ),
    entry(
        "interval",
        "1s",
        "between two looks at a metric, at least; 1s to 60s. With a slower scrape interval it looks less often by itself",
    ),
    entry(
        "prometheus.url",
        "",
        "address of a Prometheus-compatible server, without credentials",
    ),
    entry(
        "prometheus.timeout",
        "5s",
        "by when all its answers of one look must be there",
    ),
    entry("prometheus.podLabel", "pod", "label that names the pod"),
    entry(
        "prometheus.namespaceLabel",
        "namespace",
        "label that names the namespace; empty: there is none",
    ),
    entry(
        "prometheus.caFile",
        "",
        "PEM file with the only authorities to trust; without it those of the system",
    ),
    entry(
        "prometheus.bearer.env",
        "",
        "environment variable that holds a bearer token",
    ),
    entry(
        "prometheus.bearer.file",
        "",
        "file that holds a bearer token; read for each request, so it may be rotated",
    ),
    entry(
        "prometheus.basic.user",
        "",
        "user name for basic authentication",
    ),
    entry(
        "prometheus.basic.password.env",
        "",
        "environment variable that holds the password",
    ),
    entry(
        "prometheus.basic.password.file",
        "",
        "file that holds the password",
    ),
    entry(
        "templates",
        "",
        "folder with message templates that replace the shipped ones of the same name: `slack.jinja`, `teams.jinja`, `alertmanager.jinja`",
    ),
    entry(
        "journal",
        "recant.journal",
        "the journal file; the folder must exist",
    ),
    entry(
        "listen",
        "127.0.0.1:9464",
        "address for health, readiness, metrics and the snapshot",
    ),
    entry("log.format", "text", "`text` or `json`"),
    entry(
        "log.level",
        "info",
        "`error`, `warn`, `info`, `debug` or `trace`",
    ),
    entry(
        "dryRun",
        "false",
        "decides and tells, but writes to nothing",
    ),
    entry(
        "killSwitch",
        "false",
        "nothing is written to any workload; everything else goes on",
    ),
    entry(
        "guards.coolDown",
        "10m",
        "after an action on a target, the next one on it waits this long",
    ),
    entry(
        "guards.actionsPerHour",
        "6",
        "actions over all targets within an hour",
    ),
    entry(
        "lease.namespace",
        "",
        "namespace of the Lease; without it that of the pod, else `default`",
    ),
    entry(
        "lease.name",
        "recant",
        "name of the Lease: one agent acts for each",
    ),
    entry(
        "lease.duration",
        "15s",
        "how long others wait for a holder that went silent; at least 3s",
    ),
    entry(
        "otel.endpoint",
        "",
        "address of an OpenTelemetry collector that takes OTLP over HTTP, as `http://collector:4318`; without it OTEL_EXPORTER_OTLP_ENDPOINT, and without both nothing is traced",
    ),
    entry(
        "otel.serviceName",
        "",
        "name of the service in traces; without it OTEL_SERVICE_NAME, else `recant`",
    ),
    entry(
        "otel.headers.env",
        "",
        "environment variable that holds headers for the collector: `name=value`, separated by commas",
    ),
    entry(
        "otel.headers.file",
        "",
        "file that holds headers for the collector",
    ),
    entry(
        "otel.ratio",
        "0",
        "share of the rounds of questions, and of the ticks that did nothing, that are traced, too; 0 to 1",
    ),
];

/// The settings of the agent, merged and valid.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub rules: Vec<PathBuf>,
    /// Resolved: never `auto`.
    pub source: SourceKind,
    pub interval: Duration,
    pub prometheus: Option<PrometheusSettings>,
    /// Folder with message templates; `None`: those that are shipped.
    pub templates: Option<PathBuf>,
    pub journal: PathBuf,
    pub listen: SocketAddr,
    pub log: LogSettings,
    pub dry_run: bool,
    pub kill_switch: bool,
    pub cool_down: Duration,
    pub actions_per_hour: usize,
    pub lease: LeaseSettings,
    pub otel: OtelSettings,
}

/// Where traces go.
#[derive(Debug, Clone, PartialEq)]
pub struct OtelSettings {
    pub endpoint: Option<String>,
    pub service_name: Option<String>,
    pub headers: Option<SecretRef>,
    /// 0..=1.
    pub ratio: f64,
}

/// How to reach Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusSettings {
    pub url: String,
    pub timeout: Duration,
    pub pod_label: String,
    pub namespace_label: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub bearer: Option<SecretRef>,
    pub basic: Option<(String, SecretRef)>,
}

/// How the log looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    pub json: bool,
    pub level: tracing::Level,
}

/// The Lease under which this agent acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSettings {
    /// `None`: that of the pod.
    pub namespace: Option<String>,
    pub name: String,
    pub duration: Duration,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the settings file {path} cannot be read")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the settings file {path} is larger than 1 MiB: it is something else")]
    TooLarge { path: PathBuf },
    #[error("the settings file {path} is no YAML mapping: {reason}")]
    Syntax { path: PathBuf, reason: String },
    #[error("there is no setting `{key}` ({layer}){near}; `recant run --help` lists all")]
    Unknown {
        key: String,
        layer: String,
        near: String,
    },
    #[error("setting `{key}`: {reason} ({layer})")]
    Invalid {
        key: String,
        reason: String,
        layer: String,
    },
}

/// A layer above file and environment: what flags say, by key.
pub type Flags = Vec<(&'static str, String)>;

/// Merges file, environment and flags, and checks the result.
///
/// # Errors
/// Names the key and the layer that it came from.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: &Flags,
) -> Result<Settings, SettingsError> {
    let layers = layers::Layers::read(file, environment, flags)?;
    let merged = layers.merged()?;
    Settings::check(&layers, &merged)
}

impl Settings {
    fn check(layers: &layers::Layers, merged: &Config) -> Result<Self, SettingsError> {
        let get = Getter { layers, merged };
        let prometheus = get.prometheus()?;
        let source = match get.text("source")?.as_str() {
            "auto" | "prometheus" if prometheus.is_some() => SourceKind::Prometheus,
            "auto" | "scrape" => SourceKind::Scrape,
            "prometheus" => {
                return Err(get.invalid("source", "`prometheus` needs `prometheus.url`"));
            }
            other => {
                let reason = format!("`{other}` is none of `auto`, `prometheus`, `scrape`");
                return Err(get.invalid("source", reason));
            }
        };
        let second = Duration::from_secs(1);
        Ok(Self {
            rules: get.list("rules")?.into_iter().map(PathBuf::from).collect(),
            source,
            interval: get.span("interval", second, second * 60)?,
            prometheus,
            templates: get.optional("templates")?.map(PathBuf::from),
            journal: get.text("journal")?.into(),
            listen: get.parse("listen", "is no address like `0.0.0.0:9464`")?,
            log: LogSettings {
                json: match get.text("log.format")?.as_str() {
                    "json" => true,
                    "text" => false,
                    other => {
                        return Err(get.invalid(
                            "log.format",
                            format!("`{other}` is neither `text` nor `json`"),
                        ));
                    }
                },
                level: get.parse("log.level", "is no log level")?,
            },
            dry_run: get.parse("dryRun", "is neither `true` nor `false`")?,
            kill_switch: get.parse("killSwitch", "is neither `true` nor `false`")?,
            cool_down: get.span("guards.coolDown", Duration::ZERO, second * 86_400)?,
            actions_per_hour: get
                .parse("guards.actionsPerHour", "is no whole number of 0 or more")?,
            lease: LeaseSettings {
                namespace: get.optional("lease.namespace")?,
                name: get.text("lease.name")?,
                duration: get.span("lease.duration", second * 3, second * 3600)?,
            },
            otel: OtelSettings {
                endpoint: get.collector()?,
                service_name: get.optional("otel.serviceName")?,
                headers: get.secret("otel.headers")?,
                ratio: get.share("otel.ratio")?,
            },
        })
    }
}

/// Reads single settings out of the merged layers.
struct Getter<'a> {
    layers: &'a layers::Layers,
    merged: &'a Config,
}

impl Getter<'_> {
    fn invalid(&self, key: &str, reason: impl Into<String>) -> SettingsError {
        SettingsError::Invalid {
            key: key.to_owned(),
            reason: reason.into(),
            layer: self.layers.origin(key),
        }
    }

    fn text(&self, key: &str) -> Result<String, SettingsError> {
        self.merged
            .get::<Text>(key)
            .map(|text| text.0)
            .map_err(|_| self.invalid(key, "is no single value"))
    }

    fn optional(&self, key: &str) -> Result<Option<String>, SettingsError> {
        Ok(Some(self.text(key)?).filter(|text| !text.is_empty()))
    }

    fn list(&self, key: &str) -> Result<Vec<String>, SettingsError> {
        self.merged
            .get::<Vec<Text>>(key)
            .map(|texts| texts.into_iter().map(|text| text.0).collect())
            .map_err(|_| self.invalid(key, "is no list of paths"))
    }

    fn parse<T: std::str::FromStr>(&self, key: &str, reason: &str) -> Result<T, SettingsError> {
        let text = self.text(key)?;
        text.parse()
            .map_err(|_| self.invalid(key, format!("`{text}` {reason}")))
    }

    fn span(&self, key: &str, least: Duration, most: Duration) -> Result<Duration, SettingsError> {
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

    fn secret(&self, key: &str) -> Result<Option<SecretRef>, SettingsError> {
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

    fn share(&self, key: &str) -> Result<f64, SettingsError> {
        let share: f64 = self.parse(key, "is no number from 0 to 1")?;
        if (0.0..=1.0).contains(&share) {
            return Ok(share);
        }
        Err(self.invalid(key, format!("`{share}` is no number from 0 to 1")))
    }

    fn collector(&self) -> Result<Option<String>, SettingsError> {
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

    /// The address goes into logs and messages: it is not repeated here when it may hold a password (P10).
    fn check_url(&self, url: &str) -> Result<(), SettingsError> {
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
        Ok(())
    }

    fn prometheus(&self) -> Result<Option<PrometheusSettings>, SettingsError> {
        let Some(url) = self.optional("prometheus.url")? else {
            return Ok(None);
        };
        self.check_url(&url)?;
        let bearer = self.secret("prometheus.bearer")?;
        let user = self.optional("prometheus.basic.user")?;
        let password = self.secret("prometheus.basic.password")?;
        let basic = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(
                    self.invalid("prometheus.basic.user", "needs `prometheus.basic.password`")
                );
            }
            (None, Some(_)) => {
                return Err(self.invalid(
                    "prometheus.basic.password.env",
                    "needs `prometheus.basic.user`",
                ));
            }
        };
        if bearer.is_some() && basic.is_some() {
            return Err(self.invalid(
                "prometheus.basic.user",
                "stands beside a bearer token: give one of them",
            ));
        }
        let second = Duration::from_secs(1);
        Ok(Some(PrometheusSettings {
            url,
            timeout: self.span("prometheus.timeout", second, second * 60)?,
            pod_label: self.text("prometheus.podLabel")?,
            namespace_label: self.optional("prometheus.namespaceLabel")?,
            ca_file: self.optional("prometheus.caFile")?.map(PathBuf::from),
            bearer,
            basic,
        }))
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

/// All settings with defaults and environment variables, for `recant run --help` and the README.
pub fn table() -> String {
    let lines: Vec<String> = TABLE
        .iter()
        .map(|entry| {
            let Entry {
                key,
                default,
                meaning,
            } = entry;
            let default = match *default {
                "" | "[]" => "none",
                default => default,
            };
            let variable = layers::variable(key);
            format!("  {key}  [{default}]  {variable}\n      {meaning}\n")
        })
        .collect();
    lines.concat()
}
