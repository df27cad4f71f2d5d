//! What people order, with the real agent and the program itself as its client: rollbacks of a real Deployment and a real
//! Rollout, holds and freezes that keep a bad release where it is, and a journal that says who it was.

mod changes;

use std::path::PathBuf;
use std::time::Duration;

use recant_core::command::CommandOutcome;
use recant_core::guard::Guard;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;
use recant_core::saga::PlanEnd;
use serde_json::{Value, json};

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;
use crate::services::Behaviour;
use crate::wait::wait_for;

pub(crate) const WITHIN: Duration = Duration::from_mins(1);
/// What must not be found in any log or journal.
const SECRET: &str = "the-secret-token-of-ops";
const KEY: &str = "the-secret-key-of-links";

pub(crate) const RULES: &str = r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~"5.."}', total: http_requests_total}
  max: 5%
"#;

pub(crate) fn rules(ns: &Namespace, targets: &[(TargetKind, &str)]) -> String {
    let namespace = ns.name();
    let watches = targets.iter().map(|(kind, name)| {
        format!(
            "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             target: {{kind: {kind}, name: {name}}}\nsource: scrape\nrules: [shop]\nrelease: {{watch: 10m}}\n\
             onFail: [{{rollback: {{}}}}, {{notify: [team]}}]\n"
        )
    });
    RULES.to_owned() + &watches.collect::<String>()
}

pub(crate) fn target(ns: &Namespace, kind: TargetKind, name: &str) -> TargetId {
    TargetId {
        namespace: ns.name().to_owned(),
        kind,
        name: name.to_owned(),
    }
}

/// An agent with an API port, and a caller `ops` who may act.
pub(crate) struct Scene {
    pub(crate) ns: Namespace,
    pub(crate) agent: Agent,
    url: String,
    token: PathBuf,
}

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
}

impl Scene {
    async fn begin(name: &str, targets: &[(TargetKind, &str)]) -> Self {
        Self::with(name, targets, "v1", |ns| rules(ns, targets), Vec::new()).await
    }

    /// With rules and settings of its own; all targets begin with this version.
    pub(crate) async fn with(
        name: &str,
        targets: &[(TargetKind, &str)],
        tag: &str,
        rules: impl Fn(&Namespace) -> String,
        settings: Vec<(&'static str, Value)>,
    ) -> Self {
        let bed = Bed::get().await;
        let ns = bed.namespace(name).await;
        let steps = json!([{"setWeight": 50}, {"pause": {}}]);
        for (kind, name) in targets {
            if *kind == TargetKind::Rollout {
                ns.rollout(name, tag, 2, &steps).await;
            } else {
                ns.deployment(name, tag, 2).await;
            }
        }
        let folder = bed.folder("people");
        let write = |file: &str, text: &str| {
            let path = folder.join(file);
            std::fs::write(&path, text).expect("the bed's folder is writable");
            path
        };
        let token = write("token", SECRET);
        let callers = format!(
            "callers:\n- {{name: ops, scopes: [read, act], token: {{file: {}}}}}\n",
            token.display()
        );
        let address = format!("127.0.0.1:{}", bed.free_port());
        let mut options = Options {
            settings: vec![
                ("api.address", json!(address)),
                ("api.callers", json!(write("callers.yaml", &callers))),
                ("guards.coolDown", json!("0s")),
                ("guards.actionsPerHour", json!(100)),
                ("guards.manyAtOnce.targets", json!(0)),
            ],
            ..Options::default()
        };
        options.settings.extend(settings);
        let agent = Agent::start(&[&ns], &rules(&ns), options).await;
        Self {
            url: format!("http://{address}"),
            ns,
            agent,
            token,
        }
    }

    /// Runs a command of the program as its user `ops`.
    pub(crate) async fn recant(&self, arguments: &[&str]) -> Ran {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_recant"))
            .args(arguments)
            .env_clear()
            .env("RECANT_URL", &self.url)
            .env("RECANT_TOKEN_FILE", &self.token)
            .env("RECANT_NAMESPACE", self.ns.name())
            .output();
        let output = tokio::time::timeout(WITHIN, output).await;
        let output = output.expect("it ends").expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout) + &text(&output.stderr),
        }
    }

    pub(crate) async fn done(&self, arguments: &[&str]) -> String {
        let ran = self.recant(arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.out);
        ran.out
    }

    /// Waits until a plan of the target has ended well.
    pub(crate) async fn restored(&self, target: &TargetId) {
        let what = format!("the plan of {target} to end");
        let end = self
            .agent
            .wait_record(&what, WITHIN, |entry| match &entry.record {
                Record::PlanEnded {
                    target: own, end, ..
                } if own == target => Some(end.clone()),
                _ => None,
            });
        assert_eq!(end.await, PlanEnd::Done);
    }

    pub(crate) fn plans(&self, target: &TargetId) -> usize {
        let journal = self.agent.journal().into_iter();
        journal
            .filter(|entry| {
                matches!(&entry.record, Record::PlanBegan { plan } if plan.fence.target == *target)
            })
            .count()
    }
}

