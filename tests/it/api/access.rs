//! Who is heard at the API port, and what becomes of hostile requests.

use std::sync::Arc;
use std::time::Duration;

use recant::http::api::{self, Access, Api, Token};
use recant::http::certificate::Certificate;
use recant::http::reports::queue;
use recant::http::serve::Server;
use recant::secrets::Secrets;
use recant_core::rule::SecretRef;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::bed::{Bed, judged, kayenta, loopback, read};

const PATH: &str = "/argo/v1/analysis?namespace=shop&name=checkout&hash=new";

fn token(text: &str) -> Arc<Token> {
    Arc::new(Token::fixed(SecretString::from(text)))
}

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let bed = Bed::start(Access {
        read: Some(token("reads")),
        hook: Some(token("reports")),
        ..Access::default()
    })
    .await;
    bed.show(vec![judged("checkout")]);
    let get = || bed.http.get(bed.url(PATH));
    for request in [
        get(),
        get().bearer_auth("read"),
        get().bearer_auth("readss"),
        get().header("authorization", "Bearer"),
        get().header("authorization", [0xff].as_slice()),
        get().basic_auth("reads", Some("x")),
    ] {
        let answer = read(request).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.text.contains("api.readToken"), "{answer:?}");
        assert!(!answer.text.contains("phase"), "{answer:?}");
    }
    for request in [
        get().bearer_auth("reads"),
        get().bearer_auth("reports"),
        get().basic_auth("recant", Some("reads")),
    ] {
        assert_eq!(read(request).await.status, 200);
    }
    // A path that is not there is no way around it, and tells nothing.
    let answer = bed.get("/argo/v1/other").await;
    assert_eq!(
        (answer.status, &*answer.kind),
        (404, "application/problem+json")
    );
}

#[tokio::test]
async fn a_rotated_token_is_taken_up_and_one_that_is_gone_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").expect("a file");
    let stop = CancellationToken::new();
    let reference = SecretRef::File(file.display().to_string());
    let read_token = Token::follow(reference, Secrets::local(), stop.clone())
        .await
        .expect("it can be read");
    let bed = Bed::start(Access {
        read: Some(read_token),
        ..Access::default()
    })
    .await;
    bed.show(vec![judged("checkout")]);
    let status = async |token: &str| {
        read(bed.http.get(bed.url(PATH)).bearer_auth(token))
            .await
            .status
    };
    assert_eq!(status("first").await, 200);
    std::fs::write(&file, "second\n").expect("a file");
    let begun = std::time::Instant::now();
    while status("second").await != 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it is not taken up"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status("first").await, 401);
    std::fs::remove_file(&file).expect("it is there");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(status("second").await, 200);
    stop.cancel();
}

#[tokio::test]
async fn a_certificate_of_its_own_is_shown_and_renewed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let write = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("one");
        std::fs::write(&cert, made.cert.pem()).expect("a file");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
        made.cert.pem()
    };
    let first = write();
    let bed = Bed::start(Access::default()).await;
    bed.show(vec![judged("checkout")]);
    let certificate = Certificate::load(cert.clone(), key.clone()).await;
    let certificate = Arc::new(certificate.expect("it can be used"));
    let router =
        Api::new(&bed.ops, queue().0, None, kayenta()).router(&Access::default(), &bed.metrics.api);
    let server = Server::start_with(loopback(), router, api::limits(), Some(certificate.clone()))
        .await
        .expect("a port");
    let trusting = |pem: &str| {
        let root = reqwest::Certificate::from_pem(pem.as_bytes()).expect("PEM");
        reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([root])
            .build()
            .expect("a client")
    };
    let url = format!("https://localhost:{}{PATH}", server.address().port());
    assert_eq!(read(trusting(&first).get(&url)).await.status, 200);
    // Who does not speak TLS is cut off, and others are served.
    let plain = bed.http.get(url.replace("https", "http")).send().await;
    assert!(plain.is_err(), "{plain:?}");

    let second = write();
    let stop = CancellationToken::new();
    tokio::spawn(certificate.follow(stop.clone()));
    let begun = std::time::Instant::now();
    while trusting(&second).get(&url).send().await.is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(40),
            "it is not taken up"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(trusting(&first).get(&url).send().await.is_err());
    stop.cancel();

    std::fs::write(&key, "nothing").expect("a file");
    let error = Certificate::load(cert, key).await.expect_err("no key");
    assert!(
        error.to_string().contains("holds no private key"),
        "{error}"
    );
}

#[tokio::test]
async fn hostile_requests_are_cut_off_and_others_served() {
    let bed = Bed::start(Access::default()).await;
    bed.show(vec![judged("checkout")]);
    let address = bed.server.address();
    let mut slow = TcpStream::connect(address).await.expect("it accepts");
    slow.write_all(b"GET /argo/v1/analysis HTTP/1.1\r\nhost:")
        .await
        .expect("a part");
    for bytes in [
        format!(
            "GET {}{} HTTP/1.1\r\nhost: r\r\n\r\n",
            PATH,
            "x".repeat(1 << 20)
        )
        .into_bytes(),
        format!("GET {PATH} HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes(),
        vec![0xff; 5000],
    ] {
        let mut stream = TcpStream::connect(address).await.expect("it accepts");
        // It may be cut off while it writes.
        drop(stream.write_all(&bytes).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        assert!(!String::from_utf8_lossy(&answer).contains(" 200 OK"));
    }
    assert_eq!(bed.get(PATH).await.status, 200);
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(8), slow.read_to_end(&mut answer)).await;
    assert!(
        ended.is_ok(),
        "a request whose headers never end stayed open"
    );
}

#[tokio::test]
async fn strangers_leave_nothing_behind() {
    let bed = Bed::start(Access::default()).await;
    bed.show(vec![judged("checkout")]);
    for number in 0..2000 {
        let path = format!("/argo/v1/analysis?namespace=n{number}&name=x{number}&hash=h{number}");
        assert_eq!(bed.get(&path).await.status, 404);
        if number % 100 == 0 {
            assert_eq!(bed.get(&format!("/{number}")).await.status, 404);
        }
    }
    let mut text = String::new();
    let registry = bed.metrics.registry();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
    let counted: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("recant_api_requests_total{"))
        .collect();
    assert_eq!(counted.len(), 2, "{counted:#?}");
    assert!(
        counted.iter().any(|line| line.ends_with(" 2000")),
        "{counted:#?}"
    );
}
