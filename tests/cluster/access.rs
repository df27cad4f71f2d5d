//! The API port of the real agent against hostile and honest callers: tokens that the real API server reviews, strangers
//! in number, a Prometheus that is broken while others ask. The right status, no action, nothing lost, nothing told.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use rcgen::SigningKey as _;
use recant::cluster::kubernetes::token_review;
use recant_core::record::Record;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::namespace::Namespace;
use crate::prometheus::Prometheus;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_mins(1);
const STATIC: &str = "a-static-token-of-this-test";
const KEY: &str = "a-marker-key-of-this-test";

const RULES: &str = r"
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: checkout, namespace: NAMESPACE}
target: {kind: Deployment, name: checkout}
source: prometheus
rules: [http]
";

/// A token as a pod gets it for this audience.
async fn token(ns: &Namespace, account: &str, audiences: &[&str]) -> String {
    let api: Api<ServiceAccount> = ns.api();
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: audiences
                .iter()
                .map(|&audience| audience.to_owned())
                .collect(),
            expiration_seconds: Some(600),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let made = api
        .create_token_request(account, &PostParams::default(), &request)
        .await
        .expect("an administrator may ask for a token");
    made.status.expect("a token").token
}

/// A token signed by the API server's own key, which it would take if it were not over: none that it makes is over sooner
/// than in ten minutes.
fn signed(bed: &Bed, ns: &Namespace, uid: &str, ends: i64) -> String {
    let key = std::fs::read_to_string(bed.token_key()).expect("the bed wrote it");
    let key = rcgen::KeyPair::from_pem(&key).expect("a key in PEM");
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let begins = ends - 3600;
    let claims = json!({
        "iss": "https://testbed.invalid",
        "sub": format!("system:serviceaccount:{}:ci", ns.name()),
        "aud": ["recant"], "exp": ends, "iat": begins, "nbf": begins,
        "kubernetes.io": {"namespace": ns.name(), "serviceaccount": {"name": "ci", "uid": uid}},
    });
    let head = encode(&json!({"alg": "ES256", "typ": "JWT"}));
    let text = format!("{head}.{}", encode(&claims));
    let der = key.sign(text.as_bytes()).expect("it can sign");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(plain(&der)))
}

/// Both numbers of a signature in 32 bytes each: `30 LENGTH 02 LENGTH R 02 LENGTH S`.
fn plain(der: &[u8]) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut both = Vec::new();
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = &number[number.len().saturating_sub(32)..];
        both.extend(std::iter::repeat_n(0, 32 - number.len()));
        both.extend(number);
        rest = &rest[2 + length..];
    }
    both
}

/// An agent whose API port knows callers of all kinds.
struct Scene {
    ns: Namespace,
    agent: Agent,
    address: String,
    proxy: FaultProxy,
    prometheus: Prometheus,
}

