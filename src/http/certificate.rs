//! The certificate that a port shows: read from files, and again when they change, so that it may be renewed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Largest PEM file.
const MAX_BYTES: u64 = 1 << 20;
/// Between two looks at the files.
const EVERY: Duration = Duration::from_secs(2);
/// A file system may hang.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a certificate cannot be used; without any part of the key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("the file {} cannot be read: {reason}", path.display())]
    Read { path: PathBuf, reason: String },
    #[error("the file {} holds no {wanted} in PEM", path.display())]
    Pem { path: PathBuf, wanted: &'static str },
    #[error("the certificate in {} cannot be used with the key in {}: {reason}", certificate.display(), key.display())]
    Unusable {
        certificate: PathBuf,
        key: PathBuf,
        reason: String,
    },
}

/// A certificate with its key.
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<Loaded>,
}

struct Loaded {
    bytes: (Vec<u8>, Vec<u8>),
    config: Arc<ServerConfig>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub async fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, CertificateError> {
        let bytes = (read(&certificate).await?, read(&key).await?);
        let loaded = Loaded::new(bytes, &certificate, &key)?;
        Ok(Self {
            certificate,
            key,
            current: ArcSwap::from_pointee(loaded),
        })
    }

    /// What new connections are taken with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load().config.clone())
    }

    /// Takes up changed files until `stop`. What cannot be used changes nothing, and is said once.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut said = String::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            match self.look().await {
                Ok(true) => {
                    tracing::info!("the certificate of the API port was read again");
                    said.clear();
                }
                Ok(false) => said.clear(),
                Err(error) => {
                    let error = error.to_string();
                    if error != said {
                        tracing::error!("the API port keeps its certificate: {error}");
                        said = error;
                    }
                }
            }
        }
    }

    /// Whether another one is used from now on.
    async fn look(&self) -> Result<bool, CertificateError> {
        let bytes = (read(&self.certificate).await?, read(&self.key).await?);
        if bytes == self.current.load().bytes {
            return Ok(false);
        }
        let loaded = Loaded::new(bytes, &self.certificate, &self.key)?;
        self.current.store(Arc::new(loaded));
        Ok(true)
    }
}

impl Loaded {
    fn new(
        bytes: (Vec<u8>, Vec<u8>),
        certificate: &std::path::Path,
        key: &std::path::Path,
    ) -> Result<Self, CertificateError> {
        let pem = |path: &std::path::Path, wanted| CertificateError::Pem {
            path: path.to_owned(),
            wanted,
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes.0)
            .collect::<Result<_, _>>()
            .map_err(|_| pem(certificate, "certificate"))?;
        if chain.is_empty() {
            return Err(pem(certificate, "certificate"));
        }
        let private =
            PrivateKeyDer::from_pem_slice(&bytes.1).map_err(|_| pem(key, "private key"))?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| CertificateError::Unusable {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
                reason: error.to_string(),
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            bytes,
            config: Arc::new(config),
        })
    }
}

async fn read(path: &std::path::Path) -> Result<Vec<u8>, CertificateError> {
    let failed = |reason: String| CertificateError::Read {
        path: path.to_owned(),
        reason,
    };
    let read = async {
        let mut bytes = Vec::new();
        let file = tokio::fs::File::open(path).await?;
        file.take(MAX_BYTES).read_to_end(&mut bytes).await?;
        Ok::<_, io::Error>(bytes)
    };
    match tokio::time::timeout(TIMEOUT, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("nothing came in time".to_owned())),
    }
}
