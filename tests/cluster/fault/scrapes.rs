//! Pods whose `/metrics` is broken, each in its own way, beside pods that tell the truth: the others count, nothing is
//! rolled back on broken numbers, and a bad release is still found.

use serde_json::json;

use super::{TEN_LOOKS, WITHIN, plans, target, template, watch};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::services::{Behaviour, Exposes};

#[test]
fn broken_pages_of_some_pods_stop_nothing() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("scrapes").await;
        ns.behave("v2", Behaviour::GOOD);
        ns.deployment("checkout", "v1", 6).await;
        let traffic = ns.traffic("checkout", 30.0);
        let options = Options {
            settings: vec![("guards.coolDown", json!("0s"))],
            ..Options::default()
        };
        let agent = Agent::start(&[&ns], &watch(&ns, "checkout", "team"), options).await;
        traffic.next(60, WITHIN).await;
        ns.set_image("checkout", "v2").await;
        ns.wait_complete("checkout", "v2").await;
        let pods = ns.ready("checkout");
        assert_eq!(pods.len(), 6);
        let broken = [
            Exposes::Garbage,
            Exposes::NoInf,
            Exposes::NotANumber,
            Exposes::Negative,
        ];
        for (pod, exposes) in pods.iter().zip(broken) {
            pod.expose(exposes);
        }
        traffic.next(TEN_LOOKS * 2, WITHIN).await;
        let target = target(&ns, "checkout");
        assert_eq!(plans(&agent, &target), 0, "broken pages are no failure");
        assert!(template(&ns, "checkout").await.ends_with(":v2"));
        agent.get("/healthz").await.expect("it is alive");

        // Mended and broken again: the numbers jump, and a jump is no failure either.
        for pod in &pods {
            pod.expose(Exposes::Truth);
        }
        traffic.next(TEN_LOOKS / 2, WITHIN).await;
        for (pod, exposes) in pods.iter().zip(broken) {
            pod.expose(exposes);
        }
        traffic.next(TEN_LOOKS / 2, WITHIN).await;
        assert_eq!(plans(&agent, &target), 0);

        ns.behave("v2", Behaviour::FAILING);
        ns.wait_template("checkout", "v1", WITHIN).await;
        assert_eq!(plans(&agent, &target), 1);
        let log = agent.log();
        assert!(!log.contains("panicked"), "{log}");
    });
}
