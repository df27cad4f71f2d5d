//! What object status says, as the real API server shows it, fails a release: restarts, kills for want of memory, pods
//! that are not ready or pending.

use std::time::Duration;

use recant_core::ids::{TargetId, TargetKind};
use recant_core::notice::NoticeKind;

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;

const WITHIN: Duration = Duration::from_secs(40);

/// One rule for each watch, so that each is seen by itself.
const FACTS: [(&str, &str); 3] = [
    ("restarts", "{fact: restarts, per: 10m}, max: 2, for: 0s"),
    ("oom", "{fact: outOfMemoryKills, per: 10m}, max: 0, for: 0s"),
    ("unready", "unreadyPods, max: 0, for: 3s"),
];

fn rules(ns: &Namespace) -> String {
    let rules = FACTS
        .map(|(name, check)| format!("- {{name: {name}, kubernetes: {check}}}\n"))
        .concat();
    let watches = FACTS
        .map(|(name, _)| {
            let namespace = ns.name();
            format!(
                "---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: {name}, namespace: {namespace}}}
target: {{kind: Deployment, name: {name}}}
rules: [pods/{name}]
release: {{watch: 10m}}
onFail: [{{rollback: {{}}}}]
"
            )
        })
        .concat();
    format!(
        "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {{name: pods}}\nrules:\n{rules}{watches}"
    )
}

#[test]
fn pods_in_trouble_take_their_release_back() {
    run(async {
        let ns = &Bed::get().await.namespace("pods-in-trouble").await;
        for (name, _) in FACTS {
            ns.deployment(name, "v1", 1).await;
        }
        // What the old pod did is within the limit.
        let old = ns.pods("restarts").await.remove(0);
        ns.set_restarts(old.metadata.name.as_deref().expect("a name"), 1)
            .await;
        let agent = Agent::start(&[ns], &rules(ns), Options::default()).await;
        for (name, _) in FACTS {
            ns.set_image(name, "good").await;
            ns.wait_complete(name, "good").await;
        }
        assert!(agent.notices().is_empty(), "{:?}", agent.notices());
        for (name, _) in FACTS {
            let pod = ns.pods(name).await.remove(0);
            let pod = pod.metadata.name.as_deref().expect("a name");
            match name {
                "restarts" => ns.set_restarts(pod, 3).await,
                "oom" => ns.oom_kill(pod).await,
                _ => ns.set_ready(pod, false).await,
            }
        }
        for (name, _) in FACTS {
            let target = TargetId {
                namespace: ns.name().to_owned(),
                kind: TargetKind::Deployment,
                name: name.to_owned(),
            };
            let told = agent
                .wait_notice(NoticeKind::RollingBack, Some(&target), WITHIN)
                .await;
            let text = told.sentences.join(" ");
            assert!(text.contains(&format!("`pods/{name}`")), "{text}");
            ns.wait_complete(name, "v1").await;
        }
    });
}
