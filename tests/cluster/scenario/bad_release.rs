//! One bad release of a matrix: what is wrong with it, when it begins, and what people must read about it.

use std::time::Duration;

use recant_core::ids::TargetKind;
use recant_core::notice::NoticeKind;

use super::{PROMISE, PROMISE_OF_LATE_ERRORS, WITHIN, target};
use crate::agent::Agent;
use crate::namespace::Namespace;
use crate::services::Behaviour;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Three answers of ten are a 500.
    Errors,
    /// Answers take four times as long.
    Latency,
}

/// One release of one workload, named after what happens to it.
#[derive(Debug, Clone)]
pub(super) struct BadRelease {
    pub(super) kind: TargetKind,
    pub(super) name: String,
    pub(super) source: &'static str,
    pub(super) wrong: Wrong,
    /// The fault begins later than the release.
    pub(super) late: bool,
}

impl BadRelease {
    /// Every combination of fault, source, and when the fault begins: `when` has a word for "from the first pod on"
    /// and for "later".
    pub(super) fn matrix(kind: TargetKind, when: [&str; 2]) -> Vec<Self> {
        let mut all = Vec::new();
        for (late, when) in [(false, when[0]), (true, when[1])] {
            for (wrong, what) in [(Wrong::Errors, "errors"), (Wrong::Latency, "latency")] {
                for source in ["prometheus", "scrape"] {
                    all.push(Self {
                        kind,
                        name: format!("{what}-{when}-{source}"),
                        source,
                        wrong,
                        late,
                    });
                }
            }
        }
        all
    }

    /// The bad version's image tag; of its own, since behaviour and the first bad answer are kept by tag.
    pub(super) fn tag(&self) -> String {
        format!("of-{}", self.name)
    }

    /// From now on the bad version answers badly, or, before a late fault begins, without any bad answer.
    pub(super) fn behave(&self, ns: &Namespace, badly: bool) {
        let behaviour = match (badly, self.wrong) {
            (false, _) => Behaviour {
                errors: 0.0,
                ..Behaviour::GOOD
            },
            (true, Wrong::Errors) => Behaviour::FAILING,
            (true, Wrong::Latency) => Behaviour {
                errors: 0.0,
                ..Behaviour::SLOW
            },
        };
        ns.behave(&self.tag(), behaviour);
    }

    /// How soon it has to be gone.
    pub(super) fn promise(&self) -> Duration {
        match (self.late, self.wrong) {
            (true, Wrong::Errors) => PROMISE_OF_LATE_ERRORS,
            (true, Wrong::Latency) | (false, _) => PROMISE,
        }
    }

    /// `Deployment/NAME`
    pub(super) fn object(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// Waits for the message of the action and the one of its success, in the journal and at Slack, and asserts that
    /// they say what happened. `done` is what the first must say about the action.
    pub(super) async fn told(&self, agent: &Agent, ns: &Namespace, done: &str) {
        let target = target(ns, self.kind, &self.name);
        let acted = agent
            .wait_notice(NoticeKind::RollingBack, Some(&target), WITHIN)
            .await;
        let restored = agent
            .wait_notice(NoticeKind::Restored, Some(&target), WITHIN)
            .await;
        assert_eq!(acted.correlation, restored.correlation);
        assert!(acted.correlation.is_some());

        let message = agent.wait_slack(&acted.headline, WITHIN).await;
        let text = message.json()["text"].to_string() + &message.json()["blocks"].to_string();
        let measured = match self.wrong {
            Wrong::Errors => "% of",
            Wrong::Latency => "p95",
        };
        let rule = match self.wrong {
            Wrong::Errors => "shop/error-rate",
            Wrong::Latency => "shop/latency-p95",
        };
        let bad_image = format!("shop/{}:{}", self.name, self.tag());
        let good_image = format!("shop/{}:v1", self.name);
        for part in [
            &*target.to_string(),
            rule,
            measured,
            "requests",
            done,
            &bad_image,
            &good_image,
        ] {
            assert!(text.contains(part), "`{part}` is not in {text}");
        }
        let message = agent.wait_slack(&restored.headline, WITHIN).await;
        let text = message.json()["text"].to_string();
        for part in [&*target.to_string(), "is restored", rule] {
            assert!(text.contains(part), "`{part}` is not in {text}");
        }
    }
}
