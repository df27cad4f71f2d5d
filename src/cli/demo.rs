//! `recant demo`: a first look, without a cluster, a Prometheus or a file.

use std::process::ExitCode;

use clap::Args;

use crate::demo::{self, Fault, Options, Outcome};

/// Ships a bad release to real services on loopback, and takes it back, within a minute
#[derive(Debug, Args)]
#[command(after_long_help = "\
    Everything is real but the cluster: three HTTP services, their traffic, what is scraped from them, and the engine \
    that judges and acts. Nothing outside of this process is touched.\n\n\
    Exit codes: 0 when the bad release was rolled back, or the good one left alone; 1 otherwise.")]
pub struct DemoArgs {
    /// What is wrong with the release
    #[arg(long, value_enum, default_value_t = Fault::Errors)]
    fault: Fault,
    /// Seed of the services' randomness: which requests fail, and how long each takes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print JSON lines; the last one sums up
    #[arg(long)]
    json: bool,
}

/// Runs the demo: exit code 0 when what should happen happened, 1 otherwise.
pub fn demo(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let DemoArgs { fault, seed, json } = *args;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let summary = runtime.block_on(demo::run(Options { fault, seed, json }))?;
    let expected = match fault {
        Fault::Errors | Fault::Latency => Outcome::RolledBack,
        Fault::None => Outcome::Promoted,
    };
    Ok(if summary.outcome == expected {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
