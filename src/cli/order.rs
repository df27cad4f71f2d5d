//! `recant rollback`, `scale`, `switch`, `hold`, `resume`, `approve`, `freeze`, `unfreeze`: what people order, sent to the agent that acts.
//!
//! Nothing is done here: the agent's engine and guards decide, and its journal says who ordered what, and why.

mod agent;
mod change;
mod said;

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use agent::{AgentPlace, Answered};
pub use change::{ScaleArgs, SwitchArgs, scale, switch};

const EXIT_CODES: &str = "Exit codes:
  0  done, or begun; with --dry-run: nothing would hold it
  1  not done: guards hold it, or it cannot be done
  2  how the command is used has errors, or the agent refuses the caller
  4  no agent answered, or none that acts: nothing is known to have been done";

/// Takes a target back to an earlier revision, by the agent
///
/// Your word takes the place of the evidence, and nothing else: where it goes back to, the guards, the plan and the
/// check afterwards are those of any rollback. It never goes to a revision that failed, and never while the kill switch is on.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct RollbackArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The revision to go to, by number or hash; left out, the one that Recant would choose
    #[arg(long, value_name = "REVISION")]
    to: Option<String>,
    /// A guard that must not hold it, such as `cool-down`; it is written down, and people are told. May be repeated
    #[arg(long = "override", visible_alias = "despite", value_name = "GUARD")]
    overrides: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// Keeps Recant's hands off a target, by the agent
///
/// The target is judged as before, and people are told; nothing is done to it until the hold ends.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct HoldArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    lasts: Lasts,
    #[command(flatten)]
    common: Common,
}

/// Ends a hold, and what a person ends: flapping, the circuit breaker; or, with --all, every pause of Recant's own
///
/// A target is resumed by the agent. `--all` needs none: it finds what Recant has paused (`recant.dev/paused-until` marks
/// it) and lets it go on; what a person has paused stays as it is. Without Recant the same is done by
/// `kubectl rollout resume deployment/NAME`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ResumeArgs {
    /// The target, such as `Deployment/checkout`
    #[arg(value_name = "KIND/NAME", required_unless_present = "all")]
    target: Option<String>,
    /// Its namespace; with --all the only one that is looked at
    #[arg(
        long,
        short,
        value_name = "NAMESPACE",
        env = "RECANT_NAMESPACE",
        required_unless_present = "all"
    )]
    namespace: Option<String>,
    /// Everything that Recant itself has paused, whether an agent runs or not
    #[arg(long, conflicts_with = "target")]
    all: bool,
    #[command(flatten)]
    common: Common,
}

/// Keeps Recant's hands off everything, a namespace, or a target, by the agent
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct FreezeArgs {
    /// How far it reaches: NAMESPACE, or NAMESPACE/KIND/NAME; left out, everything
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    #[command(flatten)]
    lasts: Lasts,
    #[command(flatten)]
    common: Common,
}

/// Ends a freeze that was ordered; windows of `guards.freeze` end by themselves
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct UnfreezeArgs {
    /// As it was given to `recant freeze`
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Agrees to a rollback that waits for a person
///
/// It counts for that plan alone, once, and until the time that the message named; and it is carried out only if a rule
/// fails then, too.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ApproveArgs {
    /// The plan, as the message names it
    #[arg(value_name = "PLAN")]
    plan: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct TargetArgs {
    /// The target, such as `Deployment/checkout`
    #[arg(value_name = "KIND/NAME")]
    target: String,
    /// Its namespace
    #[arg(long, short, value_name = "NAMESPACE", env = "RECANT_NAMESPACE")]
    namespace: String,
}

#[derive(Debug, Args)]
struct Lasts {
    /// For how long, such as `2h`; left out, until somebody ends it
    #[arg(long = "for", value_name = "TIME", conflicts_with = "until")]
    lasts: Option<String>,
    /// Until when, such as 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

#[derive(Debug, Args)]
struct Common {
    /// Why, for the journal and for those who are told
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,
    /// Only print what would be written, and which guards would hold it
    #[arg(long)]
    dry_run: bool,
    /// What makes a repeat the same order; left out, a new one
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print the agent's answer as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: AgentPlace,
}

/// Orders a rollback.
pub fn rollback(args: &RollbackArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut body = args.target.body();
    insert(&mut body, "to", args.to.clone());
    if !args.overrides.is_empty() {
        body.insert("override".to_owned(), json!(args.overrides));
    }
    send("rollback", body, &args.common, out)
}

/// Orders a hold.
pub fn hold(args: &HoldArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut body = args.target.body();
    args.lasts.add_to(&mut body);
    send("hold", body, &args.common, out)
}

/// Ends a hold, and what is latched; or all pauses of Recant's own.
pub fn resume(args: &ResumeArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let ResumeArgs {
        target,
        namespace,
        all,
        common,
    } = args;
    if *all {
        return super::resume::all(namespace.as_deref(), common.dry_run, out);
    }
    let mut body = Map::new();
    insert(&mut body, "namespace", namespace.clone());
    insert(&mut body, "target", target.clone());
    send("resume", body, common, out)
}

/// Orders a freeze.
pub fn freeze(args: &FreezeArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut body = reach(args.scope.as_deref());
    args.lasts.add_to(&mut body);
    send("freeze", body, &args.common, out)
}

/// Ends a freeze.
pub fn unfreeze(args: &UnfreezeArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    send("unfreeze", reach(args.scope.as_deref()), &args.common, out)
}

/// Agrees to a plan.
pub fn approve(args: &ApproveArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut body = Map::new();
    insert(&mut body, "plan", Some(args.plan.clone()));
    send("approve", body, &args.common, out)
}

impl TargetArgs {
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        insert(&mut body, "namespace", Some(self.namespace.clone()));
        insert(&mut body, "target", Some(self.target.clone()));
        body
    }
}

impl Lasts {
    fn add_to(&self, body: &mut Map<String, Value>) {
        insert(body, "for", self.lasts.clone());
        insert(body, "until", self.until.map(|until| until.to_string()));
    }
}

/// `NAMESPACE`, or `NAMESPACE/KIND/NAME`.
fn reach(scope: Option<&str>) -> Map<String, Value> {
    let mut body = Map::new();
    let Some(scope) = scope else { return body };
    let (namespace, target) = match scope.split_once('/') {
        Some((namespace, target)) => (namespace, Some(target.to_owned())),
        None => (scope, None),
    };
    insert(&mut body, "namespace", Some(namespace.to_owned()));
    insert(&mut body, "target", target);
    body
}

fn insert(body: &mut Map<String, Value>, field: &str, value: Option<String>) {
    if let Some(value) = value {
        body.insert(field.to_owned(), Value::String(value));
    }
}

fn send(
    path: &str,
    mut body: Map<String, Value>,
    common: &Common,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let Common {
        reason,
        dry_run,
        key,
        json,
        place,
    } = common;
    insert(&mut body, "reason", Some(reason.clone()));
    body.insert("dryRun".to_owned(), Value::Bool(*dry_run));
    match place.post(
        &format!("api/v1/{path}"),
        &Value::Object(body),
        key.as_deref(),
    )? {
        Answered::Order(answer) => said::say(&answer, *json, out),
        Answered::Usage(problem) => {
            super::eprint_line(&format!("recant: {problem}"));
            Ok(ExitCode::from(2))
        }
        Answered::Nobody(problem) => {
            super::eprint_line(&format!("recant: {problem}"));
            Ok(ExitCode::from(4))
        }
    }
}
