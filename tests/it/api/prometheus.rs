//! The Prometheus below `/prometheus`: values, errors, shapes, and that no outage can be taken for a success.

mod client;
mod past;
mod refused;

use recant::http::api::Access;
use recant_core::judge::{Finding, Measured, Proof, State};
use recant_core::record::Standing;
use recant_core::snapshot::{AlwaysSnapshot, TargetSnapshot};
use serde_json::{Value, json};

use super::bed::{Answer, Bed, judged, read, with};

/// Asks for an expression, as a form.
async fn ask(bed: &Bed, form: &[(&str, &str)]) -> Answer {
    let path = if form.iter().any(|(name, _)| *name == "step") {
        "query_range"
    } else {
        "query"
    };
    let url = bed.url(&format!("/prometheus/api/v1/{path}"));
    read(bed.http.post(url).form(form)).await
}

async fn query(bed: &Bed, expression: &str) -> Answer {
    ask(bed, &[("query", expression)]).await
}

async fn get(bed: &Bed, path: &str) -> Value {
    let answer = bed.get(&format!("/prometheus/api/v1/{path}")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    let mut answer = answer.json();
    assert_eq!(answer["status"], "success", "{path}: {answer}");
    answer["data"].take()
}

/// The values of an instant vector, in the order of its labels.
fn values(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["data"]["resultType"], "vector", "{json}");
    let result = json["data"]["result"].as_array().expect("a list");
    let value = |it: &Value| it["value"][1].as_str().expect("a text").to_owned();
    result.iter().map(value).collect()
}

fn ended(name: &str, standing: Standing) -> TargetSnapshot {
    TargetSnapshot {
        analysis: None,
        standing: Some(standing),
        ..judged(name)
    }
}

fn finding(rule: &str, state: State) -> Finding {
    Finding {
        rule: rule.into(),
        state,
        dry_run: false,
        canary: Measured {
            events: 200.0,
            bad: 30.0,
            value: Some(0.15),
            or_more: false,
        },
        baseline: None,
        since: None,
        reaches_limit_in: None,
        compared: None,
        proof: Some(Proof {
            against: 9.5,
            against_needed: 4.0,
            in_favour: -2.0,
            in_favour_needed: 3.0,
            share: 1.0,
            events: 600.0,
        }),
        sentence: format!("rule {rule}: 15 % of 200 requests are bad, allowed are 10 %"),
    }
}

/// All that a target can be, and one that nobody can look at.
fn targets() -> Vec<TargetSnapshot> {
    let at = "2026-01-01T00:00:00Z".parse().expect("a time");
    let mut blind = with("blind", |analysis| analysis.passing = true);
    blind.blind = Some("Prometheus answers 503".to_owned());
    let mut always = judged("always");
    always.always = vec![AlwaysSnapshot {
        rule: "http/errors".into(),
        finding: Some(finding("http/errors", State::Within)),
        without_data: false,
        incident: None,
        scaled: None,
        doing: None,
    }];
    vec![
        always,
        blind,
        with("failed", |analysis| {
            analysis.failed = true;
            analysis.score = Some(0.0);
            analysis.findings = vec![finding("http/errors", State::Failing)];
        }),
        ended("good", Standing::KnownGood { at }),
        with("passing", |analysis| analysis.passing = true),
        ended("unclear", Standing::Inconclusive { at }),
    ]
}

async fn bed() -> Bed {
    let bed = Bed::start(Access::default()).await;
    bed.show(targets());
    bed
}

#[tokio::test]
async fn each_verdict_is_a_number() {
    let bed = bed().await;
    for (name, value, score, state) in [
        ("always", "0", &["61.25"][..], "running"),
        ("failed", "-1", &["0"], "failed"),
        ("good", "1", &["100"], "open"),
        ("passing", "1", &["61.25"], "open"),
    ] {
        let of = format!("name=\"{name}\",namespace=\"shop\",kind=\"Rollout\",hash=\"new\"");
        let answer = query(&bed, &format!("recant_verdict{{{of}}}")).await;
        assert_eq!(values(&answer), [value], "{name}");
        let labels = &answer.json()["data"]["result"][0]["metric"];
        assert_eq!(
            *labels,
            json!({"__name__": "recant_verdict", "namespace": "shop", "kind": "Rollout", "name": name,
                "watch": format!("shop/{name}"), "hash": "new"})
        );
        let answer = query(&bed, &format!("recant_score{{{of}}}")).await;
        assert_eq!(values(&answer), score, "{name}");
        let answer = query(&bed, &format!("recant_gate{{{of},state=\"{state}\"}}")).await;
        assert_eq!(values(&answer), ["1"], "{name}");
    }
    // There is no verdict, and will be none; nothing was judged that could have a score.
    let answer = query(&bed, "recant_verdict{name=\"unclear\"}").await;
    assert_eq!(values(&answer), ["0"]);
    // A revision that was not seen yet is undecided; the one before it says nothing about it.
    let answer = query(&bed, "recant_verdict{name=\"good\",hash=\"next\"}").await;
    assert_eq!(values(&answer), ["0"]);
    assert_eq!(
        values(&query(&bed, "recant_rule_evidence_against{name=\"failed\"}").await),
        ["9.5"]
    );
    assert_eq!(
        values(
            &query(
                &bed,
                "recant_rule_value{name=~\"failed|always\",arm=\"canary\"}"
            )
            .await
        ),
        ["0.15", "0.15"]
    );
}

