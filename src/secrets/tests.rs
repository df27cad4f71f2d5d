#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;

fn file(path: &std::path::Path) -> SecretRef {
    SecretRef::File(path.display().to_string())
}

async fn error(secrets: &Secrets, reference: &SecretRef) -> String {
    secrets
        .resolve(reference)
        .await
        .map(|_| ())
        .expect_err("there is no such secret")
        .to_string()
}

#[tokio::test]
async fn a_file_is_read_again_each_time_and_its_newline_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    let secrets = Secrets::local();
    for (written, expected) in [
        ("https://one\n", "https://one"),
        ("https://two\r\n", "https://two"),
    ] {
        std::fs::write(&path, written).unwrap();
        let secret = secrets.resolve(&file(&path)).await.unwrap();
        assert_eq!(secret.expose_secret(), expected);
        assert!(!format!("{secret:?}").contains(expected));
    }
}

#[tokio::test]
async fn what_cannot_be_a_secret_is_an_error_without_its_contents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    let secrets = Secrets::local();
    let check = async |bytes: &[u8], expected: &str| {
        std::fs::write(&path, bytes).unwrap();
        let text = error(&secrets, &file(&path)).await;
        assert!(
            text.contains(expected) && !text.contains("hunter"),
            "{text}"
        );
    };
    check(b"\n \n", "is empty").await;
    check(b"hunter\xff", "not text in UTF-8").await;
    check(&b"hunter".repeat(20_000), "more than 64 KiB").await;
    let text = error(&secrets, &file(&folder.path().join("none"))).await;
    assert!(
        text.contains("none` cannot be read: No such file"),
        "{text}"
    );
    let text = error(&secrets, &file(folder.path())).await;
    assert!(text.contains("cannot be read"), "{text}");
    // A file without an end.
    let text = error(&secrets, &SecretRef::File("/dev/zero".to_owned())).await;
    assert!(text.contains("more than 64 KiB"), "{text}");
}

#[tokio::test]
async fn the_environment_is_read() {
    let secrets = Secrets::local();
    let set = SecretRef::Env("CARGO_MANIFEST_DIR".to_owned());
    let secret = secrets.resolve(&set).await.unwrap();
    assert_eq!(
        secret.expose_secret(),
        std::env::var("CARGO_MANIFEST_DIR").unwrap()
    );
    let unset = SecretRef::Env("RECANT_TEST_NOT_SET".to_owned());
    assert_eq!(
        error(&secrets, &unset).await,
        "the environment variable `RECANT_TEST_NOT_SET` is not set"
    );
}

fn secret(name: &str, key: &str) -> SecretRef {
    SecretRef::KubernetesSecret {
        name: name.to_owned(),
        key: key.to_owned(),
        namespace: None,
    }
}

#[tokio::test]
async fn a_kubernetes_secret_without_a_cluster_says_what_to_use_instead() {
    let text = error(&Secrets::local(), &secret("slack", "url")).await;
    assert!(
        text.contains("use an environment variable or a file"),
        "{text}"
    );
}

/// An API server with a few Secrets: the requests are real, its answers have the real shapes.
async fn api_server() -> kube::Client {
    async fn answer(Path((namespace, name)): Path<(String, String)>) -> (StatusCode, Json<Value>) {
        let status = |code: StatusCode, reason: &str| {
            let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": format!("secrets \"{name}\" {reason} hunter"), "reason": reason, "code": code.as_u16()});
            (code, Json(body))
        };
        match (namespace.as_str(), name.as_str()) {
            ("recant", "slack") => (
                StatusCode::OK,
                Json(
                    json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name},
                    "data": {"url": "aHR0cHM6Ly9odW50ZXIK", "binary": "/w=="}}),
                ),
            ),
            ("recant", "forbidden") => status(StatusCode::FORBIDDEN, "Forbidden"),
            ("recant", "garbage") => (StatusCode::OK, Json(json!(["hunter"]))),
            ("recant", "broken") => status(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            ("recant", "hanging") => std::future::pending().await,
            _ => status(StatusCode::NOT_FOUND, "NotFound"),
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/api/v1/namespaces/{namespace}/secrets/{name}", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    crate::tls::install();
    let mut config = kube::Config::new(format!("http://{address}").parse().unwrap());
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

#[tokio::test]
async fn a_kubernetes_secret_is_read_by_name() {
    let reader = KubernetesSecrets::new(api_server().await, "recant");
    assert_eq!(
        format!("{reader:?}"),
        r#"KubernetesSecrets { namespace: "recant", .. }"#
    );
    let secrets = Secrets::in_cluster(Arc::new(reader));
    let value = secrets.resolve(&secret("slack", "url")).await.unwrap();
    assert_eq!(value.expose_secret(), "https://hunter");
    for (name, key, expected) in [
        (
            "slack",
            "other",
            "key `other` of the Kubernetes Secret `slack` in namespace `recant` is not set",
        ),
        ("slack", "binary", "is not text"),
        (
            "absent",
            "url",
            "the Kubernetes Secret `absent` in namespace `recant` is not set",
        ),
        ("forbidden", "url", "the role lacks the verb `get`"),
        ("broken", "url", "status 500"),
        ("garbage", "url", "no usable answer"),
        ("hanging", "url", "nothing came in time"),
    ] {
        let text = error(&secrets, &secret(name, key)).await;
        assert!(
            text.contains(expected) && !text.contains("hunter"),
            "{text}"
        );
    }
}
