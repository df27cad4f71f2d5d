//! Secrets of Kubernetes, each read by its name: the role needs `get` on these, and neither `list` nor `watch`.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use secrecy::SecretString;

use recant_core::rule::SecretRef;

use super::{SecretError, SecretReader, from_bytes, place};

/// Reads Secrets.
#[derive(Clone)]
pub struct KubernetesSecrets {
    client: Client,
    /// The agent's own.
    namespace: String,
}

impl std::fmt::Debug for KubernetesSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesSecrets")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl KubernetesSecrets {
    /// Reads with `client`; `namespace` is the agent's own.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
        }
    }
}

#[async_trait]
impl SecretReader for KubernetesSecrets {
    async fn read(
        &self,
        namespace: Option<&str>,
        name: &str,
        key: &str,
    ) -> Result<SecretString, SecretError> {
        let namespace = namespace.unwrap_or(&self.namespace);
        let place = place(&SecretRef::KubernetesSecret {
            name: name.to_owned(),
            key: key.to_owned(),
            namespace: Some(namespace.to_owned()),
        });
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = match api.get(name).await {
            Ok(secret) => secret,
            Err(kube::Error::Api(status)) if status.code == 404 => {
                return Err(SecretError::Missing { place });
            }
            Err(kube::Error::Api(status)) if status.code == 403 => {
                return Err(SecretError::Unreadable {
                    place,
                    reason: "the role lacks the verb `get` on it".to_owned(),
                });
            }
            Err(kube::Error::Api(status)) => {
                return Err(SecretError::Unreadable {
                    place,
                    reason: format!("the API server answered with status {}", status.code),
                });
            }
            // Other errors may show parts of the answer, which is the secret.
            Err(_) => {
                return Err(SecretError::Unreadable {
                    place,
                    reason: "the API server gave no usable answer".to_owned(),
                });
            }
        };
        match secret.data.and_then(|mut data| data.remove(key)) {
            Some(value) => from_bytes(value.0, place),
            None => Err(SecretError::Missing { place }),
        }
    }
}
