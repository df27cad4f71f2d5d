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
    /// Folder of Kayenta's canary configs. `None`: they go with the process.
    pub kayenta_folder: Option<PathBuf>,
}

/// PEM files, read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that it was signed with.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Getter<'_> {
    /// The API port, if its address is set.
    pub(super) fn api(&self, faults: &mut Faults) -> Result<Option<ApiSettings>, Told> {
        let address = self.optional("api.address").and_then(|text| {
            text.map(|_| self.parse("api.address", "is no address like `0.0.0.0:9465`"))
                .transpose()
        });
        let address: Option<Option<SocketAddr>> = faults.take(address);
        let certificate = faults.take(self.optional("api.tls.certFile"));
        let key = faults.take(self.optional("api.tls.keyFile"));
        let read_token = faults.take(self.secret("api.readToken"));
        let hook_token = faults.take(self.secret("api.hookToken"));
        let marker_key = faults.take(self.secret("api.markerKey"));
        let kayenta_folder = faults.take(self.optional("api.kayentaFolder"));
        let tls = match (certificate.ok_or(Told)?, key.ok_or(Told)?) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: certificate.into(),
                key: key.into(),
            }),
            (None, None) => None,
            (Some(_), None) => {
                faults.add(self.invalid("api.tls.certFile", "needs `api.tls.keyFile`"));
                return Err(Told);
            }
            (None, Some(_)) => {
                faults.add(self.invalid("api.tls.keyFile", "needs `api.tls.certFile`"));
                return Err(Told);
            }
        };
        let (read_token, hook_token) = (read_token.ok_or(Told)?, hook_token.ok_or(Told)?);
        let marker_key = marker_key.ok_or(Told)?;
        let kayenta_folder = kayenta_folder.ok_or(Told)?.map(PathBuf::from);
        let Some(address) = address.ok_or(Told)? else {
            return Ok(None);
        };
        if !address.ip().is_loopback() && read_token.is_none() {
            let reason = format!(
                "`{address}` can be reached from outside, and nothing guards it: give `api.readToken`, or take an \
                 address like `127.0.0.1:9465`"
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
            kayenta_folder,
        }))
    }
}
