//! Calls over real HTTP: what is sent, what an answer means, and what is never told.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use recant_core::change::ObjectRef;
use recant_core::ids::{TargetId, TargetKind, WatchName};
use recant_core::plan::Action;
use recant_core::rule::{ScaleTarget, Webhook};
use recant_core::scaling::ScaleState;
use recant_core::target::TargetNews;
use recant_core::webhook::Says;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::*;
use crate::actuate::Permit;
use crate::actuate::attempts::{Ended, carry_out};
use crate::cluster::{Cluster, ClusterError};

/// A cluster with this object at most.
struct There(Mutex<Option<Value>>);

#[async_trait]
impl Cluster for There {
    fn news(&self) -> Vec<TargetNews> {
        Vec::new()
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }

    async fn execute(&self, _: &StepCommand) -> Result<StepResult, ClusterError> {
        panic!("it is no step of the cluster");
    }

    async fn scale_state(&self, _: &ScaleTarget) -> Result<Option<ScaleState>, ClusterError> {
        Ok(None)
    }

    async fn object(&self, object: &ObjectRef) -> Result<Option<ObjectState>, ClusterError> {
        let found = self.0.lock().expect("nobody panics with it").clone();
        Ok(found.map(|found| ObjectState::new(object, found, false)))
    }
}

fn call(url: WebhookUrl, headers: BTreeMap<String, SecretRef>) -> StepCommand {
    let target = TargetId {
        namespace: "shop".into(),
        kind: TargetKind::Deployment,
        name: "checkout".into(),
    };
    StepCommand {
        plan: "p".into(),
        index: 2,
        action: Action::Webhook(Box::new(WebhookCall {
            called: Webhook {
                url,
                headers,
                timeout: Duration::from_millis(500),
            },
            about: ObjectRef::from(&target),
            uid: "u1".into(),
            says: Says {
                decided: "2026-01-01T00:00:00Z".parse().expect("a time"),
                title: "drain".into(),
                watch: WatchName {
                    namespace: "shop".into(),
                    name: "checkout".into(),
                },
                target,
                verdict: "fail".into(),
                correlation: "a1".into(),
                rules: vec!["http/error-rate".into()],
                evidence: vec!["30 % of 100 requests were bad".into()],
            },
        })),
        deadline: Timestamp::now() + Duration::from_secs(2),
        again: false,
    }
}

fn parts(found: Option<Value>, plain_http: bool) -> Parts {
    let allowed = Allowed {
        plain_http,
        hosts: Vec::new(),
    };
    Parts {
        cluster: Arc::new(There(Mutex::new(found))),
        gate: Arc::new(|| Permit::Act),
        webhooks: Webhooks::new(Secrets::local(), allowed).expect("a client"),
        clock: crate::clock::system(),
        at_once: 1,
    }
}

async fn ends(parts: &Parts, command: &StepCommand) -> StepResult {
    let stop = tokio_util::sync::CancellationToken::new();
    match carry_out(parts, command, &stop).await {
        Ended::With(result) => result,
        Ended::ByShutdown => panic!("nobody stops it"),
    }
}

fn there() -> Value {
    json!({"metadata": {"uid": "u1"}})
}

async fn answering(status: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(matchers::method("POST"))
        .respond_with(status)
        .mount(&server)
        .await;
    server
}

fn plain(server: &MockServer) -> WebhookUrl {
    WebhookUrl::Plain(format!("{}/secret-path", server.uri()))
}

#[tokio::test]
async fn what_is_sent_has_a_key_and_secrets_that_are_told_nowhere() {
    let server = answering(ResponseTemplate::new(202)).await;
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "Bearer hunter2").expect("written");
    let secret = SecretRef::File(file.path().display().to_string());
    let headers = BTreeMap::from([("authorization".to_owned(), secret)]);
    let command = StepCommand {
        again: true,
        ..call(plain(&server), headers)
    };
    let result = ends(&parts(Some(there()), true), &command).await;
    let called = StepResult::Called {
        status: 202,
        repeated: true,
    };
    assert_eq!(result, called);
    let requests = server.received_requests().await.expect("they are kept");
    let [request] = requests.as_slice() else {
        panic!("{} requests", requests.len());
    };
    assert_eq!(request.headers["idempotency-key"], "p/2");
    assert_eq!(request.headers["authorization"], "Bearer hunter2");
    assert_eq!(request.headers["content-type"], "application/json");
    let body: Value = request.body_json().expect("JSON");
    assert_eq!(body["idempotencyKey"], "p/2");
    assert_eq!(body["mayBeRepeat"], true);
    assert_eq!(body["data"]["correlation"], "a1");
    let durable = serde_json::to_string(&command).expect("JSON");
    assert!(!durable.contains("hunter2"), "{durable}");
}

