//! A Deployment's bad version, from its first bad answer to the spec that has the good one again.

use std::time::Duration;

use recant_core::ids::TargetKind;

use super::{WITHIN, target, watch};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;

#[test]
fn errors_from_the_first_pod_on_scrape() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("first").await;
        ns.deployment("checkout", "v1", 3).await;
        let rules = watch(&ns, TargetKind::Deployment, "release: {watch: 10m}");
        let agent = Agent::start(&[&ns], &rules, Options::default()).await;
        let traffic = ns.traffic("checkout", 20.0);
        traffic.next(60, WITHIN).await;
        ns.set_image("checkout", "v2").await;
        ns.wait_template("checkout", "v2", WITHIN).await;
        let patched = ns.wait_template("checkout", "v1", WITHIN).await;
        let first_bad = ns.first_bad("v2").expect("it gave bad answers");
        println!("TIMING {}", patched.duration_since(first_bad).as_secs_f64());
        let message = agent.wait_slack("restored", WITHIN).await;
        for message in agent.slack().received() {
            println!("{}", message.body);
        }
        println!("{}", agent.log());
        let _ = target(&ns, TargetKind::Deployment);
        let _ = message;
        let _ = Duration::ZERO;
    });
}
