//! What a Redis server answered, as an observation.

use jiff::Timestamp;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};

use recant_core::observation::{LevelReading, Levels, Observation, SeriesKey};
use recant_core::rule::RedisKey;

use super::Server;
use crate::source::http::{Fault, excerpt};

/// What the length of a key is, or why that is not known.
pub(super) fn observation(
    server: &Server,
    key: &RedisKey,
    answer: RedisResult<u64>,
    at: Timestamp,
) -> Observation {
    match answer {
        Ok(length) => Observation::Levels(Levels {
            readings: vec![LevelReading {
                key: SeriesKey::Whole,
                at,
                value: length as f64,
            }],
            unusable: Vec::new(),
        }),
        Err(error) if error.code() == Some("WRONGTYPE") => {
            let (key, kind) = match key {
                RedisKey::List(key) => (key, "list"),
                RedisKey::Stream(key) => (key, "stream"),
            };
            unavailable(
                server,
                &Fault::malformed(format!(
                    "has something else than a {kind} at key `{}`: mend the key, or say `list` or `stream` as it is",
                    excerpt(key)
                )),
            )
        }
        Err(error) => unavailable(server, &fault_of(&error)),
    }
}

/// Nothing can be said of this server now.
pub(super) fn unavailable(server: &Server, fault: &Fault) -> Observation {
    Observation::Unavailable {
        cause: fault.cause,
        reason: format!("Redis at `{}` {}", server.address, fault.reason),
    }
}

/// What an error means. What the server says is shown; it does not repeat passwords.
pub(super) fn fault_of(error: &RedisError) -> Fault {
    let said = || excerpt(error.detail().unwrap_or_default());
    match error.kind() {
        ErrorKind::AuthenticationFailed => Fault::down(format!(
            "refused the user name or password: {}. Check what the rule's `username` and `password` refer to",
            said()
        )),
        ErrorKind::Server(ServerErrorKind::NoPerm) => Fault::down(format!(
            "does not allow this: {}. The user needs LLEN and XLEN on the key",
            said()
        )),
        ErrorKind::Server(ServerErrorKind::BusyLoading) => Fault::down("is still loading its data"),
        _ if error.code() == Some("NOAUTH") => {
            Fault::down("asks for a password: give the rule a `password`")
        }
        _ if error.is_timeout() => Fault::down("did not answer in time"),
        _ if error.is_connection_refusal() => Fault::down("cannot be reached: connection refused"),
        _ if error.is_io_error() => Fault::down(format!(
            "cannot be reached: {}",
            excerpt(&error.to_string())
        )),
        _ => Fault::malformed(format!(
            "gave no usable answer: {}",
            excerpt(&error.to_string())
        )),
    }
}
