#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use recant_core::notice::{NoticeKind, Severity};
use serde_json::Value;

use super::*;
use crate::notify::samples;

fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

fn alert(notice: &Notice) -> Option<Value> {
    let labels = BTreeMap::from([("team".to_owned(), "payments".to_owned())]);
    render(notice, now(), &labels, &Templates::shipped())
}

#[test]
fn alerts_read_well() {
    for notice in samples::all() {
        let name = samples::name_of(&notice);
        match alert(&notice) {
            Some(alert) => insta::assert_json_snapshot!(name, alert),
            None => assert_eq!(notice.severity, Severity::Info, "{name} raises none"),
        }
    }
}

#[test]
fn the_labels_of_an_incident_never_change() {
    let labels = |notice: &Notice| alert(notice).unwrap()["labels"].clone();
    let expected = labels(&samples::rolling_back());
    let mut later = samples::rolling_back();
    later.correlation = Some("checkout-other-2".into());
    later.severity = Severity::Warning;
    later.headline = "other words".to_owned();
    for notice in [
        later,
        samples::restored(),
        samples::not_restored(),
        samples::of(NoticeKind::RollbackFailed),
        samples::of(NoticeKind::Passed),
    ] {
        assert_eq!(labels(&notice), expected, "{:?}", notice.kind);
    }
    let lost = labels(&samples::source_unavailable());
    assert_eq!(lost, labels(&samples::of(NoticeKind::SourceRecovered)));
    assert_ne!(lost, expected);
    let text = expected.to_string();
    assert!(
        !text.contains("7c9d5b6f4") && !text.contains("5f6d8b7c9"),
        "{text}"
    );
}

#[test]
fn what_fires_lasts_a_day_and_what_resolves_ends() {
    let firing = alert(&samples::rolling_back()).unwrap();
    assert_eq!(firing["startsAt"], "2026-01-01T00:00:48Z");
    assert_eq!(firing["endsAt"], "2026-01-02T01:00:00Z");
    let resolved = alert(&samples::restored()).unwrap();
    assert_eq!(resolved["endsAt"], "2026-01-01T00:01:01Z");
    let event = alert(&samples::of(NoticeKind::Inconclusive)).unwrap();
    assert_eq!(event["endsAt"], "2026-01-01T01:15:00Z");
    let mut quiet = samples::of(NoticeKind::Inconclusive);
    quiet.severity = Severity::Info;
    assert_eq!(alert(&quiet), None);
}

#[test]
fn the_address_of_the_alerts_is_made_once() {
    for (given, expected) in [
        ("http://a:9093", "http://a:9093/api/v2/alerts"),
        ("http://a:9093/", "http://a:9093/api/v2/alerts"),
        ("http://a/prefix/", "http://a/prefix/api/v2/alerts"),
        ("http://a:9093/api/v2/alerts", "http://a:9093/api/v2/alerts"),
    ] {
        let made = alerts_of(&SecretString::from(given));
        assert_eq!(made.expose_secret(), expected);
    }
}
