//! The agent's settings: which layer wins, what is refused, and with which words.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use recant::config::settings::{self, Flags, Settings, TABLE};
use recant_core::guard::AtMost;
use recant_core::rule::{SecretRef, SourceKind};
use tempfile::TempDir;

/// Loads settings from a file, `NAME=value` pairs and flags; an empty text is no file.
fn load(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Settings, String> {
    let folder = TempDir::new().expect("a folder for the test");
    let path = folder.path().join("settings.yaml");
    fs::write(&path, file).expect("a file");
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let flags: Flags = flags
        .iter()
        .map(|(key, value)| (*key, (*value).to_owned()))
        .collect();
    let given = (!file.is_empty()).then_some(path.as_path());
    settings::load(given, environment, &flags).map_err(|error| {
        error
            .to_string()
            .replace(&path.display().to_string(), "FILE")
    })
}

fn refused(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> String {
    load(file, environment, flags).expect_err("it is refused")
}

#[test]
fn nothing_given_means_the_defaults_of_the_table() {
    let settings = load("", &[], &[]).expect("the defaults are good");
    assert!(settings.rules.is_empty() && settings.prometheus.is_none());
    assert_eq!(settings.source, SourceKind::Scrape);
    assert_eq!(settings.interval, Duration::from_secs(1));
    assert_eq!(settings.listen.to_string(), "127.0.0.1:9464");
    assert_eq!(settings.guards.cool_down, SignedDuration::from_mins(10));
    assert_eq!(settings.guards.actions_per_hour, 6);
    assert_eq!(settings.lease.duration, Duration::from_secs(15));
    assert!(!settings.guards.dry_run && !settings.guards.kill_switch && !settings.log.json);
}

#[test]
fn flags_win_over_environment_and_environment_over_file() {
    let file = "guards: {coolDown: 1m, actionsPerHour: 1}\nlease: {name: file}\nrules: [a, b]\n";
    let environment = [
        ("RECANT_GUARDS__COOL_DOWN", "2m"),
        ("RECANT_LEASE__NAME", "environment"),
        ("RECANT_RULES", "c:d"),
    ];
    let flags = [("lease.name", "flag")];
    let settings = load(file, &environment, &flags).expect("all are good");
    assert_eq!(settings.guards.actions_per_hour, 1);
    assert_eq!(settings.guards.cool_down, SignedDuration::from_mins(2));
    assert_eq!(settings.lease.name, "flag");
    assert_eq!(settings.rules, [PathBuf::from("c"), PathBuf::from("d")]);
    let settings = load(file, &environment, &[("rules", "e"), ("rules", "f")]).expect("good");
    assert_eq!(settings.rules, [PathBuf::from("e"), PathBuf::from("f")]);
}

#[test]
fn prometheus_is_the_source_once_its_address_is_known() {
    let settings = load(
        "prometheus:\n  url: https://prometheus.example/base\n  timeout: 2s\n  namespaceLabel: \"\"\n  bearer: {file: /run/token}\n",
        &[],
        &[],
    )
    .expect("good");
    assert_eq!(settings.source, SourceKind::Prometheus);
    let prometheus = settings.prometheus.expect("it is set");
    assert_eq!(prometheus.timeout, Duration::from_secs(2));
    assert_eq!(prometheus.namespace_label, None);
    assert_eq!(
        prometheus.bearer,
        Some(SecretRef::File("/run/token".to_owned()))
    );
}

#[test]
fn guards_of_all_targets_are_read_from_file_and_environment() {
    let file = "guards:\n  atOnce: 25%\n  breaker: {failures: 2, pause: 30m}\n  freeze: ['0 18 * * FRI for 62h in Europe/Berlin']\n  namespaces: [shop]\n";
    let guards = load(file, &[], &[]).expect("good").guards;
    assert_eq!(guards.at_once, AtMost::Percent(25));
    assert_eq!(guards.breaker.within, SignedDuration::from_mins(30));
    assert_eq!(*guards.namespaces, ["shop".to_owned()]);
    let friday: Timestamp = "2026-07-03T16:00:00Z".parse().expect("a time");
    let until = guards.freezes[0].until(friday).expect("frozen");
    assert_eq!(until.to_string(), "2026-07-06T06:00:00Z");
    let environment = [
        (
            "RECANT_GUARDS__FREEZE",
            "0 0 * * MON,FRI for 1h; 0 1 * * * for 2h",
        ),
        ("RECANT_GUARDS__AT_ONCE", "7"),
    ];
    let guards = load(file, &environment, &[]).expect("good").guards;
    assert_eq!(
        (guards.freezes.len(), guards.at_once),
        (2, AtMost::Number(7))
    );
}

#[test]
fn what_is_wrong_is_named_with_its_layer() {
    for (file, environment, flags, expected) in [
        (
            "prometheus: {ur: x}",
            &[][..],
            &[][..],
            "there is no setting `prometheus.ur` (file FILE:1:14), did you mean `prometheus.url`?; `recant run --help` lists all",
        ),
        (
            "guards: {coolDown: soon}",
            &[],
            &[],
            "setting `guards.coolDown`: `soon` is no duration like `90s` or `10m` (file FILE:1:10)",
        ),
        (
            "guards: {freeze: ['0 18 * * FRI for 62h in Europe/Berlim']}",
            &[],
            &[],
            "setting `guards.freeze`: `Europe/Berlim` is no time zone that is known here, such as `UTC` or `Europe/Berlin` (file FILE:1:10)",
        ),
        (
            "guards: {atOnce: 0}",
            &[],
            &[],
            "setting `guards.atOnce`: `0` is neither a number of 1 or more nor a share like `25%` (file FILE:1:10)",
        ),
        (
            "guards: 5",
            &[],
            &[],
            "setting `guards`: holds further settings, give a mapping (file FILE:1:1)",
        ),
        (
            "",
            &[("RECANT_GUARDS__COOLDOWN", "1m")],
            &[],
            "there is no setting `RECANT_GUARDS__COOLDOWN` (environment), did you mean `RECANT_GUARDS__COOL_DOWN`?; `recant run --help` lists all",
        ),
        (
            "",
            &[("RECANT_LEASE__DURATION", "1s")],
            &[],
            "setting `lease.duration`: `1s` lies outside 3 s to 3600 s (environment RECANT_LEASE__DURATION)",
        ),
        (
            "",
            &[],
            &[("source", "prometheus")],
            "setting `source`: `prometheus` needs `prometheus.url` (flag)",
        ),
        (
            "",
            &[],
            &[("listen", "9464")],
            "setting `listen`: `9464` is no address like `0.0.0.0:9464` (flag)",
        ),
        (
            "",
            &[],
            &[("prometheus.url", "prometheus:9090")],
            "setting `prometheus.url`: is no URL like `http://prometheus:9090` (flag)",
        ),
        (
            "otel: {endpoint: \"http://me:secret@collector:4318\"}",
            &[],
            &[],
            "setting `otel.endpoint`: holds a user name or a password: use `otel.headers` (file FILE:1:8)",
        ),
        (
            "otel: {endpoint: collector, ratio: NaN}",
            &[],
            &[],
            "there are 2 errors in the settings:\n  \
             - setting `otel.endpoint`: is no URL like `http://collector:4318` (file FILE:1:8)\n  \
             - setting `otel.ratio`: `NaN` is no number from 0 to 1 (file FILE:1:29)",
        ),
        (
            "dryRun: maybe",
            &[],
            &[],
            "setting `dryRun`: `maybe` is neither `true` nor `false` (file FILE:1:1)",
        ),
    ] {
        assert_eq!(refused(file, environment, flags), expected);
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let file = "# settings\nlisten: here\nguards:\n  coolDown: soon\n  actionsPerHuor: 3\nlease: {duration: 1s}\nprometheus: {url: 'a:b', timeout: 5h, basic: {user: me}}\ntracing: {url: x}\n";
    let environment = [
        ("RECANT_DRY_RUN", "perhaps"),
        ("RECANT_GUARDS__COOLDOWN", "1m"),
    ];
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("settings__everything_wrong", refused(file, &environment, &[("source", "scrpe")]));
    });
}

#[test]
fn places_are_known_in_every_form_of_yaml() {
    for (file, place) in [
        ("{\"dryRun\": \"maybe\"}", "FILE:1:2)"),
        ("# a\r\n\r\ndryRun: maybe\r\n", "FILE:3:1)"),
        ("\"dryRun\": maybe", "FILE:1:1)"),
        ("guards.coolDown: soon", "FILE:1:1)"),
        // What lies behind an alias has no place of its own.
        ("lease: &a {name: x, duration: 1s}\n", "FILE:1:21)"),
    ] {
        let said = refused(file, &[], &[]);
        assert!(said.ends_with(place), "{file}: {said}");
    }
}

#[test]
fn a_file_of_nothing_but_errors_is_told_in_part() {
    let lines: Vec<String> = (0..5_000)
        .map(|number| format!("wrong{number}: 1"))
        .collect();
    let said = refused(&lines.join("\n"), &[], &[]);
    assert!(
        said.starts_with("there are 5000 errors in the settings:\n"),
        "{said}"
    );
    assert!(
        said.ends_with("- and 4900 more, which are not shown"),
        "{said}"
    );
}

#[test]
fn no_message_shows_a_secret() {
    for (file, environment) in [
        (
            "prometheus: {url: 'http://me:verysecret@prometheus'}",
            &[][..],
        ),
        ("prometheus: {bearer: verysecret}", &[]),
        ("prometheus: {bearer: {token: verysecret}}", &[]),
        ("prometheus: {bearer: verysecret", &[]),
        ("prometheus:\n  bearer: verysecret\n bad: indentation", &[]),
        ("a: verysecret\na: verysecret", &[]),
        ("", &[("RECANT_PROMETHEUS__BEARER", "verysecret")]),
        ("", &[("RECANT_PROMETHEUS__TOKEN", "verysecret")]),
    ] {
        let shown = refused(file, environment, &[]);
        assert!(!shown.contains("verysecret"), "{shown}");
    }
}

#[test]
fn variables_of_a_service_called_recant_are_left_alone() {
    let environment = [
        ("RECANT_SERVICE_HOST", "10.0.0.1"),
        ("RECANT_SERVICE_PORT", "9464"),
        ("RECANT_SERVICE_PORT_HTTP", "9464"),
        ("RECANT_PORT", "tcp://10.0.0.1:9464"),
        ("RECANT_PORT_9464_TCP", "tcp://10.0.0.1:9464"),
        ("RECANT_PORT_9464_TCP_ADDR", "10.0.0.1"),
        ("RECANT_PORT_9464_TCP_PROTO", "tcp"),
        ("RECANT_TEST_TIMES", "1"),
        ("PATH", "/bin"),
    ];
    load("", &environment, &[]).expect("none of them is a setting");
}

#[test]
fn the_api_port_is_off_until_it_has_an_address_and_is_never_open_to_all() {
    assert_eq!(load("", &[], &[]).expect("good").api, None);
    let alone = load("api: {address: '127.0.0.1:9465'}", &[], &[]);
    let api = alone
        .expect("loopback needs no token")
        .api
        .expect("it is on");
    assert_eq!((api.read_token, api.tls), (None, None));
    let guarded =
        "api: {address: '0.0.0.0:9465', readToken: {file: t}, tls: {certFile: c, keyFile: k}}";
    let api = load(guarded, &[], &[])
        .expect("good")
        .api
        .expect("it is on");
    assert_eq!(api.read_token, Some(SecretRef::File("t".to_owned())));
    let called = "api: {address: '0.0.0.0:9465', callers: c.yaml, tokenReview: true}";
    let api = load(called, &[], &[]).expect("good").api;
    let api = api.expect("it is on");
    assert_eq!(
        (api.callers, api.token_review),
        (Some("c.yaml".into()), true)
    );
    for (file, says) in [
        ("api: {address: '0.0.0.0:9465'}", "give `api.readToken`"),
        (
            "api: {address: '[::]:9465', hookToken: {file: t}}",
            "give `api.readToken`",
        ),
        ("api: {address: recant}", "is no address like"),
        ("api: {tls: {certFile: c}}", "needs `api.tls.keyFile`"),
        ("api: {tls: {keyFile: k}}", "needs `api.tls.certFile`"),
        ("api: {readToken: {file: t, env: T}}", "give one of them"),
        ("api: {readToken: secret}", "give a mapping"),
        (
            "api: {address: '0.0.0.0:9465'}",
            "give `api.readToken` or `api.callers`, or take an address like `127.0.0.1:9465`",
        ),
        (
            "api: {address: '127.0.0.1:9465', tokenReview: true}",
            "nothing says what they may: give `api.callers`",
        ),
        (
            "api: {address: '0.0.0.0:9465', readToken: {file: t}, tls: {certFile: c, keyFile: k, clientCaFile: a}}",
            "nothing says what they may: give `api.callers`",
        ),
        (
            "api: {tls: {clientCaFile: a}}",
            "needs `api.tls.certFile` and `api.tls.keyFile`",
        ),
        ("api: {tokenReview: perhaps}", "neither `true` nor `false`"),
        (
            "api: {requestsPerSecond: 0}",
            "no whole number of 1 or more",
        ),
    ] {
        let shown = refused(file, &[], &[]);
        assert!(shown.contains(says), "{file}: {shown}");
    }
}

#[test]
fn files_that_are_no_settings_are_refused() {
    for (file, words) in [
        ("- a\n- b\n".to_owned(), "is no YAML mapping"),
        ("rules: &a [*a]\n".to_owned(), "is no YAML mapping"),
        (
            format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000)),
            "is no YAML mapping",
        ),
        ("#".repeat(2 << 20), "is larger than 1 MiB"),
        (
            "dryRun: true\ndryRun: false\n".to_owned(),
            "is no YAML mapping",
        ),
    ] {
        let shown = refused(&file, &[], &[]);
        assert!(shown.contains(words), "{shown}");
        assert!(shown.len() < 1000, "{shown}");
    }
    let error = settings::load(
        Some(&PathBuf::from("/nowhere/settings.yaml")),
        std::iter::empty(),
        &Flags::new(),
    )
    .expect_err("there is no such file");
    assert_eq!(
        error.to_string(),
        "the settings file /nowhere/settings.yaml cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn an_empty_file_changes_nothing() {
    for file in ["\n", "# nothing\n", "---\n"] {
        load(file, &[], &[]).expect(file);
    }
}

#[test]
fn the_table_names_every_key_with_its_variable() {
    let table = settings::table();
    for entry in TABLE {
        assert!(
            table.contains(&format!("  {}  [", entry.key)),
            "{}",
            entry.key
        );
    }
    assert!(table.contains("RECANT_GUARDS__COOL_DOWN"), "{table}");
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("settings__table", table);
    });
}
