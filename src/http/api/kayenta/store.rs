//! The store of canary configs: in memory, bounded, and written to a folder when there is one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::config::CanaryConfig;

/// Configs of all applications.
const MOST_CONFIGS: usize = 500;
/// Bytes of one.
pub(super) const MOST_BYTES: usize = 256 << 10;

/// Why the configs of a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the folder {} of canary configs cannot be read: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("the canary config {} cannot be used: {reason}", path.display())]
    Config { path: PathBuf, reason: String },
}

/// One config.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) config: CanaryConfig,
    pub(super) document: Value,
    pub(super) updated: Timestamp,
}

/// All configs, by id.
#[derive(Debug, Default)]
pub(super) struct Configs {
    folder: Option<PathBuf>,
    configs: BTreeMap<String, Stored>,
}

/// Why a config is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotStored {
    /// What is wrong with it.
    Bad(String),
    /// It could not be written down.
    Unwritten(String),
}

impl Configs {
    pub(super) fn load(folder: Option<PathBuf>) -> Result<Self, StoreError> {
        let mut configs = BTreeMap::new();
        if let Some(path) = &folder {
            let failed = |source| StoreError::Folder {
                path: path.clone(),
                source,
            };
            for entry in fs::read_dir(path).map_err(failed)? {
                let file = entry.map_err(failed)?.path();
                if file.extension().is_none_or(|extension| extension != "json") {
                    continue;
                }
                let unusable = |reason| StoreError::Config {
                    path: file.clone(),
                    reason,
                };
                let (id, stored) = read(&file).map_err(unusable)?;
                if configs.len() >= MOST_CONFIGS {
                    return Err(unusable(format!("there are more than {MOST_CONFIGS}")));
                }
                if configs.insert(id.clone(), stored).is_some() {
                    return Err(unusable(format!("another one has the id `{id}`, too")));
                }
            }
        }
        Ok(Self { folder, configs })
    }

    pub(super) fn get(&self, id: &str) -> Option<&Stored> {
        self.configs.get(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Stored)> {
        self.configs.iter()
    }

    /// Stores a config under an id; durable when it returns, if there is a folder.
    pub(super) fn put(
        &mut self,
        id: &str,
        mut document: Value,
        now: Timestamp,
    ) -> Result<(), NotStored> {
        let config = CanaryConfig::read(&document).map_err(NotStored::Bad)?;
        config.check_for_storing().map_err(NotStored::Bad)?;
        let usable =
            |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        if id.is_empty() || id.len() > 100 || !id.chars().all(usable) {
            let reason = "its id holds other characters than letters, numbers, `-` and `_`";
            return Err(NotStored::Bad(reason.to_owned()));
        }
        let twice = self.configs.iter().any(|(other, stored)| {
            other != id
                && stored.config.name == config.name
                && stored
                    .config
                    .applications
                    .iter()
                    .any(|application| config.applications.contains(application))
        });
        if twice {
            return Err(NotStored::Bad(format!(
                "Canary config with name `{}` already exists in the scope of its applications.",
                config.name
            )));
        }
        let before = self.configs.get(id);
        if before.is_none() && self.configs.len() >= MOST_CONFIGS {
            return Err(NotStored::Bad(format!(
                "there are {MOST_CONFIGS} configs already"
            )));
        }
        let created = before.and_then(|before| before.document.get("createdTimestamp").cloned());
        document["id"] = json!(id);
        document["createdTimestamp"] = created.unwrap_or_else(|| json!(now.as_millisecond()));
        document["updatedTimestamp"] = json!(now.as_millisecond());
        document["updatedTimestampIso"] = json!(now);
        self.write(id, &document)
            .map_err(|error| NotStored::Unwritten(error.to_string()))?;
        let stored = Stored {
            config,
            document,
            updated: now,
        };
        self.configs.insert(id.to_owned(), stored);
        Ok(())
    }

    /// Whether there was one.
    pub(super) fn remove(&mut self, id: &str) -> Result<bool, NotStored> {
        if !self.configs.contains_key(id) {
            return Ok(false);
        }
        if let Some(folder) = &self.folder {
            match fs::remove_file(folder.join(format!("{id}.json"))) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(NotStored::Unwritten(error.to_string())),
            }
        }
        self.configs.remove(id);
        Ok(true)
    }

    /// All of it, or nothing: beside the file first.
    fn write(&self, id: &str, document: &Value) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let beside = folder.join(format!(".{id}.new"));
        let mut file = fs::File::create(&beside)?;
        file.write_all(format!("{document:#}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, folder.join(format!("{id}.json")))
    }
}

fn read(path: &Path) -> Result<(String, Stored), String> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let size = file
        .take(MOST_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if size > MOST_BYTES {
        return Err(format!("it is larger than {} KiB", MOST_BYTES / 1024));
    }
    let mut document: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let config = CanaryConfig::read(&document)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let id = document["id"]
        .as_str()
        .map_or(stem.into_owned(), str::to_owned);
    document["id"] = json!(id);
    let updated = document["updatedTimestamp"].as_i64();
    let updated = updated.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let stored = Stored {
        config,
        document,
        updated: updated.unwrap_or(Timestamp::UNIX_EPOCH),
    };
    Ok((id, stored))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str) -> Value {
        json!({"name": name, "applications": ["shop"], "metrics": [{"name": "a"}], "mine": 1})
    }

    #[test]
    fn configs_are_there_again_after_a_restart_and_odd_ones_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let load = || Configs::load(Some(folder.path().to_owned())).expect("it can be read");
        let mut configs = load();
        let now = Timestamp::UNIX_EPOCH;
        configs
            .put("one", document("first"), now)
            .expect("it is good");
        for (id, document, says) in [
            ("two", document("first"), "already exists"),
            ("two", document("with space"), "cannot be named"),
            ("../two", document("second"), "its id"),
            (
                "two",
                json!({"name": "x", "applications": [], "metrics": []}),
                "at least one application",
            ),
            (
                "two",
                json!({"name": "x", "applications": ["a"], "metrics": [{"name": "m"}, {"name": "m"}]}),
                "stands in it twice",
            ),
            (
                "two",
                json!({"name": "x", "applications": ["a"], "metrics": [], "judge": {"name": "dredd-v1.0"}}),
                "judge `dredd-v1.0` is not here",
            ),
            ("two", json!({"name": "x"}), "no canary config"),
        ] {
            match configs.put(id, document, now) {
                Err(NotStored::Bad(reason)) => assert!(reason.contains(says), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
        configs
            .put("two", document("second"), now)
            .expect("it is good");
        assert_eq!(configs.remove("two"), Ok(true));
        assert_eq!(configs.remove("two"), Ok(false));
        let again = load();
        let ids: Vec<&String> = again.iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["one"]);
        let stored = again.get("one").expect("it is there");
        assert_eq!(stored.document["mine"], 1, "what is not read is kept");

        fs::write(folder.path().join("bad.json"), "{").expect("a file");
        let error = Configs::load(Some(folder.path().to_owned())).expect_err("one is broken");
        assert!(error.to_string().contains("bad.json"), "{error}");
    }
}
