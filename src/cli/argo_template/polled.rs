//! What the templates share whose provider asks for the verdict again and again: `web` and `prometheus`.
//!
//! What the limits do, as the controller's own code has it: a measurement that is neither a success nor a failure is
//! inconclusive, and more of these than `inconclusiveLimit` would end the run, so the limit is `count`. With
//! `consecutiveSuccessLimit: 1` the first success ends it; at `count` without one, since `failureLimit` holds too, it is
//! Inconclusive, which pauses. Errors do not count towards `count`, and come every 10 s.
//!
//! One metric cannot tell Running, which goes on, from Inconclusive, which ends the run: both are neither. Where the
//! provider can say the latter, a second metric tells it: Running is a failure there, of which there may be any number
//! (`failureLimit: -1`), so that the first measurement that is neither is more than its `inconclusiveLimit` of 0. It ends
//! with the first success, like the first, and all else is left to that: at the first one's `count`, or a Fail, the
//! controller ends the run with all its metrics. A metric of a step must have a `count`; this one is never reached.

use recant_core::rule::Watch;

use super::head::head;
use super::{ArgoTemplateArgs, ERROR_RETRY, in_seconds, times};

/// Measurements that no run comes to: a wait is at most a day, with a second between two.
const NEVER: u64 = 1_000_000;

/// How a provider tells a verdict.
pub(super) struct Told<'a> {
    /// Conditions on `result`.
    pub(super) success: &'a str,
    pub(super) failure: &'a str,
    /// What the second metric ends with, and what it goes on with; what is neither is Inconclusive. `None`: there is no
    /// such metric, for the provider cannot say that.
    pub(super) ends_and_goes_on: Option<(&'a str, &'a str)>,
    /// The provider, as lines of YAML below `provider:`.
    pub(super) provider: &'a str,
}

/// The whole template.
pub(super) fn template(
    args: &ArgoTemplateArgs,
    watch: &Watch,
    told: &Told<'_>,
) -> anyhow::Result<String> {
    let count = times(args.wait, args.interval);
    let errors = times(args.outage.unwrap_or(args.wait), ERROR_RETRY);
    let about = format!(
        "# Argo Rollouts asks Recant for its verdict on {} (Watch {}).
# The Rollout names it in its steps (or as background analysis), with the revision that it is about:
",
        watch.target, watch.name
    );
    let head = head(args, watch, &about, &[("hash", "Latest")])?;
    let Told {
        success,
        failure,
        ends_and_goes_on,
        provider,
    } = told;
    let interval = in_seconds(args.interval);
    let unclear = ends_and_goes_on.map_or_else(String::new, |(ends, goes_on)| {
        format!(
            "  # Pauses the Rollout as soon as Recant says that there will be no verdict. Running counts as failed here, and
  # may: a failed measurement of this metric means nothing.
  - name: recant-unclear
    interval: {interval}
    # The run ends with the other metric, before it comes to this.
    count: {NEVER}
    consecutiveSuccessLimit: 1
    failureLimit: -1
    inconclusiveLimit: 0
    consecutiveErrorLimit: {errors}
    successCondition: {ends}
    failureCondition: {goes_on}
    provider:
{provider}"
        )
    });
    Ok(format!(
        "{head}    interval: {interval}
    # No verdict after so many: Inconclusive, and the Rollout is paused for a person.
    count: {count}
    # The first Successful ends the run.
    consecutiveSuccessLimit: 1
    failureLimit: 0
    # Running is neither a success nor a failure, and ends nothing.
    inconclusiveLimit: {count}
    # Recant cannot be asked, or cannot look: tried again every 10 s, so many times in a row.
    consecutiveErrorLimit: {errors}
    successCondition: {success}
    failureCondition: {failure}
    provider:
{provider}{unclear}"
    ))
}

/// The header that sends the token, as lines of YAML in the provider; nothing without a Secret.
pub(super) fn headers(args: &ArgoTemplateArgs) -> &'static str {
    match args.secret {
        Some(_) => {
            "        headers:
        - {key: Authorization, value: \"Bearer {{args.token}}\"}
"
        }
        None => "",
    }
}
