//! The Redis source against a real server: lengths, wrong types, passwords, a server that stops, hangs and comes back.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use recant::secrets::Secrets;
use recant::source::redis::Redis;
use recant::source::{Query, Source as _};
use recant_core::observation::{Cause, Observation};
use recant_core::rule::{Level, Question, Redis as Asked, RedisKey, SecretRef, What};

use super::fixture::{clock, target, unavailable};

/// A real redis-server on loopback; ended when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        Self::start_on(port, arguments)
    }

    fn start_on(port: u16, arguments: &[&str]) -> Self {
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: run tests/testbed/build");
        let server = Self { child, port };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it listens");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn command(&self, words: &[&str]) {
        let done = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(words)
            .output()
            .expect("redis-cli is installed");
        assert!(done.status.success(), "{words:?}: {done:?}");
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .expect("there is kill");
        assert!(done.success());
    }

    fn query(&self, key: RedisKey, password: Option<SecretRef>) -> Query {
        Query {
            question: Question {
                what: What::Level(Level::Redis(Asked {
                    address: format!("127.0.0.1:{}", self.port),
                    database: 0,
                    key,
                    username: None,
                    password,
                })),
                label: None,
            },
            targets: vec![target("worker", Vec::new()), target("other", Vec::new())],
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}

fn source() -> Redis {
    Redis::with_timeout(Secrets::local(), clock(), Duration::from_secs(1))
}

fn list(key: &str) -> RedisKey {
    RedisKey::List(key.to_owned())
}

async fn ask(source: &Redis, query: Query) -> Observation {
    let mut answers = source.read(&[query]).await;
    let mut of_targets = answers.remove(0);
    assert_eq!(of_targets.len(), 2);
    assert_eq!(of_targets[0], of_targets[1], "one question, one answer");
    of_targets.remove(0)
}

#[track_caller]
/// As a text: lengths are whole numbers.
fn length(observation: &Observation) -> String {
    match observation {
        Observation::Levels(levels) => match levels.readings.as_slice() {
            [one] => one.value.to_string(),
            several => panic!("{several:?}"),
        },
        other => panic!("no value: {other:?}"),
    }
}

#[tokio::test]
async fn lists_and_streams_are_as_long_as_the_server_says() {
    let server = Server::start(&[]);
    server.command(&["rpush", "jobs", "a", "b", "c"]);
    server.command(&["xadd", "events", "*", "k", "v"]);
    server.command(&["set", "text", "no list"]);
    let source = source();
    let stream = RedisKey::Stream("events".to_owned());
    let queries = [
        list("jobs"),
        stream,
        list("empty"),
        list("text"),
        list("jobs"),
    ]
    .map(|key| server.query(key, None));
    let answers = source.read(&queries).await;
    let lengths = [0, 1, 2, 4].map(|index: usize| length(&answers[index][0]));
    assert_eq!(
        lengths,
        ["3", "1", "0", "3"],
        "an absent list is an empty one"
    );
    let (cause, reason) = unavailable(&answers[3][0]);
    assert_eq!(cause, Cause::Malformed);
    assert!(
        reason.contains("something else than a list at key `text`"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_server_that_stops_hangs_and_comes_back_is_followed() {
    let server = Server::start(&[]);
    let port = server.port;
    server.command(&["rpush", "jobs", "a"]);
    let source = source();
    assert_eq!(
        length(&ask(&source, server.query(list("jobs"), None)).await),
        "1"
    );

    server.signal("STOP");
    let begun = Instant::now();
    let hanging = ask(&source, server.query(list("jobs"), None)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        unavailable(&hanging).1.contains("did not answer"),
        "{hanging:?}"
    );
    server.signal("CONT");
    assert_eq!(
        length(&ask(&source, server.query(list("jobs"), None)).await),
        "1"
    );

    let query = server.query(list("jobs"), None);
    drop(server);
    let (cause, reason) = {
        let answer = ask(&source, query.clone()).await;
        let (cause, reason) = unavailable(&answer);
        (cause, reason.to_owned())
    };
    assert_eq!(cause, Cause::Down);
    assert!(
        reason.contains(&format!("Redis at `127.0.0.1:{port}`")),
        "{reason}"
    );
    assert!(reason.contains("connection refused"), "{reason}");

    let _again = Server::start_on(port, &[]);
    assert_eq!(length(&ask(&source, query).await), "0", "it lost its data");
}

#[tokio::test]
async fn passwords_come_by_reference_and_stay_out_of_errors() {
    let server = Server::start(&["--requirepass", "s3cret-word"]);
    let source = source();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |text: &str| {
        let path = folder.path().join(text);
        std::fs::write(&path, text).expect("it can be written");
        Some(SecretRef::File(path.display().to_string()))
    };
    let right = ask(&source, server.query(list("jobs"), file("s3cret-word"))).await;
    assert_eq!(length(&right), "0");
    let none = ask(&source, server.query(list("jobs"), None)).await;
    assert!(
        unavailable(&none).1.contains("give the rule a `password`"),
        "{none:?}"
    );
    let wrong = ask(&source, server.query(list("jobs"), file("wr0ng-word"))).await;
    let (_, reason) = unavailable(&wrong);
    assert!(
        reason.contains("refused the user name or password"),
        "{reason}"
    );
    assert!(
        !reason.contains("wr0ng-word") && !reason.contains("s3cret-word"),
        "{reason}"
    );
    let lost = Some(SecretRef::File("/nonexistent/password".to_owned()));
    let lost = ask(&source, server.query(list("jobs"), lost)).await;
    assert!(
        unavailable(&lost).1.contains("its password cannot be had"),
        "{lost:?}"
    );
}
