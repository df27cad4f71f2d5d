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
        assert_eq!(reported.is_news(&hook, at(120)), news, "{alert:?}");
        if news {
            reported.alert(at(120), alert);
        }
    }
    assert_eq!(reported.firing(at(120)).count(), 1);
}

#[test]
fn an_alert_is_believed_as_long_as_it_is_heard_of() {
    const HOUR: i64 = 3600;
    let mut reported = Reported::default();
    let fires = |reported: &Reported, hour: i64| reported.firing(at(hour * HOUR)).count() == 1;
    reported.alert(at(0), alert("a", 0, None));
    assert!(fires(&reported, 11) && !fires(&reported, 12));
    let again = Hook::Alert(alert("a", 0, None));
    assert!(!reported.is_news(&again, at(HOUR / 2)));
    assert!(reported.is_news(&again, at(4 * HOUR)));
    reported.alert(at(4 * HOUR), alert("a", 0, None));
    assert!(fires(&reported, 15) && !fires(&reported, 16));
    // One that has lapsed makes room, and comes back when it is delivered again.
    reported.alert(at(17 * HOUR), alert("b", 17 * HOUR, Some(17 * HOUR)));
    assert_eq!(reported.alerts.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(reported.heard.len(), 1);
    assert!(reported.is_news(&again, at(18 * HOUR)));
}

#[test]
fn wrong_clocks_shut_nothing_out() {
    let mut reported = Reported::default();
    // A year ahead; then the clock was set right.
    let year = 365 * 24 * 3600;
    reported.alert(at(0), alert("a", year, None));
    let now = Hook::Alert(alert("a", 10, None));
    assert!(reported.is_news(&now, at(20)));
    reported.alert(at(20), alert("a", 10, None));
    assert!(!reported.is_news(&Hook::Alert(alert("a", 5, None)), at(20)));
    // An end in the future is an end, and is forgotten in its time.
    reported.alert(at(30), alert("a", 10, Some(year)));
    assert_eq!(reported.firing(at(31)).count(), 0);
    assert_eq!(reported.alerts["a"].ended, Some(at(30)));
    reported.alert(at(30 + 7 * 3600), alert("b", 40, Some(50)));
    assert!(!reported.alerts.contains_key("a"));
}

#[test]
fn reports_are_bounded_and_what_fires_is_kept() {
    let mut reported = Reported::default();
    for number in 0..MOST_ALERTS - 1 {
        reported.alert(at(1), alert(&format!("firing {number}"), 0, None));
    }
    for number in 0..5 {
        assert!(reported.has_room(&alert("new", 0, None), at(10)));
        let over = alert(&format!("over {number}"), 0, Some(number));
        reported.alert(at(10), over);
    }
    assert_eq!(reported.alerts.len(), MOST_ALERTS);
    assert!(reported.alerts.contains_key("over 4"));
    reported.alert(at(11), alert("last", 0, None));
    assert!(!reported.has_room(&alert("new", 0, None), at(11)));
    // What is known, and what is over, needs none.
    assert!(reported.has_room(&alert("last", 0, None), at(11)));
    assert!(reported.has_room(&alert("new", 0, Some(11)), at(11)));
    assert_eq!(reported.firing(at(120)).count(), MOST_ALERTS);
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
    assert!(!reported.is_news(&Hook::Marker(marker("checkout", "24")), at(12)));
    assert!(!reported.is_news(&Hook::Marker(marker("cart", "0")), at(12)));
    assert!(reported.is_news(&Hook::Marker(marker("cart", "24")), at(12)));
}
