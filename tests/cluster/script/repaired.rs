//! Repaired as little as it takes, the script acts, and goes on acting: it looks at a window, not at what it did.

use std::time::Duration;

use jiff::Timestamp;

use super::{APP, Shop, WITHIN, last_line, repaired, replaced, told};
use crate::case::run;
use crate::manifests;

/// The script's window is 5 min, and it is looked at again after 1 min. So that this takes seconds, both are shorter
/// here: the window by a further change of the copy, and the time between two looks with it.
const WINDOW: &str = "[30s]";
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

async fn repaired_and_quick() -> String {
    replaced(&repaired().await, "[5m]", WINDOW, 3)
}

#[test]
fn the_repaired_script_takes_a_bad_deployment_back_and_undoes_its_own_undo() {
    run(async {
        let shop = Shop::open("script-repaired").await;
        let Shop {
            ns, jobs, slack, ..
        } = &shop;
        ns.deployment(APP, "v1", 1).await;
        let traffic = ns.traffic(APP, 50.0);
        traffic.next(100, WITHIN).await;
        let cronjob = shop.apply(&repaired_and_quick().await).await;
        let look = async || {
            let job = jobs.trigger(&cronjob).await;
            jobs.wait_run(&job, 1, WITHIN).await
        };
        let first = look().await;
        assert!(last_line(&first.stdout()).contains("healthy"), "{first:?}");

        ns.set_image(APP, "v2").await;
        ns.wait_complete(APP, "v2").await;
        shop.wait_errors().await;
        let second = look().await;
        assert_eq!(second.exit_code(), 0, "{}", second.stderr());
        ns.wait_complete(APP, "v1").await;
        let since = Timestamp::now().duration_since(second.started);
        tokio::time::sleep(BETWEEN_LOOKS.saturating_sub(since.unsigned_abs())).await;
        // Only v1 serves and nothing is wrong: the errors that it sees are those that it has ended itself.
        let third = look().await;
        assert_eq!(third.exit_code(), 0, "{}", third.stderr());
        ns.wait_complete(APP, "v2").await;

        let first_bad = ns.first_bad("v2").expect("v2 gave bad answers");
        let after = |time: Timestamp| time.duration_since(first_bad).as_secs_f64();
        told(&format!(
            "repaired, window {WINDOW}: acts {:.1} s after the first bad answer; the next look, {BETWEEN_LOOKS:?} \
             later, undoes that undo at {:.1} s",
            after(second.started),
            after(third.started),
        ));
        // Both times it said the same to people.
        let messages = slack.wait_accepted(2, WITHIN).await;
        for message in messages {
            let text = message.json()["text"].to_string();
            assert!(
                text.contains("Automated rollback completed for claude-orchestrator"),
                "{text}"
            );
        }
    });
}

#[test]
fn the_repaired_script_undoes_a_rollout_and_then_fails_over_a_deployment_that_is_none() {
    run(async {
        let shop = Shop::open("script-rollout").await;
        let Shop {
            ns, jobs, slack, ..
        } = &shop;
        let name = &format!("{APP}-rollout");
        ns.bed().rollouts().await;
        let mut rollout = manifests::rollout(APP, "v1", 1, &serde_json::json!([]));
        rollout["metadata"]["name"] = name.as_str().into();
        ns.apply(&rollout).await;
        ns.wait_phase(name, "Healthy").await;
        ns.wait_serving(APP, "v1").await;
        let _traffic = ns.traffic(APP, 50.0);
        ns.set_rollout_image(name, "v2").await;
        ns.wait_serving(APP, "v2").await;
        shop.wait_errors().await;

        let cronjob = shop.apply(&repaired_and_quick().await).await;
        let job = jobs.trigger(&cronjob).await;
        let ran = jobs.wait_run(&job, 1, WITHIN).await;
        let (out, err) = (ran.stdout(), ran.stderr());
        let (code, last) = (ran.exit_code(), last_line(&err));
        told(&format!(
            "repaired, on a Rollout: undone, then exit code {code}: {last}"
        ));
        assert!(
            out.contains("Argo Rollout rollback initiated"),
            "{out}\n{err}"
        );
        assert_eq!(code, 1, "{out}\n{err}");
        assert!(
            last.contains(r#"deployments.apps "claude-orchestrator" not found"#),
            "{err}"
        );
        // A Job that fails is run again, and what was undone is undone.
        let second = jobs.wait_run(&job, 2, WITHIN).await;
        let twice = second.stdout().contains("Argo Rollout rollback initiated");
        told(&format!(
            "repaired, on a Rollout: run again by its Job, undone a second time: {twice}"
        ));
        assert!(twice, "{}\n{}", second.stdout(), second.stderr());
        assert!(slack.received().is_empty(), "nobody was told");
    });
}
