//! `recant check`: which files are read, what is printed where, and the exit code.

use std::fs;
use std::path::{Path, PathBuf};

use recant::cli::check::{Checked, check};
use recant::config::files;
use tempfile::TempDir;

const SET: &str = "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: shop}\nrules: [{name: a, ratio: {bad: b, total: t}, max: 5%}]\n";
const WATCH: &str = "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: w, namespace: shop}\ntarget: {kind: Deployment, name: w}\nrules: [shop, http]\n";

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().expect("a folder for the test");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    folder
}

/// Outcome, standard output and standard error; the folder's name is taken out.
fn run(folder: &Path, names: &[&str]) -> (Checked, String, String) {
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let checked = check(&paths, &mut out, &mut err).expect("writing to memory");
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes)
            .expect("text")
            .replace(&folder.display().to_string(), "DIR")
    };
    (checked, text(out), text(err))
}

#[test]
fn good_files_get_one_line() {
    let folder = folder(&[("a.yaml", SET.as_bytes()), ("b.yml", WATCH.as_bytes())]);
    let (checked, out, err) = run(folder.path(), &["a.yaml", "b.yml"]);
    assert_eq!(checked, Checked::Good);
    assert_eq!(out, "1 rule set, 1 watch, 0 channels: no problem found\n");
    assert_eq!(err, "");
}

#[test]
fn warnings_do_not_fail() {
    let folder = folder(&[("a.yaml", b"# nothing\n")]);
    let (checked, out, err) = run(folder.path(), &["a.yaml"]);
    assert_eq!(checked, Checked::Good);
    assert_eq!(out, "0 rule sets, 0 watches, 0 channels: 1 warning\n");
    assert!(err.contains("the file holds no document"), "{err}");
}

#[test]
fn errors_of_all_files_go_to_standard_error() {
    let folder = folder(&[
        ("a.yaml", SET.replace("5%", "5").as_bytes()),
        ("b.yaml", WATCH.replace("kind: Dep", "knd: Dep").as_bytes()),
        ("c.yaml", b"\xff\xfe\x00"),
        ("d.yaml", b"a: b\n\xff\n"),
        ("e.yaml", &vec![b'#'; 10_000_000]),
    ]);
    let (checked, out, err) = run(
        folder.path(),
        &["a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml", "f.yaml"],
    );
    assert_eq!((checked, out.as_str()), (Checked::Faulty, ""));
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("check__errors_of_all_files", err);
    });
}

#[test]
fn folders_are_read_in_order_and_without_what_is_hidden() {
    let folder = folder(&[
        ("rules/b.yaml", SET.as_bytes()),
        ("rules/a.YML", b"# a"),
        ("rules/team/c.json", b"{}"),
        ("rules/README.md", b"no rules"),
        ("rules/.hidden.yaml", b"no rules"),
        ("rules/..2026_01_01/b.yaml", b"no rules"),
        ("single", b"# taken, since it is named"),
    ]);
    let names = |paths: &[&str]| {
        let paths: Vec<PathBuf> = paths.iter().map(|path| folder.path().join(path)).collect();
        let collected = files::collect(&paths);
        assert!(collected.problems.is_empty(), "{:?}", collected.problems);
        collected
            .files
            .iter()
            .map(|file| file.name.replace(&folder.path().display().to_string(), ""))
            .collect::<Vec<_>>()
    };
    let all = ["/rules/a.YML", "/rules/b.yaml", "/rules/team/c.json"];
    assert_eq!(names(&["rules"]), all);
    assert_eq!(names(&["single", "rules", "rules/b.yaml"])[1..], all);
    assert_eq!(names(&["rules/b.yaml", "rules/b.yaml"]), ["/rules/b.yaml"]);
}

#[test]
fn folders_that_hold_nothing_are_an_error() {
    let folder = folder(&[("rules/README.md", b"no rules")]);
    let (checked, _, err) = run(folder.path(), &["rules"]);
    assert_eq!(checked, Checked::Faulty);
    assert!(err.contains("the folder holds no rule files"), "{err}");
}

