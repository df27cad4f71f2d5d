//! Questions that get no answer: each says why, in Prometheus' own form.

use std::sync::Arc;

use recant::http::api::{Access, Token};
use secrecy::SecretString;

use super::super::bed::{Bed, read};
use super::{ask, bed};

#[tokio::test]
async fn bad_questions_are_told_why() {
    let bed = bed().await;
    let long = "x".repeat(3000);
    let many = "recant_score + 1".to_owned() + &" + 1".repeat(300);
    let range = |start, end, step| {
        [
            ("query", "recant_score"),
            ("start", start),
            ("end", end),
            ("step", step),
        ]
    };
    for (form, says) in [
        (&[][..], "`query` is missing"),
        (&[("query", "")], "`query` is missing"),
        (&[("query", "recant_score{")], "cannot be read"),
        (
            &[("query", "rate(recant_score[1m])")],
            "the function `rate`",
        ),
        (&[("query", &long)], "longer than 2048 bytes"),
        (&[("query", &many)], "too deep or too long"),
        (
            &[("query", "1"), ("time", "soon")],
            "`time` is no time: `soon`",
        ),
        (&[("query", "1"), ("time", "NaN")], "`time` is no time"),
        (&[("query", "1"), ("time", "1e300")], "`time` is no time"),
        (&[("query", "1"), ("time", "9e9")], "lies in the future"),
        (
            &[("query", "1"), ("limit", "-1")],
            "`limit` is no whole number",
        ),
        (
            &range("0", "100", "0"),
            "`step` is no length of time above zero",
        ),
        (&range("0", "100", "-5"), "`step` is no length of time"),
        (&range("0", "100", "1e300"), "`step` is no length of time"),
        (&range("100", "0", "5"), "`end` lies before `start`"),
        (&range("0", "11000", "1"), "more than 11000 moments"),
        (
            &range("-99999999999", "99999999999", "0.001"),
            "more than 11000 moments",
        ),
        (&range("", "100", "5"), "`start` is missing"),
    ] {
        let answer = ask(&bed, form).await;
        assert_eq!(answer.status, 400, "{form:?}: {}", answer.text);
        assert_eq!(answer.kind, "application/json");
        let json = answer.json();
        assert_eq!(json["status"], "error", "{json}");
        assert_eq!(json["errorType"], "bad_data", "{json}");
        let error = json["error"].as_str().expect("an error");
        assert!(error.contains(says), "{form:?}: {error}");
        assert!(error.len() < 600, "{error}");
    }
    for (path, status, says) in [
        ("series", 400, "`match[]` is missing"),
        ("series?match[]=1", 400, "is no selector"),
        ("labels?match[]=sum(x)", 400, "is no selector"),
        ("rules?type=both", 400, "none of `alert`, `record`"),
        ("query_exemplars", 404, "is not answered here"),
        ("admin/tsdb/delete_series", 404, "is not answered here"),
    ] {
        let answer = bed.get(&format!("/prometheus/api/v1/{path}")).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        let json = answer.json();
        assert_eq!(json["status"], "error", "{json}");
        let error = json["error"].as_str().expect("an error");
        assert!(error.contains(says), "{path}: {error}");
    }
    let eleven = "match[]=recant_score&".repeat(11);
    let answer = bed
        .get(&format!("/prometheus/api/v1/series?{eleven}"))
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test]
async fn large_and_broken_forms_are_refused() {
    let bed = bed().await;
    let url = bed.url("/prometheus/api/v1/query");
    let large = "query=".to_owned() + &"x".repeat(10 << 20);
    let answer = read(bed.http.post(&url).body(large)).await;
    assert_eq!(answer.status, 413, "{}", answer.text);
    assert_eq!(answer.json()["status"], "error");
    let answer = read(bed.http.post(&url).body(vec![0xff; 100])).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let answer = read(bed.http.delete(&url)).await;
    assert_eq!(answer.status, 405, "{}", answer.text);
}

#[tokio::test]
async fn it_asks_for_a_token_where_there_is_one() {
    let token = Token::fixed(SecretString::from("reads"));
    let access = Access {
        read: Some(Arc::new(token)),
        ..Access::default()
    };
    let bed = Bed::start(access).await;
    bed.show(Vec::new());
    for path in [
        "api/v1/query?query=1",
        "api/v1/rules",
        "api/v1/status/buildinfo",
        "-/ready",
    ] {
        let url = bed.url(&format!("/prometheus/{path}"));
        assert_eq!(read(bed.http.get(&url)).await.status, 401, "{path}");
        let answer = read(bed.http.get(&url).bearer_auth("reads")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let answer = read(bed.http.get(&url).basic_auth("recant", Some("reads"))).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}