#[tokio::test]
async fn an_outage_is_no_empty_answer() {
    let bed = Bed::start(Access::default()).await;
    // Nothing was looked at yet: not even a number is answered, which is what readiness checks ask for.
    for expression in ["recant_verdict", "vector(1)", "1+1"] {
        let answer = query(&bed, expression).await;
        assert_eq!(answer.status, 503, "{}", answer.text);
        let json = answer.json();
        assert_eq!(json["status"], "error");
        assert_eq!(json["errorType"], "unavailable");
        assert!(json.get("data").is_none(), "{json}");
    }
    for path in [
        "api/v1/rules",
        "api/v1/alerts",
        "api/v1/labels",
        "-/ready",
        "-/healthy",
    ] {
        let answer = bed.get(&format!("/prometheus/{path}")).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
    }
    bed.show(targets());
    for (form, status, kind, says) in [
        // What is asked for cannot be looked at.
        (
            &[("query", "recant_verdict{name=\"blind\",hash=\"new\"}")][..],
            503,
            "unavailable",
            "Prometheus answers 503",
        ),
        (
            &[("query", "recant_score{name=\"blind\"} >= 50")],
            503,
            "unavailable",
            "Rollout shop/blind",
        ),
        (
            &[("query", "max_over_time(recant_verdict{name=\"blind\"}[5m])")],
            503,
            "unavailable",
            "Prometheus answers 503",
        ),
        // It is not watched: `any(result, # < 0)` would be content with an empty answer.
        (
            &[("query", "recant_verdict{name=\"stranger\"}")],
            422,
            "execution",
            "nothing that is watched matches",
        ),
        (
            &[("query", "recant_score{name=\"good\",hash=\"none\"}")],
            422,
            "execution",
            "nothing that is watched matches",
        ),
    ] {
        let answer = ask(&bed, form).await;
        assert_eq!(answer.status, status, "{form:?}: {}", answer.text);
        let json = answer.json();
        assert_eq!(json["errorType"], kind, "{json}");
        let error = json["error"].as_str().expect("an error");
        assert!(error.contains(says), "{form:?}: {error}");
    }
    // With others beside it, it is missing, and this is said.
    let answer = query(&bed, "recant_verdict").await;
    assert_eq!(values(&answer).len(), 5, "{}", answer.text);
    let warnings = answer.json()["warnings"].to_string();
    assert!(
        warnings.contains("Rollout shop/blind cannot be looked at: Prometheus answers 503"),
        "{warnings}"
    );
    // To be in another state is an answer.
    let answer = query(&bed, "recant_gate{name=\"good\",state=\"failed\"}").await;
    assert_eq!(values(&answer), [""; 0]);
    // What it can still say of it is that it cannot look.
    let answer = query(&bed, "recant_blind{name=\"blind\"}").await;
    assert_eq!(values(&answer), ["1"]);
    // Nothing is watched: all there is of it is nothing.
    bed.show(Vec::new());
    assert_eq!(values(&query(&bed, "recant_verdict").await), [""; 0]);
}

