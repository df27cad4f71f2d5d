//! What the Prometheus source sends: how many queries, with which credentials, over which TLS.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use secrecy::SecretString;
use serde_json::json;
use wiremock::matchers::{header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use recant::source::prometheus::{Auth, Prometheus, PrometheusOptions};
use recant::source::{Query, Source as _};
use recant_core::observation::{Cause, Observation};

use super::fixture::{clock, errors, latency, pod, target, unavailable};
use super::prometheus_faults::vector;

fn ask_for(name: &str, question: recant_core::rule::Question) -> Query {
    let server = "127.0.0.1:1".parse().expect("is an address");
    let pods = vec![pod(&format!("{name}-1"), Timestamp::UNIX_EPOCH, server)];
    Query {
        question,
        targets: vec![target(name, pods)],
    }
}

#[tokio::test]
async fn the_load_grows_with_the_questions_and_not_with_the_targets() {
    let server = MockServer::start().await;
    let names: Vec<String> = (0..10).map(|number| format!("service-{number}")).collect();
    let rows: Vec<_> = names
        .iter()
        .map(|name| {
            let series =
                json!({"namespace": "shop", "pod": format!("{name}-1"), "recant": "total"});
            (series, "7")
        })
        .collect();
    Mock::given(wiremock::matchers::body_string_contains(
        "http_requests_total",
    ))
    .respond_with(ResponseTemplate::new(200).set_body_json(vector(&rows)))
    .mount(&server)
    .await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(200).set_body_json(vector(&[])))
        .mount(&server)
        .await;
    // Ten targets with three rules each, two of which differ only in their limits.
    let queries: Vec<Query> = names
        .iter()
        .flat_map(|name| [errors(), latency(), errors()].map(|question| ask_for(name, question)))
        .collect();
    let source = Prometheus::new(PrometheusOptions::new(server.uri()), clock()).expect("is good");
    let answers = source.read(&queries).await;
    assert_eq!(answers.len(), 30);
    for (index, answer) in answers.iter().enumerate() {
        let has_series =
            matches!(&answer[..], [Observation::Reading(reading)] if reading.series.len() == 1);
        assert_eq!(has_series, index % 3 != 1, "query {index}: {answer:?}");
    }
    let requests = server.received_requests().await.expect("are recorded");
    assert_eq!(requests.len(), 2, "{requests:#?}");
}

#[tokio::test]
async fn credentials_are_sent_and_followed_when_they_are_exchanged() {
    let server = MockServer::start().await;
    for expected in ["Bearer first", "Bearer second", "Basic bWU6c2VjcmV0"] {
        Mock::given(method("POST"))
            .and(header("Authorization", expected))
            .respond_with(ResponseTemplate::new(200).set_body_json(vector(&[])))
            .expect(1)
            .mount(&server)
            .await;
    }
    let looks = AtomicUsize::new(0);
    let token = move || {
        let tokens = ["first\n", "second\n"];
        Ok(SecretString::from(
            tokens[looks.fetch_add(1, Ordering::Relaxed)],
        ))
    };
    let bearer = PrometheusOptions {
        auth: Auth::Bearer(Arc::new(token)),
        ..PrometheusOptions::new(server.uri())
    };
    let source = Prometheus::new(bearer, clock()).expect("is good");
    let basic = PrometheusOptions {
        auth: Auth::Basic {
            user: "me".into(),
            password: Arc::new(|| Ok("secret".into())),
        },
        ..PrometheusOptions::new(server.uri())
    };
    assert!(!format!("{basic:?}").contains("secret"));
    let other = Prometheus::new(basic, clock()).expect("is good");
    for source in [&source, &source, &other] {
        let answers = source.read(&[ask_for("cart", errors())]).await;
        assert!(
            matches!(answers[0][0], Observation::NoData { .. }),
            "{answers:?}"
        );
    }
}

#[tokio::test]
async fn without_its_credentials_it_is_not_asked() {
    let server = MockServer::start().await;
    for (token, said) in [
        (
            Err("the file `/run/token` is empty".to_owned()),
            "`/run/token` is empty",
        ),
        (Ok("one\ntwo".to_owned()), "no HTTP header can carry"),
    ] {
        let options = PrometheusOptions {
            auth: Auth::Bearer(Arc::new(move || token.clone().map(SecretString::from))),
            ..PrometheusOptions::new(server.uri())
        };
        let source = Prometheus::new(options, clock()).expect("is good");
        let answers = source.read(&[ask_for("cart", errors())]).await;
        let (cause, reason) = unavailable(&answers[0][0]);
        assert_eq!(cause, Cause::Down);
        assert!(reason.contains(said), "{reason}");
        assert!(!reason.contains("two"), "{reason}");
    }
    let requests = server.received_requests().await.expect("are recorded");
    assert!(requests.is_empty());
}

/// A server with a certificate of its own authority, which answers every request on each connection with nothing
/// found. Gives its address and the authority.
fn tls_server() -> (String, String) {
    super::fixture::clock();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .and_then(|params| params.signed_by(&key, &authority))
        .expect("a certificate");
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("a configuration");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("is bound"));
    // Ends with the process: it only waits for connections.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (Ok(connection), Ok(tls)) = (
                connection,
                rustls::ServerConnection::new(Arc::clone(&config)),
            ) else {
                continue;
            };
            let mut stream = rustls::StreamOwned::new(tls, connection);
            let mut request = [0; 16 * 1024];
            if stream.read(&mut request).is_ok() {
                let body = vector(&[]).to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).ok();
            }
        }
    });
    (url, authority.pem())
}

#[tokio::test]
async fn only_the_given_authority_is_trusted() {
    let (url, authority) = tls_server();
    let (_, stranger) = tls_server();
    let answers = Mutex::new(Vec::new());
    for ca in [Some(authority), Some(stranger), None] {
        let options = PrometheusOptions {
            ca: ca.map(String::into_bytes),
            ..PrometheusOptions::new(&*url)
        };
        let source = Prometheus::new(options, clock()).expect("is good");
        let answer = source.read(&[ask_for("cart", errors())]).await;
        answers.lock().expect("no panic").push(answer[0][0].clone());
    }
    let answers = answers.into_inner().expect("no panic");
    assert!(
        matches!(answers[0], Observation::NoData { .. }),
        "{answers:?}"
    );
    for refused in &answers[1..] {
        let (cause, reason) = unavailable(refused);
        assert_eq!(cause, Cause::Down);
        assert!(reason.contains("certificate"), "{reason}");
    }
}
