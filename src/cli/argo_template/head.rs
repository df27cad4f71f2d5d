//! What the templates share whose provider asks the API port: up to the name of the metric, with the revisions that are
//! asked about, and the token.

use std::fmt::Write as _;

use anyhow::bail;

use recant_core::rule::Watch;

use super::{ArgoTemplateArgs, quoted};

/// The template up to the name of its metric. `about` are the first comments, up to where the Rollout names it; `hashes`
/// are the arguments that are revisions, each with what it is to Argo.
pub(super) fn head(
    args: &ArgoTemplateArgs,
    watch: &Watch,
    about: &str,
    hashes: &[(&str, &str)],
) -> anyhow::Result<String> {
    let (namespace, name) = (&watch.target.namespace, &watch.target.name);
    let mut text = format!(
        "{about}#   - analysis:
#       templates: [{{templateName: recant-{name}}}]
#       args:
"
    );
    for (hash, of) in hashes {
        write!(
            text,
            "#       - name: {hash}
#         valueFrom: {{podTemplateHashValue: {of}}}
"
        )?;
    }
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
"
    )?;
    for (hash, _) in hashes {
        writeln!(text, "  - name: {hash}")?;
    }
    text.push_str(&secret);
    text.push_str("  metrics:\n  - name: recant\n");
    Ok(text)
}

/// The argument `token` from a Secret, `NAME` or `NAME/KEY`; how to make that is added to `text`.
fn secret(text: &mut String, namespace: &str, secret: &str) -> anyhow::Result<String> {
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
