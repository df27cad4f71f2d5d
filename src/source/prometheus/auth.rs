//! Values of the `Authorization` header. They are secrets too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// `Bearer …`; line ends round the token, as files have them, are cut off.
pub(super) fn bearer(token: &SecretString) -> SecretString {
    format!("Bearer {}", token.expose_secret().trim()).into()
}

/// `Basic …`, RFC 7617.
pub(super) fn basic(user: &str, password: &SecretString) -> SecretString {
    let pair = format!(
        "{user}:{}",
        password.expose_secret().trim_end_matches(['\r', '\n'])
    );
    format!("Basic {}", STANDARD.encode(pair)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_from_files_lose_their_line_end() {
        let token = bearer(&"abc\n".into());
        assert_eq!(token.expose_secret(), "Bearer abc");
        let pair = basic("Aladdin", &"open sesame\r\n".into());
        assert_eq!(pair.expose_secret(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
