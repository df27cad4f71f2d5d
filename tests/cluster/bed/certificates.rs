//! Certificates: a CA of this run, a serving certificate, and a client certificate for each identity.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use serde_json::json;

/// Signs everything in one control plane.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "recant test-bed");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)
            .context("signing the CA's certificate")?;
        Ok(Self { issuer })
    }

    /// The CA's certificate, as PEM.
    pub(crate) fn certificate(&self) -> String {
        self.issuer.as_ref().pem()
    }

    /// For a server on loopback.
    pub(crate) fn server(&self) -> Result<Identity> {
        let mut params =
            CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// For a user of the API server: it takes the name and the group from the subject.
    pub(crate) fn client(&self, user: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl Identity {
    /// Writes `NAME.crt` and `NAME.key` into a folder and returns their paths.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> Result<(PathBuf, PathBuf)> {
        let certificate = folder.join(format!("{name}.crt"));
        let key = folder.join(format!("{name}.key"));
        std::fs::write(&certificate, &self.certificate).context("writing a certificate")?;
        std::fs::write(&key, &self.key).context("writing a key")?;
        Ok((certificate, key))
    }

    /// A kubeconfig that needs no other file. It is JSON, which every reader of YAML takes.
    pub(crate) fn kubeconfig(&self, server: &str, authority: &Authority) -> String {
        let data = |pem: &str| ByteString(pem.as_bytes().to_vec());
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "testbed", "cluster": {
                "server": server,
                "certificate-authority-data": data(&authority.certificate()),
            }}],
            "users": [{"name": "user", "user": {
                "client-certificate-data": data(&self.certificate),
                "client-key-data": data(&self.key),
            }}],
            "contexts": [{"name": "testbed", "context": {
                "cluster": "testbed", "user": "user", "namespace": "default",
            }}],
            "current-context": "testbed",
        })
        .to_string()
    }
}
