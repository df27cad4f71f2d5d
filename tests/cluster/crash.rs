//! Whatever becomes of the process, its disk, or its Lease: a bad release is taken back once, the journal tells the whole
//! story, and nobody who had to be told was not.

mod disk;
mod kill;
mod lease;
mod tail;
mod terminate;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::ListParams;
use recant::journal::read::read;
use recant_core::analysis::Ending;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::notice::NoticeKind;
use recant_core::plan::StepResult;
use recant_core::record::Record;
use recant_core::saga::PlanEnd;
use serde_json::{Value, json};

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::namespace::Namespace;
use crate::services::Behaviour;
use crate::traffic::Traffic;
use crate::wait::wait_for;

/// Nothing that is waited for takes longer, with a dozen agents on a busy machine.
const WITHIN: Duration = Duration::from_secs(90);

/// One bad release, with the agent that has to take it back.
struct Incident {
    ns: Namespace,
    kind: TargetKind,
    agent: Agent,
    traffic: Traffic,
}

/// How many there were of what there must be exactly one.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    failed: usize,
    plans: usize,
    plans_done: usize,
    analyses_failed: usize,
    verified: usize,
    told_beginning: usize,
    told_end: usize,
}

/// What crashes do is the same for every kind; these are the two whose plans differ.
fn not_here(kind: TargetKind) -> ! {
    panic!("no test of crashes is about a {kind}")
}

impl Incident {
    /// The good version serves, the agent watches, and traffic flows.
    async fn begin(name: &str, kind: TargetKind, options: Options) -> Self {
        let bed = Bed::get().await;
        let ns = bed.namespace(name).await;
        match kind {
            TargetKind::Deployment => ns.deployment("checkout", "v1", 2).await,
            TargetKind::Rollout => {
                let steps = json!([{"setWeight": 50}, {"pause": {}}]);
                ns.rollout("checkout", "v1", 2, &steps).await;
            }
            TargetKind::StatefulSet | TargetKind::DaemonSet => not_here(kind),
        }
        let agent = Agent::prepare(&[&ns], &rules(&ns, kind), options).await;
        agent.launch_piped();
        agent.wait_ready().await;
        let traffic = ns.traffic("checkout", 20.0);
        traffic.next(40, WITHIN).await;
        Self {
            ns,
            kind,
            agent,
            traffic,
        }
    }

    fn target(&self) -> TargetId {
        TargetId {
            namespace: self.ns.name().to_owned(),
            kind: self.kind,
            name: "checkout".to_owned(),
        }
    }

    fn journal_file(&self) -> PathBuf {
        self.agent.journal_file()
    }

    /// Ships the bad version. Of a Rollout it turns bad only when it was promoted.
    async fn ship(&self) {
        let ns = &self.ns;
        match self.kind {
            TargetKind::Deployment => ns.set_image("checkout", "v2").await,
            TargetKind::Rollout => {
                ns.set_rollout_image("checkout", "v3").await;
                ns.wait_phase("checkout", "Paused").await;
                // A person promotes it.
                let status = r#"{"status":{"pauseConditions":null,"currentStepIndex":2}}"#;
                let patch = ["--subresource=status", "--type=merge", "-p", status];
                ns.kubectl(&[&["patch", "rollout", "checkout"], patch.as_slice()].concat())
                    .await;
                let is_promoted = |record: &Record| matches!(record, Record::Promoted { .. });
                self.agent
                    .catch_record("the promotion", WITHIN, is_promoted)
                    .await;
                ns.behave("v3", Behaviour::FAILING);
            }
            TargetKind::StatefulSet | TargetKind::DaemonSet => not_here(self.kind),
        }
    }

    /// The plan that the object says was the last to write to it.
    async fn plan_on_object(&self) -> Option<String> {
        let object = self.object().await;
        let plan = &object["metadata"]["annotations"]["recant.dev/plan"];
        plan.as_str().map(ToOwned::to_owned)
    }

    async fn object(&self) -> Value {
        let object = match self.kind {
            TargetKind::Deployment => serde_json::to_value(
                self.ns
                    .api::<Deployment>()
                    .get("checkout")
                    .await
                    .expect("it is there"),
            ),
            TargetKind::Rollout => serde_json::to_value(
                self.ns
                    .rollouts()
                    .get("checkout")
                    .await
                    .expect("it is there"),
            ),
            TargetKind::StatefulSet | TargetKind::DaemonSet => not_here(self.kind),
        };
        object.expect("an object is JSON")
    }

