//! Message templates of users: `recant check` tries them before anything runs.

use std::fs;
use std::path::Path;

use recant::cli::check::{Checked, check_templates};

use crate::program::recant;

const RULES: &str = "apiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {name: team}\nteams: {url: {env: TEAMS_URL}}\n";

fn checked(folder: &Path) -> (Checked, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let checked = check_templates(folder, &mut out, &mut err).expect("writing to memory");
    out.extend(err);
    let text = String::from_utf8(out).expect("text");
    (checked, text.replace(&folder.display().to_string(), "DIR"))
}

#[test]
fn templates_are_checked_by_rendering_every_kind_of_notice() {
    let folder = tempfile::tempdir().expect("a folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/messages");
    assert_eq!(
        checked(&shipped),
        (
            Checked::Good,
            "message templates: no problem found\n".to_owned()
        )
    );
    let text = fs::read_to_string(shipped.join("slack.jinja")).expect("it is shipped");
    let broken = text.replace("{{ sentence }}", "{{ sentense }}");
    fs::write(folder.path().join("slack.jinja"), broken).expect("a file");
    fs::write(folder.path().join("team.jinja"), "x").expect("a file");
    let (verdict, said) = checked(folder.path());
    assert_eq!(verdict, Checked::Faulty);
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("templates__faults", said);
    });
}

#[test]
fn the_program_checks_the_folder_that_the_settings_name() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rules.yaml"), RULES).expect("a file");
    fs::write(folder.path().join("teams.jinja"), "{{ headline").expect("a file");
    let ran = recant(
        folder.path(),
        &["check", "rules.yaml"],
        &[("RECANT_TEMPLATES", ".")],
    );
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(
        ran.err.contains("teams.jinja:1: syntax error"),
        "{}",
        ran.err
    );
    let ran = recant(folder.path(), &["check", "rules.yaml"], &[]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "0 rule sets, 0 watches, 1 channel: no problem found\n"),
        "{}",
        ran.err
    );
}
