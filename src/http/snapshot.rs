//! The last snapshot of the engine, for readers that must not make it wait.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde::Serialize;

/// Anything that can be shown as JSON.
pub trait Snapshot: Send + Sync + 'static {
    /// Its JSON. Called when somebody asks, so that a tick does not pay for it.
    fn to_json(&self) -> serde_json::Result<Vec<u8>>;
}

impl<T: Serialize + Send + Sync + 'static> Snapshot for T {
    fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// Holds the last snapshot; `null` before the first.
#[derive(Default)]
pub struct SnapshotCell {
    // An `ArcSwap` needs a sized value, hence the second `Arc`.
    current: ArcSwapOption<Arc<dyn Snapshot>>,
}

impl std::fmt::Debug for SnapshotCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotCell").finish_non_exhaustive()
    }
}

impl SnapshotCell {
    /// Replaces the snapshot; readers never wait for it.
    pub fn store(&self, snapshot: Arc<dyn Snapshot>) {
        self.current.store(Some(Arc::new(snapshot)));
    }

    /// The last snapshot as JSON.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        match self.current.load_full() {
            Some(snapshot) => (**snapshot).to_json(),
            None => Ok(b"null".to_vec()),
        }
    }
}
