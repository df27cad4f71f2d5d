//! `recant run` where it cannot begin: each reason is said in one line, at once, with the exit code that the help names.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{Ran, recant};

const WATCH: &str = "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: w, namespace: shop}\ntarget: {kind: Deployment, name: w}\nrules: [http]\n";
const CHANNEL: &str = "apiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {name: team}\nslack: {url: {env: X}}\n";

/// A folder with rules, and a kubeconfig for this server.
fn folder(server: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder for the test");
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: a, cluster: {{server: \"{server}\"}}}}]\n\
         contexts: [{{name: a, context: {{cluster: a, user: a}}}}]\nusers: [{{name: a, user: {{}}}}]\n\
         current-context: a\n"
    );
    write(&folder, "kubeconfig", kubeconfig.as_bytes());
    write(&folder, "watch.yaml", WATCH.as_bytes());
    folder
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(folder.path().join(name), bytes).expect("a file");
}

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    let arguments = [&["run", "--listen", "127.0.0.1:0"], arguments].concat();
    recant(folder, &arguments, &[("KUBECONFIG", "kubeconfig")])
}

#[test]
fn without_usable_rules_it_says_what_to_do() {
    let folder = folder("http://127.0.0.1:1");
    write(
        &folder,
        "broken.yaml",
        WATCH.replace("[http]", "[htp]").as_bytes(),
    );
    write(&folder, "channel.yaml", CHANNEL.as_bytes());
    for (arguments, words) in [
        (
            &[][..],
            "no rules are named: give files or folders with --rules",
        ),
        (&["--rules", "nowhere"], "there is no such file or folder"),
        (&["--rules", "broken.yaml"], "did you mean `http`"),
        (
            &["--rules", "broken.yaml"],
            "there is an error in the rules, see above",
        ),
        (&["--rules", "channel.yaml"], "the rules hold no Watch"),
        (
            &["--config", "nowhere.yaml"],
            "the settings file nowhere.yaml cannot be read",
        ),
    ] {
        let ran = run(folder.path(), arguments);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{arguments:?}: {}",
            ran.err
        );
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
    }
    assert!(!folder.path().join("recant.journal").exists());
}

#[test]
fn settings_are_refused_with_their_layer() {
    let folder = folder("http://127.0.0.1:1");
    write(&folder, "settings.yaml", b"guards: {cooldown: 3s}\n");
    let ran = run(folder.path(), &["--config", "settings.yaml"]);
    assert_eq!(ran.code, 2);
    for words in ["`guards.cooldown`", "settings.yaml", "`guards.coolDown`"] {
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    let ran = recant(
        folder.path(),
        &["run", "--rules", "watch.yaml"],
        &[("RECANT_DRYRUN", "true")],
    );
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("RECANT_DRY_RUN"), "{}", ran.err);
}

#[test]
fn a_journal_that_cannot_be_used_is_refused_untouched() {
    let folder = folder("http://127.0.0.1:1");
    let whole = "recant-journal 1\n";
    for (name, bytes, words) in [
        (
            "newer",
            b"recant-journal 9\nwhat nobody knows\n".to_vec(),
            "run a newer Recant",
        ),
        (
            "garbage",
            b"\x00\xff\x17 garbage".repeat(50),
            "is not a journal of Recant",
        ),
        (
            "yaml",
            WATCH.as_bytes().to_vec(),
            "is not a journal of Recant",
        ),
        (
            "changed",
            [whole.as_bytes(), b"17 00ff {\"sequence\":0}\n", b"more\n"].concat(),
            "was changed after it was written",
        ),
    ] {
        write(&folder, name, &bytes);
        let ran = run(folder.path(), &["--rules", "watch.yaml", "--journal", name]);
        assert_eq!(ran.code, 2, "{name}: {}", ran.err);
        assert!(ran.err.contains(words), "{name}: {}", ran.err);
        let after = fs::read(folder.path().join(name)).expect("it is there");
        assert!(after == bytes, "`{name}` was touched");
    }
    let ran = run(
        folder.path(),
        &["--rules", "watch.yaml", "--journal", "none/journal"],
    );
    assert_eq!(ran.code, 2);
    assert!(
        ran.err
            .contains("the folder none of the journal does not exist"),
        "{}",
        ran.err
    );
}

#[test]
fn a_port_in_use_is_named() {
    let folder = folder("http://127.0.0.1:1");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address").to_string();
    let ran = recant(
        folder.path(),
        &["run", "--rules", "watch.yaml", "--listen", &address],
        &[],
    );
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(
        ran.err.contains(&format!("cannot listen on {address}")),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("choose another port"), "{}", ran.err);
}

#[test]
fn without_a_cluster_it_ends_and_says_so() {
    // One that refuses, one that takes the connection and never answers, one that nobody names.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent_url = format!("http://{}", silent.local_addr().expect("its address"));
    for (server, words) in [
        ("http://127.0.0.1:1", "Connection refused"),
        (silent_url.as_str(), "took more than"),
    ] {
        let folder = folder(server);
        let begun = Instant::now();
        let ran = run(folder.path(), &["--rules", "watch.yaml"]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{:?}",
            begun.elapsed()
        );
        assert!(ran.err.contains(words), "{}", ran.err);
        assert!(ran.err.contains(server), "which server: {}", ran.err);
        let last = ran.err.lines().last().unwrap_or_default();
        assert!(
            last.contains("asking the API server what this agent may do"),
            "{}",
            ran.err
        );
        assert!(
            !folder.path().join("recant.journal").exists(),
            "nothing has begun"
        );
    }
    let folder = folder("http://127.0.0.1:1");
    let ran = recant(
        folder.path(),
        &["run", "--rules", "watch.yaml", "--listen", "127.0.0.1:0"],
        &[("KUBECONFIG", "nowhere")],
    );
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("Set KUBECONFIG"), "{}", ran.err);
}
