//! Notices on their way to real HTTP receivers that misbehave in every way we know of.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod alertmanager;
mod receiver;
mod restart;
mod teams;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use recant::notify::client::HttpClient;
use recant::notify::metrics::NotifyMetrics;
use recant::notify::outbox::{Outbox, Patience};
use recant::notify::templates::Templates;
use recant::notify::{Attempt, Notifier, notifier};
use recant::secrets::Secrets;
use recant_core::ids::{ChannelName, TargetId, TargetKind, WatchName};
use recant_core::notice::{Delivery, DeliveryOutcome, Notice, NoticeKind, Severity};
use recant_core::rule::{Channel, ChannelKind, SecretRef};
use receiver::{Receiver, Reply, cuts_connections};

/// Part of every address: must never be seen in a message.
const SECRET: &str = "services/T0/B0/hunter2";

fn notice(id: &str) -> Arc<Notice> {
    Arc::new(Notice {
        id: id.into(),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        kind: NoticeKind::RollingBack,
        severity: Severity::Critical,
        watch: Some(WatchName {
            namespace: "shop".to_owned(),
            name: "checkout".to_owned(),
        }),
        target: Some(TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Deployment,
            name: "checkout".to_owned(),
        }),
        correlation: None,
        headline: format!("headline of {id}"),
        sentences: vec!["It was bad.".to_owned()],
        facts: vec![],
        links: vec![],
        channels: vec![],
    })
}

fn quick() -> Patience {
    Patience {
        interval: Duration::from_millis(10),
        backoff: (Duration::from_millis(50), Duration::from_secs(2)),
        ..Patience::default()
    }
}

/// Channels whose addresses are in files, as mounted secrets are.
struct Bench {
    folder: Arc<tempfile::TempDir>,
    channels: BTreeMap<ChannelName, Arc<dyn Notifier>>,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: Arc::new(tempfile::tempdir().unwrap()),
            channels: BTreeMap::new(),
        }
    }

    fn channel(mut self, name: &str, kind: ChannelKind, base: &str) -> Self {
        let path = self.folder.path().join(name);
        write_address(&path, base);
        let client = HttpClient::with_timeout(Duration::from_millis(500)).unwrap();
        let channel = Channel {
            name: name.into(),
            kind,
            url: SecretRef::File(path.display().to_string()),
        };
        let notifier = notifier(&channel, &client, &Secrets::local(), &Templates::shipped());
        assert!(!format!("{notifier:?}").contains("hunter2"));
        self.channels.insert(channel.name, notifier);
        self
    }

    fn start(&self) -> Running {
        let metrics = NotifyMetrics::default();
        let (outbox, deliveries) = Outbox::start(self.channels.clone(), &quick(), metrics.clone());
        Running {
            outbox,
            deliveries,
            metrics,
            _folder: self.folder.clone(),
        }
    }
}

fn write_address(path: &Path, base: &str) {
    std::fs::write(path, format!("{base}/{SECRET}\n")).unwrap();
}

struct Running {
    outbox: Outbox,
    deliveries: UnboundedReceiver<Delivery>,
    metrics: NotifyMetrics,
    /// The addresses are read again for each attempt.
    _folder: Arc<tempfile::TempDir>,
}

impl Running {
    fn submit(&self, id: &str, channel: &str) {
        self.outbox
            .submit(&notice(id), &channel.into(), Attempt::First);
    }

    /// With more to say than any service takes.
    fn submit_long(&self, id: &str, channel: &str) {
        let mut notice = Notice::clone(&notice(id));
        notice.sentences = vec!["It was bad, and this says at length how. ".repeat(12); 24];
        self.outbox
            .submit(&Arc::new(notice), &channel.into(), Attempt::First);
    }

    async fn next(&mut self) -> Delivery {
        let delivery = timeout(Duration::from_secs(20), self.deliveries.recv())
            .await
            .expect("a delivery within 20 s")
            .unwrap();
        assert!(!format!("{delivery:?}").contains("hunter2"), "{delivery:?}");
        delivery
    }

    async fn delivered(&mut self, id: &str) {
        let delivery = self.next().await;
        assert_eq!(delivery.notice.0, id);
        assert_eq!(delivery.outcome, DeliveryOutcome::Delivered);
    }

    async fn given_up(&mut self, id: &str) -> String {
        let delivery = self.next().await;
        assert_eq!(delivery.notice.0, id);
        match delivery.outcome {
            DeliveryOutcome::GivenUp { reason } => reason,
            DeliveryOutcome::Delivered => panic!("`{id}` was delivered"),
        }
    }

    fn exposition(&self) -> String {
        let mut registry = Registry::with_prefix("recant");
        self.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }
}

