//! A process that dies while it sends: the next one sends what the journal does not know to have ended.

use std::collections::BTreeSet;

use recant_core::ledger::Ledger;
use recant_core::record::Record;

use super::*;

const CHANNELS: [&str; 4] = ["team", "first hook", "second hook", "dead"];

/// Submits what the journal knows and has no end, as the engine does at its first tick.
fn submit_pending(running: &Running, ledger: &Ledger, attempt: Attempt) {
    let mut pending: Vec<_> = ledger.pending.values().collect();
    pending.sort_by_key(|(notice, _)| (notice.at, notice.id.number()));
    for (notice, channels) in pending {
        let notice = Arc::new(notice.clone());
        for channel in channels {
            running.outbox.submit(&notice, channel, attempt);
        }
    }
}

/// How often a notice came to a receiver, and how often without saying that it may be a repeat.
fn came(receiver: &Receiver, id: &str) -> (usize, usize) {
    let bodies: Vec<String> = receiver
        .requests()
        .iter()
        .map(|request| request.body.to_string())
        .filter(|body| body.contains(&format!("headline of {id}")))
        .collect();
    let marked =
        |body: &&String| body.contains("may be a repeat") || body.contains("\"mayBeRepeat\":true");
    (
        bodies.len(),
        bodies.len() - bodies.iter().filter(marked).count(),
    )
}

#[tokio::test]
async fn nothing_is_lost_over_a_restart_and_repeats_say_so() {
    let mut receivers = Vec::new();
    let mut bench = Bench::new();
    for (name, kind) in [
        (CHANNELS[0], ChannelKind::Teams),
        (CHANNELS[1], ChannelKind::Webhook),
        (CHANNELS[2], ChannelKind::Webhook),
    ] {
        let receiver = Receiver::start([Reply::status(500, ""), Reply::status(202, "")])
            .await
            .then(Reply::status(202, ""));
        bench = bench.channel(name, kind, &receiver.base);
        receivers.push(receiver);
    }
    bench = bench.channel(
        CHANNELS[3],
        ChannelKind::Alertmanager {
            labels: BTreeMap::new(),
            bearer: None,
        },
        "http://127.0.0.1:1",
    );
    let ids: Vec<String> = (10..30).map(|number| format!("n-{number}")).collect();
    let mut ledger = Ledger::default();
    for (number, id) in ids.iter().enumerate() {
        let mut notice = Notice::clone(&notice(id));
        notice.channels = CHANNELS.map(ChannelName::from).to_vec();
        if let Some(target) = &mut notice.target {
            target.name = format!("target-{}", number / 2);
        }
        notice.kind = match number % 2 {
            0 => NoticeKind::RollingBack,
            _ => NoticeKind::Restored,
        };
        ledger.apply(notice.at, &Record::Noticed(Box::new(notice)));
    }

    let mut first = bench.start();
    submit_pending(&first, &ledger, Attempt::First);
    let mut recorded = BTreeSet::new();
    for _ in 0..15 {
        let delivery = first.next().await;
        recorded.insert((delivery.channel.clone(), delivery.notice.0.clone()));
        ledger.apply(
            "2026-01-01T00:00:01Z".parse().unwrap(),
            &Record::NoticeEnded(delivery),
        );
    }
    // Killed: what was sent and not recorded is forgotten.
    drop(first);

    let mut second = bench.start();
    submit_pending(&second, &ledger, Attempt::MayBeRepeat);
    let left = |ledger: &Ledger| {
        let waits = |channels: &BTreeSet<ChannelName>| {
            channels.iter().any(|channel| channel.as_str() != "dead")
        };
        ledger
            .pending
            .values()
            .filter(|(_, channels)| waits(channels))
            .count()
    };
    while left(&ledger) > 0 {
        let delivery = second.next().await;
        assert_eq!(delivery.outcome, DeliveryOutcome::Delivered, "{delivery:?}");
        ledger.apply(
            "2026-01-01T00:00:02Z".parse().unwrap(),
            &Record::NoticeEnded(delivery),
        );
    }
    assert_eq!(
        ledger.pending.len(),
        ids.len(),
        "the dead channel's wait on"
    );
    let mut repeats = 0;
    for (receiver, channel) in receivers.iter().zip(CHANNELS) {
        for id in &ids {
            let (all, unmarked) = came(receiver, id);
            assert!(all >= 1, "{id} is lost at {channel}");
            if recorded.contains(&(channel.into(), id.clone())) {
                continue;
            }
            repeats += all - 1;
            // The 500 of the beginning is no delivery, and so no repeat.
            assert!(
                unmarked <= 2,
                "{id} came {unmarked} times unmarked to {channel}"
            );
        }
    }
    println!(
        "20 notices to three good channels and a dead one, killed after 15 ends: nothing lost, {repeats} repeats"
    );
}
