//! `recant once`: one round, or a wait for the verdict, and then an end. For `CronJob`s, steps of a pipeline, and Argo's
//! `job` provider; what is known lasts in a `ConfigMap` from one run to the next.

mod annotated;
mod junit;
mod outside;
mod profile;
mod report;
mod round;
mod sampled;
mod verdict;
mod watching;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use recant_core::rule::{RuleBook, SourceKind};
use recant_core::spec::duration;

use super::annotations::AnnotationArgs;
use super::run;
use crate::config::settings::{self, Flags, Settings};
use profile::Profile;
use verdict::Unclear;

/// Looks once, or waits for the verdict, takes a bad release back, and ends with an exit code that says the verdict
#[derive(Debug, Args)]
#[command(
    after_long_help = "It judges all that happened since its last look, at most the last five minutes at the first: \
     Prometheus is asked for the time between by range query. What it knows is kept in a ConfigMap of its namespace, \
     under a Lease of the same name, so it needs no volume, and overlapping runs wait for each other.\n\n\
     Settings are those of `recant run` (`recant run --help`), by file and environment; `journal`, `listen` and \
     `lease.name` are not used.\n\n\
     Without rule files it does what a rollback CronJob does: environment APP_NAME names a Deployment, or the Rollout \
     `$APP_NAME-rollout`, in NAMESPACE; ERROR_THRESHOLD (a share, 0.05) and RESPONSE_TIME_THRESHOLD (milliseconds, \
     1000) limit what Istio measures of it; SLACK_WEBHOOK_URL is told. The exit code is then 0 whenever the round was \
     done, since `restartPolicy: OnFailure` would run it again.\n\n\
     Exit codes: 0 pass, and also: undecided, or nothing to judge; 1 fail, also when a guard held the action back; 2 \
     when arguments, settings or rules cannot be used; 3 inconclusive; 4 when it could not look: no cluster, rights \
     that are missing, no Prometheus, another run at work, a state that cannot be used. Of several watches the worst \
     counts: 1, then 4, then 3."
)]
pub struct OnceArgs {
    /// The settings file
    #[arg(long, env = "RECANT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// File, or folder of files, with rule sets, watches and channels; may be given several times
    #[arg(long, value_name = "PATH")]
    rules: Vec<String>,
    /// Address of a Prometheus-compatible server
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// Name of the `ConfigMap` that holds the state, and of the Lease that guards it
    #[arg(long, value_name = "NAME", default_value = "recant-once")]
    state: String,
    /// Stay until every watch has its verdict, or its release is surely good so far, at most this long, such as 10m
    #[arg(long, value_name = "DURATION", value_parser = span)]
    wait: Option<Duration>,
    /// What it is when the wait ends without a verdict, or nothing could be looked at
    #[arg(long, value_enum, requires = "wait")]
    when_unclear: Option<Unclear>,
    /// Exit code 3 instead of 0 when the round brought no verdict
    #[arg(long)]
    verdict: bool,
    /// How long all the rest may take: waiting for another run, rolling back, verifying, telling
    #[arg(long, value_name = "DURATION", default_value = "4m", value_parser = span)]
    deadline: Duration,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
    /// Write a `JUnit` report, one test case for each watch and rule
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    annotations: AnnotationArgs,
    /// Decide and tell, but write to no workload
    #[arg(long)]
    dry_run: bool,
}

/// What is asked of one run.
#[derive(Debug)]
struct Task {
    settings: Settings,
    subject: Subject,
    state: String,
    wait: Option<Duration>,
    deadline: Duration,
}

/// What is watched.
#[derive(Debug)]
enum Subject {
    Rules(RuleBook),
    /// As the environment says; which kind of workload it is, the cluster says.
    Environment(Profile),
}

fn span(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|_| "give a duration like 90s or 10m".to_owned())
}