#[tokio::test]
async fn a_notice_is_delivered_once_with_its_id_and_counted() {
    let receiver = Receiver::start([]).await;
    let mut running = Bench::new()
        .channel("ops", ChannelKind::Webhook, &receiver.base)
        .start();
    running.submit("n-1", "ops");
    running.delivered("n-1").await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, format!("/{SECRET}"));
    assert_eq!(requests[0].header("webhook-id"), "n-1");
    assert_eq!(requests[0].header("content-type"), "application/json");
    assert_eq!(requests[0].body["data"]["headline"], "headline of n-1");
    let text = running.exposition();
    for line in [
        "recant_notifications_total{channel=\"ops\"} 1",
        "recant_notifications_failed_total{channel=\"ops\",reason=\"no_answer\"} 0",
        "recant_notifications_given_up_total{channel=\"ops\"} 0",
        "recant_notification_queue_length{channel=\"ops\"} 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn slack_gets_blocks_and_answers_ok() {
    let receiver = Receiver::start([Reply::status(200, "ok")]).await;
    let mut running = Bench::new()
        .channel("ops", ChannelKind::Slack, &receiver.base)
        .start();
    running.submit("n-1", "ops");
    running.delivered("n-1").await;
    let body = &receiver.requests()[0].body;
    assert_eq!(body["blocks"][0]["type"], "header");
    assert!(body["text"].as_str().unwrap().contains("headline of n-1"));
}

#[tokio::test]
async fn a_failing_receiver_gets_it_when_it_works_again_and_the_order_is_kept() {
    let receiver = Receiver::start([
        Reply::status(500, "hunter2"),
        Reply::status(503, ""),
        Reply::status(200, ""),
        Reply::status(500, ""),
    ])
    .await;
    let mut running = Bench::new()
        .channel("ops", ChannelKind::Webhook, &receiver.base)
        .start();
    for id in ["n-1", "n-2", "n-3"] {
        running.submit(id, "ops");
    }
    for id in ["n-1", "n-2", "n-3"] {
        running.delivered(id).await;
    }
    let ids: Vec<String> = receiver
        .requests()
        .iter()
        .map(|request| request.header("webhook-id"))
        .collect();
    assert_eq!(ids, ["n-1", "n-1", "n-1", "n-2", "n-2", "n-3"]);
    for request in receiver.requests() {
        assert_eq!(request.body["data"]["mayBeRepeat"], false, "500 is a no");
    }
    let text = running.exposition();
    assert!(
        text.contains("failed_total{channel=\"ops\",reason=\"failing\"} 3"),
        "{text}"
    );
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let receiver = Receiver::start([Reply::status(429, "").with("retry-after", "1")]).await;
    let mut running = Bench::new()
        .channel("ops", ChannelKind::Slack, &receiver.base)
        .start();
    running.submit("n-1", "ops");
    // The second reply is the webhook's empty default, which is not Slack's `ok`.
    let reason = running.given_up("n-1").await;
    assert!(
        reason.contains("is this the address of a Slack webhook?"),
        "{reason}"
    );
    let requests = receiver.requests();
    let waited = requests[1].at - requests[0].at;
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(2)).contains(&waited),
        "waited for {waited:?}"
    );
}

#[tokio::test]
async fn what_a_hanging_receiver_may_have_got_is_sent_again_as_a_possible_repeat() {
    let receiver = Receiver::start([Reply::Hang]).await;
    let mut running = Bench::new()
        .channel("ops", ChannelKind::Webhook, &receiver.base)
        .start();
    running.submit("n-1", "ops");
    running.delivered("n-1").await;
    let repeats: Vec<bool> = receiver
        .requests()
        .iter()
        .map(|request| request.body["data"]["mayBeRepeat"].as_bool().unwrap())
        .collect();
    assert_eq!(repeats, [false, true]);
}

