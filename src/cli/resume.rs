//! `recant resume --all`: lets go on what Recant has left paused. It needs the API server, and no agent and no journal.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context as _;
use kube::Client;

use crate::cluster::kubernetes;
use crate::cluster::kubernetes::leftovers::{self, Leftover, Resumed};
use crate::cluster::kubernetes::suspended;

/// How often one is tried that others write at the same time.
const TRIES: usize = 5;

/// Finds every Deployment that Recant has paused, and what it has suspended of Argo CD and Flux, and resumes each, whether
/// an agent runs or not. What a person has paused
/// stays as it is.
pub(super) fn all(
    namespace: Option<&str>,
    dry_run: bool,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    crate::tls::install();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let code = runtime.block_on(resume_all(namespace, dry_run, out));
    runtime.shutdown_background();
    code
}

async fn resume_all(
    namespace: Option<&str>,
    dry_run: bool,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let client = kubernetes::connect().await?;
    let found = leftovers::paused(&client, namespace).await?;
    let syncs = suspended::suspended(&client, namespace).await?;
    if found.is_empty() && syncs.is_empty() {
        let place = namespace.map_or_else(String::new, |name| format!(" in namespace `{name}`"));
        writeln!(out, "Recant has left nothing paused{place}.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut left = 0;
    for leftover in found {
        if dry_run {
            writeln!(out, "{}", described(&leftover))?;
            writeln!(out, "  {}", leftover.patch())?;
            continue;
        }
        let (resumed, line) = one(&client, leftover).await?;
        left += usize::from(!resumed);
        writeln!(out, "{line}")?;
    }
    for sync in syncs {
        let name = sync.name();
        if dry_run {
            let patch = sync.patch().unwrap_or_default();
            writeln!(
                out,
                "{name} is suspended; it would be resumed by\n  {patch}"
            )?;
            continue;
        }
        let line = match sync.resume(&client).await {
            Ok(Resumed::Done) => {
                writeln!(out, "{name} goes on: Recant had suspended it")?;
                continue;
            }
            Ok(Resumed::Changed) => "somebody wrote it meanwhile, try again".to_owned(),
            Ok(Resumed::KillSwitch { place }) => format!("the kill switch is on at {place}"),
            Err(error) => error.to_string(),
        };
        left += 1;
        writeln!(out, "{name} stays suspended: {line}")?;
    }
    Ok(ExitCode::from(u8::from(left > 0)))
}

/// Resumes one, again while others write it; whether it goes on, and a line that says so.
async fn one(client: &Client, mut leftover: Leftover) -> anyhow::Result<(bool, String)> {
    let target = leftover.target.clone();
    for _ in 0..TRIES {
        match leftover.resume(client).await {
            Ok(Resumed::Done) => {
                return Ok((
                    true,
                    format!("{target} goes on: plan `{}` had paused it", leftover.plan),
                ));
            }
            Ok(Resumed::KillSwitch { place }) => {
                return Ok((
                    false,
                    format!(
                        "{target} stays paused: the kill switch is on at {place}. Take the annotation \
                         `recant.dev/kill-switch` away, or run `kubectl -n {} rollout resume deployment/{}`",
                        target.namespace, target.name
                    ),
                ));
            }
            Ok(Resumed::Changed) => {
                let again = leftovers::paused(client, Some(&target.namespace)).await?;
                match again.into_iter().find(|found| found.target == target) {
                    Some(found) => leftover = found,
                    None => {
                        return Ok((true, format!("{target} was resumed by somebody else")));
                    }
                }
            }
            Err(error) => return Ok((false, format!("{target} stays paused: {error}"))),
        }
    }
    Ok((
        false,
        format!(
            "{target} stays paused: it was written by others {TRIES} times meanwhile; try again"
        ),
    ))
}

fn described(leftover: &Leftover) -> String {
    let Leftover {
        target,
        plan,
        until,
        ..
    } = leftover;
    let until = until.map_or_else(
        || "its deadline cannot be read".to_owned(),
        |until| format!("until {until:.0} at the latest"),
    );
    format!("{target} is paused by plan `{plan}`, {until}; it would be resumed by")
}
