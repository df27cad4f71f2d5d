//! Cards on their way to a webhook of Workflows, and to one that is in trouble.

use super::*;

fn accepted() -> Reply {
    Reply::status(202, "")
}

#[tokio::test]
async fn a_card_is_accepted() {
    let receiver = Receiver::start([accepted()]).await;
    let mut running = Bench::new()
        .channel("team", ChannelKind::Teams, &receiver.base)
        .start();
    running.submit("n-1", "team");
    running.delivered("n-1").await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 1);
    let body = &requests[0].body;
    assert_eq!(body["type"], "message");
    let card = &body["attachments"][0]["content"];
    assert_eq!(card["version"], "1.4");
    assert!(card.to_string().contains("headline of n-1"), "{card}");
}

#[tokio::test]
async fn what_is_too_large_is_tried_once_smaller() {
    let receiver = Receiver::start([
        Reply::status(413, ""),
        accepted(),
        Reply::status(413, ""),
        Reply::status(413, ""),
    ])
    .await;
    let mut running = Bench::new()
        .channel("team", ChannelKind::Teams, &receiver.base)
        .start();
    running.submit_long("n-1", "team");
    running.delivered("n-1").await;
    running.submit_long("n-2", "team");
    let reason = running.given_up("n-2").await;
    assert!(
        reason.contains("status 413") && reason.contains("`teams.jinja`"),
        "{reason}"
    );
    let lengths: Vec<usize> = receiver
        .requests()
        .iter()
        .map(|request| request.body.to_string().len())
        .collect();
    let [usual, small, again, last] = lengths.as_slice() else {
        panic!("{lengths:?}")
    };
    assert!(
        usual == again && small == last && small * 3 < *usual,
        "{lengths:?}"
    );
    assert!(
        receiver.requests()[1]
            .body
            .to_string()
            .contains("headline of n-1")
    );
}

#[tokio::test]
async fn a_429_that_only_the_body_speaks_of_is_one() {
    let hidden = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x";
    let receiver = Receiver::start([
        Reply::status(200, hidden),
        Reply::status(202, "{\"error\":{\"code\":\"TooManyRequests\"}}"),
        Reply::status(429, "").with("retry-after", "1"),
        accepted(),
    ])
    .await;
    let mut running = Bench::new()
        .channel("team", ChannelKind::Teams, &receiver.base)
        .start();
    running.submit("n-1", "team");
    running.delivered("n-1").await;
    assert_eq!(receiver.requests().len(), 4);
    let text = running.exposition();
    assert!(
        text.contains("failed_total{channel=\"team\",reason=\"throttled\"} 3"),
        "{text}"
    );
}

#[tokio::test]
async fn what_a_flow_says_is_understood() {
    for (reply, expected) in [
        (
            Reply::status(404, "hunter2"),
            "the flow is gone or turned off",
        ),
        (Reply::status(401, ""), "signature"),
        (
            Reply::status(200, "<html>sign in</html>"),
            "is this its address?",
        ),
        (
            Reply::status(
                200,
                "delivery failed: endpoint returned HTTP error 400 with x",
            ),
            "status 400",
        ),
        (
            Reply::status(302, "").with("location", "http://127.0.0.1:1/"),
            "redirects (status 302)",
        ),
    ] {
        let receiver = Receiver::start([reply, Reply::status(200, "1")]).await;
        let mut running = Bench::new()
            .channel("team", ChannelKind::Teams, &receiver.base)
            .start();
        running.submit("n-1", "team");
        let reason = running.given_up("n-1").await;
        assert!(reason.contains(expected), "{reason}");
        running.submit("n-2", "team");
        running.delivered("n-2").await;
    }
}

/// Whatever the receiver does, each channel delivers every notice once, or more often where nobody can know.
#[tokio::test]
async fn every_channel_delivers_through_a_receiver_in_trouble() {
    for (kind, ok) in [
        (ChannelKind::Slack, Reply::status(200, "ok")),
        (ChannelKind::Teams, accepted()),
        (ChannelKind::Webhook, Reply::status(200, "")),
        (
            ChannelKind::Alertmanager {
                labels: BTreeMap::new(),
                bearer: None,
            },
            Reply::status(200, ""),
        ),
    ] {
        let receiver = Receiver::start([
            Reply::status(429, ""),
            Reply::status(500, ""),
            Reply::status(429, "").with("retry-after", "1"),
            Reply::Hang,
            Reply::Half,
            Reply::status(503, "").with("retry-after", "0"),
        ])
        .await
        .then(ok);
        let mut running = Bench::new()
            .channel("ops", kind.clone(), &receiver.base)
            .start();
        running.submit("n-1", "ops");
        running.delivered("n-1").await;
        running.submit("n-2", "ops");
        running.delivered("n-2").await;
        // The half answer is an acceptance where the status alone says so.
        let number = receiver.requests().len();
        assert!((6..=8).contains(&number), "{kind:?}: {number} requests");
        let bodies: Vec<String> = receiver
            .requests()
            .iter()
            .map(|request| request.body.to_string())
            .collect();
        let last = bodies.last().unwrap();
        assert!(last.contains("headline of n-2"), "{kind:?}: {last}");
        let marked = |body: &String| {
            body.contains("may be a repeat") || body.contains("\"mayBeRepeat\":true")
        };
        assert!(
            !bodies[..4].iter().any(marked),
            "{kind:?}: nothing had arrived"
        );
        if !matches!(kind, ChannelKind::Alertmanager { .. }) {
            assert!(marked(&bodies[4]), "{kind:?}: {}", bodies[4]);
        }
        assert!(!marked(last), "{kind:?}: {last}");
    }
}
