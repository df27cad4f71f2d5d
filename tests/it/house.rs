//! The rules of the house (design.md) that no compiler holds: which module may import which, what the core may touch,
//! and in `files` how long files are and what lies where.

mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module of `recant-core` may import. Data flows one way, so this has no circle; a test holds that too.
const CORE: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("argo", &[]),
    ("kayenta", &[]),
    ("time", &[]),
    ("target", &["ids"]),
    ("wording", &["target"]),
    ("traffic", &["wording"]),
    ("change", &["ids", "traffic", "wording"]),
    ("rule", &["change", "ids", "traffic", "wording"]),
    ("access", &["rule"]),
    ("evidence", &["change", "rule"]),
    ("webhook", &["change", "ids", "rule", "wording"]),
    ("observation", &["ids"]),
    ("testcase", &["ids", "rule"]),
    (
        "spec",
        &["argo", "change", "ids", "rule", "testcase", "traffic"],
    ),
    (
        "measurement",
        &["ids", "observation", "rule", "target", "time"],
    ),
    ("history", &["measurement", "time"]),
    ("sequential", &[]),
    (
        "judge",
        &[
            "ids",
            "measurement",
            "rule",
            "sequential",
            "time",
            "wording",
        ],
    ),
    ("analysis", &["ids", "judge", "time"]),
    ("scaling", &["ids", "rule", "wording"]),
    ("git_sync", &["change", "ids", "target"]),
    (
        "plan",
        &[
            "change", "evidence", "git_sync", "ids", "rule", "scaling", "target", "webhook",
        ],
    ),
    ("suspension", &["ids", "plan", "target", "time"]),
    ("drift", &["ids", "suspension", "target"]),
    (
        "saga",
        &[
            "analysis", "ids", "judge", "plan", "rule", "target", "time", "wording",
        ],
    ),
    ("pause", &["ids", "plan", "time"]),
    ("notice", &["ids", "rule"]),
    ("silence", &["ids", "notice"]),
    ("preflight", &["ids"]),
    (
        "guard",
        &[
            "analysis",
            "drift",
            "ids",
            "preflight",
            "rule",
            "saga",
            "silence",
            "target",
            "time",
            "wording",
        ],
    ),
    ("command", &["guard", "ids", "rule", "time", "wording"]),
    ("verify", &["ids"]),
    (
        "incident",
        &["guard", "ids", "notice", "plan", "rule", "scaling", "time"],
    ),
    (
        "stepping",
        &[
            "change", "guard", "ids", "incident", "plan", "rule", "time", "wording",
        ],
    ),
    ("hook", &["ids", "time"]),
    (
        "operation",
        &[
            "change", "evidence", "guard", "ids", "incident", "notice", "plan", "rule", "saga",
            "scaling", "time", "traffic", "webhook", "wording",
        ],
    ),
    (
        "record",
        &[
            "analysis",
            "command",
            "drift",
            "guard",
            "hook",
            "ids",
            "incident",
            "judge",
            "measurement",
            "notice",
            "operation",
            "pause",
            "plan",
            "rule",
            "saga",
            "silence",
            "stepping",
            "verify",
        ],
    ),
    (
        "ledger",
        &[
            "analysis",
            "command",
            "drift",
            "guard",
            "hook",
            "ids",
            "incident",
            "judge",
            "measurement",
            "notice",
            "operation",
            "pause",
            "plan",
            "record",
            "rule",
            "saga",
            "silence",
            "stepping",
            "suspension",
            "target",
            "time",
            "verify",
        ],
    ),
    ("share", &["guard", "ids", "ledger", "time"]),
    (
        "snapshot",
        &[
            "analysis", "guard", "hook", "ids", "incident", "judge", "record", "rule", "scaling",
            "silence",
        ],
    ),
    ("gate", &["ids", "judge", "record", "snapshot"]),
    (
        "audit",
        &["command", "ids", "operation", "pause", "record", "time"],
    ),
    (
        "restored",
        &[
            "guard", "hook", "ids", "incident", "judge", "ledger", "record", "rule", "scaling",
            "silence",
        ],
    ),
    (
        "explain",
        &[
            "analysis",
            "command",
            "drift",
            "git_sync",
            "guard",
            "ids",
            "incident",
            "notice",
            "operation",
            "pause",
            "plan",
            "record",
            "saga",
            "stepping",
            "suspension",
            "verify",
            "wording",
        ],
    ),
    (
        "engine",
        &[
            "analysis",
            "command",
            "change",
            "drift",
            "evidence",
            "explain",
            "git_sync",
            "guard",
            "history",
            "hook",
            "ids",
            "incident",
            "judge",
            "ledger",
            "measurement",
            "notice",
            "observation",
            "operation",
            "pause",
            "plan",
            "preflight",
            "record",
            "rule",
            "saga",
            "scaling",
            "sequential",
            "share",
            "silence",
            "snapshot",
            "stepping",
            "suspension",
            "target",
            "time",
            "traffic",
            "verify",
            "webhook",
            "wording",
        ],
    ),
];

