//! The source that asks Redis how long its lists and streams are.
//!
//! Servers are asked side by side, each over one kept connection and with all its questions in one pipeline, so that a
//! server that hangs delays no other. A list that is empty does not exist in Redis: an absent key is a length of 0.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, RedisResult};
use secrecy::ExposeSecret as _;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use recant_core::observation::{Cause, Observation};
use recant_core::rule::{Level, Question, Redis as RedisQuestion, RedisKey, SecretRef, What};

use super::http::Fault;
use super::{Query, Source};
use crate::clock::Clock;
use crate::secrets::Secrets;

mod answer;

use answer::{fault_of, observation, unavailable};

/// By when all answers of one look are here.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks any number of Redis servers.
pub struct Redis {
    secrets: Secrets,
    clock: Clock,
    timeout: Duration,
    connections: Mutex<BTreeMap<Server, Arc<Mutex<Option<MultiplexedConnection>>>>>,
}

/// One server, as somebody in particular.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Server {
    address: String,
    database: u8,
    username: Option<String>,
    password: Option<SecretRef>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// A source without connections yet.
    pub fn new(secrets: Secrets, clock: Clock) -> Self {
        Self::with_timeout(secrets, clock, TIMEOUT)
    }

    /// The same with another deadline for each look.
    pub fn with_timeout(secrets: Secrets, clock: Clock, timeout: Duration) -> Self {
        Self {
            secrets,
            clock,
            timeout,
            connections: Mutex::default(),
        }
    }

    /// The lengths of some keys of one server.
    async fn lengths(&self, server: &Server, keys: &[&RedisKey], by: Instant) -> Vec<Observation> {
        let slot = {
            let mut all = self.connections.lock().await;
            Arc::clone(all.entry(server.clone()).or_default())
        };
        let mut connection = slot.lock().await;
        let asked = timeout_at(by, self.ask(server, &mut connection, keys)).await;
        let asked = asked.unwrap_or_else(|_| {
            Err(Fault::down(format!(
                "did not answer within {:?}",
                self.timeout
            )))
        });
        match asked {
            Ok(answers) => {
                let at = (self.clock)();
                keys.iter()
                    .zip(answers)
                    .map(|(key, answer)| observation(server, key, answer, at))
                    .collect()
            }
            Err(fault) => {
                // What was asked may still be answered on it: the next look must not take that for its own answer.
                *connection = None;
                let observation = unavailable(server, &fault);
                keys.iter().map(|_| observation.clone()).collect()
            }
        }
    }

    async fn ask(
        &self,
        server: &Server,
        connection: &mut Option<MultiplexedConnection>,
        keys: &[&RedisKey],
    ) -> Result<Vec<RedisResult<u64>>, Fault> {
        if let Some(kept) = connection {
            match lengths(kept, keys).await {
                // It was closed since the last look, as an idle one may be: that says nothing about the server now.
                Err(error) if error.is_connection_dropped() || error.is_io_error() => {}
                answered => return answered.map_err(|error| fault_of(&error)),
            }
        }
        let fresh = connection.insert(self.connect(server).await?);
        lengths(fresh, keys).await.map_err(|error| fault_of(&error))
    }

    async fn connect(&self, server: &Server) -> Result<MultiplexedConnection, Fault> {
        let Server {
            address,
            database,
            username,
            password,
        } = server;
        let (host, port) = address
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse().ok()?)))
            .ok_or_else(|| Fault::down("has no address of the form `host:port`"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut settings = redis::RedisConnectionInfo::default()
            .set_db(i64::from(*database))
            .set_skip_set_lib_name();
        if let Some(username) = username {
            settings = settings.set_username(username);
        }
        if let Some(password) = password {
            let secret = self.secrets.resolve(password).await.map_err(|error| {
                Fault::down(format!(
                    "was not asked: its password cannot be had: {error}"
                ))
            })?;
            settings = settings.set_password(secret.expose_secret());
        }
        let info = ConnectionAddr::Tcp(host.to_owned(), port)
            .into_connection_info()
            .map_err(|error| fault_of(&error))?
            .set_redis_settings(settings);
        let client = Client::open(info).map_err(|error| fault_of(&error))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| fault_of(&error))
    }
}

#[async_trait]
impl Source for Redis {
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
        let by = Instant::now() + self.timeout;
        let mut servers: BTreeMap<Server, Vec<(usize, &RedisKey)>> = BTreeMap::new();
        let mut answers: Vec<Option<Observation>> = Vec::with_capacity(queries.len());
        for (index, query) in queries.iter().enumerate() {
            answers.push(None);
            if let Some(asked) = asked(&query.question) {
                let server = Server {
                    address: asked.address.clone(),
                    database: asked.database,
                    username: asked.username.clone(),
                    password: asked.password.clone(),
                };
                servers.entry(server).or_default().push((index, &asked.key));
            }
        }
        let rounds = servers.iter().map(|(server, questions)| async move {
            let keys: Vec<&RedisKey> = questions.iter().map(|(_, key)| *key).collect();
            (questions, self.lengths(server, &keys, by).await)
        });
        for (questions, observations) in join_all(rounds).await {
            for ((index, _), observation) in questions.iter().zip(observations) {
                if let Some(slot) = answers.get_mut(*index) {
                    *slot = Some(observation);
                }
            }
        }
        queries
            .iter()
            .zip(answers)
            .map(|(query, answer)| {
                let answer = answer.unwrap_or_else(|| Observation::Unavailable {
                    cause: Cause::Malformed,
                    reason: "Redis cannot answer this question".to_owned(),
                });
                vec![answer; query.targets.len()]
            })
            .collect()
    }
}

fn asked(question: &Question) -> Option<&RedisQuestion> {
    match &question.what {
        What::Level(Level::Redis(redis)) => Some(redis),
        What::Level(
            Level::Gauge(_)
            | Level::Promql(_)
            | Level::Kubernetes(_)
            | Level::HttpJson(_)
            | Level::Alert(_),
        )
        | What::Ratio { .. }
        | What::Histogram { .. } => None,
    }
}

async fn lengths(
    connection: &mut MultiplexedConnection,
    keys: &[&RedisKey],
) -> RedisResult<Vec<RedisResult<u64>>> {
    let mut pipeline = redis::Pipeline::with_capacity(keys.len());
    // A key of another type is that question's fault alone.
    pipeline.ignore_errors();
    for key in keys {
        match key {
            RedisKey::List(key) => pipeline.cmd("LLEN").arg(key),
            RedisKey::Stream(key) => pipeline.cmd("XLEN").arg(key),
        };
    }
    pipeline.query_async(connection).await
}
