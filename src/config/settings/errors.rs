//! What is wrong with settings: all of it at once, each with the place that it came from.
//!
//! No message holds a value that may be a secret (P10).

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the settings file {path} cannot be read: {reason}")]
    Read { path: PathBuf, reason: String },
    #[error("the settings file {path} is larger than 1 MiB: it is something else")]
    TooLarge { path: PathBuf },
    #[error("the settings file {path} is no YAML mapping: {reason}")]
    Syntax { path: PathBuf, reason: String },
    #[error("there is no setting `{key}` ({place}){near}; `recant run --help` lists all")]
    Unknown {
        key: String,
        place: String,
        near: String,
    },
    #[error("setting `{key}`: {reason} ({place})")]
    Invalid {
        key: String,
        reason: String,
        /// `file settings.yaml:3:5`, `environment RECANT_LISTEN`, `flag` or `default`.
        place: String,
    },
}

/// Errors that are kept; the rest is counted.
const MOST: usize = 100;

/// Everything that is wrong with the settings; at least one error.
#[derive(Debug)]
pub struct SettingsErrors {
    errors: Vec<SettingsError>,
    hidden: usize,
}

impl SettingsErrors {
    /// The first errors, in the order of the layers and of the table of settings.
    pub fn iter(&self) -> impl Iterator<Item = &SettingsError> {
        self.errors.iter()
    }
}

impl std::error::Error for SettingsErrors {}

impl fmt::Display for SettingsErrors {
    /// One error as it is, several as a list.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { errors, hidden } = self;
        if let [only] = errors.as_slice() {
            return only.fmt(f);
        }
        let count = errors.len() + hidden;
        write!(f, "there are {count} errors in the settings:")?;
        for error in errors {
            write!(f, "\n  - {error}")?;
        }
        match hidden {
            0 => Ok(()),
            hidden => write!(f, "\n  - and {hidden} more, which are not shown"),
        }
    }
}

/// Something is wrong, and was added to the faults.
#[derive(Debug)]
pub(super) struct Told;

/// Collects errors, so that the first does not hide the next.
#[derive(Debug, Default)]
pub(super) struct Faults {
    errors: Vec<SettingsError>,
    hidden: usize,
}

impl Faults {
    pub(super) fn add(&mut self, error: SettingsError) {
        if self.errors.len() < MOST {
            self.errors.push(error);
        } else {
            self.hidden += 1;
        }
    }

    /// The value, if it is one.
    pub(super) fn take<T>(&mut self, read: Result<T, SettingsError>) -> Option<T> {
        read.map_err(|error| self.add(error)).ok()
    }

    /// `value`, if nothing was wrong on the way to it.
    ///
    /// # Errors
    /// Everything that was wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, SettingsErrors> {
        let Self { errors, hidden } = self;
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            Some(_) | None => Err(SettingsErrors { errors, hidden }),
        }
    }
}
