//! Finds workloads by the names that others use of them: in what the watches of the cluster have shown, so that no
//! question costs a call.

use std::fmt;
use std::sync::OnceLock;

use recant_core::target::naming::{Named, Naming};

type Find = dyn Fn(&Naming) -> Result<Vec<Named>, String> + Send + Sync;

/// Finds workloads, as soon as the cluster is watched.
#[derive(Default)]
pub struct Finder(OnceLock<Box<Find>>);

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Finder")
            .field(&self.0.get().is_some())
            .finish()
    }
}

impl Finder {
    /// Says how they are found; the first that is said holds.
    pub fn set(
        &self,
        find: impl Fn(&Naming) -> Result<Vec<Named>, String> + Send + Sync + 'static,
    ) {
        // There is one cluster in a process.
        drop(self.0.set(Box::new(find)));
    }

    /// The workloads that are meant: a few at most.
    ///
    /// # Errors
    /// They are not known yet. A sentence for people.
    pub fn find(&self, naming: &Naming) -> Result<Vec<Named>, String> {
        match self.0.get() {
            Some(find) => find(naming),
            None => Err("the cluster is not watched yet".to_owned()),
        }
    }
}