#[tokio::test]
async fn a_connection_cut_after_sending_makes_a_possible_repeat() {
    let cutting = cuts_connections(1, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let mut running = Bench::new()
        .channel("ops", ChannelKind::Webhook, &cutting.base)
        .start();
    running.submit("n-1", "ops");
    running.delivered("n-1").await;
    let bodies = cutting.bodies();
    assert_eq!(bodies.len(), 2);
    assert!(bodies[0].contains("\"mayBeRepeat\":false"), "{}", bodies[0]);
    assert!(bodies[1].contains("\"mayBeRepeat\":true"), "{}", bodies[1]);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_says_so() {
    let target = Receiver::start([]).await;
    let location = format!("{}/{SECRET}", target.base);
    let receiver = Receiver::start([
        Reply::status(302, "").with("location", &location),
        Reply::status(308, "").with("location", &location),
    ])
    .await;
    let mut running = Bench::new()
        .channel("ops", ChannelKind::Webhook, &receiver.base)
        .start();
    for (id, status) in [("n-1", "302"), ("n-2", "308")] {
        running.submit(id, "ops");
        let reason = running.given_up(id).await;
        assert!(
            reason.contains(&format!("redirects (status {status})"))
                && reason.contains("not followed"),
            "{reason}"
        );
    }
    assert!(target.requests().is_empty());
}

#[tokio::test]
async fn a_refused_message_is_given_up_with_the_reason_and_the_next_one_goes_on() {
    let receiver = Receiver::start([
        Reply::status(404, "no_service"),
        Reply::status(400, "invalid_payload"),
        Reply::status(200, "ok"),
    ])
    .await;
    let mut running = Bench::new()
        .channel("ops", ChannelKind::Slack, &receiver.base)
        .start();
    for id in ["n-1", "n-2", "n-3"] {
        running.submit(id, "ops");
    }
    let reason = running.given_up("n-1").await;
    assert!(
        reason.contains("127.0.0.1") && reason.contains("`no_service`: the webhook was removed"),
        "{reason}"
    );
    let reason = running.given_up("n-2").await;
    assert!(reason.contains("`invalid_payload`"), "{reason}");
    running.delivered("n-3").await;
}

#[tokio::test]
async fn an_endless_answer_does_not_hold_the_channel() {
    let receiver = Receiver::start([Reply::Endless]).await;
    let mut running = Bench::new()
        .channel("ops", ChannelKind::Webhook, &receiver.base)
        .start();
    running.submit("n-1", "ops");
    running.delivered("n-1").await;
}

#[tokio::test]
async fn dead_channels_delay_no_other() {
    let hanging = Receiver::start([Reply::Hang, Reply::Hang, Reply::Hang, Reply::Hang]).await;
    let good = Receiver::start([]).await;
    let mut running = Bench::new()
        .channel("dead", ChannelKind::Slack, "http://127.0.0.1:1")
        .channel("hanging", ChannelKind::Webhook, &hanging.base)
        .channel("good", ChannelKind::Webhook, &good.base)
        .start();
    let begun = Instant::now();
    let ids = ["n-1", "n-2", "n-3", "n-4", "n-5"];
    for id in ids {
        for channel in ["dead", "hanging", "good"] {
            running.submit(id, channel);
        }
    }
    assert!(
        begun.elapsed() < Duration::from_millis(200),
        "submitting waits"
    );
    for id in ids {
        let delivery = running.next().await;
        assert_eq!(
            (delivery.notice.0.as_str(), delivery.channel.as_str()),
            (id, "good")
        );
    }
    let text = running.exposition();
    assert!(text.contains("queue_length{channel=\"dead\"} 5"), "{text}");
    assert!(text.contains("queue_length{channel=\"good\"} 0"), "{text}");
}

#[tokio::test]
async fn a_rotated_address_is_used_at_the_next_attempt() {
    let receiver = Receiver::start([]).await;
    let bench = Bench::new().channel("ops", ChannelKind::Webhook, "not an address");
    let mut running = bench.start();
    running.submit("n-1", "ops");
    let text = "failed_total{channel=\"ops\",reason=\"address\"} 0";
    let begun = Instant::now();
    while running.exposition().contains(text) {
        assert!(begun.elapsed().as_secs() < 10, "no attempt was made");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    write_address(&bench.folder.path().join("ops"), &receiver.base);
    running.delivered("n-1").await;
}

#[tokio::test]
async fn tls_that_fails_is_an_error_without_the_address() {
    // A receiver without TLS under an https address.
    let receiver = Receiver::start([]).await;
    let bench = Bench::new().channel(
        "ops",
        ChannelKind::Slack,
        &receiver.base.replace("http://", "https://"),
    );
    let error = bench.channels[&ChannelName::from("ops")]
        .send(&notice("n-1"), Attempt::First)
        .await
        .expect_err("there is no TLS");
    let text = format!("{error} {error:?} {}", error.in_full());
    assert!(
        text.contains("127.0.0.1") && !text.contains("hunter2"),
        "{text}"
    );
    assert!(error.retry() && !error.may_have_arrived(), "{text}");
}

#[tokio::test]
async fn what_was_not_sent_before_the_end_stays_open_for_the_next_process() {
    let receiver = Receiver::start([Reply::status(500, "")]).await;
    let bench = Bench::new().channel("ops", ChannelKind::Webhook, &receiver.base);
    let mut running = bench.start();
    running.submit("n-1", "ops");
    running.submit("n-2", "ops");
    running.outbox.shutdown(Duration::from_secs(5)).await;
    assert_eq!(running.deliveries.recv().await, None);

    let mut next = bench.start();
    for id in ["n-1", "n-2"] {
        next.outbox
            .submit(&notice(id), &"ops".into(), Attempt::MayBeRepeat);
        next.delivered(id).await;
    }
    let last = receiver.requests().pop().unwrap();
    assert_eq!(last.body["data"]["mayBeRepeat"], true);
}
