//! What the acting replica tells the others: what all shards show together, and which wishes it grants. One `ConfigMap`,
//! written only when that changes, as the continuation of what was there: of two that take themselves for the acting one
//! only the later can write.

use std::collections::{BTreeMap, BTreeSet};

use kube::Client;
use serde::{Deserialize, Serialize};

use recant_core::share::{Acting, Granted, Shown, Summary};

use super::JournalError;
use super::slot::Slot;
use crate::cluster::ClusterError;
use crate::cluster::kubernetes::config_map::{ConfigMapObject, Data};

const KEY: &str = "acting";

/// What is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Published {
    pub shards: BTreeMap<u32, Summary>,
    pub granted: BTreeSet<Granted>,
}

impl Published {
    /// What shards show, and what is granted.
    pub fn of(shards: &BTreeMap<u32, Shown>, granted: BTreeSet<Granted>) -> Self {
        Self {
            shards: shards
                .iter()
                .map(|(shard, shown)| (*shard, shown.summary.clone()))
                .collect(),
            granted,
        }
    }

    /// Reads the texts of the object; nothing, where it is not there, or not ours.
    pub fn read(data: &Data) -> Self {
        data.get(KEY)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// What it says to one shard.
    pub fn to_shard(&self, shard: u32) -> Acting {
        let mut others = Summary::default();
        for (_, summary) in self.shards.iter().filter(|(other, _)| **other != shard) {
            others.add(summary);
        }
        let granted = self.granted.iter().filter(|granted| granted.shard == shard);
        Acting {
            others,
            granted: granted.map(|granted| granted.wish.clone()).collect(),
        }
    }
}

/// The writer.
#[derive(Debug)]
pub struct ActingBoard {
    slot: Slot,
    published: Published,
}

impl ActingBoard {
    /// Takes up what the acting replica before told.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn open(client: &Client, namespace: &str, name: &str) -> Result<Self, ClusterError> {
        let mut slot = Slot::new(ConfigMapObject::new(client.clone(), namespace, name));
        let published = Published::read(&slot.read().await?);
        Ok(Self { slot, published })
    }

    /// What was told last.
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// Tells it, if it is anything new.
    ///
    /// # Errors
    /// [`JournalError::Disturbed`]: another replica acts by now; else it may work later.
    pub async fn publish(&mut self, published: Published) -> Result<(), JournalError> {
        if published == self.published {
            return Ok(());
        }
        let text = serde_json::to_string(&published).map_err(|error| JournalError::Unfit {
            path: format!("in ConfigMap {}", self.slot.path()),
            reason: error.to_string(),
        })?;
        self.slot
            .write(Data::from([(KEY.to_owned(), text)]))
            .await?;
        self.published = published;
        Ok(())
    }
}