    /// Waits until the story has an end: verified or told as not verified, and every notice delivered.
    async fn settled(&self) {
        let target = self.target();
        wait_for(
            &format!("the end of the story in `{}`", self.ns.name()),
            Duration::from_secs(150),
            || async {
                let counts = self.counts();
                let ledger = self.agent.ledger();
                let known = ledger.targets.get(&target);
                let busy = known.is_none_or(|known| {
                    known.plan.is_some() || known.verification.is_some() || known.analysis.is_some()
                });
                if !busy && counts.verified > 0 && counts.told_end > 0 && ledger.pending.is_empty()
                {
                    return Ok(());
                }
                Err(format!(
                    "{counts:?}, {} notices pending, {known:#?}",
                    ledger.pending.len()
                ))
            },
        )
        .await;
    }

    fn counts(&self) -> Counts {
        let records: Vec<Record> = self
            .agent
            .journal()
            .into_iter()
            .map(|entry| entry.record)
            .collect();
        let count =
            |is: &dyn Fn(&Record) -> bool| records.iter().filter(|record| is(record)).count();
        let told = |kinds: &[NoticeKind]| {
            count(
                &|record| matches!(record, Record::Noticed(notice) if kinds.contains(&notice.kind)),
            )
        };
        Counts {
            failed: count(&|record| matches!(record, Record::Failed { .. })),
            plans: count(&|record| matches!(record, Record::PlanBegan { .. })),
            plans_done: count(&|record| {
                matches!(
                    record,
                    Record::PlanEnded {
                        end: PlanEnd::Done,
                        ..
                    }
                )
            }),
            analyses_failed: count(&|record| {
                matches!(
                    record,
                    Record::AnalysisEnded {
                        ending: Ending::Fail,
                        ..
                    }
                )
            }),
            verified: count(&|record| matches!(record, Record::VerificationEnded { .. })),
            told_beginning: told(&[NoticeKind::RollingBack]),
            told_end: told(&[NoticeKind::Restored, NoticeKind::NotRestored]),
        }
    }

    /// Exactly one rollback, by the journal and by the cluster; every notice was delivered.
    async fn assert_whole(&self) {
        self.assert_whole_with(&[]).await;
    }

    /// The same, where other agents took part.
    async fn assert_whole_with(&self, others: &[&Agent]) {
        let name = self.ns.name();
        let once = Counts {
            failed: 1,
            plans: 1,
            plans_done: 1,
            analyses_failed: 1,
            verified: 1,
            told_beginning: 1,
            told_end: 1,
        };
        assert_eq!(self.counts(), once, "`{name}`");
        self.assert_steps_once();
        self.assert_one_rollback().await;
        self.assert_told(others);
    }

    /// A fold of the journal by another process is what the agent shows (P5).
    async fn assert_replayed(&self) {
        let shown = self.agent.snapshot().await.to_string();
        self.agent.write("snapshot.json", &shown);
        let journal = self.journal_file();
        let snapshot = journal.with_file_name("snapshot.json");
        let program = tokio::process::Command::new(env!("CARGO_BIN_EXE_recant"))
            .arg("replay")
            .arg(&journal)
            .arg("--snapshot")
            .arg(&snapshot)
            .output()
            .await
            .expect("it runs");
        let said = String::from_utf8_lossy(&program.stdout);
        assert!(program.status.success(), "{said}{shown}");
        assert!(said.contains("says the same"), "{said}");
    }

    /// No step was carried out twice, and each has an end.
    fn assert_steps_once(&self) {
        let mut ends: BTreeMap<usize, Vec<StepResult>> = BTreeMap::new();
        for entry in self.agent.journal() {
            match entry.record {
                Record::StepBegun(command) => {
                    ends.entry(command.index).or_default();
                }
                Record::StepEnded(outcome) => {
                    ends.entry(outcome.index).or_default().push(outcome.result);
                }
                _ => {}
            }
        }
        assert!(!ends.is_empty(), "`{}`: no step was begun", self.ns.name());
        for (index, ends) in ends {
            assert!(
                matches!(
                    ends.as_slice(),
                    [StepResult::Done | StepResult::AlreadyDone]
                ),
                "`{}`: step {index} ended {ends:?}",
                self.ns.name()
            );
        }
    }

