//! The template of Argo's `web` provider.
//!
//! What its limits do, as the controller's own code has it: a measurement that is neither a success nor a failure is
//! inconclusive, and more of these than `inconclusiveLimit` would end the run, so the limit is `count`. With
//! `consecutiveSuccessLimit: 1` the first success ends it; at `count` without one, since `failureLimit` holds too, it is
//! Inconclusive, which pauses. Errors do not count towards `count`, and come every 10 s.

use std::fmt::Write as _;

use anyhow::bail;

use recant_core::rule::Watch;

use super::{ArgoTemplateArgs, ERROR_RETRY, in_seconds, quoted, times};

pub(super) fn template(args: &ArgoTemplateArgs, watch: &Watch) -> anyhow::Result<String> {
    let target = &watch.target;
    let (namespace, name) = (&target.namespace, &target.name);
    let address = address(&args.address)?;
    let count = times(args.wait, args.interval);
    let errors = times(args.outage.unwrap_or(args.wait), ERROR_RETRY);
    let url = quoted(&format!(
        "{address}/argo/v1/analysis?namespace={namespace}&kind=Rollout&name={name}&hash={{{{args.hash}}}}"
    ))?;
    let mut text = format!(
        "# Argo Rollouts asks Recant for its verdict on {target} (Watch {}).
# The Rollout names it in its steps (or as background analysis), with the revision that it is about:
#   - analysis:
#       templates: [{{templateName: recant-{name}}}]
#       args:
#       - name: hash
#         valueFrom: {{podTemplateHashValue: Latest}}
",
        watch.name
    );
    let secret = match &args.secret {
        None => String::new(),
        Some(secret) => self::secret(&mut text, namespace, secret)?,
    };
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
{secret}  metrics:
  - name: recant
    interval: {}
    # No verdict after so many: Inconclusive, and the Rollout is paused for a person.
    count: {count}
    # The first Successful ends the run.
    consecutiveSuccessLimit: 1
    failureLimit: 0
    # Running is neither a success nor a failure, and ends nothing.
    inconclusiveLimit: {count}
    # Recant cannot be asked, or cannot look: tried again every 10 s, so many times in a row.
    consecutiveErrorLimit: {errors}
    successCondition: result.phase == \"Successful\"
    failureCondition: result.phase == \"Failed\"
    provider:
      web:
        url: {url}
        timeoutSeconds: 10
",
        in_seconds(args.interval)
    )?;
    if args.secret.is_some() {
        text.push_str(
            "        headers:
        - {key: Authorization, value: \"Bearer {{args.token}}\"}
",
        );
    }
    text.push_str("        jsonPath: \"{$.data}\"\n");
    Ok(text)
}

/// The argument `token` from a Secret, `NAME` or `NAME/KEY`; how to make that is added to `text`.
pub(super) fn secret(text: &mut String, namespace: &str, secret: &str) -> anyhow::Result<String> {
    let (secret, key) = secret.split_once('/').unwrap_or((secret, "token"));
    writeln!(
        text,
        "# The token that the agent knows as `api.readToken`, from a file without a line break at its end:
#   kubectl -n {namespace} create secret generic {secret} --from-file={key}=TOKEN-FILE"
    )?;
    Ok(format!(
        "  - name: token
    valueFrom: {{secretKeyRef: {{name: {}, key: {}}}}}
",
        quoted(secret)?,
        quoted(key)?
    ))
}

/// Without a slash at the end, and without what belongs elsewhere.
pub(super) fn address(address: &str) -> anyhow::Result<String> {
    let parsed: reqwest::Url = match address.parse() {
        Ok(parsed) => parsed,
        Err(_) => bail!("--address is no URL like `http://recant.recant:9465`"),
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        bail!("--address holds a user name or a password: use --secret");
    }
    if !matches!(parsed.scheme(), "http" | "https")
        || !parsed.has_host()
        || parsed.query().is_some()
        || parsed.fragment().is_some()
    {
        bail!("--address is no URL like `http://recant.recant:9465`");
    }
    Ok(address.trim_end_matches('/').to_owned())
}
