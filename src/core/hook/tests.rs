use super::*;
use crate::ids::TargetKind;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn alert(fingerprint: &str, starts: i64, ended: Option<i64>) -> Alert {
    Alert {
        fingerprint: fingerprint.to_owned(),
        labels: BTreeMap::new(),
        summary: None,
        starts: at(starts),
        ended: ended.map(at),
        by: None,
    }
}

fn marker(target: &str, id: &str) -> Marker {
    Marker {
        id: id.to_owned(),
        target: TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Deployment,
            name: target.to_owned(),
        },
        version: "1".to_owned(),
        commit: None,
        at: at(0),
        url: None,
        by: None,
    }
}

#[test]
fn only_what_changes_something_is_news() {
    let mut reported = Reported::default();
    let deliveries = [
        (alert("a", 0, None), true),
        // Again, as at each repeat interval.
        (alert("a", 0, None), false),
        (alert("a", 0, Some(60)), true),
        (alert("a", 0, Some(60)), false),
        // Delivered late, after it was over.
        (alert("a", 0, None), false),
        (alert("a", 100, None), true),
        // The end of the time before comes again.
        (alert("a", 0, Some(60)), false),
        // Its beginning was never seen.
        (alert("b", 0, Some(60)), false),
    ];
    for (alert, news) in deliveries {
        let hook = Hook::Alert(alert.clone());
        assert_eq!(reported.is_news(&hook), news, "{alert:?}");
        if news {
            reported.alert(at(120), alert);
        }
    }
    assert_eq!(reported.firing().count(), 1);
}

#[test]
fn reports_are_bounded_and_what_fires_is_kept() {
    let mut reported = Reported::default();
    for number in 0..MOST_ALERTS - 1 {
        reported.alert(at(1), alert(&format!("firing {number}"), 0, None));
    }
    for number in 0..5 {
        assert!(reported.has_room());
        let over = alert(&format!("over {number}"), 0, Some(number));
        reported.alert(at(10), over);
    }
    assert_eq!(reported.alerts.len(), MOST_ALERTS);
    assert!(reported.alerts.contains_key("over 4"));
    reported.alert(at(11), alert("last", 0, None));
    assert!(!reported.has_room());
    assert_eq!(reported.firing().count(), MOST_ALERTS);
    // What is over is forgotten after some hours.
    reported.alert(at(12), alert("last", 0, Some(12)));
    reported.alert(at(12 + 7 * 3600), alert("firing 0", 1, None));
    assert!(!reported.alerts.contains_key("last"));

    for number in 0..MOST_MARKERS + 5 {
        reported.marker(marker("checkout", &number.to_string()));
    }
    reported.marker(marker("cart", "0"));
    let kept: usize = reported.markers.values().map(Vec::len).sum();
    assert_eq!(kept, MOST_MARKERS + 1);
    assert!(!reported.is_news(&Hook::Marker(marker("checkout", "24"))));
    assert!(!reported.is_news(&Hook::Marker(marker("cart", "0"))));
    assert!(reported.is_news(&Hook::Marker(marker("cart", "24"))));
}
