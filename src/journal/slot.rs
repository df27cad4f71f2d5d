//! One `ConfigMap` of ours, written only as the continuation of what was read or written here before: a write that works
//! also proves that nobody else wrote.

use crate::cluster::ClusterError;
use crate::cluster::kubernetes::config_map::{ConfigMapObject, Data, Stored};
use crate::journal::JournalError;

/// An object and its last known version.
#[derive(Debug)]
pub(super) struct Slot {
    object: ConfigMapObject,
    stored: Option<Stored>,
    /// A write of which no answer came: it may have arrived.
    unanswered: Option<Data>,
    /// Somebody else wrote to it: nothing more is written.
    disturbed: bool,
}

impl Slot {
    /// Nothing is known of the object yet.
    pub(super) fn new(object: ConfigMapObject) -> Self {
        Self {
            object,
            stored: None,
            unanswered: None,
            disturbed: false,
        }
    }

    /// What is stored was just read from the object; `None`: it is not there.
    pub(super) fn read_as(object: ConfigMapObject, stored: Option<Stored>) -> Self {
        Self {
            stored,
            ..Self::new(object)
        }
    }

    /// Whether it was there when it was last read or written.
    pub(super) fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// For messages.
    pub(super) fn path(&self) -> String {
        self.object.path()
    }

    pub(super) fn name(&self) -> &str {
        self.object.name()
    }

    /// Takes what is there as the ground for the next write.
    pub(super) async fn read(&mut self) -> Result<Data, ClusterError> {
        self.stored = self.object.read().await?;
        self.unanswered = None;
        self.disturbed = false;
        Ok(self.stored.as_ref().map(Stored::data).unwrap_or_default())
    }

    /// Replaces the texts, unless somebody else wrote since.
    ///
    /// # Errors
    /// [`JournalError::Disturbed`] for good when somebody did; else it may work later.
    pub(super) async fn write(&mut self, data: Data) -> Result<(), JournalError> {
        let path = format!("in ConfigMap {}", self.path());
        let disturbed = || JournalError::Disturbed {
            path: path.clone(),
            change: "changed",
        };
        if self.disturbed {
            return Err(disturbed());
        }
        let mut written = self.object.write(self.stored.as_ref(), data.clone()).await;
        if matches!(written, Err(ClusterError::Conflict))
            && let Some(unanswered) = &self.unanswered
        {
            // Our own write of before, perhaps: it is there and we were not told.
            written = match self.object.read().await {
                Ok(Some(found)) if found.data() == data => Ok(found),
                Ok(Some(found)) if found.data() == *unanswered => {
                    self.stored = Some(found);
                    self.object.write(self.stored.as_ref(), data.clone()).await
                }
                Ok(_) => Err(ClusterError::Conflict),
                Err(error) => Err(error),
            };
        }
        match written {
            Ok(stored) => {
                self.stored = Some(stored);
                self.unanswered = None;
                Ok(())
            }
            Err(ClusterError::Conflict) => {
                self.disturbed = true;
                Err(disturbed())
            }
            Err(error) => {
                self.unanswered = Some(data);
                let kind = if error.retry() {
                    std::io::ErrorKind::TimedOut
                } else {
                    std::io::ErrorKind::PermissionDenied
                };
                Err(JournalError::Write {
                    path,
                    source: std::io::Error::new(kind, error),
                })
            }
        }
    }
}
