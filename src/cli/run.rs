//! `recant run`: the agent. Reads what is configured, checks what it may do, and runs until it is told to stop.

mod acting;
mod api;
mod catch_up;
pub(in crate::cli) mod documents;
pub(super) mod logging;
mod opening;
pub(in crate::cli) mod parts;
mod places;
mod reloading;
mod rights;
mod shards;
pub(in crate::cli) mod sources;
mod telling;
mod traces;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use recant_core::guard::GuardSettings;
use recant_core::rule::RuleBook;
use recant_core::spec::{Loaded, Severity, SourceFile};

use crate::agent;
use crate::cluster::Cluster as _;
use crate::cluster::kubernetes::lease::{self, Lease, LeaseState, Term};
use crate::cluster::kubernetes::{self, KubernetesCluster};
use crate::config::rules;
use crate::config::settings::{self, Flags, Settings};
use crate::http::Ops;
use crate::http::api::kayenta::Kayenta;
use crate::http::approval::Links;
use crate::http::health::{Health, Readiness};
use crate::http::metrics::Metrics;
use crate::http::orders::{self, Order};
use crate::http::reports::{self, Reported};
use crate::http::serve::{Limits, Server};
use crate::http::snapshot::SnapshotCell;
use crate::telemetry::{Spans, Telemetry};

use documents::Documents;
use places::Share;
use reloading::{Files, Reloading};
pub(in crate::cli) use rights::needs;
use rights::{check_access, missing};

/// The loop counts as stuck when it has not gone round for this long.
const STUCK: Duration = Duration::from_mins(1);

/// SIGXFSZ: a file may not grow beyond the limit of the process (`ulimit -f`). tokio has no name for it.
const FILE_TOO_LARGE: SignalKind = SignalKind::from_raw(25);

/// Runs the agent: watches releases, judges them, takes bad ones back, and tells people
#[derive(Debug, Args)]
#[command(after_long_help = format!(
    "Settings, with their defaults. A flag is stronger than the environment, and that is stronger than the file \
     of --config (YAML). In the environment `guards.coolDown` is RECANT_GUARDS__COOL_DOWN, and several `rules` \
     are separated by colons.\n\n{}\n\
     The cluster is that of the pod it runs in, else that of the kubeconfig ($KUBECONFIG, ~/.kube/config).\n\n\
     Exit codes: 0 after SIGTERM or SIGINT; 1 when it cannot go on: no cluster, rights that are missing, a lost \
     Lease; 2 when arguments, settings, rules or the journal cannot be used.",
    settings::table()
))]
pub struct RunArgs {
    /// The settings file
    #[arg(long, env = "RECANT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// File, or folder of files, with rule sets, watches and channels; may be given several times
    #[arg(long, value_name = "PATH")]
    rules: Vec<String>,
    /// Address of a Prometheus-compatible server; without it the pods are scraped
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// The journal file, made if it is not there
    #[arg(long, value_name = "FILE")]
    journal: Option<String>,
    /// Where health, readiness, metrics and the snapshot are served
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Decide and tell, but write to no workload
    #[arg(long)]
    dry_run: bool,
}

impl RunArgs {
    fn flags(&self) -> Flags {
        let Self {
            config: _,
            rules,
            prometheus,
            journal,
            listen,
            dry_run,
        } = self;
        let mut flags: Flags = rules.iter().map(|path| ("rules", path.clone())).collect();
        flags.extend(prometheus.clone().map(|url| ("prometheus.url", url)));
        flags.extend(journal.clone().map(|path| ("journal", path)));
        flags.extend(listen.map(|address| ("listen", address.to_string())));
        flags.extend(dry_run.then(|| ("dryRun", "true".to_owned())));
        flags
    }
}

