use super::*;

fn file(text: &str) -> SourceFile {
    SourceFile {
        name: "rules.yaml".to_owned(),
        text: format!("apiVersion: recant.dev/v1alpha1\n{text}\n"),
    }
}

fn resource(kind: ResourceKind, name: &str, body: &str) -> Resource {
    in_namespace("shop", kind, name, body)
}

fn in_namespace(namespace: &str, kind: ResourceKind, name: &str, body: &str) -> Resource {
    Resource {
        key: ResourceKey {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
        uid: "u".to_owned(),
        shared: namespace == "recant",
        file: SourceFile {
            name: format!("{kind} {namespace}/{name}"),
            text: format!(
                "apiVersion: recant.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}, uid: u, generation: 3}}\nstatus: {{conditions: []}}\n{body}\n"
            ),
        },
    }
}

fn set(name: &str, limit: &str) -> Resource {
    let rules = format!("rules: [{{name: errors, ratio: {{bad: a, total: b}}, max: {limit}}}]");
    resource(ResourceKind::RuleSet, name, &rules)
}

fn watch(name: &str, target: &str, more: &str) -> Resource {
    let body = format!("target: {{kind: Deployment, name: {target}}}\n{more}");
    resource(ResourceKind::Watch, name, &body)
}

/// What the book watches, and the limits that it does so by.
fn watched(merged: &Merged) -> Vec<String> {
    let mut watched: Vec<String> = merged
        .book
        .watches
        .iter()
        .map(|watch| {
            let limits: Vec<String> = watch
                .rules
                .iter()
                .map(|rule| format!("{}={:?}", rule.name, rule.counts().and_then(|c| c.max)))
                .collect();
            let told: Vec<&str> = watch
                .on_fail
                .notify
                .iter()
                .map(crate::ids::ChannelName::as_str)
                .collect();
            format!(
                "{} {} {} {}",
                watch.name,
                watch.target.name,
                limits.join(","),
                told.join(",")
            )
            .trim_end()
            .to_owned()
        })
        .collect();
    watched.sort();
    watched
}

fn faults(merged: &Merged) -> Vec<String> {
    merged
        .found
        .iter()
        .flat_map(|(key, found)| {
            found
                .diagnostics
                .iter()
                .map(move |d| format!("{key}: {} (kept: {})", d.message, found.kept))
        })
        .collect()
}

fn merged(files: &[SourceFile], resources: &[Resource], last: &mut LastGood) -> Merged {
    merge(files, &[], resources, last, Checks::default())
}

#[test]
fn a_team_owns_its_rules_and_uses_those_for_all() {
    let of_all = in_namespace(
        "recant",
        ResourceKind::Channel,
        "oncall",
        "slack: {url: {env: SLACK}}",
    );
    let own = resource(
        ResourceKind::Channel,
        "team",
        "slack: {url: {secret: {name: slack, key: url}}}",
    );
    let files = [file(
        "kind: RuleSet\nmetadata: {name: http}\nrules: [{name: errors, ratio: {bad: a, total: b}, max: 1%}]",
    )];
    let resources = [
        of_all,
        own,
        set("pay", "2%"),
        watch(
            "a",
            "a",
            "rules: [http, pay/errors]\nonFail: [{notify: [oncall, team]}]",
        ),
    ];
    let merged = merged(&files, &resources, &mut LastGood::default());
    assert_eq!(faults(&merged), Vec::<String>::new());
    assert_eq!(
        watched(&merged),
        ["shop/a a http/errors=Some(0.01),pay/errors=Some(0.02) oncall,shop/team"]
    );
    let team = merged.book.channels.get(&"shop/team".into());
    let secret = team
        .map(|channel| format!("{:?}", channel.url))
        .unwrap_or_default();
    assert!(secret.contains("namespace: Some(\"shop\")"), "{secret}");
}

#[test]
fn one_namespace_sees_nothing_of_another() {
    let theirs = in_namespace(
        "other",
        ResourceKind::RuleSet,
        "pay",
        "rules: [{name: errors, ratio: {bad: a, total: b}, max: 1%}]",
    );
    let resources = [
        theirs,
        watch("a", "a", "rules: [pay]"),
        set("own", "1%"),
        watch("b", "b", "rules: [own]"),
    ];
    let merged = merged(&[], &resources, &mut LastGood::default());
    assert_eq!(
        faults(&merged),
        ["Watch shop/a: there is no rule set `pay` (kept: false)"]
    );
    assert_eq!(watched(&merged), ["shop/b b own/errors=Some(0.01)"]);
}

#[test]
fn a_bad_document_goes_on_as_it_was_and_changes_nothing_else() {
    let mut last = LastGood::default();
    let good = [
        set("pay", "1%"),
        watch("a", "a", "rules: [pay]"),
        watch("b", "b", "rules: [pay]"),
    ];
    let before = watched(&merged(&[], &good, &mut last));
    assert_eq!(
        before,
        [
            "shop/a a pay/errors=Some(0.01)",
            "shop/b b pay/errors=Some(0.01)"
        ]
    );
    // The watch, and then the rules that it names.
    let bad = [
        set("pay", "1%"),
        watch("a", "a", "rules: [pay]\nmaxx: 1"),
        watch("b", "b", "rules: [pay]"),
    ];
    let now = merged(&[], &bad, &mut last);
    assert_eq!(watched(&now), before);
    assert_eq!(
        faults(&now),
        ["Watch shop/a: unknown field `maxx` in a watch (kept: true)"]
    );
    let bad = [
        set("pay", "200%"),
        watch("a", "a", "rules: [pay]"),
        watch("b", "b", "rules: [pay]"),
    ];
    let now = merged(&[], &bad, &mut last);
    assert_eq!(watched(&now), before);
    assert_eq!(now.found.values().filter(|found| !found.good).count(), 1);
    assert!(now.found.values().any(|found| found.kept));
    // A rule set that is gone: who names it goes on, and is told.
    let gone = [
        watch("a", "a", "rules: [pay]"),
        watch("b", "b", "rules: [pay]"),
    ];
    let now = merged(&[], &gone, &mut last);
    assert_eq!(watched(&now), before);
    assert_eq!(faults(&now).len(), 2);
    // And comes back, stricter.
    let back = [
        set("pay", "0.5%"),
        watch("a", "a", "rules: [pay]"),
        watch("b", "b", "rules: [pay]"),
    ];
    let now = merged(&[], &back, &mut last);
    assert_eq!(faults(&now), Vec::<String>::new());
    assert_eq!(
        watched(&now).first().map(String::as_str),
        Some("shop/a a pay/errors=Some(0.005)")
    );
}

#[test]
fn another_object_of_that_name_has_no_last_good_form() {
    let mut last = LastGood::default();
    let good = [set("pay", "1%"), watch("a", "a", "rules: [pay]")];
    merged(&[], &good, &mut last);
    let mut other = watch("a", "a", "rules: [pya]");
    other.uid = "another".to_owned();
    let now = merged(&[], &[set("pay", "1%"), other], &mut last);
    assert_eq!(watched(&now), Vec::<String>::new());
}

#[test]
fn a_name_or_target_from_both_is_the_files() {
    let files = [
        file(
            "kind: RuleSet\nmetadata: {name: http}\nrules: [{name: errors, ratio: {bad: a, total: b}, max: 1%}]",
        ),
        file(
            "kind: Watch\nmetadata: {name: a, namespace: shop}\ntarget: {kind: Deployment, name: a}\nrules: [http]",
        ),
    ];
    let resources = [
        watch("a", "other", "rules: [http]"),
        watch("second", "a", "rules: [http]"),
        watch("b", "b", "rules: [http]"),
        watch("c", "b", "rules: [http]"),
    ];
    let merged = merged(&files, &resources, &mut LastGood::default());
    assert_eq!(
        watched(&merged),
        [
            "shop/a a http/errors=Some(0.01)",
            "shop/b b http/errors=Some(0.01)"
        ]
    );
    let said: Vec<String> = merged
        .found
        .values()
        .flat_map(|found| &found.diagnostics)
        .map(|found| format!("{}; {}", found.message, found.notes.join(" ")))
        .collect();
    assert_eq!(
        said,
        [
            "watch `shop/a` is defined twice; it is first defined at `rules.yaml:3:18`",
            "two watches have the target Deployment shop/b; the other one is at `Watch shop/b:5:34`",
            "two watches have the target Deployment shop/a; the other one is at `rules.yaml:4:34`",
        ]
    );
}

#[test]
fn a_team_cannot_reach_what_is_the_agents_or_anothers() {
    let resources = [
        resource(ResourceKind::Channel, "env", "slack: {url: {env: SLACK}}"),
        resource(
            ResourceKind::Channel,
            "file",
            "alertmanager: {url: {secret: {name: a, key: b}}, bearer: {file: /var/run/token}}",
        ),
        resource(
            ResourceKind::RuleSet,
            "redis",
            "rules: [{name: q, redis: {address: 'r:6379', list: q, password: {env: P}}, max: 1}]",
        ),
        resource(
            ResourceKind::Watch,
            "wide",
            "targets: {namespaces: [shop, other], onRequest: true}\nrules: [http]",
        ),
        in_namespace(
            "recant",
            ResourceKind::Channel,
            "ours",
            "slack: {url: {env: SLACK}}",
        ),
    ];
    let files = [file(
        "kind: RuleSet\nmetadata: {name: http}\nrules: [{name: errors, ratio: {bad: a, total: b}, max: 1%}]",
    )];
    let merged = merged(&files, &resources, &mut LastGood::default());
    let said = faults(&merged);
    assert_eq!(said.len(), 4, "{said:#?}");
    assert_eq!(
        said.iter()
            .filter(|said| said.contains("is the agent's own, and this document is not"))
            .count(),
        3,
        "{said:#?}"
    );
    assert!(
        said.iter()
            .any(|said| said.contains("namespace `other`, which is not its own")),
        "{said:#?}"
    );
    assert_eq!(
        merged
            .book
            .channels
            .keys()
            .map(crate::ids::ChannelName::as_str)
            .collect::<Vec<_>>(),
        ["ours"]
    );
}

#[test]
fn actions_that_go_round_in_a_circle_are_refused() {
    let scales = |target: &str| {
        format!(
            "always: [{{rule: pay, onFail: [{{scale: {{target: Deployment/{target}, replicas: 5}}}}]}}]"
        )
    };
    let resources = [
        set("pay", "1%"),
        watch("a", "a", &scales("b")),
        watch("b", "b", &scales("c")),
        watch("c", "c", &scales("a")),
        // Its own target is no circle.
        watch("d", "d", &scales("d")),
    ];
    let merged = merged(&[], &resources, &mut LastGood::default());
    let said = faults(&merged);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        said.iter().all(|said| said.starts_with(
            "Watch shop/c: the actions of this watch go round in a circle: it changes Deployment/a"
        )),
        "{said:#?}"
    );
    assert_eq!(merged.book.watches.len(), 3);
}

