//! Rolling, undoing and fencing in memory, with pods that a recorder runs.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use recant_core::change::{Environment, Seen};
use recant_core::ids::TargetKind;
use recant_core::plan::{Fence, RollbackStep};
use recant_core::rule::ScaleKind;
use recant_core::scaling::{ScaleChange, ScaleObject};
use recant_core::target::TargetState;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

/// Notes what it is told; pods of image `broken` cannot start.
#[derive(Default)]
struct Recorder {
    told: Mutex<Vec<String>>,
    ports: AtomicU16,
}

impl Recorder {
    fn tell(&self, what: String) {
        self.told.lock().expect("nobody panics with it").push(what);
    }

    fn count(&self, told: impl Fn(&str) -> bool) -> usize {
        let all = self.told.lock().expect("nobody panics with it");
        all.iter().filter(|text| told(text)).count()
    }
}

#[async_trait]
impl PodRunner for Recorder {
    async fn start(&self, _pod: &PodName, image: &str) -> io::Result<SocketAddr> {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if image == "broken" {
            return Err(io::Error::other("no such image"));
        }
        self.tell(format!("+{image}"));
        let port = 9000 + self.ports.fetch_add(1, Ordering::SeqCst);
        Ok(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    async fn stop(&self, pod: &PodName) {
        self.tell(format!("-{pod}"));
    }
}

struct Demo {
    cluster: Arc<MemoryCluster>,
    recorder: Arc<Recorder>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    state: Option<TargetState>,
    /// Every wanted pod was ready once.
    settled: bool,
    /// Pods at once at most: one more than wanted.
    most: usize,
}

impl Demo {
    fn start() -> Self {
        let recorder = Arc::new(Recorder::default());
        let runner: Arc<dyn PodRunner> = Arc::clone(&recorder) as _;
        let pace = Duration::from_millis(200);
        let cluster = Arc::new(MemoryCluster::new(target(), "good", 3, runner, pace));
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (cluster, stop) = (Arc::clone(&cluster), stop.clone());
            async move { cluster.run(stop).await }
        });
        Self {
            cluster,
            recorder,
            stop,
            task,
            state: None,
            settled: false,
            most: 4,
        }
    }

    /// Follows the news until the state is as wanted, and holds each of them against what a rolling update keeps.
    async fn until(&mut self, wanted: impl Fn(&TargetState) -> bool) -> TargetState {
        let look = async {
            loop {
                for news in self.cluster.news() {
                    let TargetNews::State(state) = news else {
                        panic!("nothing goes in memory");
                    };
                    let live = state.pods.iter().filter(|pod| !pod.terminating).count();
                    assert!(live <= self.most, "one more than wanted at most");
                    let ready = state.pods.iter().filter(|pod| pod.ready).count();
                    assert!(ready >= 3 || !self.settled, "never fewer than wanted");
                    assert_eq!(ready, self.cluster.ready().len());
                    self.settled |= state.complete;
                    self.state = Some(*state);
                }
                if let Some(state) = &self.state
                    && wanted(state)
                {
                    return state.clone();
                }
                self.cluster.changed().await;
            }
        };
        let Ok(state) = timeout(Duration::from_mins(1), look).await else {
            panic!("waited in vain; last seen: {:#?}", self.state);
        };
        state
    }

    async fn until_complete(&mut self, hash: &RevisionHash) -> TargetState {
        self.until(|state| state.complete && state.current.as_ref() == Some(hash))
            .await
    }

    async fn good(&mut self) -> RevisionHash {
        let first = self.until(|state| state.complete).await;
        first.current.expect("always known")
    }

    fn undo(&self, plan: &str, judged: &RevisionHash, to: &RevisionHash) -> StepCommand {
        StepCommand {
            plan: plan.into(),
            index: 0,
            action: Action::Rollback(RollbackStep {
                fence: Fence {
                    target: target(),
                    uid: self.state.as_ref().expect("it was seen").uid.clone(),
                    judged: judged.clone(),
                    number: None,
                },
                step: Step::UndoDeployment { to: to.clone() },
            }),
            deadline: Timestamp::MAX,
            again: false,
        }
    }