impl Scene {
    async fn begin() -> Self {
        let bed = Bed::get().await;
        let ns = bed.namespace("access").await;
        let name = ns.name();
        for account in ["ci", "stranger"] {
            ns.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}))
                .await;
        }
        ns.deployment("checkout", "v1", 1).await;
        let prometheus = ns.prometheus().await;
        let proxy = FaultProxy::start(bed, &[prometheus.url()]).await;
        let folder = bed.folder("callers");
        let write = |file: &str, text: &str| {
            let path = folder.join(file);
            std::fs::write(&path, text).expect("the bed's folder is writable");
            json!(path)
        };
        let static_token = write("static", STATIC);
        let callers = format!(
            "callers:\n- {{name: ci, scopes: [read, hooks], serviceAccount: {name}/ci}}\n\
             - {{name: load, scopes: [read, administer], token: {{file: {static_token}}}}}\n"
        );
        let address = format!("127.0.0.1:{}", bed.free_port());
        let options = Options {
            prometheus: Some(proxy.url().to_owned()),
            settings: vec![
                ("prometheus.timeout", json!("2s")),
                ("api.address", json!(address)),
                ("api.callers", write("callers.yaml", &callers)),
                ("api.tokenReview", json!("true")),
                ("api.requestsPerSecond", json!(100_000)),
                ("api.markerKey.file", write("key", KEY)),
            ],
            ..Options::default()
        };
        let agent = Agent::prepare(&[&ns], &RULES.replace("NAMESPACE", name), options).await;
        // Without the right to ask whose a token is, it does not start, and says what is missing.
        agent.launch();
        let ended = agent.wait_end(WITHIN).await;
        assert_eq!(ended.code(), Some(1));
        let log = agent.log();
        assert!(log.contains("charts/manifests/token-review.yaml"), "{log}");
        let review =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/manifests/token-review.yaml");
        bed.kubectl(&["apply", "-f", review.to_str().expect("UTF-8")])
            .await;
        wait_for("the right to be in force", WITHIN, || async {
            let asked = token_review::review(&agent.client().await, "a.b.c").await;
            asked.map(drop).map_err(|error| error.to_string())
        })
        .await;
        agent.start_again().await;
        Self {
            ns,
            agent,
            address,
            proxy,
            prometheus,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn verdict(&self) -> String {
        format!(
            "/argo/v1/analysis?namespace={}&kind=Deployment&name=checkout&hash=x",
            self.ns.name()
        )
    }

    /// Status and text of a GET.
    async fn get(&self, path: &str, token: &str) -> (u16, String) {
        let request = self.ns.bed().http().get(self.url(path)).bearer_auth(token);
        answer(request).await
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, String) {
        let request = self.ns.bed().http().post(self.url(path)).bearer_auth(token);
        answer(request.json(body)).await
    }

    /// Resident memory of the agent in bytes.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.agent.id()));
        let status = status.expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        kilobytes
            .and_then(|number| number.parse::<u64>().ok())
            .expect("a number")
            * 1024
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("it answers");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("the whole answer"))
}

#[test]
fn callers_are_who_the_api_server_says_and_strangers_leave_nothing_behind() {
    run(async {
        let scene = Scene::begin().await;
        let mut sent = vec![STATIC.to_owned(), KEY.to_owned()];
        tokens(&scene, &mut sent).await;
        reports(&scene, &sent[2]).await;
        strangers(&scene).await;
        broken_prometheus(&scene, &sent[2]).await;
        moved(&scene).await;
        restarted(&scene).await;
        withdrawn(&scene, &mut sent).await;
        let acted = scene.agent.journal().into_iter();
        let acted = acted.filter(|entry| matches!(entry.record, Record::PlanBegan { .. }));
        assert_eq!(acted.count(), 0, "something was done");
        let log = scene.agent.log();
        assert!(
            log.contains("a request was refused"),
            "this log shows nothing"
        );
        for secret in &sent {
            assert!(
                !log.contains(secret.as_str()),
                "the log shows a secret: {secret}"
            );
            let signature = secret.rsplit('.').next().expect("a part");
            assert!(!log.contains(signature), "the log shows a part of a secret");
        }
    });
}

async fn tokens(scene: &Scene, sent: &mut Vec<String>) {
    let ns = &scene.ns;
    let bed = ns.bed();
    let good = token(ns, "ci", &["recant"]).await;
    sent.push(good.clone());
    let account: ServiceAccount = ns.api().get("ci").await.expect("it is there");
    let uid = account.metadata.uid.expect("a uid");
    let now = Timestamp::now().as_second();
    let mut forged = good.clone();
    forged.replace_range(
        good.len() - 4..,
        if good.ends_with("AAAA") {
            "BBBB"
        } else {
            "AAAA"
        },
    );
    for (what, token, status) in [
        ("good", good, 200),
        (
            "for others, too",
            token(ns, "ci", &["other", "recant"]).await,
            200,
        ),
        ("for the API server", token(ns, "ci", &[]).await, 401),
        ("for others", token(ns, "ci", &["other"]).await, 401),
        (
            "of nobody in the file",
            token(ns, "stranger", &["recant"]).await,
            403,
        ),
        ("forged", forged, 401),
        (
            "signed as the next, and not over",
            signed(bed, ns, &uid, now + 600),
            200,
        ),
        ("over", signed(bed, ns, &uid, now - 60), 401),
        ("no token", "a.b.c".to_owned(), 401),
    ] {
        let (got, text) = scene.get(&scene.verdict(), &token).await;
        assert_eq!(got, status, "{what}: {text}");
        assert!(!text.contains(&token), "{what}: {text}");
        if token.len() > 10 {
            sent.push(token);
        }
    }
    // No API server at all: within the deadline, and as an error.
    let nowhere = format!("http://127.0.0.1:{}", bed.free_port());
    let nowhere = kube::Config::new(nowhere.parse().expect("a URI"));
    let nowhere = kube::Client::try_from(nowhere).expect("a client");
    let asked = token_review::review(&nowhere, "a.b.c").await;
    assert!(asked.is_err(), "{asked:?}");
}