/// What each module of `recant` may import, besides `recant_core`: adapters know each other only through seams.
const RECANT: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("tls", &[]),
    ("analysis", &["clock"]),
    ("convert", &[]),
    ("secrets", &["tls"]),
    ("library_error", &[]),
    ("json_path", &["library_error"]),
    ("config", &["json_path", "library_error"]),
    ("source", &["clock", "json_path", "secrets", "tls"]),
    ("cluster", &[]),
    ("journal", &["cluster"]),
    ("replay", &[]),
    ("ruletest", &["replay", "source"]),
    ("backtest", &["replay", "source"]),
    ("schema", &[]),
    ("actuate", &["clock", "cluster", "secrets", "tls"]),
    ("notify", &["secrets", "tls"]),
    ("http", &["notify", "secrets", "source"]),
    ("telemetry", &[]),
    (
        "agent",
        &[
            "actuate",
            "clock",
            "cluster",
            "http",
            "journal",
            "notify",
            "source",
            "telemetry",
        ],
    ),
    (
        "resources",
        &["agent", "cluster", "http", "journal", "schema"],
    ),
    (
        "demo",
        &[
            "actuate", "agent", "clock", "cluster", "journal", "notify", "source", "tls",
        ],
    ),
    (
        "cli",
        &[
            "actuate",
            "agent",
            "analysis",
            "backtest",
            "clock",
            "cluster",
            "config",
            "convert",
            "demo",
            "http",
            "journal",
            "notify",
            "resources",
            "ruletest",
            "schema",
            "secrets",
            "source",
            "telemetry",
            "tls",
        ],
    ),
];

/// The whole list: none of these can do I/O, read a clock or make random numbers with the features it has here
/// (`jiff` is without `std`, by `croner` too; `serde_json` reads and writes only what `std::io` hands it).
const CORE_DEPENDENCIES: [&str; 8] = [
    "croner",
    "granit-parser",
    "indexmap",
    "jiff",
    "regex",
    "serde",
    "serde_json",
    "thiserror",
];

/// What would make the core impure (P1); `src/core/clippy.toml` holds what hides behind other names.
const IMPURE: [&str; 18] = [
    "std::fs",
    "std::env",
    "std::thread",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "std::io",
    "std::sync::mpsc",
    "Instant::now",
    "std::time::Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "rand::",
    "tokio",
    "async fn",
    "println!",
    "HashMap",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All `.rs` files under a folder, with their text, sorted by path.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the checkout") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are text");
                files.push((path, text));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "{} holds no sources", folder.display());
    files
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text)
}

