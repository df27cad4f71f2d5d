//! The template of Argo's `kayenta` provider, which asks Recant as it would ask Kayenta: once, after the wait.
//!
//! The provider sends no headers, so a token goes in the address; it starts an execution, and polls it every 15 s.

use recant_core::rule::Watch;

use super::head::{self, head};
use super::{ArgoTemplateArgs, ERROR_RETRY, in_seconds, quoted, times};

/// Between two samples that are compared, in seconds.
const STEP: u64 = 10;

pub(super) fn template(args: &ArgoTemplateArgs, watch: &Watch) -> anyhow::Result<String> {
    let target = &watch.target;
    let (namespace, name) = (&target.namespace, &target.name);
    let mut address = head::address(&args.address)?;
    let wait = in_seconds(args.wait);
    let step = STEP.min((args.wait.as_secs() / 10).max(1));
    let errors = times(args.outage.unwrap_or(args.wait), ERROR_RETRY);
    let about = format!(
        "# Argo Rollouts asks Recant, as it would ask Kayenta, about {target} (Watch {}): once, after {wait}, over these.
# The canary config `{name}` of the application `{name}` lies in the folder of `api.kayentaFolder`, or comes by
# POST {address}/kayenta/canaryConfig; its queries find pods by `${{scope}}`, as in
#   PromQL: sum(rate(http_requests_total{{namespace=\"${{location}}\",pod=~\"${{scope}}-.*\",status=~\"5..\"}}[30s]))
# The Rollout names the template in its steps:
",
        watch.name
    );
    if args.secret.is_some()
        && let Some((scheme, rest)) = address.split_once("://")
    {
        address = format!("{scheme}://recant:{{{{args.token}}}}@{rest}");
    }
    let hashes = [("hash", "Latest"), ("stable-hash", "Stable")];
    let head = head(args, watch, &about, &hashes)?;
    let application = quoted(name)?;
    let address = quoted(&format!("{address}/kayenta"))?;
    Ok(format!(
        "{head}    # The samples of so long are compared, so long after the beginning.
    initialDelay: {wait}
    interval: {wait}
    count: 1
    failureLimit: 0
    # Recant cannot be asked: tried again every 10 s, so many times in a row.
    consecutiveErrorLimit: {errors}
    provider:
      kayenta:
        address: {address}
        application: {application}
        canaryConfigName: {application}
        metricsAccountName: recant
        configurationAccountName: recant
        storageAccountName: recant
        # From `pass` on Successful; from `marginal` on Inconclusive, which pauses the Rollout; else Failed.
        threshold: {{pass: 95, marginal: 75}}
        scopes:
        - name: default
          controlScope: {{scope: \"{name}-{{{{args.stable-hash}}}}\", region: {namespace}, step: {step}}}
          experimentScope: {{scope: \"{name}-{{{{args.hash}}}}\", region: {namespace}, step: {step}}}
"
    ))
}