#[test]
fn a_place_is_a_field() {
    let text = "{\n  \"rules\": [\n    {\n      \"max\": \"x\"\n    }\n  ]\n}";
    let fields = crate::spec::fields_by_line(&SourceFile {
        name: String::new(),
        text: text.to_owned(),
    });
    assert_eq!(fields.get(&4).map(String::as_str), Some("rules[0].max"));
    assert_eq!(fields.get(&3).map(String::as_str), Some("rules[0]"));
}

#[test]
fn a_runbook_that_leads_nowhere_is_none() {
    let runbook =
        |steps: &str| resource(ResourceKind::Runbook, "calm", &format!("steps: [{steps}]"));
    let runs = "always: [{rule: pay, onFail: [{run: calm}]}]";
    let steps = |merged: &Merged| -> Vec<usize> {
        let watches = merged.book.watches.iter();
        watches
            .flat_map(|w| w.runbooks().map(|r| r.steps.len()))
            .collect()
    };
    let mut last = LastGood::default();
    let env = "setEnv: {target: Deployment/api, name: MODE, value: calm}";
    let good = [
        set("pay", "1%"),
        runbook(&format!("{{{env}}}")),
        watch("a", "a", runs),
    ];
    let now = merged(&[], &good, &mut last);
    assert_eq!(faults(&now), Vec::<String>::new());
    assert_eq!(steps(&now), [1]);
    // No part of it is run: the watch goes on with what it ran before.
    let bad = [
        set("pay", "1%"),
        runbook(&format!("{{{env}}}, {{run: nowhere}}")),
        watch("a", "a", runs),
    ];
    let now = merged(&[], &bad, &mut last);
    assert_eq!(steps(&now), [1]);
    let said = faults(&now);
    assert!(
        said.iter()
            .any(|said| said.starts_with("Runbook shop/calm: there is no runbook `nowhere`")),
        "{said:#?}"
    );
    assert!(
        said.iter()
            .any(|said| said.starts_with("Watch shop/a: there is no runbook `calm`")),
        "{said:#?}"
    );
}