    /// By the cluster: the good version serves, and the workload was changed once since the bad one was shipped.
    async fn assert_one_rollback(&self) {
        let name = self.ns.name();
        self.ns.wait_serving("checkout", "v1").await;
        let object = self.object().await;
        let annotations = &object["metadata"]["annotations"];
        let number = match self.kind {
            TargetKind::Deployment => {
                assert_eq!(
                    object["metadata"]["generation"], 3,
                    "`{name}`: made, shipped, undone"
                );
                &annotations["deployment.kubernetes.io/revision"]
            }
            TargetKind::Rollout => &annotations["rollout.argoproj.io/revision"],
            TargetKind::StatefulSet | TargetKind::DaemonSet => not_here(self.kind),
        };
        assert_eq!(
            number, "3",
            "`{name}`: made, shipped, undone: {annotations:#}"
        );
        assert!(
            annotations["recant.dev/plan"].is_string(),
            "`{name}`: {annotations:#}"
        );
        let sets = self
            .ns
            .api::<ReplicaSet>()
            .list(&ListParams::default())
            .await;
        let sets = sets.expect("an administrator may list").items.len();
        assert_eq!(sets, 2, "`{name}`: an undo takes an old ReplicaSet");
    }

    /// Every notice of the journal came, and what came again says that it may be a repeat.
    fn assert_told(&self, others: &[&Agent]) {
        let name = self.ns.name();
        let mut came: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        for message in self.messages_with(others) {
            came.entry(message.notice).or_default().push(message.repeat);
        }
        for notice in self.agent.notices() {
            let marks = came.remove(&notice.id.0).unwrap_or_default();
            assert!(
                !marks.is_empty(),
                "`{name}`: {:?} never came: {}",
                notice.kind,
                notice.headline
            );
            assert!(
                marks.iter().skip(1).all(|repeat| *repeat),
                "`{name}`: {:?} came {} times, not marked as a repeat",
                notice.kind,
                marks.len()
            );
        }
        assert!(came.is_empty(), "`{name}`: told without a record: {came:?}");
    }

    /// What the webhook was told, in the order of arrival.
    fn messages(&self) -> Vec<Message> {
        self.messages_with(&[])
    }

    fn messages_with(&self, others: &[&Agent]) -> Vec<Message> {
        let agents = std::iter::once(&self.agent).chain(others.iter().copied());
        let received = agents.flat_map(|agent| agent.slack().received());
        let mut messages: Vec<Message> = received
            .filter_map(|received| {
                let id = received.headers.get("webhook-id")?;
                Some(Message {
                    at: received.at,
                    notice: id.to_str().expect("an id in ASCII").to_owned(),
                    repeat: received.json()["data"]["mayBeRepeat"] == true,
                })
            })
            .collect();
        messages.sort_by_key(|message| message.at);
        messages
    }

    /// Where the first record lies that `is` takes, and its length, in bytes.
    fn place(&self, is: fn(&Record) -> bool) -> Option<(u64, u64)> {
        let mut entries = read::<Record>(&self.journal_file()).expect("a journal");
        let mut before = entries.offset();
        while let Some(entry) = entries.next() {
            let entry = entry.expect("a whole journal");
            if is(&entry.record) {
                return Some((before, entries.offset() - before));
            }
            before = entries.offset();
        }
        None
    }

    /// Takes the first such record, and what follows it, off the journal of an agent that does not run.
    fn cut_off(&self, is: fn(&Record) -> bool) {
        if let Some((begin, _)) = self.place(is) {
            self.cut_at(begin);
        }
    }

    fn cut_at(&self, length: u64) {
        let file = OpenOptions::new().write(true).open(self.journal_file());
        let file = file.expect("it is there");
        file.set_len(length).expect("a file can be cut");
    }
}

/// One request to the webhook.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    at: Timestamp,
    notice: String,
    repeat: bool,
}

/// A watch of `checkout`, told to Slack and to a webhook, whose messages carry the notice's id.
fn rules(ns: &Namespace, kind: TargetKind) -> String {
    let name = ns.name();
    format!(
        r"
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {{name: audit}}
webhook: {{url: {{env: TEAM_SLACK}}}}
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: checkout, namespace: {name}}}
target: {{kind: {kind}, name: checkout}}
rules: [http]
release: {{watch: 10m}}
onFail: [{{rollback: {{}}}}, {{notify: [team, audit]}}]
"
    )
}
