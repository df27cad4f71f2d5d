//! On a paused clock, with a notifier that follows a script. The real requests are in `tests/it/notify.rs`.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod merging;

use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout};

use recant_core::notice::Severity;

use super::*;
use crate::notify::{NotifyError, samples};

/// Answers by a function of the number of the attempt, and keeps what it was asked to send, and when.
struct Scripted {
    script: Box<dyn Fn(usize) -> Result<(), NotifyError> + Send + Sync>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

type Sent = (Instant, String, Attempt);

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait]
impl Notifier for Scripted {
    async fn send(&self, notice: &Notice, attempt: Attempt) -> Result<(), NotifyError> {
        let number = {
            let mut sent = self.sent.lock().unwrap();
            sent.push((Instant::now(), notice.id.0.clone(), attempt));
            sent.len() - 1
        };
        (self.script)(number)
    }
}

struct Bench {
    outbox: Outbox,
    deliveries: UnboundedReceiver<Delivery>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

fn bench(
    patience: &Patience,
    script: impl Fn(usize) -> Result<(), NotifyError> + Send + Sync + 'static,
) -> Bench {
    let sent: Arc<Mutex<Vec<Sent>>> = Arc::default();
    let notifier: Arc<dyn Notifier> = Arc::new(Scripted {
        script: Box::new(script),
        sent: sent.clone(),
    });
    let notifiers = BTreeMap::from([(channel(), notifier)]);
    let (outbox, deliveries) = Outbox::start(notifiers, patience, NotifyMetrics::default());
    Bench {
        outbox,
        deliveries,
        sent,
    }
}

impl Bench {
    fn submit(&self, id: &str, severity: Severity) {
        let mut notice = samples::rolling_back();
        notice.id = id.into();
        notice.severity = severity;
        self.outbox
            .submit(&Arc::new(notice), &channel(), Attempt::First);
    }

    async fn next(&mut self) -> (String, DeliveryOutcome) {
        let days = Duration::from_hours(24 * 10);
        let delivery = timeout(days, self.deliveries.recv())
            .await
            .expect("a delivery within ten days")
            .unwrap();
        (delivery.notice.0, delivery.outcome)
    }

