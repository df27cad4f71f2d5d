//! Notices about a source: one for all its targets.

use std::collections::{BTreeMap, BTreeSet};

use super::emit;
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::ids::{AnalysisId, ChannelName, NoticeId, TargetId};
use crate::notice::{Notice, NoticeKind, Severity};
use crate::rule::SourceKind;
use crate::wording::capitalised;

pub(in crate::engine) fn source_lost(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    source: SourceKind,
    reason: &str,
) {
    let headline = match source {
        SourceKind::Prometheus => "Recant cannot look: Prometheus is unavailable",
        SourceKind::Scrape => "Recant cannot look: no pod can be scraped",
        SourceKind::Kubernetes => "Recant cannot look: the status of Kubernetes objects is stale",
        SourceKind::HttpJson => "Recant cannot look: no JSON document can be had",
        SourceKind::Redis => "Recant cannot look: Redis is unavailable",
        SourceKind::Alerts => "Recant cannot hear alerts",
    };
    let sentences = vec![
        format!("{}.", capitalised(reason)),
        "No release is judged and nothing is rolled back until there are answers again. Recant keeps asking, and goes \
         on by itself."
            .to_owned(),
    ];
    about_source(
        turn,
        lives,
        source,
        (NoticeKind::SourceUnavailable, Severity::Warning),
        headline,
        sentences,
    );
}

pub(in crate::engine) fn source_back(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    source: SourceKind,
) {
    let headline = match source {
        SourceKind::Prometheus => "Recant can look again: Prometheus answers",
        SourceKind::Scrape => "Recant can look again: pods can be scraped",
        SourceKind::Kubernetes => {
            "Recant can look again: the status of Kubernetes objects is current"
        }
        SourceKind::HttpJson => "Recant can look again: JSON documents can be had",
        SourceKind::Redis => "Recant can look again: Redis answers",
        SourceKind::Alerts => "Recant hears alerts again",
    };
    let sentences = vec!["Releases are judged again.".to_owned()];
    about_source(
        turn,
        lives,
        source,
        (NoticeKind::SourceRecovered, Severity::Info),
        headline,
        sentences,
    );
}

fn about_source(
    turn: &mut Turn<'_>,
    lives: &BTreeMap<TargetId, Live>,
    source: SourceKind,
    (kind, severity): (NoticeKind, Severity),
    headline: &str,
    sentences: Vec<String>,
) {
    let settings = &turn.settings;
    let channels: BTreeSet<&ChannelName> = lives
        .values()
        .filter(|live| live.sources(settings).contains(&source))
        .flat_map(|live| &live.watch.on_fail.notify)
        .collect();
    let notice = Notice {
        id: NoticeId(String::new()),
        at: turn.now,
        kind,
        severity,
        watch: None,
        target: None,
        // What is lost and what is back is the same incident, and only of this source.
        correlation: Some(AnalysisId(format!("source-{source:?}").to_lowercase())),
        headline: headline.to_owned(),
        sentences,
        facts: Vec::new(),
        links: Vec::new(),
        channels: channels.into_iter().cloned().collect(),
    };
    emit(turn, notice);
}
