//! A notice as a Slack message of Block Kit blocks, within Slack's limits whatever the notice holds.
//!
//! Limits: header 150 characters; section text 3000; 10 fields a section, 2000 characters each; 50 blocks; top-level
//! text best below 4000; and all together somewhere about 13 000 bytes, above which Slack answers `msg_blocks_too_long`.

use serde_json::{Value, json};

use recant_core::notice::Notice;

use crate::notify::Attempt;
use crate::notify::markup::Markup;
use crate::notify::templates::{Context, Name, Templates, TextRoom};
use crate::notify::text::one_line;

const HEADER_UNITS: usize = 150;
const FIELDS_PER_SECTION: usize = 10;
/// Below the 13 000 at which messages were seen to be refused.
const MAX_BYTES: usize = 12_000;

/// How much of a notice is shown: what the template is given, and units of what it makes of it.
struct Room {
    given: TextRoom,
    fallback: usize,
    text: usize,
    footer: usize,
}

/// Tried in this order until the message is small enough. A unit takes at most 3 bytes of JSON, so the last one always is.
const ROOMS: [Room; 3] = [
    Room {
        given: TextRoom {
            sentence: 1000,
            facts: 20,
            fact: 300,
            links: 2500,
        },
        fallback: 2000,
        text: 3000,
        footer: 1000,
    },
    Room {
        given: TextRoom {
            sentence: 700,
            facts: 10,
            fact: 100,
            links: 1000,
        },
        fallback: 600,
        text: 2000,
        footer: 500,
    },
    Room {
        given: TextRoom {
            sentence: 300,
            facts: 5,
            fact: 50,
            links: 0,
        },
        fallback: 200,
        text: 1000,
        footer: 300,
    },
];

/// The body of the request.
pub fn render(notice: &Notice, attempt: Attempt, templates: &Templates) -> Value {
    let mut message = Value::Null;
    for room in &ROOMS {
        message = render_within(notice, attempt, templates, room);
        if message.to_string().len() <= MAX_BYTES {
            break;
        }
    }
    message
}

fn render_within(notice: &Notice, attempt: Attempt, templates: &Templates, room: &Room) -> Value {
    let context = Context { notice, attempt };
    let mut parts = templates
        .render(Name::Slack, &context, &room.given)
        .into_iter();
    let mut part = || parts.next().unwrap_or_default();
    let (headline, text, facts, links, footer) = (part(), part(), part(), part(), part());
    let clip = |text: &str, max| Markup::Slack.clip(text, max);
    // A header is plain text: back-ticks would show as such. Slack refuses an empty one.
    let headline = match one_line(&headline) {
        headline if headline.is_empty() => "Recant".to_owned(),
        headline => headline,
    };
    let title = Markup::Plain.clip(&headline.replace('`', ""), HEADER_UNITS);

    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": title, "emoji": true},
    })];
    let repeat = match attempt {
        Attempt::First => "",
        Attempt::MayBeRepeat => {
            blocks.push(context_block(
                "_This may be a repeat: whether the first try arrived is not known._",
            ));
            "(may be a repeat) "
        }
    };
    if !text.is_empty() {
        blocks.push(section(&clip(&text, room.text)));
    }
    // A field holds what its fact was cut to, and as much of words around it.
    let fields: Vec<Value> = facts
        .split("\n\n")
        .map(|fact| clip(fact.trim(), room.given.fact * 2 + 200))
        .filter(|fact| !fact.is_empty())
        .take(room.given.facts)
        .map(|fact| markdown(&fact))
        .collect();
    for fields in fields.chunks(FIELDS_PER_SECTION) {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    if !links.is_empty() && room.given.links > 0 {
        blocks.push(section(&clip(&links, room.given.links + 200)));
    }
    let mut footer = clip(&footer, room.footer);
    let hidden = notice.facts.len().saturating_sub(room.given.facts);
    if hidden > 0 {
        footer = format!("{footer} · {hidden} more values are in the journal");
    }
    if !footer.is_empty() {
        blocks.push(context_block(&footer));
    }
    let fallback = format!("{repeat}{}\n{text}", Markup::Slack.escape(&headline));
    json!({
        "text": clip(fallback.trim(), room.fallback),
        "blocks": blocks,
        // A preview of a dashboard's log-in page helps nobody.
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": markdown(text)})
}

fn context_block(text: &str) -> Value {
    json!({"type": "context", "elements": [markdown(text)]})
}

/// Verbatim: Slack makes no links and mentions of what only looks like one.
fn markdown(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}