    fn times(&self) -> Vec<Instant> {
        let sent = self.sent.lock().unwrap();
        sent.iter().map(|(at, _, _)| *at).collect()
    }
}

fn channel() -> ChannelName {
    "deployments".into()
}

fn unreachable() -> NotifyError {
    NotifyError::Unreachable {
        host: "hooks.example".to_owned(),
        reason: "Connection refused".to_owned(),
    }
}

fn throttled(seconds: u64) -> NotifyError {
    NotifyError::Throttled {
        host: "hooks.example".to_owned(),
        retry_after: Some(Duration::from_secs(seconds)),
    }
}

fn reason(outcome: DeliveryOutcome) -> String {
    match outcome {
        DeliveryOutcome::GivenUp { reason } => reason,
        DeliveryOutcome::Delivered => panic!("it was delivered"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_channel_is_given_up_after_a_day_of_ever_rarer_attempts() {
    let mut bench = bench(&Patience::default(), |_| Err(unreachable()));
    let begun = Instant::now();
    bench.submit("n-1", Severity::Critical);
    let (_, outcome) = bench.next().await;
    let reason = reason(outcome);
    assert!(
        reason.starts_with("hooks.example cannot be reached: Connection refused (tried "),
        "{reason}"
    );
    let hours = begun.elapsed().as_secs_f64() / 3600.0;
    assert!((23.5..=24.0).contains(&hours), "{hours} hours");
    let times = bench.times();
    assert!(
        (250..400).contains(&times.len()),
        "{} attempts",
        times.len()
    );
    let waits: Vec<f64> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64())
        .collect();
    assert!((1.0..=2.1).contains(&waits[0]), "{waits:?}");
    assert!((2.0..=4.1).contains(&waits[1]), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 301.0));
}

#[tokio::test(start_paused = true)]
async fn the_number_of_attempts_is_bounded_too() {
    let patience = Patience {
        attempts: 3,
        ..Patience::default()
    };
    let mut bench = bench(&patience, |_| Err(unreachable()));
    bench.submit("n-1", Severity::Info);
    let reason = reason(bench.next().await.1);
    assert!(reason.ends_with("(tried 3 times)"), "{reason}");
    assert_eq!(bench.times().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_kept_to_but_not_beyond_five_minutes() {
    let mut bench = bench(&Patience::default(), |number| match number {
        0 => Err(throttled(90)),
        1 => Err(throttled(100_000)),
        _ => Ok(()),
    });
    bench.submit("n-1", Severity::Info);
    assert_eq!(bench.next().await.1, DeliveryOutcome::Delivered);
    let times = bench.times();
    let waits = [times[1] - times[0], times[2] - times[1]].map(|wait| wait.as_secs());
    assert_eq!(waits, [90, 300]);
    let sent = bench.sent.lock().unwrap();
    assert!(
        sent.iter()
            .all(|(_, _, attempt)| *attempt == Attempt::First)
    );
}

#[tokio::test(start_paused = true)]
async fn one_message_a_second_and_in_order() {
    let mut bench = bench(&Patience::default(), |_| Ok(()));
    for id in ["n-1", "n-2", "n-3", "n-4"] {
        bench.submit(id, Severity::Info);
    }
    for id in ["n-1", "n-2", "n-3", "n-4"] {
        assert_eq!(
            bench.next().await,
            (id.to_owned(), DeliveryOutcome::Delivered)
        );
    }
    for pair in bench.times().windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_gives_up_the_oldest_of_the_least_urgent() {
    let patience = Patience {
        queue: 3,
        ..Patience::default()
    };
    let mut bench = bench(&patience, |number| match number {
        0..3 => Err(unreachable()),
        _ => Ok(()),
    });
    bench.submit("in work", Severity::Info);
    let taken = async {
        while bench.times().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(1), taken)
        .await
        .expect("the worker takes the first one within a second");
    bench.submit("warning", Severity::Warning);
    bench.submit("old info", Severity::Info);
    bench.submit("new info", Severity::Info);
    bench.submit("critical", Severity::Critical);
    let (id, outcome) = bench.next().await;
    assert_eq!(id, "old info");
    let reason = reason(outcome);
    assert!(
        reason.contains("3 newer or more urgent notices"),
        "{reason}"
    );
    bench.submit("critical 2", Severity::Critical);
    assert_eq!(bench.next().await.0, "new info");
    bench.submit("late info", Severity::Info);
    assert_eq!(
        bench.next().await.0,
        "late info",
        "all others are more urgent"
    );
    for id in ["in work", "warning", "critical", "critical 2"] {
        assert_eq!(
            bench.next().await,
            (id.to_owned(), DeliveryOutcome::Delivered)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_for_a_channel_that_is_gone_is_given_up_at_once() {
    let mut bench = bench(&Patience::default(), |_| Ok(()));
    let notice = Arc::new(samples::restored());
    bench
        .outbox
        .submit(&notice, &"former".into(), Attempt::MayBeRepeat);
    let reason = reason(bench.next().await.1);
    assert_eq!(reason, "there is no channel `former` any more");
}

#[tokio::test(start_paused = true)]
async fn a_notice_of_unknown_fate_is_sent_again_as_a_possible_repeat() {
    let mut bench = bench(&Patience::default(), |number| match number {
        0 | 2 => Err(unreachable()),
        1 => Err(NotifyError::NoAnswer {
            host: "hooks.example".to_owned(),
            reason: "nothing came in time".to_owned(),
        }),
        _ => Ok(()),
    });
    bench.submit("n-1", Severity::Info);
    bench.submit("n-2", Severity::Info);
    bench.next().await;
    bench.next().await;
    let (first, repeat) = (Attempt::First, Attempt::MayBeRepeat);
    let sent = bench.sent.lock().unwrap();
    let attempts: Vec<Attempt> = sent.iter().map(|(_, _, attempt)| *attempt).collect();
    assert_eq!(attempts, [first, first, repeat, repeat, first]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_sends_what_it_can_and_leaves_the_rest_open() {
    let mut bench = bench(&Patience::default(), |number| match number {
        0 | 1 => Ok(()),
        _ => Err(unreachable()),
    });
    for id in ["n-1", "n-2", "n-3", "n-4"] {
        bench.submit(id, Severity::Info);
    }
    bench.outbox.shutdown(Duration::from_secs(10)).await;
    let mut ended = Vec::new();
    while let Some(delivery) = bench.deliveries.recv().await {
        assert_eq!(delivery.outcome, DeliveryOutcome::Delivered);
        ended.push(delivery.notice.0);
    }
    assert_eq!(ended, ["n-1", "n-2"]);
    assert_eq!(bench.sent.lock().unwrap().len(), 3, "one failure is enough");
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_in_time_whatever_hangs() {
    #[derive(Debug)]
    struct Hanging;
    #[async_trait]
    impl Notifier for Hanging {
        async fn send(&self, _: &Notice, _: Attempt) -> Result<(), NotifyError> {
            std::future::pending().await
        }
    }
    let hanging: Arc<dyn Notifier> = Arc::new(Hanging);
    let (outbox, mut deliveries) = Outbox::start(
        BTreeMap::from([(channel(), hanging)]),
        &Patience::default(),
        NotifyMetrics::default(),
    );
    outbox.submit(&Arc::new(samples::restored()), &channel(), Attempt::First);
    let begun = Instant::now();
    outbox.shutdown(Duration::from_secs(5)).await;
    assert!(
        begun.elapsed() <= Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(deliveries.recv().await, None, "its fate is not known");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_changes_keeps_its_queue_and_its_order() {
    let failing = |_| {
        Err(NotifyError::Unreachable {
            host: "old".to_owned(),
            reason: "connection refused".to_owned(),
        })
    };
    let mut old = bench(&Patience::default(), failing);
    for id in ["a", "b", "c"] {
        old.submit(id, Severity::Info);
    }
    // The first is waiting for its next attempt.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut new = bench(&Patience::default(), |_| Ok(()));
    let notifier: Arc<dyn Notifier> = Arc::new(Scripted {
        script: Box::new(|_| Ok(())),
        sent: new.sent.clone(),
    });
    let nothing = std::collections::BTreeSet::new();
    old.outbox
        .follow(&nothing, BTreeMap::from([(channel(), notifier)]));
    old.submit("d", Severity::Info);
    for id in ["a", "b", "c", "d"] {
        assert_eq!(old.next().await, (id.into(), DeliveryOutcome::Delivered));
    }
    assert_eq!(new.times().len(), 4, "all went to the new address");
    assert!(new.deliveries.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_channel_that_went_is_given_up_and_said() {
    let mut bench = bench(&Patience::default(), |_| {
        Err(NotifyError::Unreachable {
            host: "old".to_owned(),
            reason: "connection refused".to_owned(),
        })
    });
    for id in ["a", "b"] {
        bench.submit(id, Severity::Info);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let nothing = std::collections::BTreeSet::new();
    bench.outbox.follow(&nothing, BTreeMap::new());
    bench.submit("c", Severity::Info);
    let mut ended = Vec::new();
    for _ in 0..3 {
        let (id, outcome) = bench.next().await;
        assert!(
            matches!(&outcome, DeliveryOutcome::GivenUp { reason } if reason.contains("no channel")),
            "{outcome:?}"
        );
        ended.push(id);
    }
    ended.sort();
    assert_eq!(ended, ["a", "b", "c"]);
}