    async fn execute(&self, command: &StepCommand) -> StepResult {
        let result = self.cluster.execute(command).await;
        result.expect("memory does not fail")
    }
}

fn target() -> TargetId {
    TargetId {
        namespace: "demo".into(),
        kind: TargetKind::Deployment,
        name: "checkout".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn rolls_one_pod_at_a_time_and_back() {
    let mut demo = Demo::start();
    let good = demo.good().await;
    assert_eq!(demo.cluster.ready().len(), 3);
    let bad = demo.cluster.ship("bad");
    let mixed = demo
        .until(|state| state.pods.iter().any(|pod| pod.ready && pod.hash == bad))
        .await;
    assert!(!mixed.complete);
    assert_eq!(mixed.current, Some(bad.clone()));
    // Back while it still rolls.
    let undo = demo.undo("p1", &bad, &good);
    assert_eq!(demo.execute(&undo).await, StepResult::Done);
    assert_eq!(demo.execute(&undo).await, StepResult::AlreadyDone);
    let back = demo.until_complete(&good).await;
    assert_eq!(back.last_plan, Some("p1".into()));
    let numbers: Vec<_> = back
        .revisions
        .iter()
        .map(|revision| (revision.number, revision.images.concat()))
        .collect();
    assert_eq!(numbers, [(2, "bad".into()), (3, "good".into())]);
    // A second one may have been starting.
    let started = demo.recorder.count(|told| told == "+bad");
    assert!((1..3).contains(&started), "{started} bad pods");
}

#[tokio::test(start_paused = true)]
async fn a_complete_release_replaces_every_pod_and_remembers_the_old_ones() {
    let mut demo = Demo::start();
    let good = demo.good().await;
    let next = demo.cluster.ship("better");
    let done = demo.until_complete(&next).await;
    let gone: Vec<_> = done.pods.iter().filter(|pod| pod.terminating).collect();
    assert_eq!(gone.len(), 3);
    assert!(gone.iter().all(|pod| pod.hash == good && !pod.ready));
    assert!(demo.cluster.news().is_empty());
    tokio::time::sleep(Duration::from_mins(16)).await;
    let later = demo.until(|state| state.pods.len() == 3).await;
    assert_eq!(later.current, Some(next));
}

#[tokio::test(start_paused = true)]
async fn the_fence_holds_in_memory_too() {
    let mut demo = Demo::start();
    let good = demo.good().await;
    let bad = demo.cluster.ship("bad");
    let undo = demo.undo("p1", &bad, &good);
    let newer = demo.cluster.ship("newer");
    let held = demo.execute(&undo).await;
    assert!(
        matches!(&held, StepResult::Fenced { reason } if reason.contains("no longer at")),
        "{held:?}"
    );
    demo.until_complete(&newer).await;
    let unknown = demo.undo("p2", &newer, &"nowhere".into());
    let refused = demo.execute(&unknown).await;
    assert!(
        matches!(&refused, StepResult::Refused { .. }),
        "{refused:?}"
    );
    let mut other = undo;
    if let Action::Rollback(rollback) = &mut other.action {
        rollback.fence.target.name = "other".into();
    }
    let fenced = demo.execute(&other).await;
    assert!(matches!(&fenced, StepResult::Fenced { .. }), "{fenced:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_cannot_start_takes_nothing_down() {
    let mut demo = Demo::start();
    let good = demo.good().await;
    let broken = demo.cluster.ship("broken");
    let stuck = demo
        .until(|state| state.pods.iter().any(|pod| pod.unready_reason.is_some()))
        .await;
    let pod = stuck.pods.iter().find(|pod| pod.hash == broken);
    assert_eq!(
        pod.and_then(|pod| pod.unready_reason.as_deref()),
        Some("container app: no such image")
    );
    assert_eq!(demo.cluster.ready().len(), 3);
    let undo = demo.undo("p1", &broken, &good);
    assert_eq!(demo.execute(&undo).await, StepResult::Done);
    demo.until_complete(&good).await;
}

#[tokio::test(start_paused = true)]
async fn every_pod_is_stopped_in_the_end() {
    let mut demo = Demo::start();
    demo.good().await;
    demo.stop.cancel();
    let ended = timeout(Duration::from_secs(10), &mut demo.task).await;
    ended.expect("in time").expect("no panic");
    assert_eq!(demo.recorder.count(|told| told.starts_with('-')), 3);
    assert!(demo.cluster.ready().is_empty());
}

#[tokio::test(start_paused = true)]
async fn is_scaled_once_and_back() {
    let mut demo = Demo::start();
    demo.good().await;
    demo.most = 6;
    let workload = ScaleTarget {
        namespace: "demo".into(),
        kind: ScaleKind::Deployment,
        name: "checkout".into(),
    };
    let before = demo.cluster.scale_state(&workload).await;
    let before = before.expect("memory does not fail").expect("it is there");
    assert_eq!((before.replicas, before.ready), (3, 3));
    let change = |plan: &str, from, to| StepCommand {
        plan: plan.into(),
        index: 0,
        action: Action::Scale(ScaleChange {
            target: workload.clone(),
            uid: before.uid.clone(),
            object: ScaleObject::Workload,
            from,
            to,
        }),
        deadline: Timestamp::MAX,
        again: false,
    };
    let up = change("p1", 3, 5);
    assert_eq!(demo.execute(&up).await, StepResult::Done);
    assert_eq!(demo.execute(&up).await, StepResult::AlreadyDone);
    demo.until(|state| state.complete && state.pods.len() == 5)
        .await;
    assert_eq!(demo.execute(&change("p2", 5, 4)).await, StepResult::Done);
    demo.until(|state| state.complete).await;
    assert_eq!(demo.cluster.ready().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn objects_are_changed_by_the_same_fence_and_a_template_rolls() {
    let mut demo = Demo::start();
    let good = demo.good().await;
    let object = ObjectRef {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: target().namespace,
        name: target().name,
    };
    let read = || async {
        let read = demo.cluster.object(&object).await.expect("it answers");
        read.expect("it is there")
    };
    let before = read().await;
    let edit = Environment::decide(&before.object, None, "LOG_LEVEL", "DEBUG");
    let change = Change {
        object: object.clone(),
        uid: before.uid().to_owned(),
        edit: edit.expect("possible").expect("a change"),
    };
    let command = |plan: &str, change: &Change| StepCommand {
        plan: plan.into(),
        index: 1,
        action: Action::Change(Box::new(change.clone())),
        deadline: Timestamp::MAX,
        again: false,
    };
    let up = command("p1", &change);
    assert_eq!(
        demo.cluster.execute(&up).await.expect("done"),
        StepResult::Done
    );
    let again = demo.cluster.execute(&up).await.expect("an answer");
    assert_eq!(again, StepResult::AlreadyDone);
    let other = demo.cluster.execute(&command("p2", &change)).await;
    assert!(matches!(other, Ok(StepResult::Fenced { .. })), "{other:?}");
    assert_eq!(change.edit.seen(&read().await.object), Seen::To);
    let state = demo
        .until(|state| state.complete && state.current.as_ref() != Some(&good))
        .await;
    assert_eq!(state.revisions.len(), 2);

    let back = demo
        .cluster
        .execute(&command("p1-undo", &change.undo()))
        .await;
    assert_eq!(back.expect("done"), StepResult::Done);
    demo.until_complete(&good).await;

    let nobody = ObjectRef {
        name: "nobody".into(),
        ..object
    };
    assert_eq!(
        demo.cluster.object(&nobody).await.expect("it answers"),
        None
    );
    demo.cluster.put(
        nobody.clone(),
        serde_json::json!({"metadata": {"uid": "u"}}),
    );
    let read = demo.cluster.object(&nobody).await.expect("it answers");
    assert_eq!(read.expect("it is there").uid(), "u");
}
