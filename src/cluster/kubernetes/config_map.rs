//! One `ConfigMap` that is read once and then written under the lock of its resourceVersion.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};

use super::api::Call;
use crate::cluster::ClusterError;

/// Texts by key.
pub type Data = BTreeMap<String, String>;

/// A `ConfigMap` by its name, there or not.
#[derive(Clone)]
pub struct ConfigMapObject {
    api: Api<ConfigMap>,
    namespace: String,
    name: String,
}

/// The object as it was last read or written.
#[derive(Debug, Clone)]
pub struct Stored(ConfigMap);

impl std::fmt::Debug for ConfigMapObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConfigMap {}/{}", self.namespace, self.name)
    }
}

impl Stored {
    /// Its texts.
    pub fn data(&self) -> Data {
        self.0.data.clone().unwrap_or_default()
    }
}

impl ConfigMapObject {
    /// Nothing is asked yet.
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Namespace and name, for messages.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is there; `None` when nothing is.
    ///
    /// # Errors
    /// No right, or no answer within the deadline.
    pub async fn read(&self) -> Result<Option<Stored>, ClusterError> {
        let found = self.call("get").answer(self.api.get(&self.name)).await?;
        Ok(found.map(Stored))
    }

    /// Replaces the texts of the object that was read, or creates it.
    ///
    /// # Errors
    /// [`ClusterError::Conflict`] when it is not what was read any more.
    pub async fn write(&self, before: Option<&Stored>, data: Data) -> Result<Stored, ClusterError> {
        let params = PostParams::default();
        let written = if let Some(Stored(before)) = before {
            let mut object = before.clone();
            object.data = Some(data);
            let replace = self.api.replace(&self.name, &params, &object);
            self.call("update").answer(replace).await?
        } else {
            let object = ConfigMap {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    namespace: Some(self.namespace.clone()),
                    ..ObjectMeta::default()
                },
                data: Some(data),
                ..ConfigMap::default()
            };
            self.call("create")
                .answer(self.api.create(&params, &object))
                .await?
        };
        // 404: it was deleted meanwhile, or its namespace was.
        written.map(Stored).ok_or(ClusterError::Conflict)
    }

    fn call(&self, verb: &'static str) -> Call<'_> {
        Call {
            verb,
            resource: "configmaps".to_owned(),
            namespace: &self.namespace,
        }
    }
}
