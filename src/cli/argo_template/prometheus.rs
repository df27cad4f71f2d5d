//! The template of Argo's `prometheus` provider, which asks Recant as it would ask a Prometheus.
//!
//! The verdict of one revision is one series: 1, 0 or -1. While Recant cannot look there is an error, and never an empty
//! vector, which some conditions take for a success. Argo 1.10 knows no basic authentication here, but headers.

use recant_core::rule::Watch;

use super::head::address;
use super::polled::{self, Told};
use super::{ArgoTemplateArgs, quoted};

pub(super) fn template(args: &ArgoTemplateArgs, watch: &Watch) -> anyhow::Result<String> {
    let (namespace, name) = (&watch.target.namespace, &watch.target.name);
    let address = quoted(&format!("{}/prometheus", address(&args.address)?))?;
    let query = format!(
        "recant_verdict{{namespace=\"{namespace}\",kind=\"Rollout\",name=\"{name}\",hash=\"{{{{args.hash}}}}\"}}"
    );
    let provider = format!(
        "      prometheus:
        address: {address}
        # 1: it may go on; -1: it is bad; 0: nothing is decided.
        query: '{query}'
        timeout: 10
{}",
        polled::headers(args)
    );
    let told = Told {
        success: "result[0] == 1",
        failure: "result[0] == -1",
        provider: &provider,
    };
    polled::template(args, watch, &told)
}