#[test]
fn people_roll_back_a_deployment_and_a_rollout_and_the_journal_knows_who() {
    run(async {
        let targets = [
            (TargetKind::Deployment, "cart"),
            (TargetKind::Rollout, "basket"),
        ];
        let scene = Scene::begin("people", &targets).await;
        let ns = &scene.ns;
        tokio::join!(deployment(&scene), rollout(&scene));
        // Who ordered what, and why, is in the journal; the token is nowhere.
        let journal = scene.agent.journal();
        let ordered: Vec<String> = journal
            .iter()
            .filter_map(|entry| match &entry.record {
                Record::Commanded { command } => {
                    Some(format!("{}: {}", command.by, command.reason))
                }
                _ => None,
            })
            .collect();
        assert!(
            ordered.contains(&"`ops`: slow carts".to_owned()),
            "{ordered:?}"
        );
        let bytes = std::fs::read(scene.agent.journal_file()).expect("it is there");
        let log = scene.agent.log();
        let texts = String::from_utf8_lossy(&bytes) + log.as_str();
        assert!(!texts.contains(SECRET), "a secret was told");
        let explained = scene.agent.journal_file();
        let explained = explained.to_str().expect("UTF-8");
        let told = scene.done(&["journal", "--journal", explained]).await;
        assert!(told.contains("`ops` orders: roll Deployment"), "{told}");
        assert!(told.contains("ordered by `ops`; plan"), "{told}");
        // Nobody who is not known orders anything.
        let stranger = ns.bed().http().post(format!("{}/api/v1/hold", scene.url));
        let status = stranger.send().await.expect("it answers").status();
        assert_eq!(status.as_u16(), 401);
    });
}

async fn deployment(scene: &Scene) {
    let ns = &scene.ns;
    let cart = target(ns, TargetKind::Deployment, "cart");
    ns.set_image("cart", "v2").await;
    ns.wait_complete("cart", "v2").await;
    // The exact patch, against the real object, and nothing is written.
    let arguments = ["rollback", "Deployment/cart", "--reason", "slow carts"];
    let dry = scene
        .recant(&[&arguments[..], &["--dry-run", "--json"]].concat())
        .await;
    assert_eq!(dry.code, 0, "{}", dry.out);
    let dry: Value = serde_json::from_str(&dry.out).expect("JSON");
    let patch = dry["write"]["patch"]
        .as_array()
        .expect("a JSON patch")
        .clone();
    assert_eq!(patch[0]["path"], "/metadata/resourceVersion");
    let image = &patch[1]["value"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, manifests::image("cart", "v1"));
    assert_eq!(scene.plans(&cart), 0);
    // Two people at once, with a retry of the first: one rollback.
    let first = [&arguments[..], &["--key", "first"]].concat();
    let (one, other, again) = tokio::join!(
        scene.recant(&first),
        scene.recant(&["rollback", "Deployment/cart", "--key", "second"]),
        scene.recant(&first)
    );
    let done = [&one, &other]
        .into_iter()
        .filter(|ran| ran.code == 0)
        .count();
    assert_eq!(done, 1, "{} {}", one.out, other.out);
    assert_eq!((one.code, &one.out), (again.code, &again.out));
    let held = if one.code == 0 { &other } else { &one };
    assert!(held.out.contains("rollback-under-way"), "{}", held.out);
    ns.wait_template("cart", "v1", WITHIN).await;
    scene.restored(&cart).await;
    assert_eq!(scene.plans(&cart), 1);
    // What was written is what was shown, but for the lock and the mark.
    let object = ns.api::<k8s_openapi::api::apps::v1::Deployment>();
    let object = object.get("cart").await.expect("it is there");
    let template = serde_json::to_value(object.spec.expect("a spec").template).expect("JSON");
    assert_eq!(
        template["spec"]["containers"][0]["image"],
        patch[1]["value"]["spec"]["containers"][0]["image"]
    );
}

/// In flight: an abort, as Argo's own command would; nothing is wrong with the release but what a person thinks.
async fn rollout(scene: &Scene) {
    let ns = &scene.ns;
    let basket = target(ns, TargetKind::Rollout, "basket");
    ns.set_rollout_image("basket", "v2").await;
    ns.wait_phase("basket", "Paused").await;
    let said = scene.done(&["rollback", "rollout/basket"]).await;
    assert!(said.contains("back to revision"), "{said}");
    ns.wait_phase("basket", "Degraded").await;
    ns.wait_serving("basket", "v1").await;
    scene.restored(&basket).await;
    assert_eq!(scene.plans(&basket), 1);
}

#[test]
fn holds_and_freezes_keep_a_bad_release_until_somebody_ends_them() {
    run(async {
        let targets = [
            (TargetKind::Deployment, "held"),
            (TargetKind::Deployment, "frozen"),
        ];
        let scene = Scene::begin("holds", &targets).await;
        tokio::join!(
            held(&scene, "held", Guard::HeldByPerson),
            held(&scene, "frozen", Guard::Freeze)
        );
    });
}

