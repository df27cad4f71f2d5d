#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use proptest::prelude::*;
use serde_json::Value;

use recant_core::notice::Fact;
use recant_core::rule::Link;

use super::*;
use crate::notify::samples;

fn body(notice: &Notice, attempt: Attempt, size: Size) -> Value {
    render(notice, attempt, size, &Templates::shipped())
}

fn card(message: &Value) -> &Value {
    assert_eq!(message["type"], "message");
    let attachment = &message["attachments"][0];
    assert_eq!(
        attachment["contentType"],
        "application/vnd.microsoft.card.adaptive"
    );
    &attachment["content"]
}

/// Every text of a card that is Markdown.
fn texts(card: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    let mut waiting: Vec<&Value> = vec![&card["body"]];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        Some(text) if matches!(name.as_str(), "text" | "title" | "value") => {
                            texts.push(text.to_owned());
                        }
                        _ => waiting.push(value),
                    }
                }
            }
            _ => {}
        }
    }
    texts
}

fn check_limits(message: &Value) {
    let length = message.to_string().len();
    assert!(length <= 20 * 1024, "{length} bytes");
    let card = card(message);
    assert_eq!(card["version"], "1.4");
    for text in texts(card) {
        assert!(!text.is_empty());
        assert!(!text.contains('\u{202e}') && !text.contains('\u{7}'));
        // What could begin a link or a mention is escaped.
        let text = text.replace("\\\\", "");
        for mark in ['[', '<'] {
            for (at, _) in text.match_indices(mark) {
                let before = text.get(..at).unwrap();
                assert!(before.ends_with('\\'), "mark-up came through: {text}");
            }
        }
    }
    for action in card["actions"].as_array().unwrap() {
        assert_eq!(action["type"], "Action.OpenUrl");
        assert!(action["url"].as_str().unwrap().starts_with("http"));
        assert!(!action["title"].as_str().unwrap().is_empty());
    }
}

/// A card as a person sees it.
fn as_shown(message: &Value) -> String {
    let card = card(message);
    let mut shown = String::new();
    for block in card["body"].as_array().unwrap() {
        let kind = block["type"].as_str().unwrap();
        shown.push_str(&format!("[{kind}"));
        if let Some(style) = block["style"].as_str() {
            shown.push_str(&format!(" {style}"));
        }
        shown.push_str("]\n");
        for item in block["items"].as_array().into_iter().flatten() {
            shown.push_str(&format!("{}\n", item["text"].as_str().unwrap()));
        }
        for fact in block["facts"].as_array().into_iter().flatten() {
            let part = |name: &str| fact[name].as_str().unwrap().to_owned();
            shown.push_str(&format!("{} = {}\n", part("title"), part("value")));
        }
        if let Some(text) = block["text"].as_str() {
            shown.push_str(&format!("{text}\n"));
        }
    }
    for action in card["actions"].as_array().unwrap() {
        shown.push_str(&format!("[{}] {}\n", action["title"], action["url"]));
    }
    shown
}

#[test]
fn cards_read_well() {
    for notice in samples::all() {
        let body = body(&notice, Attempt::First, Size::Usual);
        check_limits(&body);
        insta::assert_snapshot!(samples::name_of(&notice), as_shown(&body));
    }
}

#[test]
fn the_body_is_an_adaptive_card() {
    let body = body(&samples::rolling_back(), Attempt::MayBeRepeat, Size::Usual);
    insta::assert_json_snapshot!(body);
}

#[test]
fn a_small_card_keeps_headline_end_and_a_link() {
    let mut notice = samples::rolling_back();
    notice.sentences = (1..=20)
        .map(|number| format!("Sentence {number} of many words {}.", "word ".repeat(100)))
        .collect();
    notice
        .sentences
        .push("Recant puts back revision 5f6d8b7c9.".to_owned());
    let usual = body(&notice, Attempt::First, Size::Usual).to_string();
    let small = body(&notice, Attempt::First, Size::Small);
    check_limits(&small);
    let text = small.to_string();
    assert!(
        text.len() < 4000 && text.len() * 3 < usual.len(),
        "{}",
        text.len()
    );
    for part in [
        "Rolling back",
        "Sentence 1 of",
        "puts back revision 5f6d8b7c9",
        "Dashboard",
        "checkout-7c9d5b6f4-1",
        "more lines are in the journal",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn whatever_a_notice_holds_the_card_keeps_its_limits() {
    for text in [
        String::new(),
        "x".repeat(100_000),
        "😀".repeat(5000),
        "[click](https://evil.example) <at>everyone</at> ".repeat(300),
        "\"\\\n\u{7}\u{202e}".repeat(3000),
        "\n- a\n# b\n\n".repeat(500),
        "漢".repeat(5000),
    ] {
        let mut notice = samples::rolling_back();
        notice.headline.clone_from(&text);
        notice.sentences = vec![text.clone(); 40];
        notice.facts = vec![
            Fact {
                label: text.clone(),
                value: text.clone(),
            };
            200
        ];
        notice.links = vec![
            Link {
                label: text.clone(),
                url: format!("https://grafana.example/d/x?{}", "a=b&c=d|<>".repeat(40)),
            };
            30
        ];
        notice.correlation = Some(text.as_str().into());
        for size in [Size::Usual, Size::Small] {
            check_limits(&body(&notice, Attempt::MayBeRepeat, size));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_keeps_the_cards_limits(texts in proptest::collection::vec(any::<String>(), 0..40)) {
        let mut notice = samples::rolling_back();
        notice.facts = texts.iter().map(|text| Fact { label: text.clone(), value: text.clone() }).collect();
        notice.headline = texts.concat();
        notice.sentences = texts;
        check_limits(&body(&notice, Attempt::First, Size::Usual));
    }
}
