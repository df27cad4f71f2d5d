//! Tokens that Kubernetes reviews: whose they are, remembered for a short time by their hash, so that the API server is not
//! asked for each request. While it cannot be asked, what is remembered holds, and everybody else is told to come again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indexmap::IndexMap;
use jiff::Timestamp;
use recant_core::access::KubernetesUser;
use recant_core::wording::short;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::Problem;

/// How long the user of a token is believed. A token that is withdrawn opens nothing after this long.
const KNOWN_FOR: Duration = Duration::from_mins(1);
/// How long a token is believed to be nobody's.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);
/// Tokens that are remembered.
const MOST: usize = 1024;
/// Questions to the API server at once; more are turned away.
const AT_ONCE: usize = 8;
/// For one question.
const DEADLINE: Duration = Duration::from_secs(5);

/// What Kubernetes says of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reviewed {
    /// It is good for Recant.
    User(KubernetesUser),
    /// It is not, with why.
    Nobody(String),
}

/// Asks Kubernetes.
#[async_trait]
pub trait Reviewer: Send + Sync + std::fmt::Debug {
    /// Whose the token is, for the audience `recant`.
    ///
    /// # Errors
    /// Why it could not be asked.
    async fn review(&self, token: &SecretString) -> Result<Reviewed, String>;
}

/// What was asked lately.
#[derive(Debug)]
pub struct Reviews {
    reviewer: Box<dyn Reviewer>,
    /// By the hash of the token, oldest first.
    known: Mutex<IndexMap<[u8; 32], Remembered>>,
    asking: Semaphore,
}

#[derive(Debug, Clone)]
struct Remembered {
    reviewed: Reviewed,
    until: Instant,
}

/// Whether it has the form of a JSON Web Token: no other is shown to the API server.
pub(super) fn may_be_of_kubernetes(token: &str) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    let fine = |part: &&str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    parts.len() == 3 && parts.iter().all(fine)
}

impl Reviews {
    /// By this reviewer.
    pub fn new(reviewer: impl Reviewer + 'static) -> Self {
        Self {
            reviewer: Box::new(reviewer),
            known: Mutex::default(),
            asking: Semaphore::new(AT_ONCE),
        }
    }

    /// Whose the token is. `may_ask` says whether the API server may be asked for this caller now.
    pub(super) async fn review(
        &self,
        token: SecretString,
        may_ask: impl Fn() -> bool,
    ) -> Result<Reviewed, Problem> {
        let key: [u8; 32] = Sha256::digest(token.expose_secret().as_bytes()).into();
        if let Some(reviewed) = self.remembered(&key) {
            return Ok(reviewed);
        }
        if !may_ask() {
            let detail = "too many tokens that are not known: try again in some seconds";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
        }
        let unavailable = |why: &str| {
            let why = short(why, 300);
            Problem::unavailable(format!(
                "the API server cannot be asked whose the token is: {why}; try again"
            ))
        };
        let Ok(_permit) = self.asking.try_acquire() else {
            return Err(unavailable("too many questions are under way"));
        };
        let asked = timeout(DEADLINE, self.reviewer.review(&token)).await;
        let reviewed = asked
            .unwrap_or_else(|_| Err(format!("no answer within {} s", DEADLINE.as_secs())))
            .map_err(|why| unavailable(&why))?;
        let span = match &reviewed {
            Reviewed::User(_) => {
                left(token.expose_secret()).map_or(KNOWN_FOR, |left| left.min(KNOWN_FOR))
            }
            Reviewed::Nobody(_) => UNKNOWN_FOR,
        };
        self.remember(key, reviewed.clone(), Instant::now() + span);
        Ok(reviewed)
    }

    fn known(&self) -> MutexGuard<'_, IndexMap<[u8; 32], Remembered>> {
        // Nothing in these can panic half way.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, key: &[u8; 32]) -> Option<Reviewed> {
        let known = self.known();
        let found = known.get(key)?;
        (found.until > Instant::now()).then(|| found.reviewed.clone())
    }

    fn remember(&self, key: [u8; 32], reviewed: Reviewed, until: Instant) {
        let mut known = self.known();
        known.shift_remove(&key);
        if known.len() >= MOST {
            let now = Instant::now();
            known.retain(|_, remembered| remembered.until > now);
        }
        if known.len() >= MOST {
            // Strangers go first: they must not push out who is known.
            let nobody = known
                .values()
                .position(|remembered| matches!(remembered.reviewed, Reviewed::Nobody(_)));
            known.shift_remove_index(nobody.unwrap_or(0));
        }
        known.insert(key, Remembered { reviewed, until });
    }
}

