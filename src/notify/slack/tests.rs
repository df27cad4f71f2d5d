#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use proptest::prelude::*;
use serde_json::Value;

use recant_core::notice::{Fact, NoticeKind, Severity};
use recant_core::rule::Link;

use super::*;
use crate::notify::samples;
use crate::notify::templates::Templates;
use crate::notify::text::units;

/// Every limit that Slack states, held against the body as it is sent.
fn check_limits(body: &Value) {
    assert!(
        body.to_string().len() <= 13_000,
        "{} bytes",
        body.to_string().len()
    );
    let text = body["text"].as_str().unwrap();
    assert!((1..=4000).contains(&units(text)));
    let blocks = body["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()));
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "header" => {
                assert_eq!(block["text"]["type"], "plain_text");
                check_text(&block["text"], 150);
                assert!(!block["text"]["text"].as_str().unwrap().contains('\n'));
            }
            "section" => {
                if block.get("text").is_some() {
                    check_text(&block["text"], 3000);
                } else {
                    let fields = block["fields"].as_array().unwrap();
                    assert!((1..=10).contains(&fields.len()));
                    for field in fields {
                        check_text(field, 2000);
                    }
                }
            }
            "context" => {
                let elements = block["elements"].as_array().unwrap();
                assert!((1..=10).contains(&elements.len()));
                for element in elements {
                    check_text(element, 3000);
                }
            }
            other => panic!("a block of type {other}"),
        }
    }
}

fn check_text(text: &Value, max: usize) {
    let markdown = text["type"] == "mrkdwn";
    let text = text["text"].as_str().unwrap();
    assert!(
        (1..=max).contains(&units(text)),
        "{} of {max}: {text}",
        units(text)
    );
    assert!(!text.contains('\u{202e}') && !text.contains('\u{7}'));
    if markdown {
        for (position, _) in text.match_indices('<') {
            let rest = text.get(position..).unwrap();
            assert!(
                rest.starts_with("<http") || rest.starts_with("<!date^"),
                "markup came through: {rest}"
            );
        }
    }
}

#[test]
fn whatever_a_notice_holds_the_body_keeps_slacks_limits() {
    let texts = [
        String::new(),
        "x".repeat(100_000),
        "😀".repeat(5000),
        "<!channel> & <https://evil.example|click> ".repeat(300),
        "\"\\\n\u{7}\u{202e}".repeat(3000),
        "&".repeat(5000),
        "漢".repeat(5000),
    ];
    for text in &texts {
        let mut notice = samples::rolling_back();
        notice.headline.clone_from(text);
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
        notice
            .watch
            .as_mut()
            .expect("a sample with a watch")
            .name
            .clone_from(text);
        notice
            .target
            .as_mut()
            .expect("a sample with a target")
            .name
            .clone_from(text);
        notice.correlation = Some(text.as_str().into());
        for attempt in [Attempt::First, Attempt::MayBeRepeat] {
            check_limits(&render(&notice, attempt, &Templates::shipped()));
        }
        notice.sentences.clear();
        notice.facts.clear();
        notice.links.clear();
        notice.correlation = None;
        check_limits(&render(&notice, Attempt::First, &Templates::shipped()));
    }
}

proptest! {
    #[test]
    fn any_text_keeps_slacks_limits(texts in proptest::collection::vec(any::<String>(), 0..40), url in any::<String>()) {
        let mut notice = samples::rolling_back();
        notice.facts = texts.iter().map(|text| Fact { label: text.clone(), value: text.clone() }).collect();
        notice.links = vec![Link { label: texts.concat(), url: format!("https://a/{url}") }];
        notice.headline = texts.concat();
        notice.sentences = texts;
        check_limits(&render(&notice, Attempt::MayBeRepeat, &Templates::shipped()));
    }
}

