//! The real agent: the binary `recant run` as a child, with the identity and the rights of `charts/manifests`, a
//! journal that outlives it, and a Slack that keeps what it was told.

mod book;
mod faults;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use recant::cluster::kubernetes::{Granted, Needs, client};
use recant::journal::Entry;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::ledger::Ledger;
use recant_core::notice::{Notice, NoticeKind};
use recant_core::record::Record;
use recant_core::rule::{ScaleKind, ScaleTarget};
use serde_json::{Map, Value, json};

use self::book::Book;
use crate::bed::{Bed, Process};
use crate::namespace::Namespace;
use crate::receiver::{Received, Receiver};
use crate::wait::{wait_for, wait_until};

/// Who the agent is, by `charts/manifests/role-binding.yaml`.
pub(crate) const IDENTITY: &str = "system:serviceaccount:recant:recant";

/// From the start of the process until it has seen its targets. The Lease of one that was killed has to run out first.
const START: Duration = Duration::from_secs(45);

/// How a test reaches the agent's Slack from rules: `notify: [team]`.
const CHANNELS: &str = r"
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {name: team}
slack: {url: {env: TEAM_SLACK}}
";

/// What differs from one agent to the next.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Tells two agents of one namespace apart.
    pub(crate) name: &'static str,
    /// Address of a Prometheus; without one the pods are scraped.
    pub(crate) prometheus: Option<String>,
    /// Settings by their keys, such as `guards.coolDown`; they win over those of the harness.
    pub(crate) settings: Vec<(&'static str, Value)>,
}

/// The agent of one test. Dropping it kills the process; when the test fails it prints its log first.
pub(crate) struct Agent {
    bed: &'static Bed,
    name: String,
    folder: PathBuf,
    port: u16,
    process: Mutex<Option<Process>>,
    book: Mutex<Book>,
    slack: Receiver,
}

impl Agent {
    /// Starts one that may work in these namespaces, and waits until it has seen everything that it watches.
    pub(crate) async fn start(namespaces: &[&Namespace], rules: &str, options: Options) -> Self {
        let agent = Self::prepare(namespaces, rules, options).await;
        agent.launch();
        agent.wait_ready().await;
        agent
    }

    /// Everything but the process: rules, settings, and rights that are in force.
    pub(crate) async fn prepare(namespaces: &[&Namespace], rules: &str, options: Options) -> Self {
        let first = namespaces.first().expect("an agent has a namespace");
        let (bed, own) = (first.bed(), first.name());
        let folder = bed.folder("agent");
        let agent = Self {
            bed,
            name: format!("recant-{own}{}", options.name),
            port: bed.free_port(),
            process: Mutex::new(None),
            book: Mutex::default(),
            slack: Receiver::start().await,
            folder,
        };
        std::fs::create_dir(agent.folder.join("rules")).expect("the bed's folder is writable");
        agent.write("rules/channels.yaml", CHANNELS);
        agent.write("rules/rules.yaml", rules);
        let mut settings = json!({
            "rules": [agent.folder.join("rules")],
            "journal": agent.journal_file(),
            "listen": format!("127.0.0.1:{}", agent.port),
            "lease.namespace": own,
            // The shortest that a machine full of tests keeps up with.
            "lease.duration": "6s",
        });
        let Options {
            name: _,
            prometheus,
            settings: more,
        } = options;
        if let Some(url) = prometheus {
            settings["prometheus.url"] = json!(url);
        }
        let more: Map<String, Value> = more
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        settings
            .as_object_mut()
            .expect("it was written as one")
            .extend(more);
        // JSON is YAML.
        agent.write("settings.yaml", &settings.to_string());
        let kubeconfig = bed.kubeconfig_for(IDENTITY);
        std::fs::copy(&kubeconfig, agent.kubeconfig()).expect("the bed's folder is writable");
        agent.grant(namespaces).await;
        agent
    }

