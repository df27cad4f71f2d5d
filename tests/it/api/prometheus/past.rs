//! Ranges, from the points that are kept: they end where Recant could not look, and are bounded.

use jiff::{SignedDuration, Timestamp};
use recant::http::api::Access;
use recant::http::api::prometheus::MOST_KEPT_SERIES;
use recant_core::snapshot::TargetSnapshot;
use serde_json::Value;

use super::super::bed::{Bed, judged, snapshot, with};
use super::{ask, get, values};

fn passing(passing: bool) -> TargetSnapshot {
    with("checkout", |analysis| analysis.passing = passing)
}

fn blind() -> TargetSnapshot {
    TargetSnapshot {
        blind: Some("Prometheus answers 503".to_owned()),
        ..passing(true)
    }
}

fn seconds(at: Timestamp) -> String {
    at.as_second().to_string()
}

async fn range(bed: &Bed, expression: &str, from: Timestamp, to: Timestamp, step: &str) -> Value {
    let (start, end) = (seconds(from), seconds(to));
    let form = [
        ("query", expression),
        ("start", &start),
        ("end", &end),
        ("step", step),
    ];
    let answer = ask(bed, &form).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["data"]["resultType"], "matrix", "{json}");
    json
}

fn points(answer: &Value) -> Vec<String> {
    let values = answer["data"]["result"][0]["values"].as_array();
    let value = |point: &Value| point[1].as_str().expect("a text").to_owned();
    values.into_iter().flatten().map(value).collect()
}

#[tokio::test]
async fn a_series_ends_where_nobody_could_look() {
    let bed = Bed::start(Access::default()).await;
    // Whole seconds, so that the points lie on the steps.
    let now = Timestamp::from_second(Timestamp::now().as_second()).expect("a time");
    let ago = |seconds| now - SignedDuration::from_secs(seconds);
    for (back, target) in [
        (100, passing(false)),
        (90, passing(false)),
        (80, passing(true)),
        (70, blind()),
        (60, blind()),
        (50, blind()),
        (40, passing(true)),
    ] {
        bed.history
            .take(ago(back), &snapshot(vec![target], Vec::new()));
    }
    bed.show(vec![passing(true)]);
    // A range that ends in the past: three points, one that is still near enough, a gap, and one again.
    let answer = range(&bed, "recant_verdict", ago(100), ago(40), "10").await;
    assert_eq!(points(&answer), ["0", "0", "1", "1", "1"], "{answer}");
    let times = answer["data"]["result"][0]["values"].to_string();
    assert!(times.contains(&seconds(ago(70))), "{times}");
    assert!(!times.contains(&seconds(ago(60))), "{times}");
    assert!(!times.contains(&seconds(ago(50))), "{times}");
    // One moment of the past, and one of the gap.
    let at = |back| seconds(ago(back));
    let answer = ask(&bed, &[("query", "recant_verdict"), ("time", &at(85))]).await;
    assert_eq!(values(&answer), ["0"]);
    let answer = ask(&bed, &[("query", "recant_verdict"), ("time", &at(52))]).await;
    assert_eq!(values(&answer), [""; 0]);
    let named = "recant_verdict{name=\"checkout\"}";
    let answer = ask(&bed, &[("query", named), ("time", &at(52))]).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let over = "count_over_time(recant_verdict[95s])";
    let answer = ask(&bed, &[("query", over)]).await;
    // 90, 80 and 40 s ago, and now.
    assert_eq!(values(&answer), ["4"], "{}", answer.text);
    // Up to now: the last point is the verdict of now.
    let answer = range(&bed, named, ago(100), now, "20s").await;
    assert_eq!(points(&answer).last().map(String::as_str), Some("1"));

    // While nobody can look, a range up to now would end in the success of before.
    bed.show(vec![blind()]);
    let (start, end) = (seconds(ago(100)), seconds(now));
    let form = [
        ("query", named),
        ("start", &start),
        ("end", &end),
        ("step", "10"),
    ];
    let answer = ask(&bed, &form).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    // What was is still known.
    let answer = range(&bed, named, ago(100), ago(40), "10").await;
    assert_eq!(points(&answer).len(), 5, "{answer}");
}

#[tokio::test]
async fn the_past_is_bounded() {
    let bed = Bed::start(Access::default()).await;
    let now = Timestamp::from_second(Timestamp::now().as_second()).expect("a time");
    // Five hours of points: one hour is kept.
    for back in (0..5 * 360).rev() {
        let at = now - SignedDuration::from_secs(10 * back);
        bed.history
            .take(at, &snapshot(vec![judged("checkout")], Vec::new()));
    }
    bed.show(vec![judged("checkout")]);
    let day = SignedDuration::from_hours(24);
    let answer = range(&bed, "recant_verdict", now - day, now, "10").await;
    let kept = points(&answer).len();
    assert!((355..=365).contains(&kept), "{kept} points");
    // The clock is set back: the points of the future go.
    let hour = SignedDuration::from_hours(1);
    bed.history
        .take(now - hour, &snapshot(vec![judged("checkout")], Vec::new()));
    let answer = range(&bed, "recant_verdict", now - day, now, "10").await;
    assert!(points(&answer).len() < 6, "{answer}");

    // More targets than series are kept of.
    let count = MOST_KEPT_SERIES;
    let many = || (0..count).map(|number| judged(&format!("service-{number:05}")));
    bed.history
        .take(now, &snapshot(many().collect(), Vec::new()));
    bed.history.take(
        now - SignedDuration::from_secs(5),
        &snapshot(many().collect(), Vec::new()),
    );
    bed.show(many().collect());
    let names = get(&bed, "label/name/values?match[]=recant_gate").await;
    assert_eq!(names.as_array().map(Vec::len), Some(count));
    let answer = range(&bed, "count(recant_verdict)", now - hour / 60, now, "10").await;
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("too many series"), "{warnings}");
    // More than an answer may hold.
    let form = [("query", "{__name__=~\"recant_.*\"}")];
    let answer = ask(&bed, &form).await;
    assert_eq!(answer.status, 422, "{}", answer.text.len());
    assert!(
        answer.text.contains("ask for fewer series"),
        "{}",
        answer.text
    );
    let (start, end) = (seconds(now - hour), seconds(now));
    let form = [
        ("query", "recant_verdict"),
        ("start", &start),
        ("end", &end),
        ("step", "1"),
    ];
    let answer = ask(&bed, &form).await;
    assert_eq!(answer.status, 422, "{}", answer.text.len());
}
