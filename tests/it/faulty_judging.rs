//! What a person reads who made a mistake in what may be set of the statistics: one snapshot for each mistake.

use recant::config::rules;

fn rule(fields: &str) -> String {
    let fields = fields.replace('\n', "\n  ");
    format!(
        "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {{name: shop}}\nrules:\n- name: rule\n  {fields}\n"
    )
}

fn watch(release: &str) -> String {
    format!(
        "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: shop}}\n\
         target: {{kind: Deployment, name: checkout}}\nrules: [http]\nrelease: {release}\n"
    )
}

fn check(name: &str, text: &str) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = folder.path().join("rules.yaml");
    std::fs::write(&file, text).expect("the file is written");
    let loaded = rules::load(&[file]);
    let place = format!("{}/", folder.path().display());
    let shown: Vec<String> = loaded
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.to_string().replace(&place, ""))
        .collect();
    assert!(loaded.book.is_none(), "{name} is refused");
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(format!("faulty_judging__{name}"), shown.join("\n\n"));
    });
}

const RATIO: &str = "ratio: {bad: errors_total, total: requests_total}\nmax: 1%";

#[test]
fn what_a_rule_weighs_and_counts() {
    for (name, fields) in [
        ("weight_negative", format!("{RATIO}\nweight: -1")),
        ("weight_text", format!("{RATIO}\nweight: high")),
        ("skip_long", format!("{RATIO}\nskip: 1h")),
        (
            "skip_of_a_value",
            "gauge: queue\nmax: 100\nskip: 30s".to_owned(),
        ),
        (
            "beside_of_a_value",
            "gauge: queue\nmax: 100\nbeside: false".to_owned(),
        ),
        (
            "beside_without_a_limit",
            "ratio: {bad: errors_total, total: requests_total}\ncompare: {}\nbeside: false"
                .to_owned(),
        ),
    ] {
        check(name, &rule(&fields));
    }
}

#[test]
fn how_sure_a_verdict_is() {
    for (name, release) in [
        ("false_alarms_zero", "{falseAlarms: 0%}"),
        ("false_alarms_many", "{falseAlarms: 10%}"),
        ("false_alarms_bare", "{falseAlarms: 1}"),
        ("when_unclear", "{whenUnclear: fail}"),
        ("release_field", "{alpha: 1%}"),
    ] {
        check(name, &watch(release));
    }
}
