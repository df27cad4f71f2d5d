//! A worker without a single request, whose new version leaks: its memory alone takes it back.

use futures::future::join_all;
use recant_core::ids::TargetKind;
use recant_core::notice::NoticeKind;

use super::{WITHIN, target, watch};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;
use crate::services::Line;

const MIB: f64 = 1_048_576.0;

const RULES: &str = r"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- name: memory
  gauge: process_resident_memory_bytes
  max: 1GiB
  for: 5s
";

#[test]
fn a_release_whose_memory_grows_to_its_limit_is_taken_back() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("memory").await;
        let sources = ["prometheus", "scrape"];
        let show = |tag: &str, line| ns.set_metric(tag, "process_resident_memory_bytes", line);
        show("v1", Line::flat(100.0 * MIB));
        join_all(sources.map(|source| ns.deployment(source, "v1", 2))).await;
        let prometheus = ns.prometheus().await;
        let watches: String = sources
            .map(|source| watch(&target(&ns, TargetKind::Deployment, source), source, ""))
            .concat();
        let options = Options {
            name: "",
            prometheus: Some(prometheus.url()),
            settings: Vec::new(),
        };
        let agent = Agent::start(&[&ns], &(RULES.to_owned() + &watches), options).await;
        join_all(sources.map(|source| leaks(&ns, &agent, source))).await;
    });
}

/// Ships a version that leaks 200 MiB a second, and follows it until it is gone.
async fn leaks(ns: &Namespace, agent: &Agent, name: &str) {
    let tag = format!("leaks-{name}");
    let leak = Line::growing(200.0 * MIB, 200.0 * MIB, 4096.0 * MIB);
    ns.set_metric(&tag, "process_resident_memory_bytes", leak);
    ns.set_image(name, &tag).await;
    ns.wait_template(name, &tag, WITHIN).await;
    ns.wait_template(name, "v1", WITHIN).await;
    let target = target(ns, TargetKind::Deployment, name);
    let acted = agent
        .wait_notice(NoticeKind::RollingBack, Some(&target), WITHIN)
        .await;
    let text = acted.sentences.join(" ");
    for part in [
        "`shop/memory`",
        "GiB now, the limit is 1 GiB",
        "above it for",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    agent
        .wait_notice(NoticeKind::Restored, Some(&target), WITHIN)
        .await;
    ns.wait_complete(name, "v1").await;
}