/// Runs until SIGTERM, SIGINT, or the loss of the Lease. Exit code 0 after a signal, 1 after a failure, 2 when what
/// is configured cannot be used.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let settings = settings::load(args.config.as_deref(), std::env::vars(), &args.flags())?;
    logging::start(&settings.log);
    crate::tls::install();
    // As the files stand before they are read: what is written to them from now on is seen.
    let mut files = Files::new(args.config.clone(), args.flags(), &settings);
    let (texts, book) = load_files(&settings)?;
    files.good = texts;
    if settings.shards == 0 {
        check_journal(&settings.journal)?;
    }
    let mut telemetry = traces::start(&settings.otel)?;
    let spans = telemetry.as_mut().and_then(Telemetry::spans);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(&settings, book, files, spans));
    // What still runs then is only waiting for the outside; it must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    if let Some(telemetry) = telemetry {
        telemetry.end();
    }
    match result {
        Ok(code) => Ok(code),
        Err(error) => {
            super::eprint_line(&format!("recant: {error:#}"));
            Ok(ExitCode::from(1))
        }
    }
}

pub(super) fn load(settings: &Settings) -> anyhow::Result<RuleBook> {
    if settings.rules.is_empty() {
        bail!(
            "no rules are named: give files or folders with --rules, RECANT_RULES or `rules` in the settings"
        );
    }
    let (_, book) = load_files(settings)?;
    if book.watches_nothing() {
        bail!("the rules hold no Watch, so there is nothing to do: add one");
    }
    Ok(book)
}

/// With custom resources there may be no files, or none that hold a Watch.
fn load_files(settings: &Settings) -> anyhow::Result<(Vec<SourceFile>, RuleBook)> {
    if settings.rules.is_empty() && !settings.resources.enabled {
        bail!(
            "no rules are named: give files or folders with --rules, RECANT_RULES or `rules` in the settings, or set `resources.enabled`"
        );
    }
    let (
        files,
        Loaded {
            book, diagnostics, ..
        },
    ) = rules::load_files(&settings.rules);
    for diagnostic in &diagnostics {
        super::eprint_line(&format!("{diagnostic}\n"));
    }
    let errors = diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .count();
    let book = book.with_context(|| match errors {
        1 => "there is an error in the rules, see above".to_owned(),
        errors => format!("there are {errors} errors in the rules, see above"),
    })?;
    if book.watches_nothing() && !settings.resources.enabled {
        bail!("the rules hold no Watch, so there is nothing to do: add one");
    }
    Ok((files, book))
}

/// Says at once what is wrong with the journal, and not when the Lease is ours. It stays untouched: another agent may
/// still write to it while this one waits.
fn check_journal(path: &Path) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        bail!(
            "the folder {} of the journal does not exist: make it, or give another file with --journal",
            folder.display()
        );
    }
    if path.exists() {
        agent::fold(path)?;
    }
    Ok(())
}

async fn serve(
    settings: &Settings,
    book: RuleBook,
    files: Files,
    spans: Option<Spans>,
) -> anyhow::Result<ExitCode> {
    let metrics = Metrics::default();
    metrics.config.loaded(jiff::Timestamp::now());
    let ops = Ops {
        health: Arc::new(Health::new(STUCK)),
        readiness: Arc::new(Readiness::default()),
        registry: Arc::new(metrics.registry()),
        snapshot: Arc::new(SnapshotCell::default()),
        view: Arc::default(),
        finder: Arc::default(),
    };
    let server = Server::start(settings.listen, ops.clone().router(), Limits::default()).await?;
    tracing::info!(
        "health, readiness, metrics and snapshot are on http://{}",
        server.address()
    );

    // Handled, it does not end the process: the write fails, and that is told.
    drop(signal(FILE_TOO_LARGE).context("listening for SIGXFSZ")?);
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let signals = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: finishing the step in hand"),
            _ = interrupt.recv() => tracing::info!("SIGINT: finishing the step in hand"),
        }
        signals.cancel();
    });

    // From the start: unhandled, it would end a process that waits for its Lease.
    let hangup = Arc::new(Notify::new());
    let mut hangups = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let came = hangup.clone();
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            came.notify_one();
        }
    });

    // Before the Lease is held, too: it says then that it cannot answer yet.
    let (reports_in, reports) = reports::queue();
    let (orders_in, orders) = orders::queue();
    let queues = (reports_in, orders_in);
    let api = api::start(settings, &ops, queues, &metrics, &stop).await?;
    let around = Around {
        files,
        hangup,
        spans,
        reports,
        orders,
        kayenta: api.as_ref().map(|api| api.kayenta.clone()),
        links: api.as_ref().and_then(|api| api.links.clone()),
    };
    let result = if settings.shards > 1 {
        Box::pin(shards::lead(settings, &book, &metrics, &ops, &stop, around)).await
    } else {
        Box::pin(lead(settings, &book, &metrics, &ops, &stop, around)).await
    };
    if let Some(api) = api {
        api.server.shutdown().await;
    }
    server.shutdown().await;
    result
}

