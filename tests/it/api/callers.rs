//! Callers of `api.callers` over real connections: by token, by a certificate of TLS, by what Kubernetes says; the limits
//! of each; and that nothing of their secrets is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use recant::config::callers;
use recant::http::api::{self, Access, Api, Rates, Reviewed, Reviewer, Reviews, Roster};
use recant::http::certificate::Certificate;
use recant::http::reports::{Reported, queue};
use recant::http::serve::Server;
use recant::secrets::Secrets;
use recant_core::access::KubernetesUser;
use recant_core::hook::Hook;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::bed::{Answer, Bed, judged, kayenta, loopback, read};

const PATH: &str = "/argo/v1/analysis?namespace=shop&name=checkout&hash=new";
const ALERTS: &str = "/alertmanager/v1/webhook";

/// A folder with a file of callers, and what follows it.
struct Followed {
    folder: tempfile::TempDir,
    stop: CancellationToken,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Followed {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            stop: CancellationToken::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the folder is writable");
    }

    async fn roster(&self, text: &str) -> Result<Arc<Roster>, String> {
        let folder = self.folder.path().display().to_string();
        self.write("callers.yaml", &text.replace("FOLDER", &folder));
        let path = self.path("callers.yaml");
        let load = Arc::new(move || callers::read(&path).map_err(|error| error.to_string()));
        Roster::follow(load, Secrets::local(), self.stop.clone()).await
    }
}

async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let begun = std::time::Instant::now();
    while !done().await {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{what} never came"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const TWO: &str = "callers:\n\
    - {name: argo, scopes: [read], token: {file: FOLDER/argo}}\n\
    - {name: ci, scopes: [hooks], token: {file: FOLDER/ci}}\n";

#[tokio::test]
async fn callers_come_and_go_and_reports_say_whose_they_are() {
    let followed = Followed::new();
    followed.write("argo", "argo's token\n");
    let missing = followed.roster(TWO).await.expect_err("a token is missing");
    assert!(missing.contains("the token of `ci`"), "{missing}");
    followed.write("ci", "ci's token\n");
    let access = Access {
        roster: Some(followed.roster(TWO).await.expect("both are there")),
        ..Access::default()
    };
    let (bed, mut reports) = Bed::start_with(access, None).await;
    bed.show(vec![judged("checkout")]);
    let asked = async |token: &str| read(bed.http.get(bed.url(PATH)).bearer_auth(token)).await;
    let told = async |token: &str| {
        let alert = json!({"status": "firing", "labels": {"alertname": "A"}, "fingerprint": "1",
            "startsAt": "2026-01-01T00:00:00Z"});
        let request = bed
            .http
            .post(bed.url(ALERTS))
            .json(&json!({"alerts": [alert]}));
        read(request.bearer_auth(token)).await
    };
    assert_eq!(bed.get(PATH).await.status, 401);
    assert_eq!(asked("argo's token").await.status, 200);
    let refused = asked("ci's token").await;
    assert_eq!(refused.status, 403);
    assert!(
        refused
            .text
            .contains("`ci` may hooks, and this needs the scope `read`"),
        "{refused:?}"
    );
    assert_eq!(told("argo's token").await.status, 403);
    let taken = async {
        let Reported { hooks, durable } = reports.recv().await.expect("a report");
        durable.send(Ok(())).expect("somebody waits");
        hooks
    };
    let (answer, hooks) = tokio::join!(told("ci's token"), taken);
    assert_eq!(answer.status, 200);
    let [Hook::Alert(alert)] = hooks.as_slice() else {
        panic!("{hooks:?}");
    };
    assert_eq!(alert.by.as_deref(), Some("ci"));

    // Metrics know callers by their names.
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &bed.metrics.registry()).expect("text");
    for series in [
        r#"{dialect="argo",caller="argo",status="200"} 1"#,
        r#"{dialect="argo",caller="ci",status="403"} 1"#,
        r#"{dialect="argo",caller="unknown",status="401"} 1"#,
        r#"{dialect="alertmanager",caller="ci",status="200"} 1"#,
    ] {
        assert!(text.contains(series), "{series} is not in {text}");
    }
    assert!(!text.contains("token\""), "{text}");

    // A file that cannot be used changes nothing, one that can is taken up.
    followed.write("callers.yaml", "callers: [{name: x}]");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(asked("argo's token").await.status, 200);
    let one = format!(
        "callers: [{{name: argo, scopes: [read], token: {{file: {}}}}}]",
        followed.path("argo").display()
    );
    followed.write("callers.yaml", &one);
    until("the change", async || {
        told("ci's token").await.status == 401
    })
    .await;
    followed.write("argo", "another token");
    until("the rotation", async || {
        asked("another token").await.status == 200
    })
    .await;
    assert_eq!(asked("argo's token").await.status, 401);
    std::fs::remove_file(followed.path("argo")).expect("it is there");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(asked("another token").await.status, 200);
}

