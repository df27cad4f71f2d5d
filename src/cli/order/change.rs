//! `recant scale` and `recant switch`: what people order changed besides a rollback, sent to the agent that acts.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Common, EXIT_CODES, TargetArgs, insert, send};

/// Gives a workload more replicas, by the agent
///
/// As an action of a rule would: where an autoscaler has the workload its minimum is raised, never above its maximum, and
/// nothing is ever lowered. The workload is the target of a Watch, or named by one in an action.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ScaleArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How many replicas
    #[arg(
        long,
        value_name = "N",
        required_unless_present = "factor",
        conflicts_with = "factor"
    )]
    replicas: Option<u32>,
    /// How many times as many as there are, in percent, such as `150%`
    #[arg(long, value_name = "PERCENT")]
    factor: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
    #[command(flatten)]
    common: Common,
}

/// Leads the traffic of a Service, or of a path of an Ingress, to another colour, by the agent
///
/// The workload of the new colour is scaled up first and has to be ready: nothing is led to a colour without pods. It is the
/// target of a Watch, or named by one in an action.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct SwitchArgs {
    /// `Service/NAME` or `Ingress/NAME`
    #[arg(value_name = "KIND/NAME")]
    target: String,
    /// Its namespace
    #[arg(long, short, value_name = "NAMESPACE", env = "RECANT_NAMESPACE")]
    namespace: String,
    /// A label that the Service shall select, such as `color=blue`; of an Ingress `service=checkout-blue`. May be repeated
    #[arg(long, value_name = "NAME=VALUE", required = true, value_parser = crate::cli::assignment)]
    to: Vec<(String, String)>,
    /// The workload of the new colour, such as `Deployment/checkout-blue`
    #[arg(long, value_name = "KIND/NAME")]
    workload: Option<String>,
    /// What has the traffic now, such as `Deployment/checkout-green`: the new colour gets as many replicas
    #[arg(long, value_name = "KIND/NAME")]
    present: Option<String>,
    /// The new colour gets at least so many replicas
    #[arg(long, value_name = "N")]
    min: Option<u32>,
    /// How long its pods may take to get ready, such as `2m`; left out, 5 minutes
    #[arg(long, value_name = "TIME")]
    wait: Option<String>,
    /// The host, of an Ingress with several
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The path, of an Ingress with several
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct ChangeArgs {
    /// Taken back after this long, such as `30m`; left out, never by itself
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<String>,
    /// A guard that must not hold it, such as `freeze`; it is written down. May be repeated
    #[arg(long = "override", visible_alias = "despite", value_name = "GUARD")]
    overrides: Vec<String>,
}

impl ChangeArgs {
    fn add_to(&self, body: &mut Map<String, Value>) {
        insert(body, "for", self.lasts.clone());
        if !self.overrides.is_empty() {
            body.insert("override".to_owned(), json!(self.overrides));
        }
    }
}

/// Orders a scaling.
pub fn scale(args: &ScaleArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut body = args.target.body();
    if let Some(replicas) = args.replicas {
        body.insert("replicas".to_owned(), json!(replicas));
    }
    insert(&mut body, "factor", args.factor.clone());
    args.change.add_to(&mut body);
    send("scale", body, &args.common, out)
}

/// Orders a switch.
pub fn switch(args: &SwitchArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut body = Map::new();
    insert(&mut body, "namespace", Some(args.namespace.clone()));
    insert(&mut body, "target", Some(args.target.clone()));
    let to: Map<String, Value> = args
        .to
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    body.insert("to".to_owned(), Value::Object(to));
    for (field, value) in [
        ("workload", &args.workload),
        ("present", &args.present),
        ("wait", &args.wait),
        ("host", &args.host),
        ("path", &args.path),
    ] {
        insert(&mut body, field, value.clone());
    }
    if let Some(min) = args.min {
        body.insert("min".to_owned(), json!(min));
    }
    args.change.add_to(&mut body);
    send("switch", body, &args.common, out)
}
