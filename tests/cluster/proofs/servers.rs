//! Redis and Alertmanager are the real ones, started and stopped as tests want.

use std::time::Duration;

use redis::AsyncCommands as _;
use serde_json::json;

use crate::alertmanager::Alertmanager;
use crate::bed::Bed;
use crate::case::run;
use crate::receiver::Receiver;
use crate::redis::Redis;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_secs(15);

#[test]
fn redis_holds_a_queue_behind_a_password_and_can_go() {
    run(async {
        let bed = Bed::get().await;
        let mut redis = Redis::start(bed, Some("open-sesame")).await;
        redis.push("integration_queue", 101).await;
        let mut connection = redis.connect().await;
        let length: u64 = connection
            .llen("integration_queue")
            .await
            .expect("an answer");
        assert_eq!(length, 101);

        let stranger = redis::Client::open(redis.url()).expect("an address");
        let stranger = stranger.get_multiplexed_async_connection().await;
        let refused = match stranger {
            Ok(mut stranger) => stranger.llen::<_, u64>("integration_queue").await,
            Err(error) => Err(error),
        };
        let refused = refused.expect_err("it has no password").to_string();
        assert!(
            refused.contains("NOAUTH") || refused.contains("uthentication"),
            "{refused}"
        );

        redis.stop();
        let gone = connection.llen::<_, u64>("integration_queue").await;
        gone.expect_err("it is stopped");
        redis.start_again().await;
        let mut connection = redis.connect().await;
        let length: u64 = connection
            .llen("integration_queue")
            .await
            .expect("an answer");
        assert_eq!(length, 0, "nothing was written to disk");
    });
}

#[test]
fn alertmanager_passes_alerts_on_and_forgets_what_is_resolved() {
    run(async {
        let bed = Bed::get().await;
        let people = Receiver::start().await;
        let alertmanager = Alertmanager::start(bed, &format!("{}/page", people.url())).await;
        let post = |alert: serde_json::Value| {
            let url = format!("{}/api/v2/alerts", alertmanager.url());
            bed.http().post(url).json(&json!([alert])).send()
        };
        let labels = json!({"alertname": "Proof", "namespace": "shop"});
        let fired = post(json!({"labels": labels})).await.expect("an answer");
        assert_eq!(fired.status(), 200);
        assert_eq!(alertmanager.alerts().await[0]["labels"], labels);
        let told = people.wait_accepted(1, WITHIN).await;
        assert_eq!(
            (told[0].json()["status"].clone(), &*told[0].path),
            (json!("firing"), "/page")
        );

        let now = jiff::Timestamp::now().to_string();
        post(json!({"labels": labels, "endsAt": now}))
            .await
            .expect("an answer");
        let told = people.wait_accepted(2, WITHIN).await;
        assert_eq!(told[1].json()["status"], "resolved");
        wait_for("no alert to be left", WITHIN, || async {
            let alerts = alertmanager.alerts().await;
            if alerts.is_empty() {
                Ok(())
            } else {
                Err(format!("{alerts:?}"))
            }
        })
        .await;
    });
}