/// An authority with certificates that it signed.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).expect("a certificate");
        Self {
            certificate,
            issuer: rcgen::Issuer::new(parameters, key),
        }
    }

    /// Certificate and key in PEM.
    fn signs(&self, change: impl FnOnce(&mut rcgen::CertificateParams)) -> (String, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        change(&mut parameters);
        let signed = parameters
            .signed_by(&key, &self.issuer)
            .expect("a certificate");
        (signed.pem(), key.serialize_pem())
    }

    fn client(&self, common_name: &str, ends: i32) -> (String, String) {
        self.signs(|parameters| {
            let name = &mut parameters.distinguished_name;
            *name = rcgen::DistinguishedName::new();
            name.push(rcgen::DnType::CommonName, common_name);
            parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(ends, 1, 1);
            parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        })
    }
}

fn client(server: &str, identity: Option<&(String, String)>) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(server.as_bytes()).expect("PEM");
    let mut client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .tls_certs_only([root]);
    if let Some((certificate, key)) = identity {
        let pem = format!("{certificate}{key}");
        client = client.identity(reqwest::Identity::from_pem(pem.as_bytes()).expect("PEM"));
    }
    client.build().expect("a client")
}

fn write_server(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("one");
    std::fs::write(folder.join("tls.crt"), made.cert.pem()).expect("a file");
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).expect("a file");
    made.cert.pem()
}

#[tokio::test]
async fn a_certificate_opens_what_its_names_may() {
    let followed = Followed::new();
    let roster = followed
        .roster(
            "callers:\n\
             - {name: argo, scopes: [read], certificate: {commonName: argo}}\n\
             - {name: mesh, scopes: [read], certificate: {uri: 'spiffe://cluster.local/ns/shop/sa/ci'}}\n\
             - {name: named, scopes: [hooks], certificate: {dns: ci.shop.svc}}\n",
        )
        .await
        .expect("good");
    let authority = Authority::new();
    let server = write_server(followed.folder.path());
    followed.write("ca.crt", &authority.certificate.pem());
    let bed = Bed::start(Access::default()).await;
    bed.show(vec![judged("checkout")]);
    let certificate = Certificate::load_with(
        followed.path("tls.crt"),
        followed.path("tls.key"),
        Some(followed.path("ca.crt")),
    )
    .await;
    let certificate = Arc::new(certificate.expect("it can be used"));
    let access = Access {
        roster: Some(roster),
        ..Access::default()
    };
    let router = Api::new(&bed.ops, queue().0, None, kayenta()).router(&access, &bed.metrics.api);
    let port = Server::start_with(loopback(), router, api::limits(), Some(certificate.clone()))
        .await
        .expect("a port");
    let url = format!("https://localhost:{}{PATH}", port.address().port());
    let ask = async |identity: Option<&(String, String)>| {
        let sent = client(&server, identity).get(&url).send().await;
        // Cut off in the handshake, or answered.
        sent.map(|answer| answer.status().as_u16())
            .unwrap_or_default()
    };
    let subject = |name: rcgen::SanType| {
        authority.signs(|parameters| {
            parameters.subject_alt_names = vec![name];
            parameters.distinguished_name = rcgen::DistinguishedName::new();
        })
    };
    let uri = |text: &str| rcgen::SanType::URI(text.try_into().expect("a URI"));
    let dns = |text: &str| rcgen::SanType::DnsName(text.try_into().expect("a name"));
    let stranger = Authority::new();
    for (what, identity, status) in [
        ("nothing", None, 401),
        ("a known name", Some(authority.client("argo", 2099)), 200),
        ("one that is over", Some(authority.client("argo", 2021)), 0),
        (
            "another authority's",
            Some(stranger.client("argo", 2099)),
            0,
        ),
        (
            "an unknown name",
            Some(authority.client("argon", 2099)),
            403,
        ),
        (
            "a known URI",
            Some(subject(uri("spiffe://cluster.local/ns/shop/sa/ci"))),
            200,
        ),
        (
            "another URI",
            Some(subject(uri("spiffe://cluster.local/ns/shop/sa/cd"))),
            403,
        ),
        (
            "a name that may not read",
            Some(subject(dns("ci.shop.svc"))),
            403,
        ),
        (
            "a name that is another's common name",
            Some(subject(dns("argo"))),
            403,
        ),
    ] {
        assert_eq!(ask(identity.as_ref()).await, status, "{what}");
    }
    // Authorities are taken up when they change, and those that are gone open nothing.
    let stop = CancellationToken::new();
    tokio::spawn(certificate.follow(stop.clone()));
    followed.write("ca.crt", &stranger.certificate.pem());
    let (old, new) = (
        authority.client("argo", 2099),
        stranger.client("argo", 2099),
    );
    until("the other authority", async || ask(Some(&new)).await == 200).await;
    assert_eq!(ask(Some(&old)).await, 0);
    stop.cancel();
    followed.write("ca.crt", "nothing");
    let (cert, key) = (followed.path("tls.crt"), followed.path("tls.key"));
    let error = Certificate::load_with(cert, key, Some(followed.path("ca.crt"))).await;
    let error = error.expect_err("no authority").to_string();
    assert!(error.contains("ca.crt holds no certificate"), "{error}");
}

/// Stands where the API server is: the real one is asked in tests/cluster.
#[derive(Debug)]
struct Kubernetes;

