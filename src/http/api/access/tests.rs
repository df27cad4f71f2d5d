//! Who is who by a token.

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

#[tokio::test]
async fn each_token_has_its_scopes() {
    let open = Access::default();
    let both = Access {
        read: Some(token("reads")),
        hook: Some(token("reports")),
        ..Access::default()
    };
    let closed = Access {
        read: Some(token("reads")),
        ..Access::default()
    };
    let hooks = Access {
        hook: Some(token("reports")),
        ..Access::default()
    };
    let basic = format!("Basic {}", STANDARD.encode("recant:reads"));
    let read = "readToken: read";
    for (access, value, says) in [
        (&open, "", "anonymous: read, hooks, act, administer"),
        (&open, "Bearer x", "anonymous: read, hooks, act, administer"),
        (&open, "Digest x", "anonymous: read, hooks, act, administer"),
        (&hooks, "", "anonymous: read"),
        (&hooks, "Bearer reports", "hookToken: read, hooks"),
        (&hooks, "Bearer x", "401"),
        (&both, "", "401"),
        (&both, "Bearer reads", read),
        (&both, "bearer reads", read),
        (&both, &basic, read),
        (&both, "Bearer reports", "hookToken: read, hooks"),
        (&both, "Bearer read", "401"),
        (&both, "Bearer ", "401"),
        (&both, "Digest reads", "401"),
        (&closed, "Bearer reads", read),
        (&closed, "Bearer reports", "401"),
    ] {
        let got = match access.identify(&headers(value), None).await {
            Ok(Caller { name, scopes, .. }) => format!("{name}: {scopes}"),
            Err(problem) => problem.status.as_u16().to_string(),
        };
        assert_eq!(got, says, "`{value}`");
    }
}