/// What goes with the agent beside its settings and rules.
struct Around {
    /// What these are read anew from, and when.
    files: Files,
    hangup: Arc<Notify>,
    spans: Option<Spans>,
    reports: mpsc::Receiver<Reported>,
    orders: mpsc::Receiver<Order>,
    links: Option<Links>,
    kayenta: Option<Kayenta>,
}

/// What rules and settings are read anew from, and when.
struct Changing {
    files: Files,
    /// Which of the watches are this engine's.
    share: Share,
    /// Who hears of changed guards.
    guards: Option<Arc<watch::Sender<GuardSettings>>>,
    hangup: Arc<Notify>,
    /// Asks the Prometheus of the settings, too.
    kayenta: Option<Kayenta>,
}

/// Competes for the Lease, and works while it is held.
async fn lead(
    settings: &Settings,
    book: &RuleBook,
    metrics: &Metrics,
    ops: &Ops,
    stop: &CancellationToken,
    around: Around,
) -> anyhow::Result<ExitCode> {
    let client = kubernetes::connect().await?;
    let namespace = settings
        .lease
        .namespace
        .clone()
        .unwrap_or_else(|| client.default_namespace().to_owned());
    check_access(&client, settings, book, &namespace).await?;

    let lease_stop = CancellationToken::new();
    let lease = Lease::start(
        client.clone(),
        lease::LeaseSettings {
            namespace: namespace.clone(),
            name: settings.lease.name.clone(),
            identity: lease::identity(),
            duration: settings.lease.duration,
        },
        &lease_stop,
    );
    metrics.work.follows();
    let standby = settings.shards > 0;
    let acquired = acquired(lease.state(), ops, stop, &settings.lease.name, standby).await;
    let Some(term) = acquired else {
        lease_stop.cancel();
        lease.released().await;
        return Ok(ExitCode::SUCCESS);
    };
    metrics.work.leads();
    ops.readiness.clear("lease");
    ops.view.elsewhere(None);
    let Around {
        files,
        hangup,
        spans,
        reports,
        orders,
        links,
        kayenta,
    } = around;
    let outside = parts::Outside {
        place: places::journal(settings, &client, &namespace),
        lease: settings.lease.name.clone(),
        acting: None,
        client,
        namespace,
        term,
        spans,
        reports,
        orders,
        links,
    };
    let changing = Changing {
        files,
        share: Share::WHOLE,
        guards: None,
        hangup,
        kayenta,
    };
    let worked = Box::pin(work(settings, book, metrics, ops, stop, outside, changing)).await;
    metrics.work.follows();
    // Given back only now, when the last step has ended: until here nobody else may act.
    lease_stop.cancel();
    lease.released().await;
    worked
}