#[async_trait]
impl Reviewer for Kubernetes {
    async fn review(&self, token: &SecretString) -> Result<Reviewed, String> {
        let user = |name: &str| {
            Ok(Reviewed::User(KubernetesUser {
                name: name.to_owned(),
                groups: vec!["system:serviceaccounts".to_owned()],
            }))
        };
        match token.expose_secret().split('.').next() {
            Some("ci") => user("system:serviceaccount:shop:ci"),
            Some("other") => user("system:serviceaccount:shop:other"),
            Some("down") => Err("connection refused".to_owned()),
            _ => Ok(Reviewed::Nobody("it is over".to_owned())),
        }
    }
}

async fn with_kubernetes(followed: &Followed, rates: Rates) -> Bed {
    let roster = followed
        .roster("callers: [{name: ci, scopes: [read, hooks], serviceAccount: shop/ci}]")
        .await
        .expect("good");
    let bed = Bed::start(Access {
        roster: Some(roster),
        reviews: Some(Arc::new(Reviews::new(Kubernetes))),
        rates: Arc::new(rates),
        ..Access::default()
    })
    .await;
    bed.show(vec![judged("checkout")]);
    bed
}

#[tokio::test]
async fn kubernetes_says_whose_a_token_is() {
    let followed = Followed::new();
    let bed = with_kubernetes(&followed, Rates::default()).await;
    for (token, status, says) in [
        ("ci.a.b", 200, "Running"),
        ("other.a.b", 403, "shop:other"),
        ("bad.a.b", 401, "it is over"),
        ("down.a.b", 503, "connection refused"),
        // Has not the form of a token of Kubernetes, and is not shown to it.
        ("ci", 401, "audience `recant`"),
    ] {
        let answer = read(bed.http.get(bed.url(PATH)).bearer_auth(token)).await;
        assert_eq!(answer.status, status, "{token}: {answer:?}");
        assert!(answer.text.contains(says), "{token}: {answer:?}");
        assert!(!answer.text.contains(&format!("{token} ")), "{answer:?}");
    }
}

async fn post(bed: &Bed, path: &str, token: &str, body: &Value) -> Answer {
    read(bed.http.post(bed.url(path)).bearer_auth(token).json(body)).await
}

#[tokio::test]
async fn who_asks_too_much_is_told_so_in_the_words_of_his_dialect() {
    let followed = Followed::new();
    let bed = with_kubernetes(&followed, Rates::new(2)).await;
    let ask = async || read(bed.http.get(bed.url(PATH)).bearer_auth("ci.a.b")).await;
    let begun = std::time::Instant::now();
    let mut answer = ask().await;
    while answer.status == 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "there is no limit"
        );
        answer = ask().await;
    }
    assert_eq!(
        (answer.status, &*answer.kind),
        (429, "application/problem+json")
    );
    let spent = async |path: &str, body: Value| {
        // One may have come back by now.
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(post(&bed, path, "ci.a.b", &body).await.status);
        }
        answers
    };
    let payload = json!({"name": "checkout", "namespace": "shop", "metadata": {"target": "Rollout/checkout"}});
    // Alertmanager sends nothing again after a 4xx.
    assert!(spent(ALERTS, json!({"alerts": []})).await.contains(&503));
    // A failed check is never forgotten by Flagger: what cannot be looked at is none. Gates stay shut.
    assert_eq!(spent("/flagger/rollout", payload.clone()).await, [200; 4]);
    assert!(
        spent("/flagger/confirm-promotion", payload.clone())
            .await
            .contains(&503)
    );
    let rollbacks = spent("/flagger/rollback", payload).await;
    assert!(
        !rollbacks.contains(&200),
        "nothing is taken back unseen: {rollbacks:?}"
    );
}

#[tokio::test]
async fn who_guesses_tokens_is_slowed_down_and_others_are_not() {
    let followed = Followed::new();
    let bed = with_kubernetes(&followed, Rates::default()).await;
    let mut statuses = Vec::new();
    for number in 0..300 {
        let request = bed
            .http
            .get(bed.url(PATH))
            .bearer_auth(format!("guess{number}.a.b"));
        statuses.push(read(request).await.status);
    }
    assert_eq!(statuses[0], 401);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [401, 429].contains(status)),
        "{statuses:?}"
    );
    // To Alertmanager it is 503, as always.
    let answer = post(&bed, ALERTS, "guess", &json!({"alerts": []})).await;
    assert!([401, 503].contains(&answer.status), "{answer:?}");
    // Who was known before is known still, from the same address.
    let known = Followed::new();
    known.write("token", "a token that is known");
    let text = "callers: [{name: a, scopes: [read], token: {file: FOLDER/token}}]";
    let access = Access {
        roster: Some(known.roster(text).await.expect("good")),
        ..Access::default()
    };
    let bed = Bed::start(access).await;
    bed.show(vec![judged("checkout")]);
    let ask = async |token: &str| {
        read(bed.http.get(bed.url(PATH)).bearer_auth(token))
            .await
            .status
    };
    for _ in 0..200 {
        ask("a guess").await;
    }
    assert_eq!(ask("a token that is known").await, 200);
}
