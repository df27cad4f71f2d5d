//! Channels that do not take their messages delay no action, and no other channel.

use std::time::Duration;

use recant_core::notice::{Delivery, DeliveryOutcome};
use recant_core::record::Record;

use super::{WITHIN, target, watch};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::receiver::{Receiver, Reply};
use crate::wait::wait_for;

/// From the first bad answer to the patched spec.
const PROMISE: Duration = Duration::from_secs(10);

#[test]
fn failing_channels_delay_nothing() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("channels").await;
        ns.deployment("checkout", "v1", 2).await;
        let traffic = ns.traffic("checkout", 20.0);
        let folder = bed.folder("channels");
        let mut rules = watch(
            &ns,
            "checkout",
            "failing, slow-down, hanging, redirecting, team",
        );
        let mut receivers = Vec::new();
        for (name, reply) in [
            ("failing", Reply::Fail),
            ("slow-down", Reply::SlowDown { seconds: 3 }),
            ("hanging", Reply::Hang),
            ("redirecting", Reply::Redirect),
        ] {
            let receiver = Receiver::start().await;
            receiver.set(reply);
            let file = folder.join(name);
            std::fs::write(&file, format!("{}/hook", receiver.url())).expect("a file");
            rules.push_str(&format!(
                "---\napiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {{name: {name}}}\n\
                 webhook: {{url: {{file: {}}}}}\n",
                file.display()
            ));
            receivers.push(receiver);
        }
        let agent = Agent::start(&[&ns], &rules, Options::default()).await;
        traffic.next(60, WITHIN).await;
        ns.set_image("checkout", "v2").await;
        ns.wait_template("checkout", "v2", WITHIN).await;
        let patched = ns.wait_template("checkout", "v1", WITHIN).await;
        let first_bad = ns.first_bad("v2").expect("it gave bad answers");
        let took = patched.duration_since(first_bad);
        assert!(took.unsigned_abs() < PROMISE, "{took}");
        let [rolling, restored] = [
            agent.wait_slack("Rolling back", WITHIN).await,
            agent.wait_slack("symptom is gone", WITHIN).await,
        ];
        let told = rolling.at.duration_since(first_bad);
        assert!(
            told.unsigned_abs() < PROMISE,
            "the good channel had it after {told}"
        );
        assert!(rolling.at < restored.at);
        for receiver in &receivers {
            let came = receiver.received();
            assert!(!came.is_empty(), "each channel was tried");
        }
        // A 429 is asked again no sooner than it said.
        let slow = &receivers[1];
        wait_for("a second try after the 429", WITHIN, || async {
            match slow.received().as_slice() {
                [first, second, ..] => Ok(second.at.duration_since(first.at)),
                other => Err(format!("{} tries", other.len())),
            }
        })
        .await
        .as_secs_f64()
        .ge(&3.0)
        .then_some(())
        .expect("`Retry-After` is respected");
        // Where it comes to, it is delivered, and the journal knows.
        for receiver in &receivers {
            receiver.set(Reply::Accept);
        }
        for name in ["failing", "slow-down"] {
            agent
                .wait_record(
                    &format!("a delivery to `{name}`"),
                    WITHIN,
                    |entry| match &entry.record {
                        Record::NoticeEnded(Delivery {
                            channel,
                            outcome: DeliveryOutcome::Delivered,
                            ..
                        }) if channel.as_str() == name => Some(()),
                        _ => None,
                    },
                )
                .await;
        }
        let log = agent.log();
        assert!(!log.contains("/hook") && !log.contains("SECRET"), "{log}");
        assert_eq!(super::plans(&agent, &target(&ns, "checkout")), 1);
    });
}