#[tokio::test]
async fn what_an_answer_means() {
    for (status, refused, says) in [
        (404, true, "answered 404"),
        (307, true, "a redirect, which is not followed"),
        (
            500,
            false,
            "answered 500; whether it did what it was asked is not known",
        ),
    ] {
        let answer = ResponseTemplate::new(status).insert_header("location", "http://127.0.0.1:1/");
        let server = answering(answer).await;
        let result = ends(
            &parts(Some(there()), true),
            &call(plain(&server), BTreeMap::new()),
        )
        .await;
        let reason = match result {
            StepResult::Refused { reason } if refused => reason,
            StepResult::Failed { reason } if !refused => reason,
            other => panic!("{status}: {other:?}"),
        };
        assert!(reason.contains(says), "{reason}");
        assert!(!reason.contains("secret-path"), "{reason}");
        let requests = server.received_requests().await.expect("they are kept");
        assert_eq!(requests.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn what_was_surely_not_taken_is_tried_again_and_what_hangs_is_not() {
    let server = MockServer::start().await;
    let busy = Mock::given(matchers::method("POST"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(2);
    busy.mount(&server).await;
    Mock::given(matchers::method("POST"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let result = ends(
        &parts(Some(there()), true),
        &call(plain(&server), BTreeMap::new()),
    )
    .await;
    assert!(
        matches!(result, StepResult::Called { status: 200, .. }),
        "{result:?}"
    );
    let requests = server.received_requests().await.expect("they are kept");
    assert_eq!(requests.len(), 3);

    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(5));
    let server = answering(slow).await;
    let result = ends(
        &parts(Some(there()), true),
        &call(plain(&server), BTreeMap::new()),
    )
    .await;
    let StepResult::Failed { reason } = result else {
        panic!("{result:?}");
    };
    assert!(reason.contains("did not answer within 500ms"), "{reason}");
    let requests = server.received_requests().await.expect("they are kept");
    assert!(requests.len() <= 1, "it is not called again");

    // Nobody listens: it is tried until its time is over, and surely nothing was done.
    let nobody = WebhookUrl::Plain("http://127.0.0.1:9/".to_owned());
    let result = ends(&parts(Some(there()), true), &call(nobody, BTreeMap::new())).await;
    assert!(matches!(result, StepResult::Refused { .. }), "{result:?}");
}

#[tokio::test]
async fn nobody_is_called_without_tls_or_about_what_is_gone_or_stopped() {
    let server = answering(ResponseTemplate::new(200)).await;
    let stopped = json!({"metadata": {
        "uid": "u1", "annotations": {"recant.dev/kill-switch": "true"},
    }});
    let other = json!({"metadata": {"uid": "u2"}});
    for (found, plain_http, says) in [
        (Some(there()), false, "without TLS"),
        (None, true, "does not exist any more"),
        (Some(other), true, "was deleted and created again"),
        (Some(stopped), true, "the kill switch is on"),
    ] {
        let command = call(plain(&server), BTreeMap::new());
        let result = ends(&parts(found, plain_http), &command).await;
        let (StepResult::Refused { reason } | StepResult::Fenced { reason }) = result else {
            panic!("{result:?}");
        };
        assert!(reason.contains(says), "{reason}");
    }
    let headers = BTreeMap::from([(
        "authorization".to_owned(),
        SecretRef::Env("RECANT_NO_SUCH_VARIABLE".to_owned()),
    )]);
    let result = ends(&parts(Some(there()), true), &call(plain(&server), headers)).await;
    assert!(
        matches!(&result, StepResult::Refused { reason } if reason.contains("`RECANT_NO_SUCH_VARIABLE` is not set")),
        "{result:?}"
    );
    let requests = server.received_requests().await.expect("they are kept");
    assert!(requests.is_empty());
}

#[test]
fn only_what_the_settings_name_is_called() {
    let check = |plain_http, hosts: &[&str], url: &str| {
        let allowed = Allowed {
            plain_http,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        };
        allowed.refuses(&Url::parse(url).expect("a URL")).is_none()
    };
    assert!(check(false, &[], "https://hooks.example.org/a"));
    assert!(!check(false, &[], "http://hooks.example.org/a"));
    assert!(check(true, &[], "http://hooks.example.org/a"));
    let hosts = ["hooks.example.org", "*.shop.svc"];
    assert!(check(false, &hosts, "https://hooks.example.org:8443/a"));
    assert!(check(false, &hosts, "https://drain.shop.svc/"));
    for url in [
        "https://example.org/",
        "https://shop.svc/",
        "https://evilshop.svc/",
        "https://hooks.example.org.evil.com/",
        "https://169.254.169.254/latest",
    ] {
        assert!(!check(false, &hosts, url), "{url}");
    }
}
