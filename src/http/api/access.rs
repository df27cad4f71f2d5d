//! Who may ask, and who may report: bearer tokens, compared without a clock telling how much of one was right.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::problem::Problem;
use super::token::Token;

/// What a path does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Reads verdicts.
    Read,
    /// Reports something that is taken into account.
    Hook,
}

/// Who may do what.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// `None`: whoever reaches the port may read; it listens on a loopback address then.
    pub read: Option<Arc<Token>>,
    /// `None`: without a token for reading, whoever reaches the port may report, too; with one, nobody may.
    pub hook: Option<Arc<Token>>,
}

impl Access {
    fn check(&self, headers: &HeaderMap, scope: Scope) -> Result<(), Problem> {
        let (tokens, name) = match (scope, &self.read, &self.hook) {
            (Scope::Read, None, _) | (Scope::Hook, None, None) => return Ok(()),
            (Scope::Read, Some(read), hook) => {
                // Who may report may read.
                (vec![Some(read), hook.as_ref()], "api.readToken")
            }
            (Scope::Hook, _, Some(hook)) => (vec![Some(hook)], "api.hookToken"),
            (Scope::Hook, Some(_), None) => {
                let detail = "reports are not taken: `api.hookToken` is not set in the settings";
                return Err(Problem::new(StatusCode::FORBIDDEN, detail));
            }
        };
        let Some(given) = given(headers) else {
            let detail = format!(
                "a token is missing: send `Authorization: Bearer` with that of `{name}`, or it as the password of a \
                 URL (`http://recant:TOKEN@host`)"
            );
            return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
        };
        // All are compared, whichever is right.
        let right = tokens.into_iter().flatten().fold(false, |right, token| {
            right | same(given.as_bytes(), token.current().as_bytes())
        });
        if right {
            return Ok(());
        }
        let detail = format!("the token is not that of `{name}`");
        Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
    }
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

pub(super) async fn may_read(
    State(access): State<Access>,
    request: Request,
    next: Next,
) -> Response {
    guard(&access, Scope::Read, request, next).await
}

pub(super) async fn may_report(
    State(access): State<Access>,
    request: Request,
    next: Next,
) -> Response {
    guard(&access, Scope::Hook, request, next).await
}

async fn guard(access: &Access, scope: Scope, request: Request, next: Next) -> Response {
    match access.check(request.headers(), scope) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn token(text: &str) -> Arc<Token> {
        Arc::new(Token::fixed(SecretString::from(text)))
    }

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !value.is_empty() {
            let value = value.parse().expect("a header's value");
            headers.insert(header::AUTHORIZATION, value);
        }
        headers
    }

    #[test]
    fn each_scope_has_its_token() {
        let open = Access::default();
        let both = Access {
            read: Some(token("reads")),
            hook: Some(token("reports")),
        };
        let closed = Access {
            read: Some(token("reads")),
            hook: None,
        };
        let basic = format!("Basic {}", STANDARD.encode("recant:reads"));
        let cases = [
            (&open, Scope::Read, "", 200),
            (&open, Scope::Hook, "", 200),
            (&both, Scope::Read, "", 401),
            (&both, Scope::Read, "Bearer reads", 200),
            (&both, Scope::Read, "bearer reads", 200),
            (&both, Scope::Read, &basic, 200),
            (&both, Scope::Read, "Bearer reports", 200),
            (&both, Scope::Read, "Bearer read", 401),
            (&both, Scope::Read, "Bearer ", 401),
            (&both, Scope::Read, "Digest reads", 401),
            (&both, Scope::Hook, "Bearer reads", 401),
            (&both, Scope::Hook, "Bearer reports", 200),
            (&closed, Scope::Hook, "Bearer reads", 403),
        ];
        for (access, scope, value, status) in cases {
            let got = match access.check(&headers(value), scope) {
                Ok(()) => 200,
                Err(problem) => problem.status.as_u16(),
            };
            assert_eq!(got, status, "{scope:?} with `{value}`");
        }
    }
}
