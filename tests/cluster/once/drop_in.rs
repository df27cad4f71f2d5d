//! In place of the users' script: their own `CronJob` from `tests/acceptance`, of which only image and command are
//! changed, run every few seconds in place of five minutes. What the script itself does there is in `script`.

use std::time::Duration;

use jiff::Timestamp;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Standing;
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;

use super::{grant, state};
use crate::bed::Bed;
use crate::case::run;
use crate::jobs::{Jobs, cronjob_with_command};
use crate::manifests;
use crate::namespace::Namespace;
use crate::prometheus::Prometheus;
use crate::receiver::Receiver;
use crate::script::{APP, told};
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_mins(2);
/// In place of five minutes.
const PERIOD: Duration = Duration::from_secs(2);

/// The users' application, watched by their own `CronJob`.
struct Shop {
    ns: Namespace,
    prometheus: Prometheus,
    slack: Receiver,
    jobs: Jobs,
    cronjob: String,
}

impl Shop {
    async fn open(name: &str) -> Self {
        let ns = Bed::get().await.namespace(name).await;
        let slack = Receiver::start().await;
        let url = format!("--from-literal=webhook-url={}/services/T0/B0", slack.url());
        ns.kubectl(&["create", "secret", "generic", "slack-notifications", &url])
            .await;
        grant(&ns).await;
        let prometheus = ns.prometheus().await;
        let jobs = Jobs::start(&ns);
        let address = prometheus.url();
        let command = ["recant", "once", "--prometheus", &address];
        let cronjob = cronjob_with_command(&ns, "registry.example/recant", &command).await;
        Self {
            ns,
            prometheus,
            slack,
            jobs,
            cronjob,
        }
    }

    /// From now on it runs every few seconds; the first run has ended, well.
    async fn watched(&self) -> DropGuard {
        let schedule = self.jobs.every(&self.cronjob, PERIOD);
        self.rounds(1).await;
        schedule
    }

    /// Waits for so many more rounds; all that have ended were done.
    async fn rounds(&self, more: usize) {
        let ended = || {
            let runs = self.jobs.runs();
            runs.into_iter().filter(|run| run.end.is_some()).collect()
        };
        let before: Vec<_> = ended();
        wait_for(&format!("{more} more rounds"), WITHIN, || async {
            let now: Vec<_> = ended();
            for run in &now {
                assert_eq!(run.exit_code(), 0, "{}\n{}", run.stdout(), run.stderr());
            }
            if now.len() >= before.len() + more {
                Ok(())
            } else {
                Err(format!("{} of {}", now.len() - before.len(), more))
            }
        })
        .await;
    }

    /// What the runs know of the application: how often it was rolled back, and how many revisions failed.
    async fn known(&self, kind: TargetKind, name: &str) -> (usize, usize) {
        let state = state(self.ns.bed(), self.ns.name()).await;
        let target = TargetId {
            namespace: self.ns.name().to_owned(),
            kind,
            name: name.to_owned(),
        };
        let standings = state.ledger.targets[&target].standings.values();
        let failed = standings.filter(|standing| matches!(standing, Standing::Failed { .. }));
        (state.ledger.actions.len(), failed.count())
    }

    fn told_of_the_rollback(&self) -> usize {
        let received = self.slack.received();
        let told = received.iter();
        told.filter(|message| message.body.contains("olling back"))
            .count()
    }
}