#[test]
fn a_usual_notice_is_shown_in_full() {
    for notice in samples::all() {
        let text = render(&notice, Attempt::First, &Templates::shipped()).to_string();
        assert!(!text.contains('…') && !text.contains("not shown"), "{text}");
        for word in notice.sentences.iter().flat_map(|s| s.split_whitespace()) {
            let escaped = word.replace('&', "&amp;").replace('>', "&gt;");
            assert!(text.contains(&escaped), "`{word}` is missing in {text}");
        }
    }
}

#[test]
fn a_possible_repeat_says_so_in_the_notification_and_in_the_message() {
    let notice = samples::restored();
    let first = render(&notice, Attempt::First, &Templates::shipped()).to_string();
    assert!(!first.contains("may be a repeat"), "{first}");
    let repeat = render(&notice, Attempt::MayBeRepeat, &Templates::shipped());
    let text = repeat["text"].as_str().unwrap();
    assert!(text.starts_with("(may be a repeat) "), "{text}");
    assert!(repeat["blocks"].to_string().contains("may be a repeat"));
}

#[test]
fn only_web_addresses_become_links() {
    let link = |label: &str, url: &str| Link {
        label: label.to_owned(),
        url: url.to_owned(),
    };
    let mut notice = samples::rolling_back();
    notice.links = vec![
        link("a|b>c", "https://grafana.example/d/1?x=1&y=<2>|3"),
        link("script", "javascript:alert(1)"),
        link("space", "https://grafana.example/a b"),
        link("", "http://runbooks.example"),
    ];
    let body = render(&notice, Attempt::First, &Templates::shipped());
    let links = body["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|block| block["text"]["text"].as_str())
        .find(|text| text.contains("Where to look"))
        .unwrap()
        .to_owned();
    assert_eq!(
        links,
        "*Where to look:* <https://grafana.example/d/1?x=1&amp;y=%3C2%3E%7C3|a|b&gt;c> · <http://runbooks.example|link> \
         · 2 more not shown"
    );
}

/// The messages as the people on call see them. Whoever changes them reads them aloud: what was wrong, measured against
/// what, on how much data, what was done, did it help, where to look?
#[test]
fn messages_read_well() {
    for notice in samples::all() {
        let body = render(&notice, Attempt::First, &Templates::shipped());
        insta::assert_snapshot!(samples::name_of(&notice), samples::as_shown(&body));
    }
    let repeat = render(
        &samples::restored(),
        Attempt::MayBeRepeat,
        &Templates::shipped(),
    );
    insta::assert_snapshot!("restored_repeat", samples::as_shown(&repeat));
}

#[test]
fn the_body_is_block_kit() {
    insta::assert_json_snapshot!(render(
        &samples::rolling_back(),
        Attempt::First,
        &Templates::shipped()
    ));
}

#[test]
fn every_kind_and_severity_has_an_icon() {
    for kind in [NoticeKind::NotRestored, NoticeKind::Inconclusive] {
        for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
            let mut notice = samples::rolling_back();
            notice.kind = kind;
            notice.severity = severity;
            let body = render(&notice, Attempt::First, &Templates::shipped());
            let header = body["blocks"][0]["text"]["text"]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(
                !header.is_ascii() && header.ends_with(" failed"),
                "{header}"
            );
        }
    }
}

#[test]
fn slacks_words_are_explained_and_nothing_else_is_repeated() {
    let check = |body: &str, expected: &str| {
        let text = explain(body);
        assert!(text.contains(expected), "{text}");
    };
    check("invalid_payload", "`invalid_payload`: the message is not");
    check("no_service\n", "`no_service`: the webhook was removed");
    check("channel_is_archived", "gone");
    check("some_new_word", "`some_new_word`");
    check(
        "<html>https://hooks.slack.example/services/T0/B0/SECRET</html>",
        "is this the address",
    );
    assert!(!explain("SECRET").contains("SECRET"));
    assert!(!explain("https://hooks/secret").contains("secret"));
}
