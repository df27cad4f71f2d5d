//! The kubelet of Jobs' pods: one task watches a namespace, one task per pod lives the pod's life.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::container::Prepared;
use super::status::{State, Status};
use super::{Book, End, Run, lock};
use crate::bed::{Bed, Process};

/// The node of Jobs' pods. No object stands behind it, so kwok leaves its pods alone.
const NODE: &str = "testbed-jobs";

/// What every pod of a Job carries.
const JOB: &str = "batch.kubernetes.io/job-name";

/// Before a container is started again, or what it refers to is looked for again.
const RETRY: Duration = Duration::from_secs(1);

/// How often a process is looked at.
const PERIOD: Duration = Duration::from_millis(50);

/// Kills a process that does not say otherwise, as Kubernetes does.
const GRACE: Duration = Duration::from_secs(30);

/// The kubelet of one namespace.
#[derive(Clone)]
pub(super) struct Kubelet {
    pub(super) bed: &'static Bed,
    pub(super) namespace: String,
    pub(super) tools: Option<PathBuf>,
    pub(super) folder: PathBuf,
    pub(super) book: Arc<Mutex<Book>>,
}

/// How long a pod that has to go may take; None while it may stay.
type Leave = Option<Duration>;

impl Kubelet {
    /// Runs for ever. When this is dropped, everything that it started ends at once.
    pub(super) async fn run(self) {
        let config = watcher::Config::default().labels(JOB);
        let events = watcher(self.api::<Pod>(), config).default_backoff();
        let mut events = std::pin::pin!(events);
        let mut pods: BTreeMap<String, watch::Sender<Leave>> = BTreeMap::new();
        loop {
            // An error is a watch that broke; the stream starts again by itself.
            let event = match events.try_next().await {
                Ok(Some(event)) => event,
                Ok(None) => return,
                Err(_) => continue,
            };
            match event {
                watcher::Event::Init | watcher::Event::InitDone => {}
                watcher::Event::InitApply(pod) | watcher::Event::Apply(pod) => {
                    self.see(&mut pods, pod);
                }
                watcher::Event::Delete(pod) => {
                    pods.remove(&pod.metadata.uid.unwrap_or_default());
                }
            }
        }
    }

