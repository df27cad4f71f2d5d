//! The agent's settings: file, environment and flags, in that order of strength.
//!
//! [`TABLE`] is the one list of keys, defaults and meanings: what is read, what is refused and what is documented
//! all follow from it.

mod api;
mod errors;
mod getter;
mod guards;
mod layers;
mod restart;
mod webhooks;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::Config;

use recant_core::guard::GuardSettings;
use recant_core::rule::{SecretRef, SourceKind};

pub use self::api::{ApiSettings, TlsFiles};
pub use self::errors::{SettingsError, SettingsErrors};
pub use self::webhooks::WebhookSettings;

use self::errors::Faults;
use self::getter::Getter;
use self::layers::Layers;

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
        "resources.enabled",
        "false",
        "whether the custom resources `Watch`, `RuleSet`, `Runbook` and `Channel` (charts/crds) count beside the files of `rules`",
    ),
    entry(
        "resources.namespaces",
        "[]",
        "where they are looked for, besides the agent's own namespace, whose rule sets and channels are for all; none: in all namespaces; in the environment separated by `;`",
    ),
    entry(
        "events",
        "true",
        "whether Kubernetes Events are written on targets and documents",
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
        "retention.keep",
        "90d",
        "how long records stay in the journal, 1h to 3650d; what older ones led to is kept in their place, and `recant journal verify` still holds",
    ),
    entry(
        "retention.mebibytes",
        "256",
        "the journal is made half of this long when it is longer, whatever the age of its records: 1 to 65536",
    ),
    entry(
        "listen",
        "127.0.0.1:9464",
        "address for health, readiness, metrics and the snapshot",
    ),
    entry(
        "api.address",
        "",
        "address where others ask for verdicts and report to: Argo Rollouts, Flagger, Alertmanager, CI; empty: nobody can",
    ),
    entry(
        "api.tls.certFile",
        "",
        "PEM file with the certificate of the API port, and those it was signed with; without it plain HTTP",
    ),
    entry(
        "api.tls.keyFile",
        "",
        "PEM file with its key; both are read again when they change",
    ),
    entry(
        "api.readToken.env",
        "",
        "environment variable that holds the token of those who may ask the API port",
    ),
    entry(
        "api.readToken.file",
        "",
        "file that holds it; read again when it changes. Without a token the API port must have a loopback address",
    ),
    entry(
        "api.hookToken.env",
        "",
        "environment variable that holds the token of those who may report to the API port as well",
    ),
    entry("api.hookToken.file", "", "file that holds it"),
    entry(
        "api.callers",
        "",
        "YAML file that says who else may do what at the API port: tokens, service accounts, users, groups and certificates, each with a name and scopes; read again when it changes",
    ),
    entry(
        "api.tokenReview",
        "false",
        "bearer tokens of Kubernetes with the audience `recant` are shown to the API server, and their users looked up in `api.callers`",
    ),
    entry(
        "api.tls.clientCaFile",
        "",
        "PEM file with the authorities that sign certificates of clients, whose names are looked up in `api.callers`; read again when it changes",
    ),
    entry(
        "api.requestsPerSecond",
        "1000",
        "requests of one caller, on average; twice as many may come at once",
    ),
    entry(
        "api.markerKey.env",
        "",
        "environment variable that holds the key that deployment markers are signed with; without one there are none",
    ),
    entry("api.markerKey.file", "", "file that holds it"),
    entry(
        "api.kayentaFolder",
        "",
        "folder with Kayenta's canary configs (JSON), which new ones are written to; without one they go with the process",
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
        "guards.atOnce",
        "4",
        "targets that are under rollback at a time, as a number or as a share of all (`25%`); a rollback counts until it is seen to have helped",
    ),
    entry(
        "guards.breaker.failures",
        "3",
        "after so many failed rollbacks in a row nothing is tried for a while, then one alone; 0: never",
    ),
    entry(
        "guards.breaker.pause",
        "1h",
        "how long nothing is tried then",
    ),
    entry(
        "guards.flapping.rollbacks",
        "3",
        "after so many rollbacks of one target it is left to a person; 0: never",
    ),
    entry(
        "guards.flapping.within",
        "24h",
        "the time in which these rollbacks are counted",
    ),
    entry(
        "guards.manyAtOnce.targets",
        "5",
        "when the releases of so many targets fail at once, it is hardly the releases, and they are held; 0: never",
    ),
    entry(
        "guards.manyAtOnce.within",
        "5m",
        "what `at once` is, and how long they are held after the last of them failed",
    ),
    entry(
        "guards.freeze",
        "[]",
        "when nothing is changed: cron schedule, duration, time zone, as `0 18 * * FRI for 62h in Europe/Berlin`",
    ),
    entry(
        "guards.namespaces",
        "[]",
        "namespaces in which it acts, elsewhere it only tells; without any it acts wherever its role lets it",
    ),
    entry(
        "guards.checkSecrets",
        "false",
        "before a rollback, whether the Secrets that the earlier template names still exist; needs the right to `get` secrets",
    ),
    entry(
        "guards.labels",
        "[]",
        "labels, as `team=shop`, that an object must have to be acted upon; elsewhere it only tells",
    ),
    entry(
        "webhooks.plainHttp",
        "false",
        "whether actions `webhook` may call a URL without TLS",
    ),
    entry(
        "webhooks.hosts",
        "[]",
        "hosts that actions `webhook` may call, as `hooks.example.org` or `*.shop.svc`; none: all",
    ),
    entry(
        "approval.rollbacks",
        "none",
        "`required`: a person has to agree before any release is taken back; `none`: only where a Watch says `rollback: {approval: required}`",
    ),
    entry(
        "approval.within",
        "30m",
        "for how long people are asked, and their agreement counts; then they are asked anew while the release still fails",
    ),
    entry(
        "approval.url",
        "",
        "address of the API port as people reach it: with `approval.key`, messages carry a signed link to a page with the evidence and a button",
    ),
    entry(
        "approval.key.env",
        "",
        "environment variable that holds the key of these links; without one people agree by `recant approve` alone",
    ),
    entry("approval.key.file", "", "file that holds it"),
    entry(
        "silences.actions",
        "act",
        "what is done to a target that is silenced in an Alertmanager among the channels: `act`, or `hold`, nothing until the silence is over. Its notices are held in any case",
    ),
    entry(
        "gitops.policy",
        "verify",
        "what is done to a target that Argo CD or Flux keeps as Git says, unless its Watch says otherwise: `verify`, act and see whether it holds for a sync period, `suspend`, switch off what would revert it until Git shows a good version, or `tell`, write nothing and say what to commit",
    ),
    entry(
        "gitops.syncPeriod",
        "5m",
        "within this time Argo CD or Flux has looked at everything once, and has reverted what it does not want",
    ),
    entry(
        "onRequest.most",
        "200",
        "targets that are watched at once because somebody asked about them; 0 to 10000",
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
        "replicas.shards",
        "0",
        "for several replicas: the targets are divided among so many shards, each with a Lease and a journal in ConfigMaps of the namespace of the Lease, and no volume is needed; 1 to 16, and not to be changed later. 0: one agent works, and the journal is a file",
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
    pub resources: ResourceSettings,
    /// Kubernetes Events are written.
    pub events: bool,
    /// Resolved: never `auto`.
    pub source: SourceKind,
    pub interval: Duration,
    pub prometheus: Option<PrometheusSettings>,
    /// Folder with message templates; `None`: those that are shipped.
    pub templates: Option<PathBuf>,
    pub journal: PathBuf,
    /// How long its records stay.
    pub retention: RetentionSettings,
    pub listen: SocketAddr,
    /// Where others ask; `None`: nowhere.
    pub api: Option<ApiSettings>,
    pub log: LogSettings,
    /// With `dryRun` and `killSwitch`.
    pub guards: GuardSettings,
    /// Whom actions may call.
    pub webhooks: WebhookSettings,
    /// Targets that are watched at once because somebody asked about them.
    pub on_request: usize,
    pub lease: LeaseSettings,
    /// Shards that the targets are divided among; 0: one agent works, with a journal file.
    pub shards: u32,
    pub otel: OtelSettings,
}

