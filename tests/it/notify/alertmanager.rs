//! Alerts on a real Alertmanager: fired, told apart, and ended.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use recant::notify::templates::Templates;
use serde_json::Value;

use super::*;

/// A real Alertmanager on loopback, with a folder of its own; it ends with the test.
struct Alertmanager {
    child: Child,
    base: String,
    folder: tempfile::TempDir,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Alertmanager {
    /// With a route that tells `receiver` of everything at once.
    async fn start(receiver: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("alertmanager.yml");
        std::fs::write(
            &config,
            format!(
                "route: {{receiver: hook, group_by: ['...'], group_wait: 100ms, group_interval: 200ms, repeat_interval: 1h}}\n\
                 receivers: [{{name: hook, webhook_configs: [{{url: '{receiver}', send_resolved: true}}]}}]\n"
            ),
        )
        .unwrap();
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("`prometheus-alertmanager` is on PATH: apt install prometheus-alertmanager");
        let alertmanager = Self {
            child,
            base: format!("http://{address}"),
            folder,
        };
        let ready = format!("{}/-/ready", alertmanager.base);
        let begun = Instant::now();
        while !reqwest::get(&ready)
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            assert!(
                begun.elapsed().as_secs() < 30,
                "it did not start: {}",
                alertmanager.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        alertmanager
    }

    fn log(&self) -> String {
        let mut text = String::new();
        std::fs::File::open(self.folder.path().join("log"))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    /// The alerts that are firing.
    async fn firing(&self) -> Vec<Value> {
        let url = format!("{}/api/v2/alerts?active=true", self.base);
        let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

fn told(id: &str, kind: NoticeKind, second: i64, correlation: &str) -> Arc<Notice> {
    let now = jiff::Timestamp::now().as_second();
    let mut notice = Notice::clone(&notice(id));
    notice.kind = kind;
    notice.at = jiff::Timestamp::from_second(now - 60 + second).unwrap();
    notice.correlation = Some(correlation.into());
    Arc::new(notice)
}

fn statuses(receiver: &Receiver) -> Vec<String> {
    receiver
        .requests()
        .iter()
        .map(|request| request.body["status"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_real_alertmanager_fires_dedups_and_resolves() {
    let receiver = Receiver::start([]).await;
    let alertmanager = Alertmanager::start(&receiver.base).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("address");
    std::fs::write(&path, &alertmanager.base).unwrap();
    let channel = Channel {
        name: "alerts".into(),
        kind: ChannelKind::Alertmanager {
            labels: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
            bearer: None,
        },
        url: SecretRef::File(path.display().to_string()),
    };
    let client = HttpClient::new().unwrap();
    let sender = notifier(&channel, &client, &Secrets::local(), &Templates::shipped());
    let send = async |notice: &Notice| sender.send(notice, Attempt::First).await.unwrap();

    // An end of what never began tells nobody.
    send(&told("n-0", NoticeKind::Restored, 0, "checkout-v1-1")).await;
    assert_eq!(alertmanager.firing().await, [] as [Value; 0]);

    send(&told("n-1", NoticeKind::RollingBack, 1, "checkout-v2-1")).await;
    send(&told("n-1", NoticeKind::RollingBack, 1, "checkout-v2-1")).await;
    // The same trouble, another release and other words.
    send(&told("n-2", NoticeKind::NotRestored, 2, "checkout-v3-2")).await;
    let firing = alertmanager.firing().await;
    assert_eq!(firing.len(), 1, "{firing:?}");
    let [alert] = firing.as_slice() else { panic!() };
    let labels: BTreeMap<String, String> = serde_json::from_value(alert["labels"].clone()).unwrap();
    let expected = [
        ("alertname", "RecantBadRelease"),
        ("namespace", "shop"),
        ("severity", "critical"),
        ("target", "Deployment/checkout"),
        ("team", "payments"),
        ("watch", "checkout"),
    ];
    assert_eq!(
        labels,
        expected
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    );
    assert_eq!(alert["annotations"]["summary"], "headline of n-2");
    assert_eq!(alert["annotations"]["correlation_id"], "checkout-v3-2");
    // It goes on for a day without being sent again, not for the five minutes of `resolve_timeout`.
    let ends: jiff::Timestamp = alert["endsAt"].as_str().unwrap().parse().unwrap();
    let ahead = ends.duration_since(jiff::Timestamp::now()).as_secs_f64() / 3600.0;
    assert!((23.9..=24.1).contains(&ahead), "{ahead} hours");

    // As the person on call sees it.
    let shown = Command::new("amtool")
        .args(["--alertmanager.url", &alertmanager.base, "alert", "query"])
        .output()
        .expect("`amtool` comes with `prometheus-alertmanager`");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    println!("{shown}");
    assert!(
        shown.contains("RecantBadRelease") && shown.contains("headline of n-2"),
        "{shown}"
    );

    wait_until("people are told of it", || {
        statuses(&receiver) == ["firing"]
    })
    .await;
    send(&told("n-3", NoticeKind::Restored, 3, "checkout-v3-2")).await;
    assert_eq!(alertmanager.firing().await, [] as [Value; 0]);
    wait_until("and of its end", || {
        statuses(&receiver) == ["firing", "resolved"]
    })
    .await;
    let log = alertmanager.log();
    assert!(!log.contains("level=error"), "{log}");
}

async fn wait_until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed().as_secs() < 20, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn alerts_go_to_the_api_with_their_token() {
    let receiver = Receiver::start([Reply::status(404, "hunter2")]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path.display().to_string())
    };
    let channel = Channel {
        name: "alerts".into(),
        kind: ChannelKind::Alertmanager {
            labels: BTreeMap::new(),
            bearer: Some(file("token", "s3cret-token\n")),
        },
        url: file("address", &format!("{}/{SECRET}/", receiver.base)),
    };
    let client = HttpClient::new().unwrap();
    let sender = notifier(&channel, &client, &Secrets::local(), &Templates::shipped());
    let notice = told("n-1", NoticeKind::RollingBack, 1, "a");
    let error = sender.send(&notice, Attempt::First).await.expect_err("404");
    let text = format!("{} {error:?} {sender:?}", error.in_full());
    assert!(
        text.contains("is this the address of an Alertmanager"),
        "{text}"
    );
    assert!(
        !text.contains("hunter2") && !text.contains("s3cret"),
        "{text}"
    );
    sender.send(&notice, Attempt::First).await.unwrap();
    let request = receiver.requests().pop().unwrap();
    assert_eq!(request.path, format!("/{SECRET}/api/v2/alerts"));
    assert_eq!(request.header("authorization"), "Bearer s3cret-token");
    assert_eq!(request.body[0]["labels"]["alertname"], "RecantBadRelease");
    // What only happened and is nothing to worry about raises no alert.
    let mut quiet = Notice::clone(&notice);
    (quiet.kind, quiet.severity) = (NoticeKind::Held, Severity::Info);
    sender.send(&quiet, Attempt::First).await.unwrap();
    assert_eq!(receiver.requests().len(), 2);
}