    fn see(&self, pods: &mut BTreeMap<String, watch::Sender<Leave>>, pod: Pod) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let grace = pod.metadata.deletion_timestamp.as_ref().map(|_| {
            let seconds = pod.metadata.deletion_grace_period_seconds;
            let seconds = seconds.and_then(|seconds| seconds.try_into().ok());
            seconds.map_or(GRACE, Duration::from_secs)
        });
        match pods.get(&uid) {
            Some(leave) => {
                leave.send_if_modified(|leave| {
                    let news = leave.is_none() && grace.is_some();
                    *leave = leave.or(grace);
                    news
                });
            }
            None if grace.is_some() => {}
            None => {
                let (sender, leave) = watch::channel(None);
                pods.insert(uid, sender);
                let kubelet = self.clone();
                tokio::spawn(async move { kubelet.take(pod, leave).await });
            }
        }
    }

    /// The API of a kind in the namespace, as administrator.
    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.bed.client(), &self.namespace)
    }

    /// Lives a pod's life, or says why it cannot.
    async fn take(&self, pod: Pod, leave: watch::Receiver<Leave>) {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let spec = pod.spec.clone().unwrap_or_default();
        let refused = match (&spec.containers[..], &spec.node_name) {
            (_, Some(node)) if node != NODE => Some(format!(
                "it names the node `{node}`, and there no process is run: leave `nodeName` out"
            )),
            ([_], _) if spec.init_containers.iter().flatten().next().is_none() => None,
            _ => Some("it has more than one container, which is not built here".to_owned()),
        };
        if let Some(refused) = refused {
            let refused = format!("pod `{name}` of a Job is not run: {refused}");
            lock(&self.book).refused.push(refused);
            return;
        }
        if let Err(error) = self.live(&name, &pod, &spec.containers[0], leave).await {
            // Pods go while their tests end; anything else is worth a look.
            let gone = matches!(&error, kube::Error::Api(status) if status.code == 404);
            if !gone {
                lock(&self.book)
                    .refused
                    .push(format!("pod `{name}`: {error}"));
            }
        }
        // Whoever asked it to go waits for its node to say that it is gone. It is an error where nobody asked.
        let api: Api<Pod> = self.api();
        let asked = api.get(&name).await;
        if asked.is_ok_and(|pod| pod.metadata.deletion_timestamp.is_some()) {
            drop(
                api.delete(&name, &DeleteParams::default().grace_period(0))
                    .await,
            );
        }
    }

    async fn live(
        &self,
        name: &str,
        pod: &Pod,
        container: &Container,
        mut leave: watch::Receiver<Leave>,
    ) -> Result<(), kube::Error> {
        let api: Api<Pod> = self.api();
        let spec = pod.spec.clone().unwrap_or_default();
        if spec.node_name.is_none() {
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
            });
            api.create_subresource::<_, Value>("binding", name, &PostParams::default(), &binding)
                .await?;
        }
        let deadline = spec.active_deadline_seconds;
        let deadline = deadline.and_then(|seconds| seconds.try_into().ok());
        // Without one: longer than any test.
        let deadline = Instant::now() + Duration::from_secs(deadline.unwrap_or(86_400));
        let account = account(pod);
        let user = format!("system:serviceaccount:{}:{account}", self.namespace);
        let kubeconfig = self.bed.kubeconfig_in(&user, &self.namespace);
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let folder = self.folder.join(&uid);
        std::fs::create_dir(&folder).expect("the bed's folder is writable");
        let mut status = Status::new(api, name, container);
        let mut restarts = 0;
        loop {
            let prepared = Prepared::new(self, pod, container, &kubeconfig, &folder).await;
            let prepared = match prepared {
                Ok(prepared) => prepared,
                Err(message) => {
                    let state = State::Waiting {
                        reason: "CreateContainerConfigError",
                        message: &message,
                    };
                    status.write("Pending", restarts, state, None).await?;
                    if pause(&mut leave).await {
                        return Ok(());
                    }
                    continue;
                }
            };
            let since = Timestamp::now();
            let output = self.folder.join(format!("{uid}-{restarts}"));
            let process = self.start(&format!("job-{name}-{restarts}"), &output, &prepared);
            let label = pod.metadata.labels.as_ref();
            let place = self.begin(Run {
                job: label
                    .and_then(|labels| labels.get(JOB))
                    .cloned()
                    .unwrap_or_default(),
                pod: name.to_owned(),
                restarts,
                started: since,
                end: None,
                output,
            });
            let state = State::Running { since };
            let wrote = status.write("Running", restarts, state, None).await;
            let (ended, why) = ended(process, &mut leave, deadline).await;
            let end = self.end(place, ended);
            wrote?;
            let reason = if end.exit_code == 0 {
                "Completed"
            } else {
                "Error"
            };
            let state = State::Terminated { since, end, reason };
            let again = spec.restart_policy.as_deref() == Some("OnFailure");
            match why {
                Why::ByItself if end.exit_code == 0 => {
                    return status.write("Succeeded", restarts, state, None).await;
                }
                Why::ByItself if again => {
                    status.remember(state);
                    let state = State::Waiting {
                        reason: "CrashLoopBackOff",
                        message: "back-off restarting failed container",
                    };
                    status.write("Running", restarts, state, None).await?;
                    if pause(&mut leave).await {
                        return status.write("Failed", restarts, state, None).await;
                    }
                    restarts += 1;
                }
                Why::ByItself | Why::Asked => {
                    return status.write("Failed", restarts, state, None).await;
                }
                Why::Late => {
                    let reason = Some("DeadlineExceeded");
                    return status.write("Failed", restarts, state, reason).await;
                }
            }
        }
    }

    /// Its number is the process' own through all of these programs, so signals reach it.
    fn start(&self, name: &str, output: &Path, what: &Prepared) -> Process {
        let redirected = r#"out=$1; shift; exec "$@" >"$out.out" 2>"$out.err""#;
        let output = output.to_str().expect("the bed's folder is UTF-8");
        let program = what.program.to_str().expect("a program's path is UTF-8");
        let mut arguments = vec!["-c", redirected, "sh", output, "env", "-i"];
        let variables: Vec<String> = what
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        arguments.extend(variables.iter().map(String::as_str));
        arguments.push(program);
        arguments.extend(what.arguments.iter().map(String::as_str));
        self.bed
            .process(name, Path::new("/bin/sh"), &arguments, &[])
    }

    fn begin(&self, run: Run) -> usize {
        let runs = &mut lock(&self.book).runs;
        runs.push(run);
        runs.len() - 1
    }

    fn end(&self, place: usize, status: ExitStatus) -> End {
        let signal = || status.signal().map_or(255, |signal| 128 + signal);
        let end = End {
            at: Timestamp::now(),
            exit_code: status.code().unwrap_or_else(signal),
        };
        lock(&self.book).runs[place].end = Some(end);
        end
    }
}

/// The service account that a pod runs as.
pub(super) fn account(pod: &Pod) -> &str {
    let spec = pod.spec.as_ref();
    let account = spec.and_then(|spec| spec.service_account_name.as_deref());
    account.filter(|name| !name.is_empty()).unwrap_or("default")
}

/// Why a process ended.
#[derive(Debug, Clone, Copy)]
enum Why {
    ByItself,
    /// Its pod was deleted.
    Asked,
    /// Its pod has an `activeDeadlineSeconds`.
    Late,
}

/// Waits for its end, and brings it about when the pod has to go.
async fn ended(
    mut process: Process,
    leave: &mut watch::Receiver<Leave>,
    deadline: Instant,
) -> (ExitStatus, Why) {
    let by_itself = async {
        loop {
            if let Some(status) = process.ended() {
                return status;
            }
            sleep(PERIOD).await;
        }
    };
    // An error of the channel is a pod that has gone already, or a test that has ended.
    let asked = async {
        leave
            .wait_for(Option::is_some)
            .await
            .map_or(None, |grace| *grace)
    };
    let why = tokio::select! {
        biased;
        status = by_itself => return (status, Why::ByItself),
        grace = asked => (Why::Asked, grace.unwrap_or_default()),
        () = tokio::time::sleep_until(deadline) => (Why::Late, GRACE),
    };
    let (why, grace) = why;
    if process.ended().is_none() {
        process.signal("TERM");
    }
    let by_itself = async {
        while process.ended().is_none() {
            sleep(PERIOD).await;
        }
    };
    if timeout_at(Instant::now() + grace, by_itself).await.is_err() {
        process.kill();
    }
    (process.ended().expect("it was killed"), why)
}

/// Whether the pod has to go before it is tried again.
async fn pause(leave: &mut watch::Receiver<Leave>) -> bool {
    tokio::time::timeout(RETRY, leave.wait_for(Option::is_some))
        .await
        .is_ok()
}
