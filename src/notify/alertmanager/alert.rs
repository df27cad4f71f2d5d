//! A notice as an alert.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use recant_core::notice::{Notice, Severity, Status};

use crate::notify::Attempt;
use crate::notify::markup::is_web;
use crate::notify::templates::{Context, Name, Templates, TextRoom};
use crate::notify::text::{clip, one_line};

/// How far ahead the end of what fires is.
const LASTS: SignedDuration = SignedDuration::from_hours(24);
/// How long an event is an alert: longer than a usual `group_interval`, so that it is told.
const EVENT: SignedDuration = SignedDuration::from_mins(15);
const SUMMARY: usize = 300;
const DESCRIPTION: usize = 8000;
const LABEL: usize = 200;
const MOST_LINKS: usize = 10;
const LONGEST_URL: usize = 2000;

const ROOM: TextRoom = TextRoom {
    sentence: 700,
    facts: 20,
    fact: 300,
    links: 0,
};

/// The alert of a notice; `None` for what raises none.
pub fn render(
    notice: &Notice,
    now: Timestamp,
    labels: &BTreeMap<String, String>,
    templates: &Templates,
) -> Option<Value> {
    let (starts, ends) = match notice.status() {
        Status::Firing(_) => (
            Some(notice.at),
            now.saturating_add(LASTS).unwrap_or(Timestamp::MAX),
        ),
        // An end before the beginning would be no end: that of a notice is after it, whatever the clocks do meanwhile.
        Status::Resolved(_) => (None, notice.at),
        Status::Event => match notice.severity {
            Severity::Info => return None,
            Severity::Warning | Severity::Critical => (
                Some(notice.at),
                now.saturating_add(EVENT).unwrap_or(Timestamp::MAX),
            ),
        },
    };
    let mut all: BTreeMap<&str, String> = labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    let own = notice.labels().into_iter();
    all.extend(own.map(|(name, value)| (name, clip(&one_line(&value), LABEL))));
    let mut alert = json!({
        "labels": all,
        "annotations": annotations(notice, templates),
        "endsAt": ends,
    });
    if let Some(fields) = alert.as_object_mut() {
        if let Some(starts) = starts {
            fields.insert("startsAt".to_owned(), json!(starts));
        }
        let link = links(notice).next();
        if let Some((_, url)) = link {
            fields.insert("generatorURL".to_owned(), json!(url));
        }
    }
    Some(alert)
}

fn annotations(notice: &Notice, templates: &Templates) -> BTreeMap<String, String> {
    let context = Context {
        notice,
        attempt: Attempt::First,
    };
    let mut parts = templates
        .render(Name::Alertmanager, &context, &ROOM)
        .into_iter();
    let mut part = || parts.next().unwrap_or_default();
    let (summary, description) = (part(), part());
    let mut annotations = BTreeMap::from([
        ("summary".to_owned(), clip(&one_line(&summary), SUMMARY)),
        ("description".to_owned(), clip(&description, DESCRIPTION)),
        // As it was said; the label has that of the incident.
        (
            "recant_severity".to_owned(),
            notice.severity.as_str().to_owned(),
        ),
        (
            "recant_notice".to_owned(),
            clip(&one_line(&notice.id.0), LABEL),
        ),
    ]);
    if let Some(correlation) = &notice.correlation {
        let id = clip(&one_line(&correlation.0), LABEL);
        annotations.insert("correlation_id".to_owned(), id);
    }
    for (label, url) in links(notice) {
        annotations.entry(key(&label)).or_insert(url);
    }
    annotations
}

fn links(notice: &Notice) -> impl Iterator<Item = (String, String)> {
    notice
        .links
        .iter()
        .filter(|link| is_web(&link.url) && link.url.len() <= LONGEST_URL)
        .take(MOST_LINKS)
        .map(|link| (link.label.clone(), link.url.clone()))
}

/// `Runbook` becomes `runbook_url`, the name that other tools look for.
fn key(label: &str) -> String {
    let word: String = label
        .chars()
        .take(60)
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
            _ => '_',
        })
        .collect();
    let word = word.trim_matches('_');
    match word.chars().next() {
        Some(first) if !first.is_ascii_digit() => format!("{word}_url"),
        _ => format!("link_{word}_url"),
    }
}
