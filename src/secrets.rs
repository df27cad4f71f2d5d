//! Reading secrets where documents say they are. They are read again for every use, so that a rotated one works.

#[cfg(feature = "whole")]
mod kubernetes;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::io::AsyncReadExt;

use recant_core::rule::SecretRef;

#[cfg(feature = "whole")]
pub use kubernetes::KubernetesSecrets;

/// Deadline for reading one secret.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest secret, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Reads the values of Kubernetes Secrets.
#[async_trait]
pub trait SecretReader: Send + Sync + std::fmt::Debug {
    /// The value of one key; without a namespace, of a Secret in the agent's own.
    async fn read(
        &self,
        namespace: Option<&str>,
        name: &str,
        key: &str,
    ) -> Result<SecretString, SecretError>;
}

/// Resolves references to secrets.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    kubernetes: Option<Arc<dyn SecretReader>>,
}

/// Why a secret could not be read; without any of its contents.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{place} is not set")]
    Missing { place: String },
    #[error("{place} is empty")]
    Empty { place: String },
    #[error("{place} is not text in UTF-8")]
    NotText { place: String },
    #[error("{place} has more than {} KiB", MAX_BYTES / 1024)]
    TooLong { place: String },
    #[error("{place} cannot be read: {reason}")]
    Unreadable { place: String, reason: String },
    #[error(
        "{place} needs a cluster, and this process has none: use an environment variable or a file"
    )]
    NoCluster { place: String },
}

impl Secrets {
    /// Without a cluster: references to Kubernetes Secrets are errors.
    pub fn local() -> Self {
        Self { kubernetes: None }
    }

    /// With the agent's cluster.
    pub fn in_cluster(reader: Arc<dyn SecretReader>) -> Self {
        Self {
            kubernetes: Some(reader),
        }
    }

    /// Reads the secret, within a deadline. White space around it is dropped: files end with a newline.
    pub async fn resolve(&self, reference: &SecretRef) -> Result<SecretString, SecretError> {
        let read = async {
            match reference {
                SecretRef::Env(name) => from_environment(name, place(reference)),
                SecretRef::File(path) => from_file(path, place(reference)).await,
                SecretRef::KubernetesSecret {
                    name,
                    key,
                    namespace,
                } => match &self.kubernetes {
                    Some(reader) => reader.read(namespace.as_deref(), name, key).await,
                    None => Err(SecretError::NoCluster {
                        place: place(reference),
                    }),
                },
            }
        };
        tokio::time::timeout(TIMEOUT, read)
            .await
            .unwrap_or_else(|_| {
                Err(SecretError::Unreadable {
                    place: place(reference),
                    reason: "nothing came in time".to_owned(),
                })
            })
    }
}

/// Where a secret is, for people.
pub fn place(reference: &SecretRef) -> String {
    reference.to_string()
}

fn from_environment(name: &str, place: String) -> Result<SecretString, SecretError> {
    match std::env::var(name) {
        Ok(text) => from_bytes(text.into_bytes(), place),
        Err(std::env::VarError::NotPresent) => Err(SecretError::Missing { place }),
        Err(std::env::VarError::NotUnicode(_)) => Err(SecretError::NotText { place }),
    }
}

async fn from_file(path: &str, place: String) -> Result<SecretString, SecretError> {
    let mut bytes = Vec::new();
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        file.take(MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .await
    };
    match read.await {
        Ok(_) => from_bytes(bytes, place),
        Err(error) => Err(SecretError::Unreadable {
            place,
            reason: error.to_string(),
        }),
    }
}

fn from_bytes(bytes: Vec<u8>, place: String) -> Result<SecretString, SecretError> {
    if bytes.len() > MAX_BYTES {
        return Err(SecretError::TooLong { place });
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(SecretError::NotText { place });
    };
    match text.trim() {
        "" => Err(SecretError::Empty { place }),
        text => Ok(SecretString::from(text)),
    }
}

#[cfg(test)]
mod tests;
