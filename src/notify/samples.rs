//! Notices as a real incident would lead to them, for the tests of all dialects.

use serde_json::Value;

use recant_core::ids::{TargetId, TargetKind, WatchName};
use recant_core::notice::{Fact, Notice, NoticeKind, Severity};
use recant_core::rule::Link;

fn notice(
    id: &str,
    second: i64,
    kind: NoticeKind,
    severity: Severity,
    headline: &str,
    sentences: &[&str],
) -> Notice {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Notice {
        id: id.into(),
        at: jiff::Timestamp::from_second(1_767_225_600 + second).expect("in range"),
        kind,
        severity,
        watch: Some(WatchName {
            namespace: "shop".to_owned(),
            name: "checkout".to_owned(),
        }),
        target: Some(TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Deployment,
            name: "checkout".to_owned(),
        }),
        correlation: Some("checkout-7c9d5b6f4-1".into()),
        headline: headline.to_owned(),
        sentences: texts(sentences),
        facts: vec![
            fact("Bad revision", "7c9d5b6f4 (number 42, 48 s old)"),
            fact("Bad image", "registry.example/checkout:v2"),
            fact("Good revision", "5f6d8b7c9 (number 41, known good)"),
            fact("Good image", "registry.example/checkout:v1"),
            fact("Pods of the bad revision", "2 of 4"),
        ],
        links: vec![
            Link {
                label: "Dashboard".to_owned(),
                url: "https://grafana.example/d/checkout?from=1767225540000&to=1767225660000"
                    .to_owned(),
            },
            Link {
                label: "Runbook".to_owned(),
                url: "https://runbooks.example/checkout".to_owned(),
            },
        ],
        channels: vec!["deployments".into()],
    }
}

fn fact(label: &str, value: &str) -> Fact {
    Fact {
        label: label.to_owned(),
        value: value.to_owned(),
    }
}

pub(super) fn rolling_back() -> Notice {
    notice(
        "n-1",
        48,
        NoticeKind::RollingBack,
        Severity::Critical,
        "Rolling back Deployment shop/checkout: rule `http/error-rate` failed",
        &[
            "Rule `http/error-rate` failed: 31.2 % of 96 requests to revision 7c9d5b6f4 were bad in 30 s; the limit is 1 %.",
            "The baseline, revision 5f6d8b7c9, had 0.4 % of 480 requests in the same time.",
            "Recant is putting back revision 5f6d8b7c9, the last one known good.",
            "A message follows when it is done, with whether it helped. To stop Recant: annotate the Deployment with \
             `recant.dev/kill-switch=true`.",
        ],
    )
}

pub(super) fn restored() -> Notice {
    notice(
        "n-2",
        61,
        NoticeKind::Restored,
        Severity::Info,
        "Deployment shop/checkout is back on revision 5f6d8b7c9, and `http/error-rate` is well again",
        &[
            "The rollback took 13 s; no pod of revision 7c9d5b6f4 is left.",
            "Since then 0.3 % of 310 requests were bad; the limit is 1 %.",
            "Revision 7c9d5b6f4 will not be judged again without a person. Next: mend it and release a new one.",
        ],
    )
}

pub(super) fn not_restored() -> Notice {
    notice(
        "n-3",
        180,
        NoticeKind::NotRestored,
        Severity::Critical,
        "Deployment shop/checkout was rolled back, but `http/error-rate` still fails",
        &[
            "Revision 5f6d8b7c9 serves since 00:01:01, and 28.0 % of 2400 requests were bad since then; the limit is 1 %.",
            "So the release was not, or not alone, the reason: look at what `shop/checkout` depends on.",
            "Recant does nothing further here.",
        ],
    )
}

pub(super) fn held() -> Notice {
    let mut notice = notice(
        "n-4",
        48,
        NoticeKind::Held,
        Severity::Warning,
        "Rollback of Deployment shop/checkout is held back: 5 actions in the last hour",
        &[
            "Rule `http/latency-p95` failed: the 95th percentile of 240 requests to revision 7c9d5b6f4 is > 1.9 s; the limit \
             is 500 ms.",
            "Not rolled back: Recant has acted 5 times in the last hour, and the setting `actions.perHour` is 5.",
            "It will be at 00:34:10 if the rule still fails. To go back now: `kubectl -n shop rollout undo deployment/checkout`.",
        ],
    );
    notice.facts.truncate(3);
    notice
}

pub(super) fn source_unavailable() -> Notice {
    let mut notice = notice(
        "n-5",
        300,
        NoticeKind::SourceUnavailable,
        Severity::Warning,
        "Prometheus cannot be asked: nothing is judged",
        &[
            "`http://prometheus.monitoring:9090` has answered with status 503 for 60 s.",
            "Missing data is no reason to act: no release is taken back meanwhile, and none passes.",
            "Work resumes by itself.",
        ],
    );
    notice.correlation = None;
    notice.facts.clear();
    notice.links.clear();
    notice
}

pub(super) fn all() -> [Notice; 5] {
    [
        rolling_back(),
        restored(),
        not_restored(),
        held(),
        source_unavailable(),
    ]
}

/// A Slack body as a person sees it, block after block.
pub(super) fn as_shown(body: &Value) -> String {
    let mut shown = format!("notification: {}\n", body["text"].as_str().unwrap_or("?"));
    for block in body["blocks"].as_array().into_iter().flatten() {
        shown.push_str("\n[");
        shown.push_str(block["type"].as_str().unwrap_or("?"));
        shown.push_str("]\n");
        let fields = block["fields"].as_array().into_iter().flatten();
        let elements = block["elements"].as_array().into_iter().flatten();
        for text in std::iter::once(&block["text"])
            .chain(fields)
            .chain(elements)
        {
            if let Some(text) = text["text"].as_str() {
                shown.push_str(text);
                shown.push('\n');
            }
        }
    }
    shown
}
