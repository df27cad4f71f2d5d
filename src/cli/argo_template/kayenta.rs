//! The template of Argo's `kayenta` provider, which asks Recant as it would ask Kayenta: once, after the wait.
//!
//! The provider sends no headers, so a token goes in the address; it starts an execution, and polls it every 15 s.

use std::fmt::Write as _;

use recant_core::rule::Watch;

use super::{ArgoTemplateArgs, ERROR_RETRY, in_seconds, quoted, times, web};

/// Between two samples that are compared, in seconds.
const STEP: u64 = 10;

pub(super) fn template(args: &ArgoTemplateArgs, watch: &Watch) -> anyhow::Result<String> {
    let target = &watch.target;
    let (namespace, name) = (&target.namespace, &target.name);
    let mut address = web::address(&args.address)?;
    let wait = in_seconds(args.wait);
    let step = STEP.min((args.wait.as_secs() / 10).max(1));
    let errors = times(args.outage.unwrap_or(args.wait), ERROR_RETRY);
    let mut text = format!(
        "# Argo Rollouts asks Recant, as it would ask Kayenta, about {target} (Watch {}): once, after {wait}, over these.
# The canary config `{name}` of the application `{name}` lies in the folder of `api.kayentaFolder`, or comes by
# POST {address}/kayenta/canaryConfig; its queries find pods by `${{scope}}`, as in
#   PromQL: sum(rate(http_requests_total{{namespace=\"${{location}}\",pod=~\"${{scope}}-.*\",status=~\"5..\"}}[30s]))
# The Rollout names the template in its steps:
#   - analysis:
#       templates: [{{templateName: recant-{name}}}]
#       args:
#       - name: hash
#         valueFrom: {{podTemplateHashValue: Latest}}
#       - name: stable-hash
#         valueFrom: {{podTemplateHashValue: Stable}}
",
        watch.name
    );
    let secret = match &args.secret {
        None => String::new(),
        Some(secret) => {
            if let Some((scheme, rest)) = address.split_once("://") {
                address = format!("{scheme}://recant:{{{{args.token}}}}@{rest}");
            }
            web::secret(&mut text, namespace, secret)?
        }
    };
    let application = quoted(name)?;
    let address = quoted(&format!("{address}/kayenta"))?;
    write!(
        text,
        "apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: recant-{name}
  namespace: {namespace}
spec:
  args:
  - name: hash
  - name: stable-hash
{secret}  metrics:
  - name: recant
    # The samples of so long are compared, so long after the beginning.
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
    )?;
    Ok(text)
}
