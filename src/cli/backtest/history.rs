//! Where history is read from: a Prometheus, or recorded files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use recant_core::rule::{Level, Question, Watch, What};

use super::BacktestArgs;
use crate::cli::run::sources::options;
use crate::clock;
use crate::config::settings::Settings;
use crate::source::Source;
use crate::source::prometheus::recorded::{Recorded, Recorder};
use crate::source::prometheus::{Prometheus, PrometheusOptions};

/// A stretch of the past takes longer to evaluate than what is now.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct History {
    source: Box<dyn Source>,
    /// `None`: as far back as is asked for.
    first: Option<Timestamp>,
    last: Timestamp,
}

impl History {
    pub(super) fn open(
        args: &BacktestArgs,
        settings: &Settings,
        watches: &[Watch],
    ) -> anyhow::Result<Self> {
        if !args.recorded.is_empty() {
            return Self::recorded(args, settings, watches);
        }
        let prometheus = settings
            .prometheus
            .as_ref()
            .context("no history is named: give --prometheus URL, or --recorded FILE")?;
        crate::tls::install();
        let mut options = options(prometheus)?;
        options.timeout = options.timeout.max(PATIENCE);
        Ok(Self {
            source: Box::new(Prometheus::new(options, clock::system())?),
            first: None,
            last: Timestamp::now(),
        })
    }

    fn recorded(
        args: &BacktestArgs,
        settings: &Settings,
        watches: &[Watch],
    ) -> anyhow::Result<Self> {
        let defaults = PrometheusOptions::new("");
        let (pod, namespace) = match &settings.prometheus {
            Some(named) => (&named.pod_label, &named.namespace_label),
            None => (&defaults.pod_label, &defaults.namespace_label),
        };
        let metrics = metrics(watches);
        let mut recorder = Recorder::new(metrics.clone(), pod, namespace.as_deref());
        for path in &args.recorded {
            let name = format!("reading the recorded file `{}`", path.display());
            let file = File::open(path).with_context(|| name.clone())?;
            let mut reader = BufReader::with_capacity(1 << 20, file);
            recorder.read(&mut reader).context(name)?;
        }
        let recorded: Recorded = recorder.finish();
        let Some((first, last)) = recorded.span() else {
            let metrics: Vec<String> = metrics.iter().map(|metric| format!("`{metric}`")).collect();
            bail!(
                "the recorded files hold no sample of what the rules ask about: {}",
                recant_core::wording::listed(&metrics)
            );
        };
        Ok(Self {
            source: Box::new(recorded),
            first: Some(first),
            last,
        })
    }

    pub(super) fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// When it begins, if that is known, and when it ends.
    pub(super) fn span(&self) -> (Option<Timestamp>, Timestamp) {
        (self.first, self.last)
    }
}

/// The names of all series that some rule asks about.
fn metrics(watches: &[Watch]) -> BTreeSet<String> {
    let rules = watches.iter().flat_map(|watch| &watch.rules);
    rules
        .flat_map(|rule| match Question::of(rule).what {
            What::Ratio { part, total } => vec![part.metric, total.metric],
            What::Histogram { histogram } => vec![format!("{}_bucket", histogram.metric)],
            What::Level(Level::Gauge(gauge)) => vec![gauge.metric],
            What::Level(
                Level::Promql(_)
                | Level::Kubernetes(_)
                | Level::HttpJson(_)
                | Level::Redis(_)
                | Level::Alert(_),
            ) => Vec::new(),
        })
        .collect()
}