#[test]
fn the_users_cron_job_takes_a_bad_deployment_back_once_and_leaves_a_good_one_alone() {
    run(async {
        let mut shop = Shop::open("drop-in").await;
        shop.ns.deployment(APP, "v1", 1).await;
        let traffic = shop.ns.traffic(APP, 50.0);
        shop.prometheus.wait_scraping(1).await;
        let schedule = shop.watched().await;

        shop.ns.set_image(APP, "v3").await;
        shop.ns.wait_complete(APP, "v3").await;
        traffic.next(200, WITHIN).await;
        shop.rounds(2).await;
        shop.ns.wait_complete(APP, "v3").await;
        assert_eq!(shop.known(TargetKind::Deployment, APP).await, (0, 0));

        shop.ns.set_image(APP, "v2").await;
        // The release before has not proved itself yet: 24 hours are not over. The one before that has served.
        let acted = shop.ns.wait_template(APP, "v1", WITHIN).await;
        let first_bad = shop.ns.first_bad("v2").expect("v2 gave bad answers");
        told(&format!(
            "`recant once` in its place, every {PERIOD:?}: acts {:.1} s after the first bad answer",
            acted.duration_since(first_bad).as_secs_f64()
        ));
        assert!(
            acted.duration_since(first_bad).as_secs() < 50,
            "a few rounds are enough"
        );
        shop.ns.wait_complete(APP, "v1").await;
        let broken = || {
            let received = shop.slack.received().into_iter();
            let of_rules = received.filter(|message| message.body.contains("is broken"));
            of_rules.count()
        };
        let before = broken();
        // It goes on looking at a window that holds the old errors, and does nothing about them.
        shop.rounds(3).await;
        shop.ns.wait_complete(APP, "v1").await;
        assert_eq!(broken(), before, "{:#?}", shop.slack.received());
        told(&format!(
            "`recant once` in its place: the same version serves {:.0} s later",
            Timestamp::now().duration_since(acted).as_secs_f64()
        ));
        drop(schedule);
        assert_eq!(shop.known(TargetKind::Deployment, APP).await, (1, 1));
        assert_eq!(
            shop.told_of_the_rollback(),
            1,
            "{:#?}",
            shop.slack.received()
        );

        shop.prometheus.stop();
        let job = shop.jobs.trigger(&shop.cronjob).await;
        let blind = shop.jobs.wait_run(&job, 1, WITHIN).await;
        assert_eq!(blind.exit_code(), 4, "{}", blind.stderr());
        assert!(
            blind.stdout().contains("COULD NOT LOOK"),
            "{}",
            blind.stdout()
        );
        told("`recant once` in its place, Prometheus away: exit code 4");
    });
}

#[test]
fn the_users_cron_job_aborts_a_bad_rollout() {
    // A person's pause after the first half.
    let steps = json!([{"setWeight": 50}, {"pause": {}}]);
    takes_a_bad_rollout_back("aborts", &steps, |rollout| {
        rollout["status"]["abort"] == true
    });
}

#[test]
fn the_users_cron_job_undoes_a_bad_rollout_that_was_promoted() {
    let good = manifests::image(APP, "v1");
    takes_a_bad_rollout_back("undoes it", &json!([]), move |rollout| {
        rollout["spec"]["template"]["spec"]["containers"][0]["image"] == good.as_str()
    });
}

fn takes_a_bad_rollout_back(
    does: &'static str,
    steps: &Value,
    is_done: impl Fn(&Value) -> bool + Send + 'static,
) {
    let mut rollout = manifests::rollout(APP, "v1", 2, steps);
    run(async move {
        let shop = Shop::open("drop-in-rollout").await;
        let name = &format!("{APP}-rollout");
        shop.ns.bed().rollouts().await;
        rollout["metadata"]["name"] = name.as_str().into();
        shop.ns.apply(&rollout).await;
        shop.ns.wait_phase(name, "Healthy").await;
        shop.ns.wait_serving(APP, "v1").await;
        let _traffic = shop.ns.traffic(APP, 50.0);
        shop.prometheus.wait_scraping(2).await;
        let schedule = shop.watched().await;

        shop.ns.set_rollout_image(name, "v2").await;
        wait_for("a bad answer", WITHIN, || async {
            let first = shop.ns.first_bad("v2");
            first.map(drop).ok_or_else(|| "none".to_owned())
        })
        .await;
        let api = shop.ns.rollouts();
        let acted = wait_for("the Rollout to be taken back", WITHIN, || async {
            let rollout = api.get(name).await.map_err(|error| error.to_string())?;
            if is_done(&rollout.data) {
                Ok(Timestamp::now())
            } else {
                Err(rollout.data["status"].to_string())
            }
        })
        .await;
        let first_bad = shop.ns.first_bad("v2").expect("v2 gave bad answers");
        told(&format!(
            "`recant once` in its place, on a Rollout: {does} {:.1} s after the first bad answer",
            acted.duration_since(first_bad).as_secs_f64()
        ));
        shop.ns.wait_serving(APP, "v1").await;
        shop.rounds(2).await;
        drop(schedule);
        assert_eq!(shop.known(TargetKind::Rollout, name).await, (1, 1));
        assert_eq!(
            shop.told_of_the_rollback(),
            1,
            "{:#?}",
            shop.slack.received()
        );
    });
}
