//! The settings of the API port: where others ask Recant, and what they must know to be heard.

use std::net::SocketAddr;
use std::path::PathBuf;

use recant_core::rule::SecretRef;

use super::errors::{Faults, Told};
use super::getter::Getter;

/// The API port. It is off unless it has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    pub address: SocketAddr,
    /// `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Opens what only reads. `None`: open to all who reach the address, which is a loopback address.
    pub read_token: Option<SecretRef>,
    /// Opens reports as well: alerts, events.
    pub hook_token: Option<SecretRef>,
    /// Signs deployment markers. `None`: there are none.
    pub marker_key: Option<SecretRef>,
    /// Who else may do what.
    pub callers: Option<PathBuf>,
    /// Kubernetes says whose a token is.
    pub token_review: bool,
    /// Of one caller, on average; 1 or more.
    pub requests_per_second: u32,
    /// Links by which people agree to rollbacks: where they lead, and the key. `None`: there are none.
    pub approval: Option<(String, SecretRef)>,
    /// Folder of Kayenta's canary configs. `None`: they go with the process.
    pub kayenta_folder: Option<PathBuf>,
}

/// PEM files, read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that it was signed with.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Authorities that sign certificates of clients. `None`: clients are not asked for one.
    pub client_authorities: Option<PathBuf>,
}

impl Getter<'_> {
    /// The API port, if its address is set.
    pub(super) fn api(&self, faults: &mut Faults) -> Result<Option<ApiSettings>, Told> {
        let address = self.optional("api.address").and_then(|text| {
            text.map(|_| self.parse("api.address", "is no address like `0.0.0.0:9465`"))
                .transpose()
        });
        let address: Option<Option<SocketAddr>> = faults.take(address);
        let tls = self.tls(faults);
        let read_token = faults.take(self.secret("api.readToken"));
        let hook_token = faults.take(self.secret("api.hookToken"));
        let marker_key = faults.take(self.secret("api.markerKey"));
        let callers = faults.take(self.optional("api.callers"));
        let token_review =
            faults.take(self.parse("api.tokenReview", "is neither `true` nor `false`"));
        let rate =
            faults.take(self.parse("api.requestsPerSecond", "is no whole number of 1 or more"));
        let kayenta_folder = faults.take(self.optional("api.kayentaFolder"));
        let approval = self.approval(faults);
        let tls = tls?;
        let (read_token, hook_token) = (read_token.ok_or(Told)?, hook_token.ok_or(Told)?);
        let marker_key = marker_key.ok_or(Told)?;
        let callers = callers.ok_or(Told)?.map(PathBuf::from);
        let token_review = token_review.ok_or(Told)?;
        let rate: std::num::NonZeroU32 = rate.ok_or(Told)?;
        let kayenta_folder = kayenta_folder.ok_or(Told)?.map(PathBuf::from);
        let approval = approval?;
        let Some(address) = address.ok_or(Told)? else {
            if approval.is_some() {
                let reason = "leads to the API port, and that is off: give `api.address`";
                faults.add(self.invalid("approval.url", reason));
                return Err(Told);
            }
            return Ok(None);
        };
        let client_authorities = tls.as_ref().and_then(|tls| tls.client_authorities.as_ref());
        for (key, set) in [
            ("api.tokenReview", token_review),
            ("api.tls.clientCaFile", client_authorities.is_some()),
        ] {
            if set && callers.is_none() {
                let reason = "says who asks, and nothing says what they may: give `api.callers`";
                faults.add(self.invalid(key, reason));
                return Err(Told);
            }
        }
        if !address.ip().is_loopback() && read_token.is_none() && callers.is_none() {
            let reason = format!(
                "`{address}` can be reached from outside, and nothing guards it: give `api.readToken` or `api.callers`, \
                 or take an address like `127.0.0.1:9465`"
            );
            faults.add(self.invalid("api.address", reason));
            return Err(Told);
        }
        Ok(Some(ApiSettings {
            address,
            tls,
            read_token,
            hook_token,
            marker_key,
            callers,
            token_review,
            requests_per_second: rate.get(),
            approval,
            kayenta_folder,
        }))
    }

    /// Where links lead by which people agree, and the key that signs them.
    fn approval(&self, faults: &mut Faults) -> Result<Option<(String, SecretRef)>, Told> {
        let url = faults.take(self.optional("approval.url")).ok_or(Told)?;
        let key = faults.take(self.secret("approval.key")).ok_or(Told)?;
        let (present, missing) = match (url, key) {
            (Some(url), Some(key)) if url.starts_with("https://") || url.starts_with("http://") => {
                return Ok(Some((url, key)));
            }
            (Some(url), Some(_)) => {
                let reason = format!("`{url}` is no address like `https://recant.example`");
                faults.add(self.invalid("approval.url", reason));
                return Err(Told);
            }
            (None, None) => return Ok(None),
            (Some(_), None) => ("approval.url", "`approval.key`"),
            (None, Some(_)) => ("approval.key.env", "`approval.url`"),
        };
        faults.add(self.invalid(present, format!("needs {missing}")));
        Err(Told)
    }

    /// The certificate that the port shows, and those that it asks for.
    fn tls(&self, faults: &mut Faults) -> Result<Option<TlsFiles>, Told> {
        let certificate = faults.take(self.optional("api.tls.certFile"));
        let key = faults.take(self.optional("api.tls.keyFile"));
        let authorities = faults.take(self.optional("api.tls.clientCaFile"));
        let authorities = authorities.ok_or(Told)?;
        let (present, missing) = match (certificate.ok_or(Told)?, key.ok_or(Told)?) {
            (Some(certificate), Some(key)) => {
                return Ok(Some(TlsFiles {
                    certificate: certificate.into(),
                    key: key.into(),
                    client_authorities: authorities.map(PathBuf::from),
                }));
            }
            (None, None) if authorities.is_some() => (
                "api.tls.clientCaFile",
                "`api.tls.certFile` and `api.tls.keyFile`",
            ),
            (None, None) => return Ok(None),
            (Some(_), None) => ("api.tls.certFile", "`api.tls.keyFile`"),
            (None, Some(_)) => ("api.tls.keyFile", "`api.tls.certFile`"),
        };
        faults.add(self.invalid(present, format!("needs {missing}")));
        Err(Told)
    }
}
