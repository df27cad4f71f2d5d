//! The template of Argo's `web` provider.

use recant_core::rule::Watch;

use super::head::address;
use super::polled::{self, Told};
use super::{ArgoTemplateArgs, quoted};

pub(super) fn template(args: &ArgoTemplateArgs, watch: &Watch) -> anyhow::Result<String> {
    let (namespace, name) = (&watch.target.namespace, &watch.target.name);
    let url = quoted(&format!(
        "{}/argo/v1/analysis?namespace={namespace}&kind=Rollout&name={name}&hash={{{{args.hash}}}}",
        address(&args.address)?
    ))?;
    let provider = format!(
        "      web:
        url: {url}
        timeoutSeconds: 10
{}        jsonPath: \"{{$.data}}\"
",
        polled::headers(args)
    );
    let told = Told {
        success: "result.phase == \"Successful\"",
        failure: "result.phase == \"Failed\"",
        provider: &provider,
    };
    polled::template(args, watch, &told)
}