async fn held(scene: &Scene, name: &str, guard: Guard) {
    let ns = &scene.ns;
    let target = target(ns, TargetKind::Deployment, name);
    let object = format!("Deployment/{name}");
    let scope = format!("{}/{object}", ns.name());
    let (begin, end) = match guard {
        Guard::Freeze => (
            ["freeze", "--scope", &*scope],
            ["unfreeze", "--scope", &*scope],
        ),
        _ => (
            ["hold", &*object, "--for=1h"],
            ["resume", &*object, "--reason=moved"],
        ),
    };
    scene.done(&begin).await;
    let _traffic = ns.traffic(name, 20.0);
    let tag = format!("bad-{name}");
    ns.behave(&tag, Behaviour::FAILING);
    ns.set_image(name, &tag).await;
    let holds = |held: &recant_core::ledger::TargetLedger| {
        held.holds.iter().any(|hold| hold.guard == guard)
    };
    scene
        .agent
        .wait_target("the rollback to be held", &target, WITHIN, holds)
        .await;
    // A person's own rollback is held as well, and says by what.
    let ran = scene.recant(&["rollback", &object]).await;
    assert_eq!(ran.code, 1, "{}", ran.out);
    let named = format!("--override {}", guard.dashed());
    assert!(ran.out.contains(&named), "{}", ran.out);
    assert_eq!(scene.plans(&target), 0);
    scene.done(&end).await;
    ns.wait_template(name, "v1", WITHIN).await;
    scene.restored(&target).await;
    assert_eq!(scene.plans(&target), 1);
    let agent = &scene.agent;
    wait_for("the outcomes in the journal", WITHIN, || async {
        let journal = agent.journal();
        let ended = journal.iter().filter(|entry| {
            let Record::CommandEnded { outcome, .. } = &entry.record else {
                return false;
            };
            matches!(outcome, CommandOutcome::Held { holds } if holds.iter().any(|hold| hold.guard == guard))
        });
        match ended.count() {
            0 => Err("no order was held".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
}

#[test]
fn an_approval_by_link_lets_one_rollback_go() {
    run(async {
        let targets = [(TargetKind::Deployment, "asking")];
        let bed = Bed::get().await;
        let key = bed.folder("approval").join("key");
        std::fs::write(&key, KEY).expect("the bed's folder is writable");
        let settings = vec![
            ("approval.rollbacks", json!("required")),
            ("approval.url", json!("http://recant.example/api")),
            ("approval.key.file", json!(key)),
        ];
        let scene = Scene::with(
            "approval",
            &targets,
            "v1",
            |ns| rules(ns, &targets),
            settings,
        )
        .await;
        let ns = &scene.ns;
        let asking = target(ns, TargetKind::Deployment, "asking");
        let _traffic = ns.traffic("asking", 20.0);
        ns.behave("v2", Behaviour::FAILING);
        ns.set_image("asking", "v2").await;
        let message = scene.agent.wait_slack("waits for approval", WITHIN).await;
        let text = message.json().to_string();
        let link = text
            .split("http://recant.example/api")
            .nth(1)
            .expect("a link in the message");
        // Slack's own marks end it: `<URL|label>`.
        let link = link.split(['|', '>', '"']).next().expect("its end");
        let link = format!("{}{}", scene.url, link.replace("&amp;", "&"));
        let http = ns.bed().http();
        let read = async |request: reqwest::RequestBuilder| {
            let answer = request.send().await.expect("it answers");
            let status = answer.status().as_u16();
            (status, answer.text().await.expect("the whole answer"))
        };
        // Fetched by the chat, and by a person: nothing happens.
        let (status, page) = read(http.get(&link)).await;
        assert_eq!(status, 200, "{page}");
        for part in ["shop/error-rate", "Approve the rollback", "Deployment"] {
            assert!(page.contains(part), "`{part}` is not in {page}");
        }
        assert_eq!(scene.plans(&asking), 0);
        let (status, page) = read(http.post(&link).body("reason=seen")).await;
        assert_eq!(status, 200, "{page}");
        ns.wait_template("asking", "v1", WITHIN).await;
        scene.restored(&asking).await;
        // Again: what was said is said again, and nothing is done twice.
        let (status, again) = read(http.post(&link).body("reason=seen")).await;
        assert_eq!((status, &again), (200, &page));
        assert_eq!(scene.plans(&asking), 1);
        let bytes = std::fs::read(scene.agent.journal_file()).expect("it is there");
        let log = scene.agent.log();
        let texts = String::from_utf8_lossy(&bytes) + log.as_str();
        let signature = link.split("signature=").nth(1).expect("a signature");
        for secret in [KEY, signature, SECRET] {
            assert!(!texts.contains(secret), "a secret was told: {secret}");
        }
        assert!(
            texts.contains("approvalLink"),
            "who approved is in the journal"
        );
    });
}
