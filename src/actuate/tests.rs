//! The executor against a scripted cluster, on a paused clock.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use recant_core::change::{ObjectRef, ObjectState};
use recant_core::ids::{TargetId, TargetKind};
use recant_core::plan::{Action, Fence, RollbackStep, Step};
use recant_core::rule::ScaleTarget;
use recant_core::scaling::ScaleState;
use recant_core::target::TargetNews;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::*;
use crate::cluster::ClusterError;

const BEGIN: &str = "2026-01-01T00:00:00Z";

/// Answers from a script, then `Done`; each attempt takes a permit first.
struct Scripted {
    answers: Mutex<VecDeque<Result<StepResult, ClusterError>>>,
    attempts: Mutex<Vec<(PlanId, usize)>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    permits: Semaphore,
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Result<StepResult, ClusterError>>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            attempts: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            permits: Semaphore::new(1000),
        })
    }

    /// Attempts wait until the test lets them go on.
    fn held() -> Arc<Self> {
        let cluster = Self::new([]);
        cluster.permits.forget_permits(1000);
        cluster
    }

    fn attempts(&self) -> usize {
        self.attempts.lock().expect("nobody panics with it").len()
    }
}

#[async_trait]
impl Cluster for Scripted {
    fn news(&self) -> Vec<TargetNews> {
        Vec::new()
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }

    async fn execute(&self, command: &StepCommand) -> Result<StepResult, ClusterError> {
        let step = (command.plan.clone(), command.index);
        self.attempts
            .lock()
            .expect("nobody panics with it")
            .push(step);
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(now, Ordering::SeqCst);
        self.permits.acquire().await.expect("never closed").forget();
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        let answer = self
            .answers
            .lock()
            .expect("nobody panics with it")
            .pop_front();
        answer.unwrap_or(Ok(StepResult::Done))
    }

    async fn scale_state(&self, _: &ScaleTarget) -> Result<Option<ScaleState>, ClusterError> {
        Ok(None)
    }

    async fn object(&self, _: &ObjectRef) -> Result<Option<ObjectState>, ClusterError> {
        Ok(None)
    }
}

fn command(plan: &str, index: usize) -> StepCommand {
    StepCommand {
        plan: plan.into(),
        index,
        action: Action::Rollback(RollbackStep {
            fence: Fence {
                target: TargetId {
                    namespace: "shop".into(),
                    kind: TargetKind::Deployment,
                    name: "checkout".into(),
                },
                uid: "1".into(),
                judged: "bad".into(),
                number: None,
            },
            step: Step::UndoDeployment { to: "good".into() },
        }),
        deadline: "2026-01-01T00:01:00Z".parse().expect("a time"),
        again: false,
    }
}

/// An executor on the paused clock of the test.
fn start(
    cluster: &Arc<Scripted>,
    at_once: usize,
    gate: impl Gate + 'static,
) -> (Executor, mpsc::UnboundedReceiver<StepOutcome>) {
    let (begin, started): (Timestamp, _) = (BEGIN.parse().expect("a time"), Instant::now());
    let cluster: Arc<dyn Cluster> = Arc::clone(cluster) as _;
    let parts = Parts {
        cluster,
        gate: Arc::new(gate),
        webhooks: Webhooks::none(),
        clock: Arc::new(move || begin + started.elapsed()),
        at_once,
    };
    let (sender, outcomes) = mpsc::unbounded_channel();
    (Executor::start(parts, sender), outcomes)
}

fn open() -> Permit {
    Permit::Act
}

async fn next(outcomes: &mut mpsc::UnboundedReceiver<StepOutcome>) -> StepOutcome {
    timeout(Duration::from_mins(10), outcomes.recv())
        .await
        .expect("an outcome within ten minutes")
        .expect("the executor lives")
}

async fn result_of(
    answers: impl IntoIterator<Item = Result<StepResult, ClusterError>>,
) -> (StepResult, usize) {
    let cluster = Scripted::new(answers);
    let (executor, mut outcomes) = start(&cluster, 1, open);
    executor.submit(command("p", 0)).expect("taken");
    let outcome = next(&mut outcomes).await;
    assert_eq!((outcome.plan.as_str(), outcome.index), ("p", 0));
    (outcome.result, cluster.attempts())
}

fn unreachable() -> Result<StepResult, ClusterError> {
    Err(ClusterError::Unreachable {
        reason: "503".into(),
    })
}