async fn reports(scene: &Scene, good: &str) {
    let delivery = json!({"version": "4", "alerts": [{"status": "firing", "fingerprint": "1",
        "labels": {"alertname": "HighErrorRate"}, "startsAt": "2026-01-01T00:00:00Z"}]});
    let path = "/alertmanager/v1/webhook";
    assert_eq!(scene.post(path, STATIC, &delivery).await.0, 403);
    for _ in 0..3 {
        let (status, text) = scene.post(path, good, &delivery).await;
        assert_eq!(status, 200, "{text}");
    }
    let alerts: Vec<Option<String>> = scene
        .agent
        .journal()
        .into_iter()
        .filter_map(|entry| match entry.record {
            Record::Alerted { alert } => Some(alert.by),
            _ => None,
        })
        .collect();
    assert_eq!(alerts, [Some("ci".to_owned())], "once, and by whom");
    // Flagger's hooks, replayed: the same answer, and nothing is done.
    let payload = json!({"name": "checkout", "namespace": scene.ns.name(), "phase": "Progressing"});
    for _ in 0..3 {
        assert_eq!(scene.post("/flagger/rollback", good, &payload).await.0, 403);
        assert_eq!(scene.post("/flagger/event", good, &payload).await.0, 200);
    }
    let old = Timestamp::now().as_second() - 600;
    let request = scene.ns.bed().http().post(scene.url("/markers")).body("{}");
    let request = request
        .header("x-recant-timestamp", old)
        .header("x-recant-signature", format!("sha256={}", "0".repeat(64)));
    assert_eq!(answer(request).await.0, 401);
}

/// Thousands of targets that nobody watches, paths that are not there, callers that nobody knows.
async fn strangers(scene: &Scene) {
    let http = scene.ns.bed().http();
    let wave = async |from: usize, to: usize| {
        let all = (from..to).map(|number| async move {
            let long = format!("{number}-{}", "x".repeat(200));
            let path = match number % 4 {
                0 => format!("/argo/v1/analysis?namespace={long}&name={long}&hash={long}"),
                1 => format!("/kayenta/canary/{long}"),
                2 => format!("/{long}"),
                _ => format!("/kayenta/canaryConfig?application={long}"),
            };
            let token = if number % 8 == 3 {
                long.as_str()
            } else {
                STATIC
            };
            let (status, text) = answer(http.get(scene.url(&path)).bearer_auth(token)).await;
            assert!(
                [200, 401, 404, 429].contains(&status),
                "{path}: {status} {text}"
            );
        });
        futures::stream::iter(all)
            .buffer_unordered(16)
            .collect::<Vec<()>>()
            .await;
    };
    wave(0, 2000).await;
    let before = scene.memory();
    wave(2000, 8000).await;
    let after = scene.memory();
    crate::case::figure(&format!(
        "memory of the agent before and after 6000 requests of strangers: {} and {} KiB",
        before / 1024,
        after / 1024
    ));
    assert!(after < before + (8 << 20), "{before} {after}");
    let metrics = scene.agent.get("/metrics").await.expect("metrics");
    let series = metrics
        .lines()
        .filter(|line| line.starts_with("recant_api_requests_total{"));
    assert!(series.count() < 40, "{metrics}");
}

async fn broken_prometheus(scene: &Scene, good: &str) {
    let payload = json!({"name": "checkout", "namespace": scene.ns.name(), "phase": "Progressing"});
    for fault in [Fault::Unavailable, Fault::Hang, Fault::Partial, Fault::None] {
        scene.proxy.set(fault);
        let status = execute(scene).await;
        let wanted = if fault == Fault::None {
            "succeeded"
        } else {
            "terminal"
        };
        assert_eq!(status["status"], wanted, "{fault:?}: {status}");
        // Whatever is broken, nothing is taken for a reason to roll back, and no gate is opened.
        let (rollback, _) = scene.post("/flagger/rollback", good, &payload).await;
        assert!([403, 503].contains(&rollback), "{fault:?}: {rollback}");
        let (verdict, text) = scene.get(&scene.verdict(), good).await;
        assert!(
            verdict == 503 || text.contains("Running"),
            "{fault:?}: {verdict} {text}"
        );
    }
}

