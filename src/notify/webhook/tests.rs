#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::notify::samples;

fn rendered(notice: &Notice, attempt: Attempt) -> Value {
    let bytes = render(notice, attempt);
    assert!(bytes.len() <= MAX_BYTES, "{} bytes", bytes.len());
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn the_body_is_as_documented() {
    insta::assert_json_snapshot!(rendered(&samples::rolling_back(), Attempt::First));
}

#[test]
fn a_repeat_and_a_missing_correlation_show() {
    let mut notice = samples::source_unavailable();
    notice.correlation = None;
    let body = rendered(&notice, Attempt::MayBeRepeat);
    assert_eq!(body["data"]["mayBeRepeat"], true);
    assert_eq!(body["data"]["correlation"], Value::Null);
    assert_eq!(body["type"], "recant.notice.sourceUnavailable");
}

#[test]
fn an_endless_notice_is_shortened_and_says_so() {
    for text in ["x".repeat(100_000), "\u{1}".repeat(9000), "😀".repeat(9000)] {
        let mut notice = samples::rolling_back();
        notice.headline.clone_from(&text);
        notice.sentences = vec![text.clone(); 300];
        notice.facts = vec![
            Fact {
                label: text.clone(),
                value: text.clone(),
            };
            300
        ];
        notice.links = vec![
            Link {
                label: text.clone(),
                url: format!("https://a/{}", "%".repeat(990)),
            };
            300
        ];
        let body = rendered(&notice, Attempt::First);
        assert_eq!(body["data"]["shortened"], true);
        assert_eq!(body["data"]["correlation"], "checkout-7c9d5b6f4-1");
    }
}

proptest! {
    #[test]
    fn any_text_makes_a_valid_body(texts in proptest::collection::vec(any::<String>(), 0..60)) {
        let mut notice = samples::rolling_back();
        notice.facts = texts.iter().map(|text| Fact { label: text.clone(), value: text.clone() }).collect();
        notice.headline = texts.concat();
        notice.sentences = texts;
        rendered(&notice, Attempt::First);
    }
}