/// The code of a file: without comments, and without the tests at its end.
fn code(text: &str) -> String {
    without_tests(text)
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The top-level module that a file belongs to: `engine` for `engine/decide.rs`.
fn module(folder: &Path, file: &Path) -> String {
    let inner = file.strip_prefix(folder).expect("it lies in there");
    let first = inner.iter().next().expect("a name");
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Names right behind each `crate::`, or in the braces behind it.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = code.get(at + "crate::".len()..).unwrap_or_default();
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut start = true;
            for (at, character) in list.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    _ if start && !character.is_whitespace() => {
                        found.insert(word(list.get(at..).unwrap_or_default()));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.insert(word(rest));
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect()
}

/// Every import that the map does not allow, and every permission that nobody needs.
fn check_imports(folder: &Path, files: &[(PathBuf, String)], map: &[(&str, &[&str])]) {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = map
        .iter()
        .map(|(module, allowed)| (*module, allowed.iter().copied().collect()))
        .collect();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (file, text) in files {
        let own = module(folder, file);
        if own == "lib" || own == "main" {
            continue;
        }
        let Some(may) = allowed.get(own.as_str()) else {
            wrong.push(format!(
                "module `{own}` is not in the map of tests/it/house.rs"
            ));
            continue;
        };
        for import in imports(&code(text)) {
            // A name that is no module is a macro or a re-export at the root of the crate.
            if import == own || !allowed.contains_key(import.as_str()) {
                continue;
            }
            if !may.contains(import.as_str()) {
                wrong.push(format!("{} imports `{import}`", file.display()));
            }
            used.entry(own.clone()).or_default().insert(import);
        }
    }
    for (module, may) in &allowed {
        let used = used.get(*module).cloned().unwrap_or_default();
        for unused in may.iter().filter(|name| !used.contains(**name)) {
            wrong.push(format!(
                "`{module}` may import `{unused}` and does not: take it out"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The maps are written in an order in which everything comes after what it imports.
fn check_order(map: &[(&str, &[&str])]) {
    let mut seen = BTreeSet::new();
    for (module, allowed) in map {
        for import in *allowed {
            assert!(
                seen.contains(import),
                "`{module}` may import `{import}`, which comes after it: data flows one way"
            );
        }
        seen.insert(*module);
    }
}

#[test]
fn modules_import_only_what_comes_before_them() {
    check_order(CORE);
    check_order(RECANT);
    let core = root().join("src/core");
    check_imports(&core, &sources(&core), CORE);
    let src = root().join("src");
    let adapters: Vec<_> = sources(&src)
        .into_iter()
        .filter(|(file, _)| !file.starts_with(&core))
        .collect();
    check_imports(&src, &adapters, RECANT);
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::plain::X;\nuse crate::{one, two::{A, B}, three};\nfn f() { crate::inline::g() }\npub(in crate::inner) x";
    let found = imports(code);
    let expected = ["inline", "inner", "one", "plain", "three", "two"];
    assert!(found.iter().eq(expected), "{found:?}");
}

#[test]
fn the_core_depends_on_nothing_that_could_do_io() {
    let text = fs::read_to_string(root().join("src/core/Cargo.toml")).expect("its manifest");
    let section = text
        .split("[dependencies]")
        .nth(1)
        .expect("it has dependencies");
    let section = section.split("\n[").next().unwrap_or(section);
    let names: Vec<&str> = section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect();
    assert_eq!(names, CORE_DEPENDENCIES);
    assert!(!text.contains("build-dependencies"), "{text}");

    let workspace = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let jiff = workspace
        .lines()
        .find(|line| line.starts_with("jiff = { version"))
        .expect("its line among the workspace's dependencies");
    assert!(
        jiff.contains("default-features = false") && !jiff.contains("\"std\""),
        "with `std` the core could ask `jiff` for the time: {jiff}"
    );
}

#[test]
fn the_core_has_no_clock_files_threads_or_randomness() {
    let mut wrong = Vec::new();
    for (file, text) in sources(&root().join("src/core")) {
        for (number, line) in code(&text).lines().enumerate() {
            for word in IMPURE {
                if line.contains(word) {
                    wrong.push(format!("{}:{}: `{word}`", file.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
