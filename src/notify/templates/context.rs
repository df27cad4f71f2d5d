//! What a template is given: a notice without hidden characters, bounded, and in words.

use minijinja::context;
use minijinja::value::Value;

use recant_core::notice::{Fact, Notice, NoticeKind, Severity, Status};
use recant_core::rule::Link;

use crate::notify::Attempt;
use crate::notify::markup::{Markup, is_web};
use crate::notify::text::{clip, lines, one_line, units};

/// A notice to be told.
#[derive(Debug, Clone, Copy)]
pub(in crate::notify) struct Context<'a> {
    pub(in crate::notify) notice: &'a Notice,
    pub(in crate::notify) attempt: Attempt,
}

/// How much of a notice is given to the template: numbers, and units of one text.
#[derive(Debug, Clone, Copy)]
pub(in crate::notify) struct Room {
    pub(in crate::notify) sentence: usize,
    pub(in crate::notify) facts: usize,
    pub(in crate::notify) fact: usize,
    /// Units of all links together.
    pub(in crate::notify) links: usize,
}

const LABEL: usize = 75;
const NAME: usize = 200;

impl Context<'_> {
    /// The variables of a template.
    pub(super) fn variables(&self, markup: Markup, room: &Room) -> Value {
        let Notice {
            id,
            at,
            kind,
            severity,
            watch,
            target,
            correlation,
            headline,
            sentences,
            facts,
            links,
            channels: _,
        } = self.notice;
        let name = |text: String| Value::from(clip(&one_line(&text), NAME));
        let (shown, more_links) = fitting(links, room.links);
        let at_text = format!("{at:.0}");
        let told = |fact: &Fact| {
            context! {
                label => clip(&one_line(&fact.label), LABEL),
                value => clip(&without_empty_lines(&fact.value), room.fact),
            }
        };
        let namespace = target
            .as_ref()
            .map(|target| &target.namespace)
            .or(watch.as_ref().map(|watch| &watch.namespace));
        let sentences = sentences
            .iter()
            .map(|sentence| clip(&lines(sentence), room.sentence))
            .filter(|sentence| !sentence.is_empty());
        context! {
            id => name(id.to_string()),
            date => date(markup, at.as_second(), &at_text),
            at => at_text,
            kind => word(kind),
            severity => word(severity),
            status => status(self.notice),
            icon => icon(*kind, *severity),
            repeat => match self.attempt {
                Attempt::First => false,
                Attempt::MayBeRepeat => true,
            },
            watch => watch.as_ref().map(|watch| name(watch.to_string())),
            target => target.as_ref().map(|target| name(target.to_string())),
            namespace => namespace.map(|namespace| name(namespace.clone())),
            correlation => correlation.as_ref().map(|id| name(id.to_string())),
            headline => clip(&one_line(headline), room.sentence),
            sentences => sentences.collect::<Value>(),
            facts => facts.iter().take(room.facts).map(told).collect::<Value>(),
            links => shown,
            more_links,
        }
    }
}

/// Links that fit, and the number of the others: half an address leads nowhere.
fn fitting(links: &[Link], max: usize) -> (Value, usize) {
    let mut used = 0;
    let shown: Vec<Value> = links
        .iter()
        .filter(|link| is_web(&link.url))
        .map(|Link { label, url }| (clip(&one_line(label), LABEL), url))
        .take_while(|(label, url)| {
            used += units(&Markup::Slack.link(label, url)) + 3;
            used <= max
        })
        .map(|(label, url)| context! { label, url })
        .collect();
    let more = links.len() - shown.len();
    (shown.into_iter().collect(), more)
}

/// An empty line ends a fact.
fn without_empty_lines(text: &str) -> String {
    let kept = lines(text);
    let kept: Vec<&str> = kept
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    kept.join("\n")
}

/// The time in the reader's own zone where the service can show it so.
fn date(markup: Markup, second: i64, text: &str) -> Value {
    match markup {
        Markup::Slack => Value::from_safe_string(format!(
            "<!date^{second}^{{date_short_pretty}} {{time_secs}}|{text}>"
        )),
        Markup::Card | Markup::Plain => Value::from(text.replace('T', " ").replace('Z', " UTC")),
    }
}

/// As serde writes it.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}

fn status(notice: &Notice) -> &'static str {
    match notice.status() {
        Status::Firing(_) => "firing",
        Status::Resolved(_) => "resolved",
        Status::Event => "event",
    }
}

fn icon(kind: NoticeKind, severity: Severity) -> &'static str {
    match kind {
        NoticeKind::RollingBack => "⏪",
        NoticeKind::Restored
        | NoticeKind::Passed
        | NoticeKind::SourceRecovered
        | NoticeKind::IncidentEnded
        | NoticeKind::Reloaded => "✅",
        NoticeKind::Paused | NoticeKind::PauseEnded | NoticeKind::LeftPaused => "⏸️",
        NoticeKind::Held
        | NoticeKind::ScalingHeld
        | NoticeKind::OperationHeld
        | NoticeKind::TrafficHeld => "✋",
        NoticeKind::OperationBegan => "🔧",
        NoticeKind::OperationUndone => "↩️",
        NoticeKind::Scaled => "📈",
        NoticeKind::ScalingUndone => "📉",
        NoticeKind::NotRestored
        | NoticeKind::RollbackFailed
        | NoticeKind::Inconclusive
        | NoticeKind::HeldAgainstGit
        | NoticeKind::SourceUnavailable
        | NoticeKind::RuleWithoutData
        | NoticeKind::FailedRevisionBack
        | NoticeKind::IncidentBegan
        | NoticeKind::ScalingFailed
        | NoticeKind::OperationEnded
        | NoticeKind::ReloadFailed
        | NoticeKind::Ordered
        | NoticeKind::Traffic => match severity {
            Severity::Info => "ℹ️",
            Severity::Warning => "⚠️",
            Severity::Critical => "🚨",
        },
    }
}
