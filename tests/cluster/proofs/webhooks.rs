//! The receiver keeps what came and answers as told.

use std::time::Duration;

use crate::bed::Bed;
use crate::case::run;
use crate::receiver::{Receiver, Reply};

#[test]
fn the_receiver_answers_as_told_and_keeps_what_came() {
    run(async {
        let http = Bed::get().await.http();
        let receiver = Receiver::start().await;
        let post = |body: &'static str| {
            let url = format!("{}/services/T0/B0", receiver.url());
            http.post(url)
                .timeout(Duration::from_millis(500))
                .body(body)
                .send()
        };
        receiver.set(Reply::Fail);
        assert_eq!(post("1").await.expect("an answer").status(), 500);
        receiver.set(Reply::SlowDown { seconds: 3 });
        let slow_down = post("2").await.expect("an answer");
        assert_eq!(slow_down.status(), 429);
        assert_eq!(slow_down.headers()["retry-after"], "3");
        receiver.set(Reply::Hang);
        assert!(post("3").await.expect_err("no answer").is_timeout());
        receiver.set(Reply::Cut);
        let cut = post("4").await.expect_err("no answer");
        assert!(!cut.is_timeout(), "{cut:?}");
        receiver.set(Reply::Redirect);
        assert!(
            post("5")
                .await
                .expect_err("no end of redirections")
                .is_redirect()
        );
        receiver.set(Reply::Accept);
        assert_eq!(
            post(r#"{"text": "6"}"#).await.expect("an answer").status(),
            200
        );

        let accepted = receiver.wait_accepted(1, Duration::from_secs(1)).await;
        assert_eq!(accepted[0].json()["text"], "6");
        assert_eq!(accepted[0].path, "/services/T0/B0");
        let all = receiver.received();
        let bodies: Vec<&str> = all.iter().map(|received| received.body.as_str()).collect();
        assert_eq!(bodies[..4], ["1", "2", "3", "4"]);
        assert!(all.is_sorted_by_key(|received| received.at), "{all:?}");
        assert!(
            all.iter()
                .all(|received| received.headers.contains_key("host"))
        );
        assert!(
            all.iter().any(|received| received.path == "/elsewhere"),
            "the client follows"
        );
    });
}