/// How long a token lasts that was found good, by its own claim. `None`: it does not say.
fn left(token: &str) -> Option<Duration> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    let ends = Timestamp::from_second(claims["exp"].as_i64()?).ok()?;
    let left = ends.duration_since(Timestamp::now());
    Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Kubernetes(Arc<(AtomicUsize, AtomicBool)>);

    #[async_trait]
    impl Reviewer for Kubernetes {
        async fn review(&self, token: &SecretString) -> Result<Reviewed, String> {
            self.0.0.fetch_add(1, Ordering::Relaxed);
            if self.0.1.load(Ordering::Relaxed) {
                return std::future::pending().await;
            }
            if token.expose_secret().starts_with("good") {
                let user = KubernetesUser {
                    name: "ci".to_owned(),
                    groups: Vec::new(),
                };
                return Ok(Reviewed::User(user));
            }
            Ok(Reviewed::Nobody("it is none".to_owned()))
        }
    }

    async fn ask(reviews: &Reviews, token: &str) -> String {
        match reviews.review(SecretString::from(token), || true).await {
            Ok(Reviewed::User(user)) => user.name,
            Ok(Reviewed::Nobody(why)) => why,
            Err(problem) => problem.status.as_u16().to_string(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_is_remembered_for_a_while_and_longer_than_an_outage() {
        let kubernetes = Kubernetes::default();
        let reviews = Reviews::new(kubernetes.clone());
        let asked = || kubernetes.0.0.load(Ordering::Relaxed);
        for _ in 0..3 {
            assert_eq!(ask(&reviews, "good.a.b").await, "ci");
            assert_eq!(ask(&reviews, "bad.a.b").await, "it is none");
        }
        assert_eq!(asked(), 2);
        kubernetes.0.1.store(true, Ordering::Relaxed);
        tokio::time::advance(Duration::from_secs(KNOWN_FOR.as_secs() - 1)).await;
        assert_eq!(ask(&reviews, "good.a.b").await, "ci");
        assert_eq!(ask(&reviews, "good.other.b").await, "503");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(
            ask(&reviews, "good.a.b").await,
            "503",
            "it does not hold for ever"
        );
        kubernetes.0.1.store(false, Ordering::Relaxed);
        assert_eq!(ask(&reviews, "good.a.b").await, "ci");
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_are_bounded_and_push_nobody_out() {
        let kubernetes = Kubernetes::default();
        let reviews = Reviews::new(kubernetes.clone());
        assert_eq!(ask(&reviews, "good.a.b").await, "ci");
        for number in 0..3 * MOST {
            assert_eq!(
                ask(&reviews, &format!("bad.{number}.b")).await,
                "it is none"
            );
        }
        assert_eq!(reviews.known().len(), MOST);
        kubernetes.0.1.store(true, Ordering::Relaxed);
        assert_eq!(ask(&reviews, "good.a.b").await, "ci");
        let denied = reviews
            .review(SecretString::from("bad.x.y"), || false)
            .await;
        let denied = denied.expect_err("it must not be asked");
        assert_eq!(denied.status, StatusCode::TOO_MANY_REQUESTS);
    }

    #[test]
    fn a_token_is_believed_no_longer_than_it_lasts() {
        let token = |claims: &str| format!("a.{}.c", URL_SAFE_NO_PAD.encode(claims));
        let soon = Timestamp::now().as_second() + 20;
        let soon = left(&token(&format!("{{\"exp\": {soon}}}"))).expect("it says so");
        assert!((18..=20).contains(&soon.as_secs()), "{soon:?}");
        assert_eq!(left(&token("{\"exp\": 7}")), Some(Duration::ZERO));
        for silent in [
            "a.b.c",
            "",
            &token("{}"),
            &token("{\"exp\": \"x\"}"),
            &token("7"),
        ] {
            assert_eq!(left(silent), None, "{silent}");
        }
        for (token, may) in [
            ("a.b.c", true),
            ("a.b", false),
            ("a..c", false),
            ("a.b.c.d", false),
            ("a b.c.d", false),
        ] {
            assert_eq!(may_be_of_kubernetes(token), may, "{token}");
        }
    }
}
