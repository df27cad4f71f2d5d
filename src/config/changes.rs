//! Notices that files of rules or settings changed: by looking at them once a second.
//!
//! Looking instead of being told (inotify): it works on every file system, network ones included, it sees the switch of
//! the link `..data` by which Kubernetes replaces all files of a mounted `ConfigMap` at once, and nothing has to be set
//! up again when a file is replaced, a folder appears or a path is mended. A look costs one `stat` per file.
//!
//! What is written in place is half there for a moment, and half a file may well be valid. So files are read when they
//! have been the same for two looks.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Files and folders that are looked at; above, the rest is not: `files` refuses so many anyway.
const MOST_LOOKED_AT: usize = 20_000;
/// Folders within each other.
const MOST_DEPTH: usize = 5;

/// The files of one set of paths, as they stood at the last looks.
#[derive(Debug, Default)]
pub struct Changes {
    /// What was read last.
    taken: Option<Picture>,
    /// What the last look saw.
    seen: Option<Picture>,
}

/// Of each path: where it really lies, and when it was written last.
type Picture = BTreeSet<Stand>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Stand {
    path: PathBuf,
    /// Absent: it cannot be looked at.
    file: Option<(u64, u64, u64, i64, i64)>,
}

impl Changes {
    /// What stands now counts as read.
    pub fn since(paths: &[PathBuf]) -> Self {
        let now = picture(paths);
        Self {
            taken: Some(now.clone()),
            seen: Some(now),
        }
    }

    /// Looks once; true when files have changed since they were read and have settled. They count as read from then on.
    pub fn look(&mut self, paths: &[PathBuf]) -> bool {
        let now = picture(paths);
        let settled = self.seen.as_ref() == Some(&now);
        let changed = self.taken.as_ref() != Some(&now);
        self.seen = Some(now.clone());
        if changed && settled {
            self.taken = Some(now);
            return true;
        }
        false
    }
}

fn picture(paths: &[PathBuf]) -> Picture {
    let mut picture = Picture::new();
    for path in paths {
        add(&mut picture, path, MOST_DEPTH);
    }
    picture
}

fn add(picture: &mut Picture, path: &Path, depth: usize) {
    if picture.len() >= MOST_LOOKED_AT {
        return;
    }
    let metadata = fs::metadata(path).ok();
    let folder = metadata.as_ref().is_some_and(fs::Metadata::is_dir);
    let inserted = picture.insert(Stand {
        path: path.to_owned(),
        file: metadata.map(|file| {
            (
                file.dev(),
                file.ino(),
                file.len(),
                file.mtime(),
                file.mtime_nsec(),
            )
        }),
    });
    if !folder || !inserted || depth == 0 {
        return;
    }
    // A folder that cannot be listed looks empty; reading it says why.
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        // Links to folders are not followed when rules are read.
        let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let path = entry.path();
        let linked_folder = link && path.is_dir();
        if !(hidden || linked_folder) {
            add(picture, &path, depth - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Looks until nothing changes any more; how often it was said that something had changed.
    fn looks(changes: &mut Changes, paths: &[PathBuf]) -> usize {
        (0..4).filter(|_| changes.look(paths)).count()
    }

    #[test]
    fn every_way_to_change_a_file_is_seen_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("rules")).expect("a folder");
        fs::write(path("rules/a.yaml"), "a").expect("is written");
        let paths = [path("rules"), path("settings.yaml")];
        let mut changes = Changes::since(&paths);
        assert_eq!(looks(&mut changes, &paths), 0, "nothing changed");
        let ways: [(&str, &dyn Fn()); 7] = [
            ("in place", &|| {
                fs::write(path("rules/a.yaml"), "ab").expect("is written");
            }),
            ("by a rename", &|| {
                fs::write(path("rules/.new"), "cd").expect("is written");
                fs::rename(path("rules/.new"), path("rules/a.yaml")).expect("is renamed");
            }),
            ("a new file", &|| {
                fs::write(path("rules/b.yaml"), "b").expect("is written");
            }),
            ("a new folder", &|| {
                fs::create_dir(path("rules/more")).expect("a folder");
                fs::write(path("rules/more/c.yaml"), "c").expect("is written");
            }),
            ("a file less", &|| {
                fs::remove_file(path("rules/b.yaml")).expect("is removed");
            }),
            ("a path that was not there", &|| {
                fs::write(path("settings.yaml"), "").expect("is written");
            }),
            ("a path that goes", &|| {
                fs::remove_file(path("settings.yaml")).expect("is removed");
            }),
        ];
        for (way, change) in ways {
            change();
            assert_eq!(looks(&mut changes, &paths), 1, "{way}");
        }
    }

    #[test]
    fn the_switch_of_a_mounted_config_map_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for version in ["..1", "..2"] {
            fs::create_dir(path(version)).expect("a folder");
            fs::write(path(version).join("rules.yaml"), "the same length").expect("is written");
        }
        symlink("..1", path("..data")).expect("is linked");
        symlink("..data/rules.yaml", path("rules.yaml")).expect("is linked");
        let paths = [folder.path().to_owned()];
        let mut changes = Changes::since(&paths);
        symlink("..2", path("..data_tmp")).expect("is linked");
        fs::rename(path("..data_tmp"), path("..data")).expect("is switched");
        assert_eq!(looks(&mut changes, &paths), 1);
    }

    #[test]
    fn a_file_that_is_still_written_is_left_until_it_rests() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = [folder.path().join("rules.yaml")];
        let mut changes = Changes::since(&paths);
        for length in 1..5 {
            fs::write(&paths[0], "x".repeat(length)).expect("is written");
            assert!(!changes.look(&paths), "after {length} bytes");
        }
        assert!(changes.look(&paths));
    }
}
