//! Evidence in files of a folder: each written as a whole or not at all, and only so many of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use recant_core::plan::StepResult;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Files that stay, the newest ones.
const MOST_FILES: usize = 64;
/// What a file may hold when it is read again: more than is ever written.
const MOST_READ: u64 = 64 << 20;
/// What names of these files begin with: nothing else in the folder is touched.
const OURS: &str = "recant-evidence-";

/// Where one piece of evidence lies.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// Without ending.
    pub(super) name: String,
    /// Of the step that keeps it.
    pub(super) mark: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    change: String,
    of: String,
    data: BTreeMap<String, String>,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.name))
    }

    /// What was kept before a restart; `None`: nothing.
    pub(super) async fn known(&self) -> Option<StepResult> {
        let place = self.clone();
        blocking(move || place.look()).await
    }

    /// Writes it down.
    pub(super) async fn keep(&self, of: String, data: BTreeMap<String, String>) -> StepResult {
        let place = self.clone();
        let kept = Kept {
            change: self.mark.clone(),
            of,
            data,
        };
        let written = blocking(move || Some(place.write(&kept))).await;
        written.unwrap_or_else(|| self.refused("the thread that wrote it ended badly"))
    }

    fn look(&self) -> Option<StepResult> {
        let path = self.path();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return Some(self.refused(&error.to_string())),
        };
        let mut bytes = Vec::new();
        if let Err(error) = file.take(MOST_READ).read_to_end(&mut bytes) {
            return Some(self.refused(&error.to_string()));
        }
        let ours =
            serde_json::from_slice::<Kept>(&bytes).is_ok_and(|kept| kept.change == self.mark);
        Some(if ours {
            self.kept(&bytes)
        } else {
            self.refused("it is there already, and not ours")
        })
    }

    fn write(&self, kept: &Kept) -> StepResult {
        let written = self.try_write(kept);
        match written {
            Ok(bytes) => {
                if let Err(error) = drop_oldest(&self.folder) {
                    let folder = self.folder.display();
                    tracing::warn!("old evidence in {folder} could not be removed: {error}");
                }
                self.kept(&bytes)
            }
            Err(error) => self.refused(&error.to_string()),
        }
    }

    fn try_write(&self, kept: &Kept) -> io::Result<Vec<u8>> {
        let bytes = serde_json::to_vec_pretty(kept)?;
        fs::create_dir_all(&self.folder)?;
        let half = self.folder.join(format!(".{}.part", self.name));
        let mut file = File::create(&half)?;
        let written = file.write_all(&bytes).and_then(|()| file.sync_all());
        if let Err(error) = written.and_then(|()| fs::rename(&half, self.path())) {
            drop(fs::remove_file(&half));
            return Err(error);
        }
        File::open(&self.folder)?.sync_all()?;
        Ok(bytes)
    }

    /// Its digest is what `sha256sum` says of the file.
    fn kept(&self, bytes: &[u8]) -> StepResult {
        let mut sha256 = String::new();
        for byte in Sha256::digest(bytes) {
            // Text takes whatever is written to it.
            write!(sha256, "{byte:02x}").unwrap_or_default();
        }
        StepResult::Kept {
            place: self.path().display().to_string(),
            sha256,
        }
    }

    fn refused(&self, reason: &str) -> StepResult {
        StepResult::Refused {
            reason: format!(
                "the file {} cannot be kept: {reason}",
                self.path().display()
            ),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Option<T> + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok().flatten()
}

fn drop_oldest(folder: &Path) -> io::Result<()> {
    let mut ours: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(OURS)
            && Path::new(&*name)
                .extension()
                .is_some_and(|end| end == "json")
        {
            ours.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    ours.sort();
    let many = ours.len().saturating_sub(MOST_FILES);
    for (_, path) in ours.into_iter().take(many) {
        tracing::info!(
            "old evidence is removed, since there are more than {MOST_FILES} files: {}",
            path.display()
        );
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path, number: usize) -> Place {
        Place {
            folder: folder.join("evidence"),
            name: format!("{OURS}worker-{number}"),
            mark: format!("p{number}/0"),
        }
    }

    #[tokio::test]
    async fn a_file_is_kept_once_by_its_step_and_can_be_checked() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = place(folder.path(), 1);
        assert!(first.known().await.is_none());
        let data = BTreeMap::from([("pods.json".to_owned(), "[]".to_owned())]);
        let kept = first
            .keep("Deployment shop/worker".to_owned(), data.clone())
            .await;
        let StepResult::Kept {
            place: path,
            sha256,
        } = &kept
        else {
            panic!("{kept:?}");
        };
        let bytes = fs::read(path).expect("it is there");
        let mut digest = String::new();
        for byte in Sha256::digest(&bytes) {
            write!(digest, "{byte:02x}").expect("text");
        }
        assert_eq!(*sha256, digest);
        assert_eq!(first.known().await, Some(kept), "as after a crash");
        let other = Place {
            mark: "p2/0".to_owned(),
            ..first.clone()
        };
        let refused = other.known().await;
        assert!(
            matches!(&refused, Some(StepResult::Refused { reason }) if reason.contains("not ours")),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn only_so_many_stay_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("evidence");
        fs::create_dir_all(&inside).expect("a folder");
        fs::write(inside.join("notes.json"), "mine").expect("a file");
        for number in 0..MOST_FILES + 3 {
            let kept = place(folder.path(), number)
                .keep("x".to_owned(), BTreeMap::new())
                .await;
            assert!(matches!(kept, StepResult::Kept { .. }), "{kept:?}");
        }
        let count = fs::read_dir(&inside).expect("a folder").count();
        assert_eq!(count, MOST_FILES + 1);
        assert!(inside.join("notes.json").exists());
        let newest = place(folder.path(), MOST_FILES + 2);
        assert!(newest.path().exists());
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_to_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("evidence"), "a file").expect("a file");
        let refused = place(folder.path(), 1)
            .keep("x".to_owned(), BTreeMap::new())
            .await;
        assert!(
            matches!(&refused, StepResult::Refused { reason } if reason.contains("cannot be kept")),
            "{refused:?}"
        );
    }
}