    /// Binds the Roles of the manifests and waits until they are in force: the authorizer learns of them by a watch.
    async fn grant(&self, namespaces: &[&Namespace]) {
        let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/manifests");
        for (index, ns) in namespaces.iter().enumerate() {
            let own = [
                "agent-role.yaml",
                "agent-role-binding.yaml",
                "replicas-role.yaml",
                "replicas-role-binding.yaml",
            ];
            let own = own.iter().filter(|_| index == 0);
            let files = ["role.yaml", "role-binding.yaml"].iter().chain(own);
            let paths: Vec<PathBuf> = files.map(|file| manifests.join(file)).collect();
            let mut arguments = vec!["apply"];
            for path in &paths {
                arguments.extend(["-f", path.to_str().expect("a path in UTF-8")]);
            }
            ns.kubectl(&arguments).await;
        }
        let kinds = [TargetKind::Deployment, TargetKind::Rollout];
        let targets = namespaces.iter().flat_map(|ns| {
            kinds.map(|kind| TargetId {
                namespace: ns.name().to_owned(),
                kind,
                name: "any".to_owned(),
            })
        });
        let needs = Needs {
            targets: targets.collect(),
            scales: namespaces
                .iter()
                .map(|ns| ScaleTarget {
                    namespace: ns.name().to_owned(),
                    kind: ScaleKind::StatefulSet,
                    name: "any".to_owned(),
                })
                .collect(),
            acts: true,
            lease: Some((namespaces[0].name().to_owned(), "recant".to_owned())),
            ..Needs::default()
        };
        let client = self.client().await;
        // What was found to be there is not asked for again.
        let granted = tokio::sync::Mutex::new(Granted::default());
        wait_for("the Roles to be in force", START, || async {
            match granted.lock().await.missing(&client, &needs).await {
                Ok(missing) if missing.is_empty() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Its name, as the holder of a Lease.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A client with the agent's rights.
    pub(crate) async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).expect("our own kubeconfig");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .expect("our own kubeconfig");
        client(config).expect("a client")
    }

    /// Writes a file of its folder: `settings.yaml`, or one of `rules/`.
    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.join(file), text).expect("the bed's folder is writable");
    }

    /// Who it is, and where its API server.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The journal's path; the same for every start.
    pub(crate) fn journal_file(&self) -> PathBuf {
        self.folder.join("recant.journal")
    }

    /// Its settings, for another command.
    pub(crate) fn settings_file(&self) -> PathBuf {
        self.folder.join("settings.yaml")
    }

    /// Starts the process without waiting for anything.
    pub(crate) fn launch(&self) {
        let settings = self.settings_file();
        let program = Path::new(env!("CARGO_BIN_EXE_recant"));
        let arguments = ["run", "--config", settings.to_str().expect("UTF-8")];
        self.spawn(program, &arguments);
    }

