//! The agent's log: to standard error, as text or as JSON lines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::settings::LogSettings;

/// Starts logging. Libraries are heard from `warn` on; `RUST_LOG` overrides everything.
pub(in crate::cli) fn start(settings: &LogSettings) {
    let own = LevelFilter::from_level(settings.level);
    let filter = EnvFilter::builder().try_from_env().unwrap_or_else(|_| {
        // That one repeats every failed call, which is told in our own words where it is handled.
        EnvFilter::new(format!(
            "warn,kube_client::client::builder=off,recant={own},recant_core={own}"
        ))
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        // By default a line that cannot be written panics: on a full disk that would end the agent.
        .log_internal_errors(false);
    let started = if settings.json {
        builder.json().flatten_event(true).try_init()
    } else {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        builder.with_ansi(colour).try_init()
    };
    if let Err(error) = started {
        crate::cli::eprint_line(&format!("recant: no log can be written: {error}"));
    }
}
