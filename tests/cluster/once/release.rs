//! What becomes of releases between rounds, and in a pipeline.

use std::time::Duration;

use super::{deployment, rules, shop, watched};
use crate::case::run;
use crate::wait::wait_for;
use recant_core::record::Standing;

const WITHIN: Duration = Duration::from_mins(1);

/// A bad release between two rounds is taken back by the second, once; the state says so, and Slack was told.
#[test]
fn a_bad_release_between_two_rounds_is_taken_back() {
    run(async {
        let (ns, prometheus, once) = shop(2).await;
        let rules = once.rules(&rules(&ns, "checkout", "10m"));
        let traffic = ns.traffic("checkout", 30.0);
        prometheus.wait_scraping(2).await;

        let first = once.run(&[&rules, "--json"], &[]).await;
        assert_eq!(first.code, 0, "{first:#?}");
        assert_eq!(first.document()["watches"][0]["verdict"], "nothing");
        let verdict = once.run(&[&rules, "--verdict"], &[]).await;
        assert_eq!(verdict.code, 3, "{verdict:#?}");

        ns.set_image("checkout", "v2").await;
        ns.wait_complete("checkout", "v2").await;
        // The old pods are gone; what they did is known from Prometheus only.
        traffic.next(400, WITHIN).await;
        let junit = once.folder.join("junit.xml");
        let junit_flag = format!("--junit={}", junit.display());
        let second = once.run(&[&rules, "--json", &junit_flag], &[]).await;
        assert_eq!(second.code, 1, "{second:#?}");
        let document = second.document();
        assert_eq!(document["watches"][0]["verdict"], "fail", "{document:#}");
        ns.wait_template("checkout", "v1", WITHIN).await;
        ns.wait_complete("checkout", "v1").await;
        let junit = std::fs::read_to_string(junit).expect("the report");
        assert!(
            junit.contains("failures=\"1\"") && junit.contains("errors/error-rate"),
            "{junit}"
        );

        let third = once.run(&[&rules], &[]).await;
        assert_eq!(third.code, 0, "{third:#?}");
        let state = once.state().await;
        let known = &state.ledger.targets[&deployment(&ns, "checkout")];
        let failed = known.standings.values();
        let failed = failed.filter(|standing| matches!(standing, Standing::Failed { .. }));
        assert_eq!(
            (state.ledger.actions.len(), failed.count()),
            (1, 1),
            "{known:#?}"
        );
        let told = once.slack.received();
        assert!(
            told.iter()
                .any(|message| message.body.contains("olling back")),
            "{told:#?}"
        );
        assert!(state.ledger.pending.is_empty());

        let from = ["--config-map", "recant-once", "--namespace", ns.name()];
        let journal = once.recant(&[&["journal"], &from[..]].concat()).await;
        assert_eq!(journal.code, 0, "{journal:#?}");
        for said in ["verdict: Fail", "decided: act", "told `team`"] {
            assert!(journal.out.contains(said), "{said}: {journal:#?}");
        }
    });
}

/// A pipeline waits for its verdict: a good release passes, a bad one fails and is taken back.
#[test]
fn a_pipeline_waits_for_the_verdict() {
    run(async {
        let (ns, _prometheus, once, rules, traffic) = watched("20s, whenUnclear: pass", 80.0).await;

        ns.set_image("checkout", "v3").await;
        let good = once.run(&[&rules, "--wait=40s"], &[]).await;
        assert_eq!(good.code, 0, "{good:#?}");
        assert!(good.out.contains("PASS"), "{good:#?}");
        // Passing is enough for a pipeline; known good, and a way back, is what its watch ends with.
        wait_for("the end of the watch", WITHIN, || async {
            let round = once.run(&[&rules], &[]).await;
            let passed = round.out.contains("PASS ");
            passed.then_some(()).ok_or(round.out)
        })
        .await;

        ns.set_image("checkout", "v2").await;
        let bad = once.run(&[&rules, "--wait=40s"], &[]).await;
        assert_eq!(bad.code, 1, "{bad:#?}");
        assert!(bad.out.contains("FAIL"), "{bad:#?}");
        ns.wait_complete("checkout", "v3").await;
        drop(traffic);
    });
}

/// Only the command of the `CronJob` has changed: its environment says the rest.
#[test]
fn the_environment_of_a_cron_job_is_enough() {
    run(async {
        let (ns, _prometheus, once) = shop(1).await;
        let slack = format!("{}/services/T0/SECRET", once.slack.url());
        let environment = [
            ("NAMESPACE", ns.name()),
            ("APP_NAME", "checkout"),
            ("SLACK_WEBHOOK_URL", slack.as_str()),
        ];
        let ran = once.run(&[], &environment).await;
        assert_eq!(ran.code, 0, "{ran:#?}");
        let target = format!("Deployment {}/checkout", ns.name());
        assert!(ran.out.contains(&target), "{ran:#?}");
        // The shipped example is one that the API server takes.
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/manifests/cronjob.yaml");
        ns.kubectl(&["apply", "--dry-run=server", "-f", example])
            .await;
        let environment = [("NAMESPACE", ns.name()), ("APP_NAME", "nobody")];
        let ran = once.run(&[], &environment).await;
        assert_eq!(ran.code, 4, "{ran:#?}");
        assert!(ran.out.contains("does not exist"), "{ran:#?}");
    });
}
