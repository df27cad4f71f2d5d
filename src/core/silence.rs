//! Silences of an Alertmanager: people who said that they do not want to hear of something for a while.
//!
//! They match labels as Alertmanager matches them: every matcher must hold, a label that is missing is empty, and regular
//! expressions are anchored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::ids::{TargetId, WatchName};
use crate::notice::{Notice, Problem};

/// Silences that are kept of each Alertmanager.
pub const MOST_SILENCES: usize = 200;
/// Bytes that a compiled regular expression may take.
const MOST_REGEX_BYTES: usize = 1 << 18;
/// Labels that notices, and what is done about a target, can have.
const LABELS: [&str; 9] = [
    "alertname",
    "severity",
    "namespace",
    "watch",
    "target",
    "deployment",
    "rollout",
    "incident",
    "source",
];
/// What the names of our own alerts begin with.
const OURS: &str = "Recant";

/// One silence that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// As Alertmanager has it.
    pub id: String,
    pub matchers: Vec<LabelMatcher>,
    pub starts: Timestamp,
    pub ends: Timestamp,
    /// Who silenced, as they gave it.
    pub by: String,
    /// Why, as they gave it.
    pub comment: String,
}

/// One condition on a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelMatcher {
    pub name: String,
    pub value: String,
    /// `value` is a regular expression.
    pub is_regex: bool,
    /// False: it must not match.
    pub is_equal: bool,
}

impl LabelMatcher {
    fn matches(&self, label: &str) -> bool {
        let same = if self.is_regex {
            // Alertmanager has checked it; what this cannot read silences nothing.
            match anchored(&self.value) {
                Ok(regex) => regex.is_match(label),
                Err(_) => return false,
            }
        } else {
            self.value == label
        };
        same == self.is_equal
    }
}

fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    let compile = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(MOST_REGEX_BYTES)
            .nest_limit(64)
            .build()
    };
    // Alone first: `a)|(b` would become valid within the parentheses, and no longer be anchored.
    compile(pattern)?;
    compile(&format!("^(?s:{pattern})$"))
}

impl Silence {
    /// Whether it holds at a time.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.starts <= now && now < self.ends
    }

    /// Whether it silences what has these labels.
    pub fn matches(&self, labels: &BTreeMap<&str, String>) -> bool {
        let label = |name: &str| labels.get(name).map_or("", String::as_str);
        // Those without a regular expression first: they cost nothing.
        let plain = self.matchers.iter().filter(|matcher| !matcher.is_regex);
        let regex = self.matchers.iter().filter(|matcher| matcher.is_regex);
        !self.matchers.is_empty()
            && plain
                .chain(regex)
                .all(|matcher| matcher.matches(label(&matcher.name)))
    }

    /// Whether it can ever be about something of ours: most silences are about other alerts.
    pub fn may_concern_us(&self) -> bool {
        self.matchers.iter().all(|matcher| {
            let known = LABELS.contains(&matcher.name.as_str());
            let ours = matcher.name != "alertname"
                || matcher.is_regex
                || !matcher.is_equal
                || matcher.value.starts_with(OURS);
            (known && ours) || matcher.matches("")
        })
    }

    /// `by alice until 2026-01-01T00:00:00Z: "deploying"`
    pub fn in_words(&self) -> String {
        let by = match self.by.as_str() {
            "" => "somebody",
            by => by,
        };
        let why = match self.comment.as_str() {
            "" => String::new(),
            comment => format!(": \"{comment}\""),
        };
        format!("by {by} until {:.0}{why} (silence {})", self.ends, self.id)
    }
}

/// The labels of what is done about a target that has a problem.
pub fn labels_of(
    problem: Problem,
    watch: &WatchName,
    target: &TargetId,
) -> BTreeMap<&'static str, String> {
    let mut labels = BTreeMap::from([
        ("alertname", format!("{OURS}{}", problem.as_str())),
        ("severity", problem.severity().as_str().to_owned()),
        ("watch", watch.name.clone()),
    ]);
    labels.extend(of_target(target));
    labels
}

/// The labels of a notice: those of its alert, and the workload.
pub fn labels_of_notice(notice: &Notice) -> BTreeMap<&'static str, String> {
    let mut labels = notice.labels();
    if let Some(target) = &notice.target {
        labels.extend(of_target(target));
    }
    labels
}

fn of_target(target: &TargetId) -> [(&'static str, String); 3] {
    let kind = target.kind.label();
    [
        ("namespace", target.namespace.clone()),
        ("target", format!("{}/{}", target.kind, target.name)),
        (kind, target.name.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TargetKind;

    fn silence(matchers: &[(&str, &str, bool, bool)]) -> Silence {
        let matcher = |(name, value, is_regex, is_equal): &(&str, &str, bool, bool)| LabelMatcher {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            is_regex: *is_regex,
            is_equal: *is_equal,
        };
        Silence {
            id: "s".to_owned(),
            matchers: matchers.iter().map(matcher).collect(),
            starts: Timestamp::UNIX_EPOCH,
            ends: Timestamp::MAX,
            by: "alice".to_owned(),
            comment: String::new(),
        }
    }

    #[test]
    fn it_matches_as_alertmanager_does() {
        let target = TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Deployment,
            name: "checkout".to_owned(),
        };
        let watch = WatchName {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        };
        let labels = labels_of(Problem::BadRelease, &watch, &target);
        for (matchers, matches, ours) in [
            (&[("namespace", "shop", false, true)][..], true, true),
            (&[("namespace", "sho", false, true)], false, true),
            (&[("namespace", "sho", true, true)], false, true),
            (&[("namespace", "sho.*|x", true, true)], true, true),
            (&[("namespace", "test", false, false)], true, true),
            (&[("namespace", "sh.*", true, false)], false, true),
            (&[("deployment", "checkout", false, true)], true, true),
            (
                &[("target", "Deployment/checkout", false, true)],
                true,
                true,
            ),
            (&[("rollout", "checkout", false, true)], false, true),
            // A label that is missing is empty.
            (
                &[("team", "", false, true), ("watch", "web", false, true)],
                true,
                true,
            ),
            (&[("team", "a", false, false)], true, true),
            (&[("team", "a", false, true)], false, false),
            (&[("alertname", "HighErrorRate", false, true)], false, false),
            (
                &[("alertname", "RecantBadRelease", false, true)],
                true,
                true,
            ),
            (&[("alertname", "Recant.+", true, true)], true, true),
            (&[("severity", "warning", false, true)], false, true),
            // What cannot be read silences nothing, whatever is denied.
            (&[("namespace", "(", true, false)], false, true),
            (&[("namespace", "a)|(b", true, false)], false, true),
            (&[], false, true),
        ] {
            let silence = silence(matchers);
            assert_eq!(silence.matches(&labels), matches, "{matchers:?}");
            assert_eq!(silence.may_concern_us(), ours, "{matchers:?}");
        }
    }

    #[test]
    fn it_holds_from_its_beginning_to_its_end() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let silence = Silence {
            starts: at(10),
            ends: at(20),
            ..silence(&[])
        };
        let active = [9, 10, 19, 20].map(|second| silence.is_active(at(second)));
        assert_eq!(active, [false, true, true, false]);
    }
}
