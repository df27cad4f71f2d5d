//! A real Redis on a free loopback port, as Debian packages it, with nothing written to disk.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;

use crate::bed::{Bed, Process};
use crate::wait::wait_for;

/// A Redis; dropping it kills it.
pub(crate) struct Redis {
    bed: &'static Bed,
    port: u16,
    password: Option<String>,
    process: Option<Process>,
}

impl Redis {
    /// Starts an empty one, and waits until it answers. With a password nobody gets in without it.
    pub(crate) async fn start(bed: &'static Bed, password: Option<&str>) -> Self {
        let mut redis = Self {
            bed,
            port: bed.free_port(),
            password: password.map(str::to_owned),
            process: None,
        };
        redis.start_again().await;
        redis
    }

    /// Its address, without the password; the same when it is started again.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection of the test's own, for what a worker or a person would do.
    pub(crate) async fn connect(&self) -> MultiplexedConnection {
        self.try_connect()
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Puts so many entries into a list, as producers would.
    pub(crate) async fn push(&self, list: &str, entries: usize) {
        let values: Vec<String> = (0..entries).map(|number| number.to_string()).collect();
        let pushed = self.connect().await.rpush::<_, _, ()>(list, values).await;
        pushed.expect("a list takes entries");
    }

    /// Waits until others have asked so many times more how long a list is.
    pub(crate) async fn wait_asked(&self, times: u64, within: Duration) {
        let before = self.asked().await;
        wait_for("the list to be asked about", within, || async {
            let since = self.asked().await - before;
            (since >= times).then_some(()).ok_or(since.to_string())
        })
        .await;
    }

    /// How often it was asked for the length of a list.
    async fn asked(&self) -> u64 {
        let mut connection = self.connect().await;
        let mut info = redis::cmd("INFO");
        let said: redis::RedisResult<String> =
            info.arg("commandstats").query_async(&mut connection).await;
        let said = said.expect("it tells its statistics");
        let calls = said
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_llen:calls="))
            .and_then(|rest| rest.split(',').next());
        calls.map_or(0, |calls| calls.parse().expect("a number"))
    }

    /// Kills it; what it held is gone.
    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it after a stop, empty, and waits until it answers.
    pub(crate) async fn start_again(&mut self) {
        let (port, folder) = (self.port.to_string(), self.bed.folder("redis"));
        let mut arguments = vec!["--bind", "127.0.0.1", "--port", &port];
        arguments.extend(["--save", "", "--appendonly", "no", "--dir"]);
        arguments.push(folder.to_str().expect("the bed's folder is UTF-8"));
        if let Some(password) = &self.password {
            arguments.extend(["--requirepass", password]);
        }
        let program = packaged("redis-server");
        let name = format!("redis-{port}");
        let process = RefCell::new(self.bed.process(&name, &program, &arguments, &[]));
        wait_for("Redis to answer", Duration::from_secs(15), || {
            process
                .borrow_mut()
                .check()
                .unwrap_or_else(|end| panic!("{end}"));
            async { self.try_connect().await.map(drop) }
        })
        .await;
        self.process = Some(process.into_inner());
    }

    async fn try_connect(&self) -> Result<MultiplexedConnection, String> {
        let access = match &self.password {
            Some(password) => format!(":{password}@"),
            None => String::new(),
        };
        let client = redis::Client::open(format!("redis://{access}127.0.0.1:{}", self.port));
        let client = client.map_err(|error| error.to_string())?;
        let connected = client.get_multiplexed_async_connection().await;
        connected.map_err(|error| error.to_string())
    }
}

/// The path of a program that the system's packages bring.
pub(crate) fn packaged(program: &str) -> PathBuf {
    let found = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin"]
        .into_iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!(
            "`{program}` is not installed. These tests run against real servers: \
             `tests/testbed/build` installs it (as root) or says which packages to install"
        )
    })
}