#[tokio::test(start_paused = true)]
async fn tries_again_what_may_succeed_later() {
    let unsettled = Err(ClusterError::Unsettled {
        reason: "the controller lags".into(),
    });
    let answers = [Err(ClusterError::Conflict), unreachable(), unsettled];
    assert_eq!(result_of(answers).await, (StepResult::Done, 4));
}

#[tokio::test(start_paused = true)]
async fn hands_on_what_the_cluster_found() {
    for result in [
        StepResult::AlreadyDone,
        StepResult::Fenced { reason: "x".into() },
        StepResult::Refused { reason: "x".into() },
    ] {
        assert_eq!(result_of([Ok(result.clone())]).await, (result, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_no_of_the_api_server_is_final_and_says_what_to_do() {
    let forbidden = || {
        Err(ClusterError::Forbidden {
            verb: "patch".into(),
            resource: "deployments.apps".into(),
            namespace: "shop".into(),
        })
    };
    let (result, attempts) = result_of([forbidden()]).await;
    let StepResult::Refused { reason } = result else {
        panic!("{result:?}");
    };
    assert!(
        reason.contains("patch deployments.apps in namespace `shop`"),
        "{reason}"
    );
    assert!(reason.contains("charts/manifests/role.yaml"), "{reason}");
    assert_eq!(attempts, 1);
    // The attempt before it may have written.
    let (result, _) = result_of([unreachable(), forbidden()]).await;
    assert!(matches!(result, StepResult::Failed { .. }), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn gives_up_at_the_deadline_and_says_whether_something_may_have_been_written() {
    let begun = Instant::now();
    let (result, attempts) = result_of(std::iter::repeat_with(unreachable).take(1000)).await;
    let StepResult::Failed { reason } = result else {
        panic!("{result:?}");
    };
    assert!(reason.contains("look whether"), "{reason}");
    assert!((10..100).contains(&attempts), "{attempts}");
    assert!(begun.elapsed() <= Duration::from_mins(1));
    let (result, _) =
        result_of(std::iter::repeat_with(|| Err(ClusterError::Conflict)).take(1000)).await;
    let StepResult::Refused { reason } = result else {
        panic!("{result:?}");
    };
    assert!(reason.contains("nothing was written"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_step_past_its_deadline_is_attempted_once() {
    let cluster = Scripted::new([Err(ClusterError::Conflict)]);
    let (executor, mut outcomes) = start(&cluster, 1, open);
    tokio::time::advance(Duration::from_mins(5)).await;
    executor.submit(command("p", 0)).expect("taken");
    let outcome = next(&mut outcomes).await;
    assert!(
        matches!(outcome.result, StepResult::Refused { .. }),
        "{outcome:?}"
    );
    assert_eq!(cluster.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_process_may_have_written_is_not_denied() {
    let again = || StepCommand {
        again: true,
        ..command("p", 0)
    };
    let forbidden = Err(ClusterError::Forbidden {
        verb: "patch".into(),
        resource: "deployments.apps".into(),
        namespace: "shop".into(),
    });
    let conflicts = std::iter::repeat_with(|| Err(ClusterError::Conflict)).take(1000);
    for answers in [vec![forbidden], conflicts.collect()] {
        let cluster = Scripted::new(answers);
        let (executor, mut outcomes) = start(&cluster, 1, open);
        executor.submit(again()).expect("taken");
        let StepResult::Failed { reason } = next(&mut outcomes).await.result else {
            panic!("it says that nothing was written");
        };
        assert!(
            reason.contains("look whether Deployment shop/checkout was changed"),
            "{reason}"
        );
    }
    let (executor, mut outcomes) = start(&Scripted::new([]), 1, || Permit::Never {
        reason: "kill switch: setting `kill_switch`".into(),
    });
    executor.submit(again()).expect("taken");
    let result = next(&mut outcomes).await.result;
    assert!(matches!(result, StepResult::Failed { .. }), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_attempted_with_the_kill_switch_on() {
    let cluster = Scripted::new([]);
    let (executor, mut outcomes) = start(&cluster, 1, || Permit::Never {
        reason: "kill switch: setting `kill_switch`".into(),
    });
    executor.submit(command("p", 0)).expect("taken");
    let outcome = next(&mut outcomes).await;
    let StepResult::Fenced { reason } = outcome.result else {
        panic!("{outcome:?}");
    };
    assert!(reason.contains("kill switch"), "{reason}");
    assert_eq!(cluster.attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn waits_for_the_lease() {
    let held = Arc::new(AtomicBool::new(false));
    let gate = {
        let held = Arc::clone(&held);
        move || {
            if held.load(Ordering::SeqCst) {
                Permit::Act
            } else {
                Permit::Later {
                    reason: "another replica holds the Lease".into(),
                }
            }
        }
    };
    let cluster = Scripted::new([]);
    let (executor, mut outcomes) = start(&cluster, 1, gate);
    executor.submit(command("p", 0)).expect("taken");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(cluster.attempts(), 0);
    held.store(true, Ordering::SeqCst);
    assert_eq!(next(&mut outcomes).await.result, StepResult::Done);
    held.store(false, Ordering::SeqCst);
    executor.submit(command("p", 1)).expect("taken");
    let StepResult::Refused { reason } = next(&mut outcomes).await.result else {
        panic!("it was never permitted");
    };
    assert!(
        reason.contains("nothing was written") && reason.contains("Lease"),
        "{reason}"
    );
    assert_eq!(cluster.attempts(), 1);
}

/// Lets every task that can go on do so; the paused clock moves only when none can.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn one_step_at_a_time_for_each_plan_and_a_bound_over_all() {
    let cluster = Scripted::held();
    let (executor, mut outcomes) = start(&cluster, 2, open);
    for plan in ["a", "b", "c"] {
        for index in 0..2 {
            executor.submit(command(plan, index)).expect("taken");
            // A second time: it is known already.
            executor.submit(command(plan, index)).expect("taken");
        }
    }
    settle().await;
    let begun = cluster
        .attempts
        .lock()
        .expect("nobody panics with it")
        .clone();
    assert_eq!(begun, [("a".into(), 0), ("b".into(), 0)]);
    cluster.permits.add_permits(100);
    let mut ended = Vec::new();
    for _ in 0..6 {
        let outcome = next(&mut outcomes).await;
        ended.push((outcome.plan, outcome.index));
    }
    for plan in ["a", "b", "c"] {
        let of_plan: Vec<_> = ended
            .iter()
            .filter(|(p, _)| p.as_str() == plan)
            .map(|(_, i)| *i)
            .collect();
        assert_eq!(of_plan, [0, 1], "{ended:?}");
    }
    settle().await;
    assert!(outcomes.try_recv().is_err(), "every step ended once");
    assert_eq!(cluster.attempts(), 6);
    assert_eq!(cluster.most_under_way.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn shutdown_finishes_the_step_in_hand_and_begins_no_other() {
    let cluster = Scripted::held();
    let (executor, mut outcomes) = start(&cluster, 4, open);
    executor.submit(command("a", 0)).expect("taken");
    executor.submit(command("a", 1)).expect("taken");
    settle().await;
    assert_eq!(cluster.attempts(), 1);
    let shutdown = tokio::spawn(executor.shutdown());
    settle().await;
    assert!(!shutdown.is_finished(), "a write is under way");
    cluster.permits.add_permits(100);
    timeout(Duration::from_secs(1), shutdown)
        .await
        .expect("in time")
        .expect("no panic");
    let outcome = next(&mut outcomes).await;
    assert_eq!((outcome.index, outcome.result), (0, StepResult::Done));
    assert_eq!(outcomes.recv().await, None);
    assert_eq!(cluster.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_a_step_that_is_between_attempts() {
    let cluster = Scripted::new(std::iter::repeat_with(unreachable).take(1000));
    let (executor, mut outcomes) = start(&cluster, 1, open);
    executor.submit(command("a", 0)).expect("taken");
    tokio::time::sleep(Duration::from_secs(20)).await;
    let begun = Instant::now();
    executor.shutdown().await;
    assert!(begun.elapsed() < Duration::from_millis(1));
    assert_eq!(
        outcomes.recv().await,
        None,
        "the next process begins it again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_hangs_is_given_up_on() {
    let cluster = Scripted::held();
    let (executor, mut outcomes) = start(&cluster, 1, open);
    executor.submit(command("a", 0)).expect("taken");
    let StepResult::Failed { reason } = next(&mut outcomes).await.result else {
        panic!("it hangs");
    };
    assert!(reason.contains("no answer within 60 s"), "{reason}");
}
