//! What the templates share whose provider asks for the verdict again and again: `web` and `prometheus`.
//!
//! What the limits do, as the controller's own code has it: a measurement that is neither a success nor a failure is
//! inconclusive, and more of these than `inconclusiveLimit` would end the run, so the limit is `count`. With
//! `consecutiveSuccessLimit: 1` the first success ends it; at `count` without one, since `failureLimit` holds too, it is
//! Inconclusive, which pauses. Errors do not count towards `count`, and come every 10 s.

use recant_core::rule::Watch;

use super::head::head;
use super::{ArgoTemplateArgs, ERROR_RETRY, in_seconds, times};

/// How a provider tells a verdict.
pub(super) struct Told<'a> {
    /// Conditions on `result`.
    pub(super) success: &'a str,
    pub(super) failure: &'a str,
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
        provider,
    } = told;
    Ok(format!(
        "{head}    interval: {}
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
{provider}",
        in_seconds(args.interval)
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
