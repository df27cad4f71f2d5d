//! `recant once` as a process, with the rights of its shipped Role: what a `CronJob` or a step of a pipeline runs.

mod argo_job;
mod drop_in;
mod queue;
mod release;
mod state;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use recant::cluster::kubernetes::config_map::ConfigMapObject;
use recant::journal::compact::State;
use recant::journal::config_map::read;
use recant_core::ids::{TargetId, TargetKind};
use serde_json::Value;
use tokio::process::Command;

use crate::bed::Bed;
use crate::namespace::Namespace;
use crate::prometheus::Prometheus;
use crate::receiver::Receiver;
use crate::traffic::Traffic;
use crate::wait::wait_for;

/// No run takes longer.
const WITHIN: Duration = Duration::from_mins(2);

/// The account of a `CronJob` that names none.
fn identity(ns: &Namespace) -> String {
    format!("system:serviceaccount:{}:default", ns.name())
}

/// How a run ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// The JSON document that it printed.
    fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// All that the runs of one test have in common.
struct Once {
    bed: &'static Bed,
    namespace: String,
    folder: PathBuf,
    kubeconfig: PathBuf,
    prometheus: String,
    slack: Receiver,
}

/// Grants the shipped Role to the namespace's default account, and waits until it is in force.
async fn grant(ns: &Namespace) {
    let bed = ns.bed();
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/manifests");
    let manifest = |name: &str| {
        std::fs::read_to_string(manifests.join(name))
            .expect("a manifest")
            .replace("namespace: shop", &format!("namespace: {}", ns.name()))
    };
    for name in ["once-role.yaml", "once-role-binding.yaml"] {
        let arguments = ["-n", ns.name(), "apply", "-f", "-"];
        bed.kubectl_as(bed.admin(), &arguments, &manifest(name))
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let kubeconfig = bed.kubeconfig_for(&identity(ns));
    wait_for("the Role to be in force", WITHIN, || async {
        let what = ["patch", "deployments.apps", "-n", ns.name()];
        let arguments = [&["auth", "can-i"], &what[..]].concat();
        bed.kubectl_as(&kubeconfig, &arguments, "").await.map(drop)
    })
    .await;
}

/// A namespace with the Deployment `checkout` at v1, a Prometheus, and all that runs need.
async fn shop(replicas: u32) -> (Namespace, Prometheus, Once) {
    let ns = Bed::get().await.namespace("once").await;
    ns.deployment("checkout", "v1", replicas).await;
    let prometheus = ns.prometheus().await;
    let once = Once::prepare(&ns, prometheus.url()).await;
    (ns, prometheus, once)
}

/// The same with so many requests a second, after a first round that saw v1 and found nothing to judge.
/// Prometheus runs for as long as the caller holds it.
async fn watched(watch: &str, per_second: f64) -> (Namespace, Prometheus, Once, String, Traffic) {
    let (ns, prometheus, once) = shop(2).await;
    let rules = once.rules(&rules(&ns, "checkout", watch));
    let traffic = ns.traffic("checkout", per_second);
    prometheus.wait_scraping(2).await;
    let first = once.run(&[&rules], &[]).await;
    assert_eq!(first.code, 0, "{first:#?}");
    (ns, prometheus, once, rules, traffic)
}

impl Once {
    /// A folder, a receiver and the rights of the shipped Role.
    async fn prepare(ns: &Namespace, prometheus: String) -> Self {
        let bed = Bed::get().await;
        grant(ns).await;
        let folder = bed.folder("once");
        let kubeconfig = folder.join("kubeconfig");
        let text = std::fs::read_to_string(bed.kubeconfig_for(&identity(ns))).expect("is there");
        std::fs::write(&kubeconfig, text).expect("the bed's folder is writable");
        Self {
            bed,
            namespace: ns.name().to_owned(),
            folder,
            kubeconfig,
            prometheus,
            slack: Receiver::start().await,
        }
    }

    /// Writes a rule file and names it as an argument.
    fn rules(&self, text: &str) -> String {
        let file = self.folder.join("rules.yaml");
        std::fs::write(&file, text).expect("the bed's folder is writable");
        format!("--rules={}", file.display())
    }

    /// The command, with what every run has.
    fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        self.program(&[&["once"], arguments].concat(), environment)
    }

    fn program(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recant"));
        command
            .args(arguments)
            .env_clear()
            .env("KUBECONFIG", &self.kubeconfig)
            .env("RECANT_PROMETHEUS__URL", &self.prometheus)
            .env("RECANT_LEASE__NAMESPACE", &self.namespace)
            .env("RECANT_LEASE__DURATION", "3s")
            .env(
                "TEAM_SLACK",
                format!("{}/services/T0/SECRET", self.slack.url()),
            )
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs it to its end.
    async fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        ended(self.command(arguments, environment)).await
    }

    /// Runs another command of the same program.
    async fn recant(&self, arguments: &[&str]) -> Ran {
        ended(self.program(arguments, &[])).await
    }

    /// The state that the runs left.
    async fn state(&self) -> State {
        state(self.bed, &self.namespace).await
    }
}

async fn ended(mut command: Command) -> Ran {
    let output = command.output();
    let output = tokio::time::timeout(WITHIN, output)
        .await
        .expect("a run ends in time")
        .expect("the program can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    };
    assert!(!ran.err.contains("panicked"), "{ran:#?}");
    assert!(!format!("{ran:?}").contains("SECRET"), "{ran:#?}");
    ran
}

async fn state(bed: &Bed, namespace: &str) -> State {
    let object = ConfigMapObject::new(bed.client(), namespace, "recant-once");
    read(&object).await.expect("a state").1
}

fn deployment(ns: &Namespace, name: &str) -> TargetId {
    TargetId {
        namespace: ns.name().to_owned(),
        kind: TargetKind::Deployment,
        name: name.to_owned(),
    }
}

/// A watch of a Deployment by a limit on its errors.
fn rules(ns: &Namespace, name: &str, watch: &str) -> String {
    format!(
        r#"
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {{name: team}}
slack: {{url: {{env: TEAM_SLACK}}}}
---
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {{name: errors}}
rules:
- name: error-rate
  ratio: {{bad: 'http_requests_total{{status=~"5.."}}', total: http_requests_total}}
  max: 5%
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: {name}, namespace: {ns}}}
target: {{kind: Deployment, name: {name}}}
rules: [errors]
release: {{watch: {watch}}}
onFail: [{{rollback: {{}}}}, {{notify: [team]}}]
onPass: [{{notify: [team]}}]
"#,
        ns = ns.name()
    )
}
