//! A secret that requests are held against: read where the settings say, and again every few seconds, so that it may be
//! rotated without a restart.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use recant_core::rule::SecretRef;

use crate::secrets::{SecretError, Secrets};

/// Between two readings.
const EVERY: Duration = Duration::from_secs(2);

/// A secret with where it comes from.
pub struct Token {
    current: ArcSwap<SecretString>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// What a token shows of itself to the comparison.
#[derive(Debug)]
pub(in crate::http) struct Current(Arc<SecretString>);

impl Current {
    pub(in crate::http) fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl Token {
    /// One that never changes.
    pub fn fixed(secret: SecretString) -> Self {
        Self {
            current: ArcSwap::from_pointee(secret),
        }
    }

    /// Reads it, and follows its changes until `stop`. While it cannot be read, the last one holds.
    ///
    /// # Errors
    /// When it cannot be read at the start.
    pub async fn follow(
        reference: SecretRef,
        secrets: Secrets,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, SecretError> {
        let token = Arc::new(Self::fixed(secrets.resolve(&reference).await?));
        let followed = token.clone();
        tokio::spawn(async move {
            let mut said = String::new();
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(EVERY) => {}
                }
                match secrets.resolve(&reference).await {
                    Ok(secret) => {
                        followed.current.store(Arc::new(secret));
                        said.clear();
                    }
                    Err(error) => {
                        let error = error.to_string();
                        if error != said {
                            tracing::error!("a token of the API port stays as it was: {error}");
                            said = error;
                        }
                    }
                }
            }
        });
        Ok(token)
    }

    pub(in crate::http) fn current(&self) -> Current {
        Current(self.current.load_full())
    }
}
