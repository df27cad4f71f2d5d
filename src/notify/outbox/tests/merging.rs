//! What a channel is told when notices come faster than it takes them: in which order, and what in one message.

use recant_core::ids::TargetId;
use recant_core::notice::NoticeKind;

use super::*;
use crate::notify::pace::Pace;

/// A message as it was sent.
#[derive(Debug, Clone)]
struct Told {
    at: Instant,
    notice: Notice,
    attempt: Attempt,
}

type Script = dyn Fn(usize, &Notice) -> Result<(), NotifyError> + Send + Sync;

struct Chat {
    pace: Pace,
    script: Box<Script>,
    told: Arc<Mutex<Vec<Told>>>,
}

impl std::fmt::Debug for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chat")
    }
}

#[async_trait]
impl Notifier for Chat {
    async fn send(&self, notice: &Notice, attempt: Attempt) -> Result<(), NotifyError> {
        let number = {
            let mut told = self.told.lock().unwrap();
            told.push(Told {
                at: Instant::now(),
                notice: notice.clone(),
                attempt,
            });
            told.len() - 1
        };
        (self.script)(number, notice)
    }

    fn pace(&self) -> Pace {
        self.pace
    }
}

struct Room {
    outbox: Outbox,
    deliveries: UnboundedReceiver<Delivery>,
    told: Arc<Mutex<Vec<Told>>>,
}

fn room(
    pace: Pace,
    script: impl Fn(usize, &Notice) -> Result<(), NotifyError> + Send + Sync + 'static,
) -> Room {
    let told: Arc<Mutex<Vec<Told>>> = Arc::default();
    let chat: Arc<dyn Notifier> = Arc::new(Chat {
        pace,
        script: Box::new(script),
        told: told.clone(),
    });
    let (outbox, deliveries) = Outbox::start(
        BTreeMap::from([(channel(), chat)]),
        &Patience::default(),
        NotifyMetrics::default(),
    );
    Room {
        outbox,
        deliveries,
        told,
    }
}

fn about(target: &str, id: &str, kind: NoticeKind) -> Arc<Notice> {
    let mut notice = samples::of(kind);
    notice.id = id.into();
    notice.headline = format!("headline of {id}");
    notice.watch = None;
    notice.target = notice.target.map(|sample| TargetId {
        name: target.to_owned(),
        ..sample
    });
    Arc::new(notice)
}

impl Room {
    fn submit(&self, notice: &Arc<Notice>) {
        self.outbox.submit(notice, &channel(), Attempt::First);
    }

