//! Who is at the other end of a connection: its address, and the names in its certificate, if it showed a good one.

use std::net::IpAddr;
use std::sync::Arc;

use recant_core::access::CertificateNames;
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Names of each kind that are looked at.
const MOST_NAMES: usize = 64;

/// What a connection says of its other end; each of its requests carries it.
#[derive(Debug, Clone)]
pub(in crate::http) struct Peer {
    pub(in crate::http) address: IpAddr,
    /// Of a certificate that was verified. `None`: none was shown.
    pub(in crate::http) certificate: Option<Arc<CertificateNames>>,
}

/// The names in a certificate. `None`: it cannot be read, although it was verified.
pub(in crate::http) fn names(certificate: &CertificateDer<'_>) -> Option<CertificateNames> {
    let (_, parsed) = X509Certificate::from_der(certificate.as_ref()).ok()?;
    let common_names = parsed
        .subject()
        .iter_common_name()
        .take(MOST_NAMES)
        .map(|name| name.as_str().map(str::to_owned))
        .collect::<Result<_, _>>()
        .ok()?;
    let mut names = CertificateNames {
        common_names,
        ..CertificateNames::default()
    };
    let alternatives = parsed.subject_alternative_name().ok()?;
    let alternatives = alternatives.map_or(&[][..], |found| &found.value.general_names);
    for name in alternatives.iter().take(MOST_NAMES) {
        match name {
            GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
            GeneralName::URI(name) => names.uris.push((*name).to_owned()),
            // The library knows more kinds than anybody is known by here.
            _ => {}
        }
    }
    Some(names)
}
