//! The certificate that a port shows, and the authorities whose certificates it takes from clients: read from files, and
//! again when they change, so that they may be renewed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
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
    #[error("the authorities in {} cannot be used: {reason}", path.display())]
    Authorities { path: PathBuf, reason: String },
}

/// A certificate with its key, and the authorities that sign certificates of clients.
pub struct Certificate {
    files: Files,
    current: ArcSwap<Loaded>,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// `None`: clients are not asked for a certificate.
    authorities: Option<PathBuf>,
}

/// What the files held.
#[derive(PartialEq, Eq)]
struct Bytes {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
}

struct Loaded {
    bytes: Bytes,
    config: Arc<ServerConfig>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub async fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, CertificateError> {
        Self::load_with(certificate, key, None).await
    }

    /// The same with a file of authorities: who shows a certificate that they did not sign, or that is over, is cut off;
    /// who shows none has to say otherwise who it is.
    ///
    /// # Errors
    /// When the files cannot be read or used.
    pub async fn load_with(
        certificate: PathBuf,
        key: PathBuf,
        authorities: Option<PathBuf>,
    ) -> Result<Self, CertificateError> {
        let files = Files {
            certificate,
            key,
            authorities,
        };
        let loaded = Loaded::new(files.read().await?, &files)?;
        Ok(Self {
            files,
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
                    tracing::info!("the certificates of the API port were read again");
                    said.clear();
                }
                Ok(false) => said.clear(),
                Err(error) => {
                    let error = error.to_string();
                    if error != said {
                        tracing::error!("the API port keeps its certificates: {error}");
                        said = error;
                    }
                }
            }
        }
    }

    /// Whether another one is used from now on.
    async fn look(&self) -> Result<bool, CertificateError> {
        let bytes = self.files.read().await?;
        if bytes == self.current.load().bytes {
            return Ok(false);
        }
        let loaded = Loaded::new(bytes, &self.files)?;
        self.current.store(Arc::new(loaded));
        Ok(true)
    }
}

impl Files {
    async fn read(&self) -> Result<Bytes, CertificateError> {
        Ok(Bytes {
            certificate: read(&self.certificate).await?,
            key: read(&self.key).await?,
            authorities: match &self.authorities {
                Some(path) => Some(read(path).await?),
                None => None,
            },
        })
    }
}

impl Loaded {
    fn new(bytes: Bytes, files: &Files) -> Result<Self, CertificateError> {
        let chain = certificates(&bytes.certificate, &files.certificate)?;
        let private =
            PrivateKeyDer::from_pem_slice(&bytes.key).map_err(|_| CertificateError::Pem {
                path: files.key.clone(),
                wanted: "private key",
            })?;
        let builder = match (&files.authorities, &bytes.authorities) {
            (Some(path), Some(bytes)) => {
                let failed = |reason: String| CertificateError::Authorities {
                    path: path.clone(),
                    reason,
                };
                let mut roots = RootCertStore::empty();
                for authority in certificates(bytes, path)? {
                    roots
                        .add(authority)
                        .map_err(|error| failed(error.to_string()))?;
                }
                // Who has none may have a token instead.
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| failed(error.to_string()))?;
                ServerConfig::builder().with_client_cert_verifier(verifier)
            }
            (Some(_) | None, None) | (None, Some(_)) => {
                ServerConfig::builder().with_no_client_auth()
            }
        };
        let mut config = builder.with_single_cert(chain, private).map_err(|error| {
            CertificateError::Unusable {
                certificate: files.certificate.clone(),
                key: files.key.clone(),
                reason: error.to_string(),
            }
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if files.authorities.is_some() {
            // A session that is taken up again would bring a certificate back that is over by now.
            config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self {
            bytes,
            config: Arc::new(config),
        })
    }
}

/// At least one.
fn certificates(
    bytes: &[u8],
    path: &std::path::Path,
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let wrong = || CertificateError::Pem {
        path: path.to_owned(),
        wanted: "certificate",
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong())?;
    if chain.is_empty() {
        return Err(wrong());
    }
    Ok(chain)
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
