//! Which webhooks actions may call.

use super::errors::Faults;
use super::getter::Getter;

/// Which webhooks actions may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Without TLS, too.
    pub plain_http: bool,
    /// Empty: all.
    pub hosts: Vec<String>,
}

impl Getter<'_> {
    /// `None`: something is wrong that was added to `faults`.
    pub(super) fn webhooks(&self, faults: &mut Faults) -> Option<WebhookSettings> {
        let yes_or_no = [("true", true), ("false", false)];
        let plain_http = faults.take(self.one_of("webhooks.plainHttp", &yes_or_no));
        let hosts = faults.take(self.list("webhooks.hosts"));
        Some(WebhookSettings {
            plain_http: plain_http?,
            hosts: hosts?,
        })
    }
}
