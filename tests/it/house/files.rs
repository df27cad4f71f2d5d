//! How long files are, how they begin, and what lies where.

use std::fs;

use super::{code, root, sources, without_tests};

/// What lies at the top of the repository (design.md, "The house"); dot files and `target` besides.
const TOP: [&str; 14] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "alerts",
    "benches",
    "charts",
    "deny.toml",
    "rules",
    "rust-toolchain.toml",
    "src",
    "tests",
];

const LONGEST: usize = 600;
const MEDIAN: usize = 150;

#[test]
fn files_are_short() {
    let src = root().join("src");
    let mut lengths: Vec<usize> = Vec::new();
    let mut long = Vec::new();
    for (file, text) in sources(&src) {
        if file.ends_with("tests.rs") || file.iter().any(|part| part == "tests") {
            continue;
        }
        let length = without_tests(&text).lines().count();
        if length > LONGEST {
            long.push(format!("{}: {length} lines", file.display()));
        }
        lengths.push(length);
    }
    assert!(long.is_empty(), "above {LONGEST}:\n{}", long.join("\n"));
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    assert!(median < MEDIAN, "half of the files have {median} lines");
}

#[test]
fn no_path_of_the_api_port_is_added_past_its_scope_and_description() {
    let api = root().join("src/http/api");
    let mut wrong = Vec::new();
    for (file, text) in sources(&api) {
        if file.ends_with("routes.rs") {
            continue;
        }
        for (number, line) in code(&text).lines().enumerate() {
            for word in [
                "Router::new",
                ".route(",
                ".nest(",
                ".route_service(",
                "axum::routing",
            ] {
                if line.contains(word) {
                    wrong.push(format!("{}:{}: `{word}`", file.display(), number + 1));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "add paths by `Routes`, with what they need and a description:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn modules_say_their_job_and_are_no_mod_rs() {
    let root = root();
    let mut wrong = Vec::new();
    for folder in ["src", "tests"] {
        for (file, text) in sources(&root.join(folder)) {
            if file.ends_with("mod.rs") {
                wrong.push(format!("{} is a mod.rs", file.display()));
            }
            // The job of a `tests.rs` is in its name.
            if !text.starts_with("//!") && !file.ends_with("tests.rs") {
                wrong.push(format!("{} does not begin with its job", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_top_holds_what_the_design_names() {
    for entry in fs::read_dir(root()).expect("the checkout") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        assert!(TOP.contains(&name.as_ref()), "`{name}` at the top");
    }
}