#[cfg(unix)]
#[test]
fn a_mounted_config_map_is_read_once() {
    use std::os::unix::fs::symlink;
    let folder = folder(&[("rules/..2026_01_01/shop.yaml", SET.as_bytes())]);
    let rules = folder.path().join("rules");
    symlink("..2026_01_01", rules.join("..data")).expect("a link");
    symlink("..data/shop.yaml", rules.join("shop.yaml")).expect("a link");
    symlink(".", rules.join("loop")).expect("a link");
    let (checked, out, err) = run(folder.path(), &["rules"]);
    assert_eq!(checked, Checked::Good, "{err}");
    assert_eq!(out, "1 rule set, 0 watches, 0 channels: no problem found\n");
}

#[cfg(unix)]
#[test]
fn devices_and_dangling_links_are_refused() {
    use std::os::unix::fs::symlink;
    let folder = folder(&[]);
    symlink("nowhere", folder.path().join("dangling.yaml")).expect("a link");
    symlink("/dev/zero", folder.path().join("zero.yaml")).expect("a link");
    let (checked, _, err) = run(folder.path(), &[""]);
    assert_eq!(checked, Checked::Faulty);
    assert!(err.contains("there is no such file or folder"), "{err}");
    assert!(err.contains("it is not a regular file"), "{err}");
}

#[test]
fn names_from_a_file_that_cannot_be_read_are_not_missed() {
    let folder = folder(&[("a.yaml", b"\xff"), ("b.yaml", WATCH.as_bytes())]);
    let (checked, _, err) = run(folder.path(), &["a.yaml", "b.yaml"]);
    assert_eq!(checked, Checked::Faulty);
    assert!(!err.contains("no rule set"), "{err}");
    assert!(err.contains("1 error\n"), "{err}");
}

#[test]
fn the_command_exits_with_0_or_2() {
    let folder = folder(&[("good.yaml", SET.as_bytes()), ("bad.yaml", b"a: b\n")]);
    for (name, code) in [("good.yaml", 0), ("bad.yaml", 2), ("missing.yaml", 2)] {
        let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_recant"))
            .arg("check")
            .arg(folder.path().join(name))
            .assert()
            .code(code);
        let is_silent = output.get_output().stdout.is_empty();
        assert_eq!(is_silent, code != 0, "{name}");
    }
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_recant"))
        .arg("check")
        .assert()
        .code(2);
}

#[test]
fn github_is_told_beside_the_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: shop}\nrules:\n\
                - name: errors\n  ratio: {bad: b, total: t}\n  maxx: 5%\n";
    std::fs::write(folder.path().join("a%b.yaml"), text).expect("it is writable");
    let summary = folder.path().join("summary.md");
    std::fs::write(&summary, "before\n").expect("it is writable");
    let arguments = ["check", "a%b.yaml", "--annotations=github"];
    let environment = [("GITHUB_STEP_SUMMARY", summary.to_str().expect("UTF-8"))];
    let ran = crate::program::recant(folder.path(), &arguments, &environment);
    assert_eq!(ran.code, 2);
    let commands: Vec<&str> = ran
        .err
        .lines()
        .filter(|line| line.starts_with("::"))
        .collect();
    assert!(
        commands.iter().any(|line| line.starts_with(
            "::error file=a%25b.yaml,line=7,col=3,title=recant::unknown field `maxx` in a rule"
        ) && line.contains("%0Ahelp: ")),
        "{commands:?}"
    );
    let told = std::fs::read_to_string(&summary).expect("it is there");
    assert!(
        told.starts_with(
            "before\n### recant check\n\n- ❌ **recant** `a%b.yaml:7`: unknown field `maxx`"
        ),
        "{told}"
    );
    // Without the flag nothing is told, and what cannot be told is an error.
    let ran = crate::program::recant(folder.path(), &arguments[..2], &environment);
    assert!(!ran.err.contains("::error"), "{}", ran.err);
    let nowhere = [("GITHUB_STEP_SUMMARY", "nowhere/summary.md")];
    let ran = crate::program::recant(folder.path(), &arguments, &nowhere);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("nowhere/summary.md (GITHUB_STEP_SUMMARY)"),
        "{}",
        ran.err
    );
}
