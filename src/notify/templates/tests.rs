#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use std::fs;

use recant_core::notice::Severity;

use super::*;
use crate::notify::{Attempt, samples};

const ROOM: Room = Room {
    sentence: 700,
    facts: 20,
    fact: 300,
    links: 2500,
};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// A template with a text of its own.
fn slack(text: &str) -> String {
    let mut template = String::new();
    for block in ["headline", "facts", "links", "footer"] {
        template.push_str(&format!("{{% block {block} %}}x{{% endblock %}}\n"));
    }
    template.push_str(&format!("{{% block text %}}\n{text}\n{{% endblock %}}\n"));
    template
}

/// What is said about the folder's `slack.jinja`.
fn faults(template: &str) -> String {
    let folder = folder(&[("slack.jinja", template)]);
    let errors = match Templates::load(folder.path()) {
        Ok(_) => return "good".to_owned(),
        Err(errors) => errors,
    };
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines
        .join("\n")
        .replace(&folder.path().display().to_string(), "DIR")
}

fn text_of(template: &str, notice: &recant_core::notice::Notice) -> String {
    let folder = folder(&[("slack.jinja", template)]);
    let templates = Templates::load(folder.path()).unwrap();
    let context = Context {
        notice,
        attempt: Attempt::First,
    };
    templates.render(Name::Slack, &context, &ROOM)[1].clone()
}

#[test]
fn the_shipped_templates_take_every_kind_of_notice() {
    for name in Name::ALL {
        assert_eq!(check::check(&Template::shipped(name)), [], "{name:?}");
    }
}

#[test]
fn every_file_that_is_shipped_is_used() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/messages");
    let mut files: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut known = Name::ALL.map(Name::file);
    known.sort_unstable();
    assert_eq!(files, known);
    assert!(Templates::load(&folder).is_ok());
}

#[test]
fn a_file_replaces_the_shipped_template_of_its_name() {
    let text = text_of(
        &slack(
            "{% if severity == 'critical' %}<!here> {% endif %}*{{ headline }}* ({{ sentences | length }})",
        ),
        &samples::rolling_back(),
    );
    assert_eq!(
        text,
        "<!here> *Rolling back Deployment shop/checkout: rule `http/error-rate` failed* (4)"
    );
    let folder = folder(&[
        ("teams.jinja", Name::Teams.shipped()),
        ("README.md", "no template"),
    ]);
    let templates = Templates::load(folder.path()).unwrap();
    assert_eq!(templates.slack, Template::shipped(Name::Slack));
}

#[test]
fn nothing_from_outside_becomes_markup_whatever_the_template_tries() {
    let mut notice = samples::rolling_back();
    notice.headline = "<!channel>".to_owned();
    notice.sentences = vec!["<https://evil.example|a> & <@U1>".to_owned()];
    for tried in [
        "{{ headline }} {{ sentences | join(' ') }}",
        "{% autoescape false %}{{ headline }} {{ sentences[0] }}{% endautoescape %}",
        "{% set all = headline ~ sentences[0] %}{{ all }}",
        "{% set all %}{{ headline }}{% endset %}{{ all }}{{ all | upper }}",
        "{{ headline | e }} {{ headline | escape }}",
        "{{ headline | code }}",
        "{{ sentences }}",
        "{{ sentences | first | replace('a', '<') }}",
        "{% filter upper %}{{ headline }}{% endfilter %}",
        "{{ {'label': headline, 'url': 'https://a.example'} | link }}",
    ] {
        let text = text_of(&slack(tried), &notice);
        for (at, _) in text.match_indices('<') {
            let rest = text.get(at..).unwrap();
            assert!(rest.starts_with("<https://a.example|"), "{tried}: {text}");
        }
    }
}

#[test]
fn faults_say_file_line_and_what_is_wrong() {
    for (name, template) in [
        ("syntax", slack("{% if headline %}\nno end")),
        ("misspelt", slack("one\n{{ headlin }}")),
        (
            "misspelt_in_a_branch",
            slack("{% if kind == 'held' %}{{ sentence }}{% endif %}"),
        ),
        ("none", slack("{{ target }}")),
        ("empty_list", slack("{{ facts[0].label }}")),
        ("filter_unknown", slack("{{ headline | shout }}")),
        ("safe", slack("{{ headline | safe }}")),
        (
            "block_missing",
            slack("x").replace("{% block footer %}x{% endblock %}", ""),
        ),
        ("include", slack("{% include 'other.jinja' %}")),
        (
            "endless",
            slack(
                "{% for a in sentences * 500 %}{% for b in sentences * 500 %}x{% endfor %}{% endfor %}",
            ),
        ),
        ("long", slack("{{ 'x' * 70000 }}")),
        ("no_filter_of_links", slack("{{ headline | link }}")),
    ] {
        insta::assert_snapshot!(name, faults(&template));
    }
}

#[test]
fn files_that_replace_nothing_or_are_no_text_are_faults() {
    let good = folder(&[("slak.jinja", "x")]);
    let error = Templates::load(good.path())
        .unwrap_err()
        .remove(0)
        .to_string();
    assert!(
        error.contains("slak.jinja: no message has a template of this name"),
        "{error}"
    );
    fs::remove_file(good.path().join("slak.jinja")).unwrap();
    fs::write(good.path().join("slack.jinja"), [0xff, 0xfe]).unwrap();
    let error = Templates::load(good.path())
        .unwrap_err()
        .remove(0)
        .to_string();
    assert!(error.contains("not UTF-8"), "{error}");
    fs::write(good.path().join("slack.jinja"), vec![b'x'; 100_000]).unwrap();
    let error = Templates::load(good.path())
        .unwrap_err()
        .remove(0)
        .to_string();
    assert!(error.contains("longer than"), "{error}");
    let error = Templates::load(Path::new("/nowhere"))
        .unwrap_err()
        .remove(0)
        .to_string();
    assert!(
        error.contains("/nowhere: the folder of message templates cannot be read"),
        "{error}"
    );
}

#[test]
fn a_template_that_fails_on_a_notice_gives_way_to_the_shipped_one() {
    // The samples are all short enough for it.
    let template = slack(
        "{% if severity == 'info' and kind == 'held' %}{{ nothing.at.all }}{% endif %}own words",
    );
    assert_eq!(text_of(&template, &samples::held()), "own words");
    let mut notice = samples::held();
    notice.severity = Severity::Info;
    let text = text_of(&template, &notice);
    assert!(text.contains("Rule `http/latency-p95` failed"), "{text}");
}
