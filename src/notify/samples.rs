//! Notices as a real incident would lead to them, one of each kind: message templates are tried with them, and the
//! tests of all dialects.

use recant_core::ids::{TargetId, TargetKind, WatchName};
use recant_core::notice::{Fact, Notice, NoticeKind, Severity};
use recant_core::rule::Link;
#[cfg(test)]
use serde_json::Value;

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
    notice.watch = None;
    notice.target = None;
    notice.correlation = Some("source-prometheus".into());
    notice.facts.clear();
    notice.links.clear();
    notice
}

fn other(kind: NoticeKind, severity: Severity, headline: &str, sentences: &[&str]) -> Notice {
    notice("n-6", 600, kind, severity, headline, sentences)
}

/// A notice of each kind.
pub(super) fn of(kind: NoticeKind) -> Notice {
    match kind {
        NoticeKind::RollingBack => rolling_back(),
        NoticeKind::Restored => restored(),
        NoticeKind::NotRestored => not_restored(),
        NoticeKind::Held => held(),
        NoticeKind::SourceUnavailable => source_unavailable(),
        NoticeKind::RollbackFailed => other(
            kind,
            Severity::Critical,
            "The rollback of Deployment shop/checkout was not carried out",
            &[
                "The API server refused the patch: deployments.apps `checkout` is forbidden.",
                "It was to go from revision 7c9d5b6f4 back to 5f6d8b7c9, and stopped at step 1 of 2: putting the earlier \
                 template back.",
                "Recant does nothing more about this release: a person has to look.",
            ],
        ),
        NoticeKind::Passed => other(
            kind,
            Severity::Info,
            "Deployment shop/checkout: revision 7c9d5b6f4 is known good",
            &["It was watched for 30 min, and no rule failed."],
        ),
        NoticeKind::Inconclusive => other(
            kind,
            Severity::Warning,
            "Deployment shop/checkout: no verdict on revision 7c9d5b6f4",
            &[
                "It was watched for 30 min: there was no traffic.",
                "It stays as it is, and does not count as known good.",
            ],
        ),
        NoticeKind::SourceRecovered => Notice {
            kind,
            severity: Severity::Info,
            headline: "Recant can look again: Prometheus answers".to_owned(),
            sentences: vec!["Releases are judged again.".to_owned()],
            ..source_unavailable()
        },
        NoticeKind::ReloadFailed => Notice {
            watch: None,
            target: None,
            correlation: None,
            facts: Vec::new(),
            links: Vec::new(),
            ..other(
                kind,
                Severity::Warning,
                "Recant cannot use the changed rules or settings",
                &[
                    "Releases are judged by the rules that were loaded before; what was changed does not hold.",
                    "rules/http.yaml:12:3: there is no field `maxx` (did you mean `max`?)",
                    "Mend the files; they are looked at every second. `recant check` shows each fault with its place.",
                ],
            )
        },
        NoticeKind::Reloaded => Notice {
            watch: None,
            target: None,
            correlation: None,
            facts: Vec::new(),
            links: Vec::new(),
            ..other(
                kind,
                Severity::Info,
                "Recant uses the changed rules and settings",
                &["The files are good again, and hold: 12 watches."],
            )
        },
        NoticeKind::RuleWithoutData => other(
            kind,
            Severity::Warning,
            "Deployment shop/checkout: revision 7c9d5b6f4 is watched without data",
            &[
                "Rule `http/error-rate` has had no data for 2 min.",
                "No data is neither good nor bad: nothing is rolled back for it, and without data the revision does not \
                 become known good.",
            ],
        ),
        NoticeKind::Paused => other(
            kind,
            Severity::Info,
            "Deployment shop/checkout: revision 7c9d5b6f4 is paused at 3 of 10 pods; asked 1",
            &[
                "Asked for 1: pausing is a race with the controller, and `maxSurge` and `maxUnavailable` of the Deployment \
                 bound what it makes at once.",
                "It goes on by itself when every rule is surely kept, is taken back if one fails, and goes on at \
                 2026-01-01T00:52:00Z in any other case.",
            ],
        ),
        NoticeKind::PauseEnded => other(
            kind,
            Severity::Info,
            "Deployment shop/checkout: revision 7c9d5b6f4 goes on to all pods",
            &["Every rule is surely kept by revision 7c9d5b6f4."],
        ),
        NoticeKind::LeftPaused => other(
            kind,
            Severity::Critical,
            "Deployment shop/checkout stays paused, and a person has to look",
            &["Revision 7c9d5b6f4 failed, and was not taken back."],
        ),
        NoticeKind::HeldAgainstGit => other(
            kind,
            Severity::Warning,
            "Deployment shop/checkout: the rollback has held, and Git still has to be mended",
            &[
                "It belongs to Argo CD (Application shop), which has not written revision 7c9d5b6f4 back within 5 min.",
                "Commit `image: shop/checkout:1.4.1` in place of `image: shop/checkout:1.4.2`.",
                "Until that is committed the next sync may bring the bad revision back.",
            ],
        ),
        NoticeKind::FailedRevisionBack => other(
            kind,
            Severity::Warning,
            "Deployment shop/checkout: revision 7c9d5b6f4, which failed before, is back",
            &[
                "It failed 12 min ago.",
                "Somebody, or a GitOps tool, shipped it again. Recant does not judge it a second time, and does not take \
                 it back: do it by hand, or ship a good version.",
            ],
        ),
        NoticeKind::Traffic => other(
            kind,
            Severity::Info,
            "Deployment shop/checkout: revision 7c9d5b6f4 has 10 % of the traffic (step 1 of 3)",
            &[
                "Recant set it on HTTPRoute shop/checkout.",
                "The next step is 50 %, when the release has been passing for 5 min.",
            ],
        ),
        NoticeKind::TrafficHeld => other(
            kind,
            Severity::Warning,
            "Deployment shop/checkout: the traffic of revision 7c9d5b6f4 is held (kill switch)",
            &[
                "The kill switch is on as annotation `recant.dev/kill-switch` on namespace shop.",
                "It has 10 % of the traffic, and the next step is 50 %.",
                "Recant looks again by itself.",
            ],
        ),
        NoticeKind::Scaled => of_incident(
            kind,
            Severity::Warning,
            "Scaled Deployment shop/worker from 2 to 5 replicas",
            &[
                "Rule `queue/depth` is broken.",
                "It is taken back when the rule has been kept for 30 min.",
            ],
        ),
        NoticeKind::ScalingHeld => of_incident(
            kind,
            Severity::Critical,
            "The scaling of Deployment shop/worker is held (kill switch)",
            &[
                "The kill switch is on as annotation `recant.dev/kill-switch` on namespace shop.",
                "Without this Recant would scale Deployment shop/worker to 5 replicas.",
                "Recant looks again by itself.",
            ],
        ),
        NoticeKind::ScalingFailed => of_incident(
            kind,
            Severity::Critical,
            "The scaling of Deployment shop/worker was not completed",
            &[
                "3 of 5 are ready 5 min after the scaling.",
                "It was to bring Deployment shop/worker from 2 to 5 replicas.",
                "Recant scales nothing more in this incident: a person has to look.",
            ],
        ),
        NoticeKind::ScalingUndone => of_incident(
            kind,
            Severity::Info,
            "Set back Deployment shop/worker from 5 to 2 replicas",
            &["Rule `queue/depth` has been kept for long enough."],
        ),
        NoticeKind::Ordered => Notice {
            correlation: None,
            facts: Vec::new(),
            ..notice(
                "n-9",
                900,
                kind,
                Severity::Warning,
                "Deployment shop/checkout is held by `ops` until 2026-01-01T02:00:00Z",
                &[
                    "Their reason: \"the database is being moved\".",
                    "Recant goes on judging and telling, and does nothing to it.",
                    "It ends at 2026-01-01T02:00:00Z, or when somebody ends it: `recant resume Deployment/checkout -n shop`.",
                ],
            )
        },
        NoticeKind::OperationBegan => of_incident(
            kind,
            Severity::Warning,
            "Deployment shop/checkout: `emergency` begins",
            &[
                "Rule `queue/depth` is broken.",
                "Recant does, one after the other: scale Deployment shop/api from 3 to 10 replicas; Deployment shop/api: \
                 set MAINTENANCE_MODE of container `app` to \"true\".",
                "It is taken back 30 min after the incident.",
            ],
        ),
        NoticeKind::OperationEnded => of_incident(
            kind,
            Severity::Critical,
            "Deployment shop/checkout: `emergency` is done only in part",
            &[
                "Done: scale Deployment shop/api from 3 to 10 replicas.",
                "Not done: Deployment shop/api: set MAINTENANCE_MODE of container `app` to \"true\".",
                "It was paused by somebody: new pods would not come.",
                "A person has to look.",
            ],
        ),
        NoticeKind::OperationHeld => of_incident(
            kind,
            Severity::Critical,
            "Deployment shop/checkout: `emergency` is held (kill switch)",
            &[
                "The kill switch is on as annotation `recant.dev/kill-switch` on namespace shop.",
                "Recant looks again by itself.",
            ],
        ),
        NoticeKind::OperationUndone => of_incident(
            kind,
            Severity::Info,
            "Deployment shop/checkout: `emergency` was taken back",
            &["Done: scale Deployment shop/api from 10 to 3 replicas."],
        ),
        NoticeKind::IncidentEnded => of_incident(
            kind,
            Severity::Info,
            "Deployment shop/checkout: rule `queue/depth` is kept again",
            &[
                "`queue/depth` is 12, limit 100.",
                "The incident lasted 14 min 20 s.",
                "Recant scaled Deployment shop/worker from 2 to 5 replicas. It is taken back when the rule has been kept \
                 for 30 min.",
            ],
        ),
        NoticeKind::IncidentBegan => of_incident(
            kind,
            Severity::Critical,
            "Deployment shop/checkout: rule `queue/depth` is broken",
            &[
                "`queue/depth` is 140, limit 100.",
                "It has lasted for at least 1 min.",
                "Recant scales Deployment shop/worker to 5 replicas; a message follows.",
                "A message follows when the rule is kept again.",
            ],
        ),
    }
}

/// A queue that is too long, and the workers that are scaled because of it.
fn of_incident(kind: NoticeKind, severity: Severity, headline: &str, sentences: &[&str]) -> Notice {
    Notice {
        correlation: Some("checkout-queue-depth-1767225600-1".into()),
        facts: vec![fact("Ready pods", "4 of 4")],
        ..notice("n-7", 700, kind, severity, headline, sentences)
    }
}

/// A notice of every kind.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = Notice> {
    NoticeKind::ALL.iter().map(|kind| of(*kind))
}

/// The name of a golden file: that of the kind.
#[cfg(test)]
pub(super) fn name_of(notice: &Notice) -> String {
    let mut name = String::new();
    for c in format!("{:?}", notice.kind).chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
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