/// An execution of Kayenta's judge, when it is over.
async fn execute(scene: &Scene) -> Value {
    let config = json!({"name": "c", "applications": ["a"],
        "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
        "metrics": [{"name": "m", "groups": ["g"], "scopeName": "default",
            "query": {"type": "prometheus", "customInlineTemplate": "PromQL:vector(1)"}}],
        "classifier": {"groupWeights": {"g": 100}}});
    let scope = json!({"scope": "s", "location": "l", "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-01T00:10:00Z", "step": 60});
    let execution = json!({"canaryConfig": config, "executionRequest": {
        "scopes": {"default": {"controlScope": scope, "experimentScope": scope}},
        "thresholds": {"pass": 90, "marginal": 50}}});
    let (status, text) = scene.post("/kayenta/canary", STATIC, &execution).await;
    assert_eq!(status, 200, "{text}");
    let begun: Value = serde_json::from_str(&text).expect("JSON");
    let id = begun["canaryExecutionId"].as_str().expect("an id");
    let path = format!("/kayenta/canary/{id}");
    wait_for("the execution to be over", WITHIN, || async {
        let (status, text) = scene.get(&path, STATIC).await;
        assert_eq!(status, 200, "{text}");
        let shown: Value = serde_json::from_str(&text).expect("JSON");
        if shown["complete"] == true {
            Ok(shown)
        } else {
            Err(text)
        }
    })
    .await
}

/// Another address of Prometheus in the settings holds for the judge of Kayenta, too, without a restart.
async fn moved(scene: &Scene) {
    scene.proxy.set(Fault::Unavailable);
    assert_eq!(execute(scene).await["status"], "terminal");
    let file = scene.agent.settings_file();
    let text = std::fs::read_to_string(file).expect("the harness wrote it");
    let mut settings: Value = serde_json::from_str(&text).expect("JSON");
    settings["prometheus.url"] = json!(scene.prometheus.url());
    scene.agent.write("settings.yaml", &settings.to_string());
    scene.agent.hang_up();
    wait_for("the other Prometheus to be asked", WITHIN, || async {
        let status = execute(scene).await;
        match status["status"].as_str() {
            Some("succeeded") => Ok(()),
            _ => Err(status.to_string()),
        }
    })
    .await;
}

/// What a poll of an execution gets that went with the process.
async fn restarted(scene: &Scene) {
    let (status, text) = scene
        .get("/kayenta/canary/executions?limit=1", STATIC)
        .await;
    assert_eq!(status, 200, "{text}");
    let shown: Value = serde_json::from_str(&text).expect("JSON");
    let id = shown[0]["pipelineId"]
        .as_str()
        .expect("an execution")
        .to_owned();
    scene.agent.kill();
    scene.agent.start_again().await;
    let (status, text) = scene.get(&format!("/kayenta/canary/{id}"), STATIC).await;
    assert_eq!(status, 404, "{text}");
    assert!(text.contains("begin another"), "{text}");
}

/// The agent may not ask any more: who is known stays so for a while, everybody else is told to come again.
async fn withdrawn(scene: &Scene, sent: &mut Vec<String>) {
    let known = token(&scene.ns, "ci", &["recant"]).await;
    let unknown = token(&scene.ns, "ci", &["recant"]).await;
    assert_ne!(known, unknown);
    assert_eq!(scene.get(&scene.verdict(), &known).await.0, 200);
    let bed = scene.ns.bed();
    bed.kubectl(&["delete", "clusterrolebinding", "recant-token-review"])
        .await;
    wait_for("the right to be gone", WITHIN, || async {
        match token_review::review(&scene.agent.client().await, "a.b.c").await {
            Ok(reviewed) => Err(format!("{reviewed:?}")),
            Err(_) => Ok(()),
        }
    })
    .await;
    let (status, text) = scene.get(&scene.verdict(), &unknown).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE.as_u16(), "{text}");
    assert_eq!(scene.get(&scene.verdict(), &known).await.0, 200);
    sent.extend([known, unknown]);
}
