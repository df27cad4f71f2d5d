//! As users have it, the script never acts: not on 30 % errors, whatever else is mended.

use super::{APP, Shop, USERS_FILE, WITHIN, last_line, repaired, replaced, told};
use crate::case::run;

#[test]
fn the_users_script_never_acts_on_a_bad_release() {
    run(async {
        let shop = Shop::open("script").await;
        shop.ns.deployment(APP, "v1", 1).await;
        let _traffic = shop.ns.traffic(APP, 50.0);
        shop.ns.set_image(APP, "v2").await;
        shop.ns.wait_complete(APP, "v2").await;
        shop.wait_errors().await;

        let cronjob = shop.apply(USERS_FILE).await;
        let job = shop.jobs.trigger(&cronjob).await;
        let ran = shop.jobs.wait_run(&job, 1, WITHIN).await;
        let (out, err) = (ran.stdout(), ran.stderr());
        let (code, last) = (ran.exit_code(), last_line(&out));
        told(&format!(
            "as it is: never acts; exit code {code}, last line: {last}"
        ));
        assert_eq!(code, 0, "{out}\n{err}");
        assert!(
            last.contains("All health checks passed, deployment is healthy"),
            "{out}"
        );
        // Its query lacks the server, so it takes nothing for health.
        assert!(
            err.contains("promtool: error: required argument 'expr' not provided"),
            "{err}"
        );

        // With both queries mended it sees the errors, and its own counting ends it before it acts.
        let counting = replaced(
            &repaired().await,
            "health_issues=$((health_issues + 1))",
            "((health_issues++))",
            2,
        );
        let cronjob = shop.apply(&counting).await;
        let job = shop.jobs.trigger(&cronjob).await;
        let ran = shop.jobs.wait_run(&job, 1, WITHIN).await;
        let out = ran.stdout();
        let (code, last) = (ran.exit_code(), last_line(&out));
        told(&format!(
            "with its queries mended: never acts; exit code {code}, last line: {last}"
        ));
        assert_eq!(code, 1, "{out}\n{}", ran.stderr());
        assert!(last.contains("exceeds threshold 0.05"), "{out}");

        let serving = shop.ns.ready(APP);
        assert!(
            serving.iter().all(|service| service.tag == "v2"),
            "{serving:?}"
        );
        assert!(shop.slack.received().is_empty(), "nobody was told");
    });
}
