//! Collects rule files: those named, and those in folders. Bounded in number and size, without guessing.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use recant_core::spec::{Diagnostic, MOST_BYTES, SourceFile};

/// Files that are read at most, over all paths.
const MOST_FILES: usize = 1000;
/// Bytes of all files together.
const MOST_TOTAL_BYTES: usize = 32 << 20;
/// Folders within each other.
const MOST_DEPTH: usize = 4;
/// Entries of one folder.
const MOST_ENTRIES: usize = 10_000;

/// What was found under some paths.
#[derive(Debug, Default)]
pub struct Collected {
    /// In the order of the paths; within a folder by name.
    pub files: Vec<SourceFile>,
    /// What could not be read: errors all of them.
    pub problems: Vec<Diagnostic>,
}

/// Reads the files under `paths`.
///
/// A file is taken whatever its name. Of a folder, files that end in `.yaml`, `.yml` or `.json` are taken, sorted,
/// and folders within it; names that begin with a dot are left out, as are those of a mounted `ConfigMap`.
pub fn collect(paths: &[PathBuf]) -> Collected {
    let mut collector = Collector::default();
    for path in paths {
        collector.path(path);
    }
    collector.collected
}

#[derive(Debug, Default)]
struct Collector {
    collected: Collected,
    /// A file that is named twice, or named and in a folder, is read once.
    seen: BTreeSet<PathBuf>,
    bytes: usize,
    full: bool,
}

impl Collector {
    fn path(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let before = self.collected.files.len() + self.collected.problems.len();
                let seen = self.seen.len();
                self.folder(path, MOST_DEPTH);
                let after = self.collected.files.len() + self.collected.problems.len();
                if before == after && seen == self.seen.len() {
                    self.problem(
                        path,
                        "the folder holds no rule files".to_owned(),
                        "rule files end in `.yaml`, `.yml` or `.json`: is this the right folder?",
                    );
                }
            }
            Ok(_) => self.file(path),
            Err(error) => self.unreadable(path, &error),
        }
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(path, &error),
        };
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => names.push(entry.path()),
                Err(error) => return self.unreadable(path, &error),
            }
            if names.len() > MOST_ENTRIES {
                return self.problem(
                    path,
                    format!("the folder has more than {MOST_ENTRIES} entries"),
                    "keep rule files in a folder of their own",
                );
            }
        }
        names.sort();
        for name in names {
            let hidden = name
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if hidden || self.full {
                continue;
            }
            match fs::metadata(&name) {
                Ok(metadata) if metadata.is_dir() => {
                    // Links to folders are not followed: they may lead back here.
                    if fs::symlink_metadata(&name).is_ok_and(|link| link.is_symlink()) {
                        continue;
                    }
                    if depth == 0 {
                        self.problem(
                            &name,
                            format!("folders are nested more than {MOST_DEPTH} deep"),
                            "name this folder itself, or move its files up",
                        );
                    } else {
                        self.folder(&name, depth - 1);
                    }
                }
                Ok(_) if is_rule_file(&name) => self.file(&name),
                Err(error) if is_rule_file(&name) => self.unreadable(&name, &error),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: &Path) {
        if self.full {
            return;
        }
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(real) {
            return;
        }
        if self.collected.files.len() >= MOST_FILES || self.bytes >= MOST_TOTAL_BYTES {
            self.full = true;
            return self.problem(
                path,
                format!(
                    "there are more than {MOST_FILES} rule files, or more than {} MiB of them",
                    MOST_TOTAL_BYTES >> 20
                ),
                "this file and those after it were not read: are these the right folders?",
            );
        }
        match read(path) {
            Ok(bytes) if bytes.len() > MOST_BYTES => self.problem(
                path,
                format!("the file is larger than {} MiB", MOST_BYTES >> 20),
                "rule files are small: is this the right file? otherwise split it",
            ),
            Ok(bytes) => match text(bytes) {
                Ok(text) => {
                    self.bytes += text.len();
                    self.collected.files.push(SourceFile {
                        name: path.display().to_string(),
                        text,
                    });
                }
                Err(NotText { message, help }) => self.problem(path, message, help),
            },
            Err(error) => self.unreadable(path, &error),
        }
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let (what, help) = match error.kind() {
            io::ErrorKind::NotFound => (
                "there is no such file or folder".to_owned(),
                "check the path; it is relative to the working directory",
            ),
            io::ErrorKind::PermissionDenied => (
                "the file or folder may not be read".to_owned(),
                "check its owner and mode",
            ),
            _ => (
                format!("it cannot be read: {error}"),
                "mend that, or leave the path out",
            ),
        };
        self.problem(path, what, help);
    }

    fn problem(&mut self, path: &Path, message: String, help: &str) {
        self.collected.problems.push(Diagnostic::of_file(
            &path.display().to_string(),
            message,
            help,
        ));
    }
}

fn is_rule_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// Reads one byte more than a file may have, at most. Pipes and devices are refused: they may never end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MOST_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why some bytes are no text.
struct NotText {
    message: String,
    help: &'static str,
}

fn text(bytes: Vec<u8>) -> Result<String, NotText> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(NotText {
            message: "the file is UTF-16 text, not UTF-8".to_owned(),
            help: "save it as UTF-8",
        });
    }
    let bytes = match bytes.strip_prefix(&[0xef, 0xbb, 0xbf]) {
        Some(rest) => rest.to_vec(),
        None => bytes,
    };
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..good).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        let byte = error.as_bytes().get(good).copied().unwrap_or_default();
        NotText {
            message: format!("the file is not UTF-8 text: byte 0x{byte:02x} in line {line}"),
            help: "save it as UTF-8; is this the right file?",
        }
    })
}
