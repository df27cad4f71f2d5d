//! Signed links by which a person agrees to a rollback. The signature is an HMAC-SHA256 over the plan, its target, where it
//! goes back to, and when the link is over: whoever has the link may agree to that, and to nothing else.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use recant_core::guard::Approval;
use recant_core::rule::Link;
use serde::Deserialize;
use sha2::Sha256;

use super::api::Token;

/// What a link is about, as its query says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub plan: String,
    pub target: String,
    pub to: String,
    /// Seconds of Unix time.
    pub expires: i64,
    pub signature: String,
}

/// Makes links, and knows its own.
#[derive(Clone)]
pub struct Links {
    key: Arc<Token>,
    /// Where people reach the API port, without a slash at the end.
    base: Arc<str>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Links {
    /// Links that begin with `base`.
    pub fn new(key: Arc<Token>, base: &str) -> Self {
        Self {
            key,
            base: base.trim_end_matches('/').into(),
        }
    }

    /// The link of an approval. It is a secret: whoever has it may approve.
    pub fn of(&self, approval: &Approval) -> Link {
        let Approval {
            plan,
            target,
            to,
            expires,
            ..
        } = approval;
        let (target, expires) = (target.to_string(), expires.as_second());
        let signature = hex(&self
            .mac(&plan.0, &target, &to.0, expires)
            .finalize()
            .into_bytes());
        let parts = [&plan.0, &target, &to.0].map(|text| encoded(text));
        let [plan, target, to] = parts;
        Link {
            label: "Look at it, and approve".to_owned(),
            url: format!(
                "{}/approve?plan={plan}&target={target}&to={to}&expires={expires}&signature={signature}",
                self.base
            ),
        }
    }

    /// Whether this is a link of ours, whatever its time.
    pub fn made(&self, asked: &Asked) -> bool {
        let Some(signature) = from_hex(&asked.signature) else {
            return false;
        };
        let mac = self.mac(&asked.plan, &asked.target, &asked.to, asked.expires);
        mac.verify_slice(&signature).is_ok()
    }

    fn mac(&self, plan: &str, target: &str, to: &str, expires: i64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.current().as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(b"recant approval 1");
        // Each with its length, so that no text can pass for two others.
        for text in [plan, target, to] {
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        }
        mac.update(&expires.to_be_bytes());
        mac
    }
}

impl Asked {
    /// When the link is over; `None`: there is no such time.
    pub fn expires(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.expires).ok()
    }
}

/// All that is no letter or digit as `%XX`.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut url, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                url.push(char::from(byte));
            }
            // Text takes whatever is written to it.
            byte => write!(url, "%{byte:02X}").unwrap_or_default(),
        }
        url
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() != 64 {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
