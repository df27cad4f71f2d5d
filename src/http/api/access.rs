//! Who is heard at the API port: by a token, by a token that Kubernetes reviews, or by a certificate; and what each may do.
//!
//! Tokens are compared without a clock telling how much of one was right. What was looked for in vain is refused with what
//! to send; what is known and may not do this, with who it is and what it may do.

mod guard;
mod rates;
mod reviews;
mod roster;

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recant_core::access::{KubernetesUser, Scope, Scopes};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::problem::Problem;
use super::token::Token;
use crate::http::peer::Peer;

pub(super) use guard::{Busy, Guard, OverLimit, guard};
pub use rates::Rates;
pub use reviews::{Reviewed, Reviewer, Reviews};
pub use roster::{Load, Roster};

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 16 << 10;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// As the settings call it: one of few, and no secret.
    pub(super) name: Arc<str>,
    pub(super) scopes: Scopes,
    /// Who that is, where others say so: the user of Kubernetes, or the names of a certificate.
    pub(super) identity: Option<Arc<str>>,
}

/// Who may do what. Clones share everything.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// May read.
    pub read: Option<Arc<Token>>,
    /// May read and report.
    pub hook: Option<Arc<Token>>,
    /// Everybody else who is known.
    pub roster: Option<Arc<Roster>>,
    /// Kubernetes says whose a token is.
    pub reviews: Option<Arc<Reviews>>,
    /// How much of each is taken.
    pub rates: Arc<Rates>,
}

/// A caller that is called by Recant itself.
fn own(name: &str, scopes: Scopes) -> Caller {
    Caller {
        name: name.into(),
        scopes,
        identity: None,
    }
}

impl Access {
    /// What somebody may do of whom nothing is known: everything where nothing guards the port, which has a loopback
    /// address then.
    fn of_anybody(&self) -> Scopes {
        match (&self.read, &self.hook, &self.roster) {
            (None, None, None) => Scopes::all(),
            // A token for reports alone leaves reading open.
            (None, Some(_), None) => [Scope::Read].into_iter().collect(),
            (Some(_), _, _) | (_, _, Some(_)) => Scopes::default(),
        }
    }

    /// Who sends this.
    async fn identify(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Caller, Problem> {
        if let Some(given) = given(headers) {
            return self.by_token(given, peer).await;
        }
        if headers.contains_key(header::AUTHORIZATION) && self.of_anybody().is_empty() {
            return Err(self.refuse("`Authorization` holds neither a bearer token nor a password"));
        }
        let certificate = peer.and_then(|peer| peer.certificate.as_ref());
        if let (Some(names), Some(roster)) = (certificate, &self.roster) {
            return roster.of_certificate(names).ok_or_else(|| {
                let detail = format!(
                    "the certificate is good, and nobody in `api.callers` is known by its names: {names}"
                );
                Problem::new(StatusCode::FORBIDDEN, detail)
            });
        }
        let scopes = self.of_anybody();
        if scopes.is_empty() {
            return Err(self.refuse("a token is missing"));
        }
        Ok(own("anonymous", scopes))
    }

    async fn by_token(&self, given: String, peer: Option<&Peer>) -> Result<Caller, Problem> {
        if given.len() > LONGEST {
            return Err(self.refuse("the token is longer than any that is known"));
        }
        // All are compared, whichever is right.
        let is = |token: &Option<Arc<Token>>| {
            let current = token.as_ref().map(|token| token.current());
            current.is_some_and(|current| same(given.as_bytes(), current.as_bytes()))
        };
        let (reads, hooks) = (is(&self.read), is(&self.hook));
        let listed = self.roster.as_ref();
        let listed = listed.and_then(|roster| roster.of_token(given.as_bytes()));
        if hooks {
            let scopes = [Scope::Read, Scope::Hooks].into_iter().collect();
            return Ok(own("hookToken", scopes));
        }
        if reads {
            return Ok(own("readToken", [Scope::Read].into_iter().collect()));
        }
        if let Some(caller) = listed {
            return Ok(caller);
        }
        if let (Some(reviews), Some(roster)) = (&self.reviews, &self.roster)
            && reviews::may_be_of_kubernetes(&given)
        {
            let asks = || {
                let address = peer.map(|peer| peer.address);
                self.rates.may_fail(address)
            };
            return match reviews.review(SecretString::from(given), asks).await? {
                Reviewed::User(user) => of_user(roster, &user),
                Reviewed::Nobody(why) => {
                    Err(self.refuse(&format!("Kubernetes does not take the token: {why}")))
                }
            };
        }
        // Where nothing guards the port, a token is not asked for, and none is wrong.
        let scopes = self.of_anybody();
        if scopes == Scopes::all() {
            return Ok(own("anonymous", scopes));
        }
        Err(self.refuse("the token is none that is known"))
    }

    /// What to send instead.
    fn refuse(&self, why: &str) -> Problem {
        let mut known = Vec::new();
        if self.read.is_some() {
            known.push("that of `api.readToken`");
        }
        if self.hook.is_some() {
            known.push("that of `api.hookToken`");
        }
        if self.roster.is_some() {
            known.push("that of a caller in `api.callers`");
        }
        if self.reviews.is_some() {
            known.push("one of Kubernetes with the audience `recant`");
        }
        let detail = format!(
            "{why}: send `Authorization: Bearer` with {}, or it as the password of a URL (`http://recant:TOKEN@host`)",
            known.join(", or ")
        );
        Problem::new(StatusCode::UNAUTHORIZED, detail)
    }
}

fn of_user(roster: &Roster, user: &KubernetesUser) -> Result<Caller, Problem> {
    roster.of_user(user).ok_or_else(|| {
        let detail = format!(
            "the token is one of `{}`, and neither that user nor one of its groups is in `api.callers`",
            recant_core::wording::short(&user.name, 200)
        );
        Problem::new(StatusCode::FORBIDDEN, detail)
    })
}

/// The bearer token, or the password of basic authentication: a URL is all that some callers can be told (Flagger's
/// webhooks, Argo's `kayenta` provider).
fn given(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        let (_, password) = text.split_once(':')?;
        return Some(password.to_owned());
    }
    None
}

/// Whether both are the same, in a time that depends on neither.
pub(super) fn same(given: &[u8], wanted: &[u8]) -> bool {
    let digest = |bytes| Sha256::digest(bytes);
    digest(given)
        .as_slice()
        .ct_eq(digest(wanted).as_slice())
        .into()
}

#[cfg(test)]
mod tests;
