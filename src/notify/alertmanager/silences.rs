//! The silences of an Alertmanager, API v2: `GET /api/v2/silences`.
//!
//! Everything in the answer is from outside: its size, its number and the length of each text are bounded, and a silence
//! that is too large is left out with a word in the log.

use jiff::Timestamp;
use recant_core::rule::SecretRef;
use recant_core::silence::{LabelMatcher, MOST_SILENCES, Silence};
use recant_core::wording::short;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::authorization;
use crate::notify::NotifyError;
use crate::notify::client::HttpClient;
use crate::secrets::{Secrets, place};

/// An Alertmanager keeps silences that are over for five days.
const MOST_BYTES: usize = 4 << 20;
const MOST_MATCHERS: usize = 20;
/// Bytes of a name, a value, an id.
const LONGEST: usize = 500;
/// Characters of what people wrote.
const LONGEST_TEXT: usize = 200;

/// One Alertmanager that is asked.
#[derive(Debug)]
pub struct Asked {
    client: HttpClient,
    secrets: Secrets,
    address: SecretRef,
    bearer: Option<SecretRef>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    id: String,
    status: Status,
    matchers: Vec<Matcher>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    comment: String,
}

#[derive(Debug, Deserialize)]
struct Status {
    /// `active`, `pending` or `expired`.
    state: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Matcher {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    /// Absent before Alertmanager 0.22: it was always meant.
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

impl Asked {
    /// Address and token are read anew for every question.
    pub fn new(
        client: HttpClient,
        secrets: Secrets,
        address: SecretRef,
        bearer: Option<SecretRef>,
    ) -> Self {
        Self {
            client,
            secrets,
            address,
            bearer,
        }
    }

    /// The silences that are in force, or will be, and may concern a target.
    ///
    /// # Errors
    /// It cannot be reached in time, or its answer cannot be used. Nothing is known then.
    pub async fn silences(&self) -> Result<Vec<Silence>, NotifyError> {
        let base = self.secrets.resolve(&self.address).await?;
        let header = authorization(&self.secrets, self.bearer.as_ref()).await?;
        let from = place(&self.address);
        let address = silences_of(&base);
        let answer = self.client.get(&address, &from, header, MOST_BYTES).await?;
        let host = answer.host.clone();
        let answer = answer.into_success(|_| "is this the address of an Alertmanager with API v2, such as `http://alertmanager:9093`?".to_owned())?;
        let unusable = |reason: String| NotifyError::NoAnswer {
            host: host.clone(),
            reason,
        };
        let body = answer.body.map_err(&unusable)?;
        read(&body).map_err(unusable)
    }
}

/// The silences in an answer; why there are none that can be used, else.
fn read(body: &str) -> Result<Vec<Silence>, String> {
    if body.len() >= MOST_BYTES {
        return Err(format!(
            "it has more than {} MiB of silences",
            MOST_BYTES >> 20
        ));
    }
    let all: Vec<Told> = serde_json::from_str(body).map_err(|error| {
        let error = short(&error.to_string(), LONGEST_TEXT);
        format!("its answer is no list of silences: {error}")
    })?;
    let mut silences: Vec<Silence> = all
        .into_iter()
        .filter(|told| told.status.state != "expired")
        .filter_map(silence)
        .filter(Silence::may_concern_us)
        .collect();
    if silences.len() > MOST_SILENCES {
        tracing::warn!(
            "an Alertmanager has more than {MOST_SILENCES} silences that may concern a target: those that end last are taken"
        );
        silences.sort_by_key(|silence| std::cmp::Reverse(silence.ends));
        silences.truncate(MOST_SILENCES);
    }
    Ok(silences)
}

fn silence(told: Told) -> Option<Silence> {
    let Told {
        id,
        status: _,
        matchers,
        starts_at,
        ends_at,
        created_by,
        comment,
    } = told;
    let fits = |matcher: &Matcher| matcher.name.len() <= LONGEST && matcher.value.len() <= LONGEST;
    if id.len() > LONGEST || matchers.len() > MOST_MATCHERS || !matchers.iter().all(fits) {
        tracing::warn!(
            "the silence `{}` is too large and silences nothing here: at most {MOST_MATCHERS} matchers of {LONGEST} bytes",
            short(&id, 40)
        );
        return None;
    }
    Some(Silence {
        id,
        matchers: matchers
            .into_iter()
            .map(|matcher| LabelMatcher {
                name: matcher.name,
                value: matcher.value,
                is_regex: matcher.is_regex,
                is_equal: matcher.is_equal,
            })
            .collect(),
        starts: starts_at,
        ends: ends_at,
        by: one_line(&created_by),
        comment: one_line(&comment),
    })
}

fn one_line(text: &str) -> String {
    short(&crate::notify::text::one_line(text), LONGEST_TEXT)
}

/// The address of the silences, whether or not what is configured names that of the alerts.
fn silences_of(base: &SecretString) -> SecretString {
    let base = base.expose_secret().trim_end_matches('/');
    let base = base.strip_suffix("/api/v2/alerts").unwrap_or(base);
    SecretString::from(format!("{base}/api/v2/silences"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str, state: &str, matchers: &str) -> String {
        format!(
            r#"{{"id": "{id}", "status": {{"state": "{state}"}}, "matchers": [{matchers}], "startsAt": "2026-01-01T00:00:00.000Z", "endsAt": "2026-01-01T01:00:00.000Z", "createdBy": "alice", "comment": "a\nb", "updatedAt": "2026-01-01T00:00:00.000Z", "more": 1}}"#
        )
    }

    const SHOP: &str =
        r#"{"name": "namespace", "value": "shop", "isRegex": false, "isEqual": true}"#;

    #[test]
    fn those_that_are_in_force_and_may_concern_a_target_are_taken() {
        let body = [
            told("a", "active", SHOP),
            told("b", "expired", SHOP),
            told(
                "c",
                "pending",
                r#"{"name": "namespace", "value": "sh.+", "isRegex": true}"#,
            ),
            told("d", "active", r#"{"name": "instance", "value": "db-1"}"#),
            told(
                "e",
                "active",
                &format!(r#"{{"name": "namespace", "value": "{}"}}"#, "x".repeat(600)),
            ),
            told("f", "active", &vec![SHOP; 21].join(",")),
        ];
        let silences = read(&format!("[{}]", body.join(","))).expect("a list");
        let ids: Vec<&str> = silences.iter().map(|silence| silence.id.as_str()).collect();
        assert_eq!(ids, ["a", "c"]);
        assert_eq!(
            (silences[0].by.as_str(), silences[0].comment.as_str()),
            ("alice", "a b")
        );
        assert!(silences[1].matchers[0].is_regex && silences[1].matchers[0].is_equal);
    }

    #[test]
    fn what_is_no_list_of_silences_says_so_and_many_are_bounded() {
        for body in ["", "null", "{}", "[1]", "<html>", &"[".repeat(1_000)] {
            let error = read(body).expect_err("it is none");
            assert!(
                error.starts_with("its answer is no list of silences"),
                "{error}"
            );
        }
        let many: Vec<String> = (0..300)
            .map(|n| told(&n.to_string(), "active", SHOP))
            .collect();
        let silences = read(&format!("[{}]", many.join(","))).expect("a list");
        assert_eq!(silences.len(), MOST_SILENCES);
    }
}
