//! What the program says of itself.

use std::path::Path;

use crate::program::recant;

fn shown(arguments: &[&str]) -> String {
    let ran = recant(Path::new("."), arguments, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
    for line in ran.out.lines() {
        assert!(
            line.chars().count() <= 120,
            "too long for a terminal: {line}"
        );
    }
    ran.out
}

#[test]
fn help_tells_what_a_newcomer_needs() {
    for (name, arguments) in [
        ("recant", &["--help"][..]),
        ("approve", &["approve", "-h"]),
        ("argo_template", &["argo-template", "--help"]),
        ("analyse", &["analyse", "--help"]),
        ("convert", &["convert", "--help"]),
        ("eval", &["eval", "--help"]),
        ("backtest", &["backtest", "--help"]),
        ("rollback", &["rollback", "--help"]),
        ("scale", &["scale", "--help"]),
        ("switch", &["switch", "-h"]),
        ("unfreeze", &["unfreeze", "-h"]),
        ("run", &["run", "-h"]),
        ("demo", &["demo", "--help"]),
        ("explain", &["explain", "--help"]),
        ("freeze", &["freeze", "--help"]),
        ("hold", &["hold", "-h"]),
        ("journal", &["journal", "--help"]),
        ("judge", &["judge", "--help"]),
        ("once", &["once", "-h"]),
        ("check", &["check", "--help"]),
        ("test", &["test", "--help"]),
        ("resume", &["resume", "--help"]),
        ("schema", &["schema", "--help"]),
    ] {
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(format!("help__{name}"), shown(arguments));
        });
    }
    // The long one holds the table of settings, which has its own snapshot.
    let long = shown(&["run", "--help"]);
    for words in ["RECANT_GUARDS__COOL_DOWN", "Exit codes:", "KUBECONFIG"] {
        assert!(long.contains(words), "{long}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(
        shown(&["--version"]),
        format!("recant {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn usage_errors_are_two_and_go_to_standard_error() {
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["run", "--frobnicate"],
        &["demo", "--fault", "everything"],
        &["journal", "--since", "yesterday"],
        &["check"],
        &["resume"],
    ] {
        let ran = recant(Path::new("."), arguments, &[]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(
            ran.err.contains("Usage:") || ran.err.contains("--help"),
            "{}",
            ran.err
        );
    }
}