#[tokio::test]
async fn what_is_cheap_on_them_is_computed() {
    let bed = bed().await;
    for (expression, wanted) in [
        ("vector(1)", &["1"][..]),
        ("recant_verdict{name=~\"go.*|passing\"}", &["1", "1"]),
        (
            "recant_verdict{name!~\"go.*|passing|unclear|always|blind\"}",
            &["-1"],
        ),
        (
            "recant_verdict{name!=\"good\",watch=\"shop/passing\"}",
            &["1"],
        ),
        (
            "{__name__=~\"recant_(score|verdict)\",name=\"good\"}",
            &["100", "1"],
        ),
        ("sum(recant_verdict)", &["1"]),
        ("count by (namespace) (recant_verdict == 0)", &["2"]),
        ("min without (name, watch, hash) (recant_score)", &["0"]),
        ("max(recant_score{name!=\"blind\"}) / 100", &["1"]),
        ("avg(recant_score{name=~\"good|failed\"})", &["50"]),
        ("recant_score{name=\"good\"} >= 75", &["100"]),
        ("recant_score{name=\"failed\"} >= 75", &[]),
        ("recant_score{name=\"failed\"} >= bool 75", &["0"]),
        ("50 > recant_score{name=\"failed\"}", &["0"]),
        ("-recant_verdict{name=\"good\"} * (2 ^ 3) % 5", &["-3"]),
        ("max_over_time(recant_score{name=\"good\"}[5m])", &["100"]),
        ("count_over_time(recant_score{name=\"good\"}[5m])", &["1"]),
    ] {
        let answer = query(&bed, expression).await;
        assert_eq!(values(&answer), wanted, "{expression}: {}", answer.text);
    }
    let answer = query(&bed, "1+1").await.json();
    assert_eq!(answer["data"]["resultType"], "scalar", "{answer}");
    assert_eq!(answer["data"]["result"][1], "2", "{answer}");
    let answer = ask(&bed, &[("query", "time() - 5"), ("time", "")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn what_is_wrong_is_a_firing_alert() {
    let bed = bed().await;
    let alerts = get(&bed, "alerts").await;
    let alerts = alerts["alerts"].as_array().expect("alerts");
    let name = |alert: &Value| {
        let labels = &alert["labels"];
        format!(
            "{} {}",
            labels["alertname"].as_str().expect("a name"),
            labels["name"].as_str().expect("a name")
        )
    };
    let names: Vec<String> = alerts.iter().map(name).collect();
    assert_eq!(
        names,
        ["RecantReleaseFailed failed", "RecantCannotLook blind"]
    );
    let failed = &alerts[0];
    assert_eq!(failed["state"], "firing");
    assert_eq!(failed["labels"]["severity"], "critical");
    assert_eq!(failed["value"], "-1e+00");
    let description = failed["annotations"]["description"]
        .as_str()
        .expect("a text");
    assert!(description.contains("allowed are 10 %"), "{description}");
    let rules = get(&bed, "rules?type=alert").await;
    let rules = rules["groups"][0]["rules"].as_array().expect("rules");
    for rule in rules {
        assert_eq!(rule["type"], "alerting", "{rule}");
        assert_eq!(rule["health"], "ok", "{rule}");
        let firing = rule["alerts"].as_array().map(Vec::len);
        let state = if firing == Some(0) {
            "inactive"
        } else {
            "firing"
        };
        assert_eq!(rule["state"], state, "{rule}");
        // What the rule is said to ask finds just its alerts.
        let answer = query(&bed, rule["query"].as_str().expect("a query")).await;
        assert_eq!(Some(values(&answer).len()), firing, "{rule}");
    }
    let rules = get(&bed, "rules?type=record").await;
    assert_eq!(rules, json!({"groups": []}));
}

#[tokio::test]
async fn what_there_is_can_be_listed() {
    let bed = bed().await;
    let labels = get(&bed, "labels").await;
    assert_eq!(
        labels,
        json!([
            "__name__",
            "arm",
            "hash",
            "kind",
            "name",
            "namespace",
            "rule",
            "state",
            "watch"
        ])
    );
    let names = get(&bed, "label/name/values?match[]=recant_verdict").await;
    // The one that nobody can look at has no verdict.
    assert_eq!(
        names,
        json!(["always", "failed", "good", "passing", "unclear"])
    );
    let names = get(&bed, "label/name/values?match[]=recant_blind&limit=2").await;
    assert_eq!(names, json!(["always", "blind"]));
    let series = get(
        &bed,
        "series?match[]=recant_score{name=\"good\"}&match[]=recant_incident",
    )
    .await;
    assert_eq!(
        series,
        json!([{"__name__": "recant_score", "hash": "new", "kind": "Rollout", "name": "good", "namespace": "shop",
            "watch": "shop/good"}])
    );
    let metadata = get(&bed, "metadata").await;
    let families = metadata.as_object().expect("families");
    // Every name that there is has its sentence.
    for name in get(&bed, "label/__name__/values")
        .await
        .as_array()
        .expect("names")
    {
        let name = name.as_str().expect("a name");
        assert_eq!(families[name][0]["type"], "gauge", "{name}");
    }
    let one = get(&bed, "metadata?metric=recant_verdict").await;
    assert_eq!(one.as_object().map(serde_json::Map::len), Some(1));
    let build = get(&bed, "status/buildinfo").await;
    assert_eq!(build["version"], env!("CARGO_PKG_VERSION"));
    for path in ["-/ready", "-/healthy"] {
        assert_eq!(bed.get(&format!("/prometheus/{path}")).await.status, 200);
    }
}