/// Which custom resources count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceSettings {
    pub enabled: bool,
    /// Empty: in all namespaces.
    pub namespaces: Vec<String>,
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

/// What of the journal is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionSettings {
    pub keep: Duration,
    pub bytes: u64,
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

/// A layer above file and environment: what flags say, by key.
pub type Flags = Vec<(&'static str, String)>;

/// Merges file, environment and flags, and checks the result.
///
/// # Errors
/// Everything that is wrong, each with its key and place.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: &Flags,
) -> Result<Settings, SettingsErrors> {
    let mut faults = Faults::default();
    let layers = Layers::read(file, environment, flags, &mut faults);
    let settings = layers.and_then(|layers| {
        let merged = faults.take(layers.merged())?;
        Settings::check(&layers, &merged, &mut faults)
    });
    faults.finish(settings)
}

impl Settings {
    /// `None` when something is wrong that was added to `faults`.
    fn check(layers: &Layers, merged: &Config, faults: &mut Faults) -> Option<Self> {
        let get = Getter { layers, merged };
        let second = Duration::from_secs(1);
        let rules = faults.take(get.list("rules"));
        let yes_or_no = [("true", true), ("false", false)];
        let resources_enabled = faults.take(get.one_of("resources.enabled", &yes_or_no));
        let resources_namespaces = faults.take(get.list("resources.namespaces"));
        let events = faults.take(get.one_of("events", &yes_or_no));
        let source = faults.take(get.source());
        let interval = faults.take(get.span("interval", second, second * 60));
        let prometheus = get.prometheus(faults);
        let templates = faults.take(get.optional("templates"));
        let journal = faults.take(get.text("journal"));
        let keep =
            faults.take(get.span("retention.keep", second * 3600, second * 3600 * 24 * 3650));
        let bytes = faults.take(get.mebibytes("retention.mebibytes"));
        let listen = faults.take(get.parse("listen", "is no address like `0.0.0.0:9464`"));
        let api = get.api(faults);
        let json = faults.take(get.one_of("log.format", &[("text", false), ("json", true)]));
        let level = faults.take(get.parse("log.level", "is no log level"));
        let guards = get.guards(faults);
        let webhooks = get.webhooks(faults);
        let on_request = faults.take(get.on_request());
        let lease_namespace = faults.take(get.optional("lease.namespace"));
        let lease_name = faults.take(get.text("lease.name"));
        let lease_duration = faults.take(get.span("lease.duration", second * 3, second * 3600));
        let shards = faults.take(get.shards());
        let otel_endpoint = faults.take(get.collector());
        let otel_service = faults.take(get.optional("otel.serviceName"));
        let otel_headers = faults.take(get.secret("otel.headers"));
        let otel_ratio = faults.take(get.share("otel.ratio"));
        Some(Self {
            rules: rules?.into_iter().map(PathBuf::from).collect(),
            resources: ResourceSettings {
                enabled: resources_enabled?,
                namespaces: resources_namespaces?,
            },
            events: events?,
            source: source?,
            interval: interval?,
            prometheus: prometheus.ok()?,
            templates: templates?.map(PathBuf::from),
            journal: journal?.into(),
            retention: RetentionSettings {
                keep: keep?,
                bytes: bytes?,
            },
            listen: listen?,
            api: api.ok()?,
            log: LogSettings {
                json: json?,
                level: level?,
            },
            guards: guards.ok()?,
            webhooks: webhooks?,
            on_request: on_request?,
            lease: LeaseSettings {
                namespace: lease_namespace?,
                name: lease_name?,
                duration: lease_duration?,
            },
            shards: shards?,
            otel: OtelSettings {
                endpoint: otel_endpoint?,
                service_name: otel_service?,
                headers: otel_headers?,
                ratio: otel_ratio?,
            },
        })
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
