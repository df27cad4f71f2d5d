//! A notice as an Adaptive Card, within what Teams takes whatever the notice holds.
//!
//! Version 1.4 at most: Teams does not show a later one that comes from a webhook. Above about 28 KB the service answers
//! 413, so a message has 20 KiB: first the facts go, then the middle of the text; headline, what was done and a link stay.

use serde_json::{Value, json};

use recant_core::notice::{Notice, Severity, Status};
use recant_core::rule::Link;

use crate::notify::Attempt;
use crate::notify::markup::{Markup, is_web};
use crate::notify::templates::{Context, Name, Templates, TextRoom};
use crate::notify::text::{clip, one_line};

const MAX_BYTES: usize = 20 * 1024;
const HEADLINE: usize = 200;
const LABEL: usize = 75;

/// How large a card may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Up to 20 KiB.
    Usual,
    /// After a 413: a few lines and a link.
    Small,
}

/// How much of a notice is shown.
struct Room {
    given: TextRoom,
    /// Lines of text at the beginning and at the end, and units of each.
    lines: (usize, usize),
    line: usize,
    buttons: usize,
    url: usize,
}

/// Tried in this order until the card is small enough. A unit takes at most 3 bytes of JSON, so the last one always is.
const ROOMS: [Room; 4] = [
    room(1500, 20, (40, 10), (6, 2000)),
    room(400, 10, (24, 8), (6, 1000)),
    room(200, 0, (6, 6), (3, 500)),
    room(120, 0, (2, 3), (1, 500)),
];

const fn room(
    line: usize,
    facts: usize,
    lines: (usize, usize),
    (buttons, url): (usize, usize),
) -> Room {
    Room {
        given: TextRoom {
            sentence: line,
            facts,
            fact: 300,
            links: 0,
        },
        lines,
        line,
        buttons,
        url,
    }
}

/// The body of the request.
pub fn render(notice: &Notice, attempt: Attempt, size: Size, templates: &Templates) -> Value {
    let rooms = match size {
        Size::Usual => ROOMS.as_slice(),
        Size::Small => ROOMS.get(3..).unwrap_or(&ROOMS),
    };
    let mut message = Value::Null;
    for room in rooms {
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
        .render(Name::Teams, &context, &room.given)
        .into_iter();
    let mut part = || parts.next().unwrap_or_default();
    let (headline, text, facts, footer) = (part(), part(), part(), part());
    let headline = match one_line(&headline).replace('`', "'") {
        headline if headline.is_empty() => "Recant".to_owned(),
        headline => clip(&headline, HEADLINE),
    };
    let title = Markup::Card.escape(&headline);
    let mut body = vec![json!({
        "type": "Container",
        "style": style(notice),
        "bleed": true,
        "items": [{
            "type": "TextBlock",
            "text": title,
            "weight": "Bolder",
            "size": "Medium",
            "color": color(notice),
            "wrap": true,
        }],
    })];
    if attempt == Attempt::MayBeRepeat {
        body.push(small(
            "This may be a repeat: whether the first try arrived is not known.",
        ));
    }
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let (first, last) = room.lines;
    let cut = lines.len() > first + last;
    for (position, line) in lines.iter().enumerate() {
        if cut && (first..lines.len() - last).contains(&position) {
            if position == first {
                body.push(small(&format!(
                    "… {} more lines are in the journal",
                    lines.len() - first - last
                )));
            }
            continue;
        }
        body.push(json!({
            "type": "TextBlock",
            "text": Markup::Card.clip(line, room.line),
            "wrap": true,
        }));
    }
    let facts: Vec<Value> = facts
        .split("\n\n")
        .filter_map(|fact| fact.trim().split_once('\n'))
        .take(room.given.facts)
        .map(|(label, value)| {
            json!({
                "title": Markup::Card.clip(label, LABEL * 2),
                "value": Markup::Card.clip(value, room.given.fact * 2),
            })
        })
        .collect();
    if !facts.is_empty() {
        body.push(json!({"type": "FactSet", "facts": facts}));
    }
    let mut footer = Markup::Card.clip(&footer, 600);
    let hidden = notice.facts.len().saturating_sub(room.given.facts);
    if hidden > 0 {
        footer = format!("{footer} · {hidden} more values are in the journal");
    }
    if !footer.is_empty() {
        body.push(small(&footer));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                // What a notification and a screen reader begin with.
                "fallbackText": headline,
                "msteams": {"width": "full"},
                "body": body,
                "actions": buttons(&notice.links, room),
            },
        }],
    })
}

/// The colour of the headline's background: what is over is good, whatever it had been.
fn style(notice: &Notice) -> &'static str {
    match (notice.status(), notice.severity) {
        (Status::Resolved(_), _) => "good",
        (Status::Firing(_) | Status::Event, Severity::Critical) => "attention",
        (Status::Firing(_) | Status::Event, Severity::Warning) => "warning",
        (Status::Firing(_) | Status::Event, Severity::Info) => "accent",
    }
}

fn color(notice: &Notice) -> &'static str {
    match style(notice) {
        "good" => "Good",
        "attention" => "Attention",
        "warning" => "Warning",
        _ => "Accent",
    }
}

fn small(text: &str) -> Value {
    json!({"type": "TextBlock", "text": text, "isSubtle": true, "size": "Small", "wrap": true})
}

/// Half an address leads nowhere: those that are too long are left out.
fn buttons(links: &[Link], room: &Room) -> Vec<Value> {
    links
        .iter()
        .filter(|link| is_web(&link.url) && link.url.len() <= room.url)
        .take(room.buttons)
        .map(|Link { label, url }| {
            let label = match one_line(label) {
                label if label.is_empty() => "Open".to_owned(),
                label => label,
            };
            json!({"type": "Action.OpenUrl", "title": clip(&label, LABEL), "url": url})
        })
        .collect()
}