    /// Ids of the next notices that ended, all delivered.
    async fn delivered(&mut self, number: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..number {
            let day = Duration::from_hours(24);
            let delivery = timeout(day, self.deliveries.recv()).await.unwrap().unwrap();
            assert_eq!(delivery.outcome, DeliveryOutcome::Delivered, "{delivery:?}");
            ids.push(delivery.notice.0);
        }
        ids
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// Which notices each message told of.
    fn messages(&self, ids: &[&str]) -> Vec<Vec<String>> {
        let messages = self.told().into_iter().map(|told| {
            let text = format!(
                "{}\n{}\n",
                told.notice.headline,
                told.notice.sentences.join("\n")
            );
            ids.iter()
                .filter(|id| text.contains(&format!("headline of {id}\n")))
                .map(|id| (*id).to_owned())
                .collect()
        });
        messages.collect()
    }

    async fn until(&self, what: &str, done: impl Fn(&[Told]) -> bool) {
        let seen = async {
            while !done(&self.told()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_hours(1), seen).await.expect(what);
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_beginnings_come_one_by_one_and_the_rest_in_one_message() {
    let mut room = room(Pace::SLACK, |number, _| match number {
        0 => Err(throttled(60)),
        _ => Ok(()),
    });
    room.submit(&about("a", "a1", NoticeKind::RollingBack));
    room.until("a first attempt", |told| !told.is_empty()).await;
    room.submit(&about("a", "a2", NoticeKind::NotRestored));
    room.submit(&about("x", "x1", NoticeKind::Inconclusive));
    room.submit(&about("b", "b1", NoticeKind::RollingBack));
    room.submit(&about("b", "b2", NoticeKind::Restored));
    room.delivered(5).await;
    let messages = room.messages(&["a1", "a2", "x1", "b1", "b2"]);
    let expected: [&[&str]; 4] = [&["a1"], &["b1"], &["a1"], &["a2", "x1", "b2"]];
    assert_eq!(messages, expected);
    let told = room.told();
    assert!(
        told[1].at - told[0].at >= Duration::from_secs(60),
        "asked to wait"
    );
    let digest = &told[3].notice;
    assert!(
        digest.headline.starts_with("3 messages"),
        "{}",
        digest.headline
    );
    assert_eq!(
        digest.kind,
        NoticeKind::NotRestored,
        "what goes on decides the colour"
    );
    assert_eq!(digest.target, None);
}

#[tokio::test(start_paused = true)]
async fn machines_get_each_notice_by_itself_in_order() {
    let mut room = room(Pace::UNBOUNDED, |number, _| match number {
        0..3 => Err(unreachable()),
        _ => Ok(()),
    });
    let ids = ["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"];
    room.submit(&about("a", "n1", NoticeKind::RollingBack));
    for id in &ids[1..8] {
        room.submit(&about("a", id, NoticeKind::NotRestored));
    }
    room.submit(&about("a", "n9", NoticeKind::Restored));
    assert_eq!(room.delivered(9).await, ids);
    assert!(room.messages(&ids).iter().all(|told| told.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn a_beginning_does_not_wait_for_the_next_try_of_another() {
    let room = room(Pace::SLACK, |_, notice| {
        match notice.target.as_ref().unwrap().name.as_str() {
            "a" => Err(unreachable()),
            _ => Ok(()),
        }
    });
    room.submit(&about("a", "a1", NoticeKind::RollingBack));
    room.until("rare tries", |told| told.len() == 8).await;
    room.submit(&about("a", "a2", NoticeKind::NotRestored));
    room.submit(&about("b", "b1", NoticeKind::RollingBack));
    let submitted = Instant::now();
    room.until("the other", |told| {
        told.iter().any(|told| told.notice.id.0 == "b1")
    })
    .await;
    assert!(
        submitted.elapsed() < Duration::from_secs(2),
        "{:?}",
        submitted.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn an_end_is_never_told_before_its_beginning() {
    let mut room = room(Pace::SLACK, |number, _| match number {
        0..6 => Err(unreachable()),
        _ => Ok(()),
    });
    for target in ["a", "b", "c"] {
        room.submit(&about(
            target,
            &format!("{target}1"),
            NoticeKind::RollingBack,
        ));
        room.submit(&about(target, &format!("{target}2"), NoticeKind::Restored));
    }
    let ids = room.delivered(6).await;
    for target in ["a", "b", "c"] {
        let position = |number| ids.iter().position(|id| *id == format!("{target}{number}"));
        assert!(position(1) < position(2), "{ids:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_whose_beginning_was_given_up_says_so() {
    let mut room = room(Pace::SLACK, |number, _| match number {
        0 => Err(NotifyError::Refused {
            host: "hooks.example".to_owned(),
            status: 400,
            answer: "no".to_owned(),
        }),
        _ => Ok(()),
    });
    room.submit(&about("a", "a1", NoticeKind::RollingBack));
    let delivery = room.deliveries.recv().await.unwrap();
    assert!(matches!(delivery.outcome, DeliveryOutcome::GivenUp { .. }));
    room.submit(&about("a", "a2", NoticeKind::Restored));
    assert_eq!(room.delivered(1).await, ["a2"]);
    let told = room.told();
    assert_eq!(
        told[1].notice.sentences[0],
        "The message about its beginning was never delivered: headline of a1."
    );
}

#[tokio::test(start_paused = true)]
async fn teams_ceilings_are_kept_and_nothing_is_lost() {
    let mut room = room(Pace::TEAMS, |_, _| Ok(()));
    let ids: Vec<String> = (0..150).map(|number| format!("n{number}x")).collect();
    room.submit(&about("a", "first", NoticeKind::RollingBack));
    for id in &ids {
        room.submit(&about("a", id, NoticeKind::NotRestored));
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    // The ceiling of the hour is nearly used up: the beginning of another incident does not wait for the next hour.
    let now = Instant::now();
    room.submit(&about("b", "urgent", NoticeKind::RollingBack));
    room.until("the beginning", |told| {
        told.iter().any(|told| told.notice.id.0 == "urgent")
    })
    .await;
    assert!(
        now.elapsed() < Duration::from_secs(3),
        "{:?}",
        now.elapsed()
    );
    let delivered = room.delivered(152).await;
    assert!(ids.iter().all(|id| delivered.contains(id)));
    let told = room.told();
    for (most, span) in Pace::TEAMS.windows {
        for (position, first) in told.iter().enumerate() {
            let within = told[position..]
                .iter()
                .filter(|told| told.at - first.at < *span);
            assert!(within.count() <= *most, "more than {most} within {span:?}");
        }
    }
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let messages = room.messages(&all);
    assert_eq!(messages.iter().flatten().count(), 150, "each is told once");
    assert!(messages.iter().all(|message| message.len() <= 20));
}

#[tokio::test(start_paused = true)]
async fn the_notices_of_a_refused_message_are_tried_one_by_one() {
    let mut room = room(Pace::SLACK, |number, notice| {
        let refused = NotifyError::Refused {
            host: "hooks.example".to_owned(),
            status: 400,
            answer: "invalid_blocks".to_owned(),
        };
        match number {
            0 => Err(unreachable()),
            _ if notice.headline.starts_with("3 messages") || notice.id.0 == "x2" => Err(refused),
            _ => Ok(()),
        }
    });
    for id in ["x1", "x2", "x3"] {
        room.submit(&about("a", id, NoticeKind::Inconclusive));
    }
    let mut ends = Vec::new();
    for _ in 0..3 {
        let delivery = room.deliveries.recv().await.unwrap();
        let good = delivery.outcome == DeliveryOutcome::Delivered;
        ends.push((delivery.notice.0, good));
    }
    let expected = [("x1", true), ("x2", false), ("x3", true)];
    assert_eq!(ends, expected.map(|(id, good)| (id.to_owned(), good)));
}

#[tokio::test(start_paused = true)]
async fn what_is_submitted_twice_is_told_once() {
    let mut room = room(Pace::SLACK, |_, _| Ok(()));
    let notice = about("a", "a1", NoticeKind::RollingBack);
    room.submit(&notice);
    room.submit(&notice);
    assert_eq!(room.delivered(1).await, ["a1"]);
    room.outbox
        .submit(&notice, &channel(), Attempt::MayBeRepeat);
    assert_eq!(room.delivered(1).await, ["a1"], "the journal is told again");
    assert_eq!(room.told().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_digest_of_unknown_fate_is_a_possible_repeat() {
    let mut room = room(Pace::SLACK, |number, _| match number {
        0 => Err(unreachable()),
        1 => Err(NotifyError::NoAnswer {
            host: "hooks.example".to_owned(),
            reason: "nothing came in time".to_owned(),
        }),
        _ => Ok(()),
    });
    for id in ["x1", "x2", "x3"] {
        room.submit(&about("a", id, NoticeKind::Inconclusive));
    }
    room.delivered(3).await;
    let attempts: Vec<Attempt> = room.told().iter().map(|told| told.attempt).collect();
    assert_eq!(
        attempts,
        [Attempt::First, Attempt::First, Attempt::MayBeRepeat]
    );
    let messages = room.messages(&["x1", "x2", "x3"]);
    assert_eq!(messages[2], ["x1", "x2", "x3"]);
}

#[tokio::test(start_paused = true)]
async fn an_end_does_not_give_way_to_what_is_less_than_its_beginning() {
    let patience = Patience {
        queue: 2,
        ..Patience::default()
    };
    let hanging: Arc<dyn Notifier> = Arc::new(Chat {
        pace: Pace::UNBOUNDED,
        script: Box::new(|_, _| Err(throttled(300))),
        told: Arc::default(),
    });
    let (outbox, mut deliveries) = Outbox::start(
        BTreeMap::from([(channel(), hanging)]),
        &patience,
        NotifyMetrics::default(),
    );
    for notice in [
        about("a", "end", NoticeKind::Restored),
        about("b", "event", NoticeKind::Inconclusive),
        about("c", "other end", NoticeKind::Restored),
    ] {
        outbox.submit(&notice, &channel(), Attempt::First);
    }
    assert_eq!(deliveries.recv().await.unwrap().notice.0, "event");
}