    fn spawn(&self, program: &Path, arguments: &[&str]) {
        let kubeconfig = self.kubeconfig();
        let process = self.bed.process(
            &self.name,
            program,
            arguments,
            &[
                ("KUBECONFIG", kubeconfig.to_str().expect("UTF-8")),
                (
                    "TEAM_SLACK",
                    &format!("{}/services/T0/SECRET", self.slack.url()),
                ),
                ("POD_NAME", &self.name),
                (
                    "RUST_LOG",
                    "warn,recant=debug,recant_core=debug,recant::source=info",
                ),
            ],
        );
        *self.process() = Some(process);
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Panics, with the end of its log, when the process has ended.
    fn must_run(&self) {
        let alive = match self.process().as_mut() {
            Some(process) => process.check(),
            None => Err(format!("`{}` was not started", self.name)),
        };
        alive.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until it says that it is ready: it holds the Lease and has seen every target.
    pub(crate) async fn wait_ready(&self) {
        wait_for("the agent to be ready", START, || {
            self.must_run();
            self.get("/readyz")
        })
        .await;
    }

    /// One path of the ops port; an error when it does not answer 200.
    pub(crate) async fn get(&self, path: &str) -> Result<String, String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = self.bed.http().get(url).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if status.is_success() {
            Ok(text)
        } else {
            Err(format!("{status}: {text}"))
        }
    }

    /// What it shows of itself.
    pub(crate) async fn snapshot(&self) -> Value {
        let text = self.get("/snapshot").await;
        let text = text.unwrap_or_else(|error| panic!("no snapshot: {error}"));
        serde_json::from_str(&text).expect("the snapshot is JSON")
    }

    /// Writes other rules in the place of those that it was started with.
    pub(crate) fn change_rules(&self, rules: &str) {
        self.write("rules/rules.yaml", rules);
    }

    /// SIGHUP: it reads its files now.
    pub(crate) fn hang_up(&self) {
        match self.process().as_mut() {
            Some(process) => process.signal("HUP"),
            None => panic!("`{}` was not started", self.name),
        }
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        let process = self.process();
        process.as_ref().expect("it was started").id()
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.process().as_mut().and_then(Process::ended).is_some()
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&self) {
        if let Some(process) = self.process().as_mut() {
            process.kill();
        }
    }

    /// SIGTERM, and waits until it has ended by itself.
    pub(crate) async fn terminate(&self, within: Duration) -> ExitStatus {
        match self.process().as_mut() {
            Some(process) => process.signal("TERM"),
            None => panic!("`{}` was not started", self.name),
        }
        self.wait_end(within).await
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn wait_end(&self, within: Duration) -> ExitStatus {
        wait_for("the agent to end", within, || async {
            let ended = self.process().as_mut().and_then(Process::ended);
            ended.ok_or_else(|| "it runs".to_owned())
        })
        .await
    }

    /// Starts it after a kill, with the same journal, rules and settings, and waits until it is ready.
    pub(crate) async fn start_again(&self) {
        self.launch();
        self.wait_ready().await;
    }

    /// What `look` finds in everything that is durable so far, and in the state that it folds to.
    fn look<T>(&self, look: impl FnOnce(&[Entry<Record>], &Ledger) -> T) -> T {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let (entries, ledger) = book.look(&self.journal_file());
        look(entries, ledger)
    }

    /// Everything that is durable so far.
    pub(crate) fn journal(&self) -> Vec<Entry<Record>> {
        self.look(|entries, _| entries.to_vec())
    }

    /// The state that the journal folds to.
    pub(crate) fn ledger(&self) -> Ledger {
        self.look(|_, ledger| ledger.clone())
    }

    /// All notices that were written down, with their times.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.look(|entries, _| {
            let notices = entries.iter().filter_map(|entry| match &entry.record {
                Record::Noticed(notice) => Some(Notice::clone(notice)),
                _ => None,
            });
            notices.collect()
        })
    }

    /// The latest records, for the report of a failure.
    fn latest(&self) -> String {
        let names: Vec<String> =
            self.look(|entries, _| entries.iter().rev().take(12).map(describe).collect());
        format!("the latest records: {names:#?}")
    }

    /// Waits for a record of the journal that `find` takes.
    pub(crate) async fn wait_record<T>(
        &self,
        what: &str,
        within: Duration,
        find: impl Fn(&Entry<Record>) -> Option<T>,
    ) -> T {
        let look = || {
            let found = self.look(|entries, _| entries.iter().find_map(&find));
            if found.is_none() {
                self.must_run();
            }
            found
        };
        wait_until(what, within, look, || self.latest()).await
    }

    /// Waits until the journal says of this target what `wanted` says of its ledger.
    pub(crate) async fn wait_target(
        &self,
        what: &str,
        target: &TargetId,
        within: Duration,
        wanted: impl Fn(&recant_core::ledger::TargetLedger) -> bool,
    ) {
        let look = || {
            let found = self.look(|_, ledger| ledger.targets.get(target).is_some_and(&wanted));
            if !found {
                self.must_run();
            }
            found.then_some(())
        };
        let seen = || format!("{:#?}", self.ledger().targets.get(target));
        wait_until(what, within, look, seen).await;
    }

    /// Waits for the first notice of this kind about a target, or about anything.
    pub(crate) async fn wait_notice(
        &self,
        kind: NoticeKind,
        target: Option<&TargetId>,
        within: Duration,
    ) -> Notice {
        self.wait_record(
            &format!("a notice {kind:?}"),
            within,
            |entry| match &entry.record {
                Record::Noticed(notice)
                    if notice.kind == kind
                        && (target.is_none() || notice.target.as_ref() == target) =>
                {
                    Some((**notice).clone())
                }
                _ => None,
            },
        )
        .await
    }

    /// Waits until Slack has taken a message that contains `text`, and returns it.
    pub(crate) async fn wait_slack(&self, text: &str, within: Duration) -> Received {
        let look = || {
            let mut received = self.slack.received().into_iter();
            received.find(|message| message.body.contains(text))
        };
        let seen = || {
            let received = self.slack.received().into_iter();
            let bodies: Vec<String> = received.map(|message| message.body).collect();
            format!("{bodies:#?}")
        };
        wait_until(&format!("a message with `{text}`"), within, look, seen).await
    }

    /// The Slack that it tells.
    pub(crate) fn slack(&self) -> &Receiver {
        &self.slack
    }

    /// What it printed so far, over all starts.
    pub(crate) fn log(&self) -> String {
        let process = self.process();
        process.as_ref().map(Process::printed).unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show(&format!("--- log of {}\n{}", self.name, self.log()));
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the harness shows what a failing test printed"
)]
fn show(text: &str) {
    eprintln!("{text}");
}

/// A record in one line, for the report of a failure.
fn describe(entry: &Entry<Record>) -> String {
    let mut text = format!("{:?}", entry.record);
    if let Some((cut, _)) = text.char_indices().nth(160) {
        text.truncate(cut);
    }
    format!("{} {} {text}", entry.sequence, entry.at)
}
