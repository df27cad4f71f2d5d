//! A notice as a Slack message of Block Kit blocks, within Slack's limits whatever the notice holds.
//!
//! Limits: header 150 characters; section text 3000; 10 fields a section, 2000 characters each; 50 blocks; top-level
//! text best below 4000; and all together somewhere about 13 000 bytes, above which Slack answers `msg_blocks_too_long`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use recant_core::notice::{Fact, Notice, NoticeKind, Severity};
use recant_core::rule::Link;

use crate::notify::Attempt;
use crate::notify::text::{clip, clip_pieces, lines, one_line, units};

const HEADER_UNITS: usize = 150;
const FIELDS_PER_SECTION: usize = 10;
/// Below the 13 000 at which messages were seen to be refused.
const MAX_BYTES: usize = 12_000;

/// How much of a notice is shown: units of all sentences, of one fact and of all links, and the number of facts.
struct Room {
    fallback: usize,
    sentences: usize,
    facts: usize,
    fact: usize,
    links: usize,
}

/// Tried in this order until the message is small enough. A unit takes at most 3 bytes of JSON, so the last one always is.
const ROOMS: [Room; 3] = [
    Room {
        fallback: 2000,
        sentences: 3000,
        facts: 20,
        fact: 300,
        links: 2500,
    },
    Room {
        fallback: 600,
        sentences: 3000,
        facts: 10,
        fact: 100,
        links: 1000,
    },
    Room {
        fallback: 200,
        sentences: 1000,
        facts: 5,
        fact: 50,
        links: 0,
    },
];

/// The body of the request.
pub fn render(notice: &Notice, attempt: Attempt) -> Value {
    let mut message = Value::Null;
    for room in &ROOMS {
        message = render_within(notice, attempt, room);
        if message.to_string().len() <= MAX_BYTES {
            break;
        }
    }
    message
}

fn render_within(notice: &Notice, attempt: Attempt, room: &Room) -> Value {
    let Notice {
        id: _,
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
    } = notice;
    let headline = format!("{} {}", icon(*kind, *severity), one_line(headline));
    let sentences: Vec<String> = sentences.iter().map(|sentence| lines(sentence)).collect();
    let repeat = match attempt {
        Attempt::First => "",
        Attempt::MayBeRepeat => "(may be a repeat) ",
    };

    // A header is plain text: back-ticks would show as such.
    let title = clip(&headline.replace('`', ""), HEADER_UNITS);
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": title, "emoji": true},
    })];
    if attempt == Attempt::MayBeRepeat {
        blocks.push(context(
            "_This may be a repeat: whether the first try arrived is not known._",
        ));
    }
    if sentences.iter().any(|sentence| !sentence.is_empty()) {
        blocks.push(section(&escape(&sentences.join("\n"), room.sentences)));
    }
    let shown = facts.get(..room.facts).unwrap_or(facts);
    for part in shown.chunks(FIELDS_PER_SECTION) {
        let fields: Vec<Value> = part.iter().map(|fact| field(fact, room.fact)).collect();
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    if let Some(links) = render_links(links, room.links) {
        blocks.push(section(&links));
    }

    let mut footer = String::new();
    for subject in [
        target
            .as_ref()
            .map(|target| escape(&one_line(&target.to_string()), 200)),
        watch
            .as_ref()
            .map(|watch| format!("watch `{}`", escape(&one_line(&watch.to_string()), 200))),
    ]
    .into_iter()
    .flatten()
    {
        footer.push_str(&subject);
        footer.push_str(" · ");
    }
    write!(
        footer,
        "<!date^{}^{{date_short_pretty}} {{time_secs}}|{at:.0}>",
        at.as_second()
    )
    .expect("writing to a string cannot fail");
    if let Some(correlation) = correlation {
        write!(footer, " · id `{}`", escape(&one_line(&correlation.0), 100))
            .expect("writing to a string cannot fail");
    }
    let hidden = facts.len() - shown.len();
    if hidden > 0 {
        write!(footer, " · {hidden} more values are in the journal")
            .expect("writing to a string cannot fail");
    }
    blocks.push(context(&footer));

    json!({
        "text": escape(&format!("{repeat}{headline}\n{}", sentences.join("\n")), room.fallback),
        "blocks": blocks,
        // A preview of a dashboard's log-in page helps nobody.
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn icon(kind: NoticeKind, severity: Severity) -> &'static str {
    match kind {
        NoticeKind::RollingBack => "⏪",
        NoticeKind::Restored
        | NoticeKind::Passed
        | NoticeKind::SourceRecovered
        | NoticeKind::IncidentEnded => "✅",
        NoticeKind::Held | NoticeKind::ScalingHeld => "✋",
        NoticeKind::Scaled => "📈",
        NoticeKind::ScalingUndone => "📉",
        NoticeKind::NotRestored
        | NoticeKind::RollbackFailed
        | NoticeKind::Inconclusive
        | NoticeKind::SourceUnavailable
        | NoticeKind::RuleWithoutData
        | NoticeKind::FailedRevisionBack
        | NoticeKind::IncidentBegan
        | NoticeKind::ScalingFailed => match severity {
            Severity::Info => "ℹ️",
            Severity::Warning => "⚠️",
            Severity::Critical => "🚨",
        },
    }
}

fn section(markdown: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": markdown}})
}

fn context(markdown: &str) -> Value {
    json!({"type": "context", "elements": [{"type": "mrkdwn", "text": markdown}]})
}

fn field(fact: &Fact, max: usize) -> Value {
    let Fact { label, value } = fact;
    let text = format!(
        "*{}*\n{}",
        escape(&one_line(label), 75),
        escape(&lines(value), max)
    );
    json!({"type": "mrkdwn", "text": text})
}

/// Links as text: buttons need an app that answers to them.
fn render_links(links: &[Link], max: usize) -> Option<String> {
    let mut shown = Vec::new();
    let mut used = 0;
    for link in links.iter().filter_map(render_link) {
        used += units(&link) + 3;
        if used > max {
            break;
        }
        shown.push(link);
    }
    if shown.is_empty() {
        return None;
    }
    if links.len() > shown.len() {
        shown.push(format!("{} more not shown", links.len() - shown.len()));
    }
    Some(format!("*Where to look:* {}", shown.join(" · ")))
}

/// `None` for what would not become a link: other schemes, and addresses with white space.
fn render_link(link: &Link) -> Option<String> {
    let Link { label, url } = link;
    let web = url.starts_with("https://") || url.starts_with("http://");
    let plain = !url.chars().any(|c| c.is_whitespace() || c.is_control());
    if !web || !plain {
        return None;
    }
    let url = url
        .replace('&', "&amp;")
        .replace('<', "%3C")
        .replace('>', "%3E")
        .replace('|', "%7C");
    let label = match one_line(label) {
        label if label.is_empty() => "link".to_owned(),
        label => label,
    };
    Some(format!("<{url}|{}>", escape(&label, 75)))
}

/// Text for Slack's mrkdwn, at most `max` units: `<!channel>` and the like stay the letters that they are.
fn escape(text: &str, max: usize) -> String {
    clip_pieces(text, max, |c, out| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    })
}