/// Works as the holder of the Lease: until a signal comes, or the Lease is lost.
async fn work(
    settings: &Settings,
    book: &RuleBook,
    metrics: &Metrics,
    ops: &Ops,
    stop: &CancellationToken,
    outside: parts::Outside,
    changing: Changing,
) -> anyhow::Result<ExitCode> {
    let stop = stop.child_token();
    let term = outside.term.clone();
    let lost = term.ended();
    tokio::pin!(lost);
    let lease = outside.lease.clone();
    let lost_said = || {
        tracing::error!("the Lease `{lease}` was lost: no further step begins here; stopping");
        ExitCode::from(1)
    };
    let place = outside.place.clone();
    let opened = tokio::select! {
        () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
        () = &mut lost => return Ok(lost_said()),
        opened = opening::open(&place, settings.retention, metrics, ops) => opened?,
    };

    let cluster_stop = CancellationToken::new();
    // Before the engine: what no watch names any more when it starts is ended.
    let mut documents = tokio::select! {
        () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
        () = &mut lost => return Ok(lost_said()),
        opened = Documents::open(
            settings,
            &outside.client,
            &outside.namespace,
            changing.share,
            ops,
            &cluster_stop,
        ) => opened,
    };
    let merged;
    let book = match &mut documents {
        Some(documents) => {
            let all = documents.load(settings, &changing.files.good).await?;
            merged = changing.share.book(all);
            &merged
        }
        None => book,
    };
    let taken = &opened.ledger.taken;
    let taken = taken
        .iter()
        .filter(|(target, by)| book.taken_up(target, by).is_some())
        .map(|(target, _)| target);
    let named = book.watches.iter().map(|watch| &watch.target);
    let targets: Vec<_> = named.chain(taken).cloned().collect();
    let client = outside.client.clone();
    let namespace = outside.namespace.clone();
    let Changing {
        files,
        share,
        guards,
        hangup,
        kayenta,
    } = changing;
    let cluster = Arc::new(KubernetesCluster::start(
        client.clone(),
        &targets,
        &cluster_stop,
    ));
    cluster.show(book.places());
    let finding = cluster.clone();
    ops.finder.set(move |naming| finding.find(naming));
    let last = opened.last;
    let mut assembled = parts::assemble(settings, book, metrics, ops, opened, outside, &cluster);
    let mut telling = None;
    if let Ok((parts, _)) = &mut assembled {
        telling = telling::begin(
            settings,
            parts,
            documents.as_ref(),
            &client,
            &term,
            ops,
            &stop,
        )
        .await;
        let caught_up = tokio::select! {
            () = stop.cancelled() => Ok(()),
            caught_up = catch_up::catch_up(parts, &cluster, &targets, last) => caught_up,
        };
        if let Err(error) = caught_up {
            assembled = Err(error.into());
        }
    }
    let worked = match assembled {
        Ok((parts, kept)) => {
            ops.readiness.started();
            let reloading = Reloading {
                files,
                share,
                guards,
                settings: settings.clone(),
                book: Arc::new(book.clone()),
                kept,
                client,
                cluster: cluster.clone(),
                namespace,
                metrics: metrics.clone(),
                hangup,
                kayenta,
                documents,
                ops: ops.clone(),
            };
            let reloading = tokio::spawn(reloading.run(stop.clone()));
            let health = tokio::spawn(parts::report_watches(
                cluster.clone(),
                ops.clone(),
                stop.clone(),
            ));
            let agent = agent::run(parts, stop.clone());
            tokio::pin!(agent);
            let code = tokio::select! {
                ended = &mut agent => ended.map(|()| ExitCode::SUCCESS),
                () = &mut lost => {
                    let code = lost_said();
                    stop.cancel();
                    agent.await.map(|()| code)
                }
            };
            stop.cancel();
            // They only report, and make ready what nobody takes any more.
            drop(health.await);
            drop(reloading.await);
            if let Some(telling) = telling {
                drop(telling.await);
            }
            code.context("the journal is lost, so this agent ends and gives the Lease back")
        }
        Err(error) => Err(error),
    };
    cluster_stop.cancel();
    cluster.stopped().await;
    worked
}

/// Waits for the Lease; `None`: the process is to stop before.
async fn acquired(
    mut state: watch::Receiver<LeaseState>,
    ops: &Ops,
    stop: &CancellationToken,
    name: &str,
    standby: bool,
) -> Option<Term> {
    let mut said = String::new();
    loop {
        if let Some(term) = Term::of(&state) {
            tracing::info!("holds the Lease `{name}`: acting");
            return Some(term);
        }
        // The loop that ticks has not begun: waiting is healthy.
        ops.health.ticked();
        let waiting = match &*state.borrow() {
            LeaseState::Waiting { reason } => Some(reason.clone()),
            LeaseState::Held { .. } => None,
        };
        if let Some(reason) = waiting {
            if reason != said {
                tracing::info!("waits for the Lease `{name}`: {reason}");
                said.clone_from(&reason);
            }
            if standby {
                // It does what it is there for: it waits.
                ops.readiness.started();
                ops.view.elsewhere(Some(format!(
                    "this replica waits to take over (Lease `{name}`: {reason}), and knows nothing of the targets: ask \
                     the one that works"
                )));
            } else {
                ops.readiness
                    .block("lease", format!("waits for the Lease `{name}`: {reason}"));
            }
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            changed = state.changed() => if changed.is_err() { return None },
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
        }
    }
}