/// Does one round, or waits. See the help for exit codes.
///
/// # Errors
/// What is configured cannot be used; what cannot be done is said here, with exit code 4.
pub fn once(args: &OnceArgs) -> anyhow::Result<ExitCode> {
    let task = task(args)?;
    let mut junit = match &args.junit {
        // Before anything is done: a pipeline without its report is no use.
        Some(path) => {
            Some(File::create(path).with_context(|| format!("--junit {}", path.display()))?)
        }
        None => None,
    };
    run::logging::start(&task.settings.log);
    crate::tls::install();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let looked = runtime.block_on(round::look(&task));
    runtime.shutdown_timeout(Duration::from_secs(1));
    let round = match looked {
        Ok(round) => round,
        Err(error) => {
            super::eprint_line(&format!("recant: {error:#}"));
            args.annotations.tell(
                "recant once",
                &[annotated::could_not_look(&error)],
                &mut io::stderr(),
            )?;
            let code = verdict::of_no_look(args.when_unclear);
            return Ok(ExitCode::from(code));
        }
    };
    let by_environment = matches!(task.subject, Subject::Environment(_));
    let code = verdict::exit_code(
        &round,
        verdict::Asked {
            verdict: args.verdict,
            waited: args.wait.is_some(),
            when_unclear: args.when_unclear,
            only_whether_done: by_environment,
        },
    );
    let mut out = io::stdout().lock();
    let text = if args.json {
        report::json(&round, code)?
    } else {
        report::lines(&round)
    };
    // Nobody may be reading; the exit code says it all the same.
    drop(out.write_all(text.as_bytes()));
    drop(out.flush());
    if args.annotations.wanted() {
        let found = annotated::watches(&round, code);
        args.annotations
            .tell("recant once", &found, &mut io::stderr())?;
    }
    if let Some(file) = &mut junit {
        let text = junit::report(&round)?;
        file.write_all(text.as_bytes())
            .context("writing the report of --junit")?;
    }
    Ok(ExitCode::from(code))
}

fn task(args: &OnceArgs) -> anyhow::Result<Task> {
    let mut flags: Flags = args
        .rules
        .iter()
        .map(|path| ("rules", path.clone()))
        .collect();
    flags.extend(args.prometheus.clone().map(|url| ("prometheus.url", url)));
    flags.extend(args.dry_run.then(|| ("dryRun", "true".to_owned())));
    let settings = settings::load(args.config.as_deref(), std::env::vars(), &flags)?;
    let subject = if settings.rules.is_empty() {
        Subject::Environment(Profile::read(|name| std::env::var(name).ok())?)
    } else {
        Subject::Rules(run::load(&settings)?)
    };
    if let Subject::Rules(book) = &subject {
        check(book, &settings, args)?;
    }
    if settings.prometheus.is_none() {
        bail!(
            "no address of a Prometheus is set: give --prometheus URL. `recant once` asks it for the time since the \
             last look, which the pods themselves cannot tell"
        );
    }
    if let (Subject::Environment(_), Some(_)) = (&subject, args.wait) {
        bail!(
            "--wait needs rule files: what the environment alone describes ends with 0 whenever the round was done, \
             whatever the verdict. Give a Watch by --rules"
        );
    }
    Ok(Task {
        settings,
        subject,
        state: args.state.clone(),
        wait: args.wait,
        deadline: args.deadline,
    })
}

fn check(book: &RuleBook, settings: &Settings, args: &OnceArgs) -> anyhow::Result<()> {
    let wait = args.wait;
    let longest = wait.unwrap_or_default() + args.deadline;
    if book.watches.is_empty() {
        bail!(
            "the rules hold Watches on request only, which `recant run` takes up when somebody asks: give a Watch with \
             `target`"
        );
    }
    for watch in &book.watches {
        let name = &watch.name;
        // Without an address all would be scraped: that has words of its own.
        if watch.source == Some(SourceKind::Scrape)
            || (settings.source == SourceKind::Scrape && settings.prometheus.is_some())
        {
            bail!(
                "the watch `{name}` has the source `scrape`, which `recant once` cannot use: it judges the time since \
                 its last look, and pods only tell what is now. Give --prometheus URL, or `source: prometheus`"
            );
        }
        if watch.stepped.is_some() {
            bail!(
                "the watch `{name}` steps the traffic of its releases (`release.traffic`), which `recant once` cannot do: \
                 each step has to be watched by an agent that stays, and a release that fails between two rounds would keep \
                 its share until the next. Use `recant run`, or give `recant once` a Watch without `release.traffic`"
            );
        }
        let always = watch.always.iter().map(|always| &always.rule);
        let mut rules = watch.rules.iter().chain(always);
        if let Some(rule) = rules.find(|rule| rule.only_accuses()) {
            bail!(
                "the watch `{name}`: the rule `{}` is about an alert, which `recant once` cannot hear of: Alertmanager \
                 reports to an agent that runs. Use `recant run`, or a rule that measures what the alert does, such as \
                 `promql`",
                rule.name
            );
        }
        for (rule, times) in sampled::rules(watch) {
            let needs = [
                ("has to be broken", "for", Some(times.broken)),
                (
                    "has to be kept before a scaling is taken back",
                    "undo",
                    times.undo,
                ),
            ];
            for (what, field, needed) in needs {
                let Some(needed) = needed.filter(|needed| *needed >= longest) else {
                    continue;
                };
                bail!(
                    "the watch `{name}`: the rule `{rule}` {what} for {} s, and what it reads has no past that could \
                     be asked for: `recant once` would have to look for that long, and ends after {} s. Give a \
                     longer --deadline, or a shorter `{field}`",
                    needed.as_secs(),
                    longest.as_secs(),
                );
            }
        }
    }
    Ok(())
}
