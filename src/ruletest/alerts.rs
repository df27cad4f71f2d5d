//! Alerts of a test: what is written down as the answer to a rule about an alert, as Alertmanager would report it.

use jiff::{SignedDuration, Timestamp};

use recant_core::hook::{Alert, Hook};
use recant_core::ids::{RuleName, TargetId};
use recant_core::rule::{AlertSelector, Level, Question, What};
use recant_core::testcase::{AnswerOf, Point, TestCase};

use super::signed;

pub(super) struct Alerts {
    target: TargetId,
    begin: Timestamp,
    interval: SignedDuration,
    all: Vec<Written>,
}

struct Written {
    rule: RuleName,
    selector: AlertSelector,
    of: AnswerOf,
    points: Vec<Point>,
    /// Since when it fires.
    fires: Option<Timestamp>,
}

impl Alerts {
    pub(super) fn new(test: &TestCase, begin: Timestamp) -> Self {
        let always = test.watch.always.iter().map(|always| &always.rule);
        let mut all = Vec::new();
        for rule in test.watch.rules.iter().chain(always) {
            let What::Level(Level::Alert(selector)) = Question::of(rule).what else {
                continue;
            };
            for answer in test
                .answers
                .iter()
                .filter(|answer| answer.rule == rule.name)
            {
                all.push(Written {
                    rule: rule.name.clone(),
                    selector: selector.clone(),
                    of: answer.of.clone(),
                    points: answer.values.points().collect(),
                    fires: None,
                });
            }
        }
        Self {
            target: test.watch.target.clone(),
            begin,
            interval: signed(test.interval),
            all,
        }
    }

    /// What is news at this time: alerts that begin, and alerts that are over. Where the test says nothing, nothing is
    /// reported: the alert goes on as it was.
    pub(super) fn at(&mut self, now: Timestamp) -> Vec<Hook> {
        let passed = now.duration_since(self.begin).as_secs() / self.interval.as_secs().max(1);
        let moment = usize::try_from(passed).unwrap_or(0);
        let mut news = Vec::new();
        for written in &mut self.all {
            let fires = match written.points.get(moment) {
                Some(Point::Value(value)) => *value > 0.0,
                Some(Point::Missing | Point::Stale) | None => continue,
            };
            let (starts, ended) = match (written.fires, fires) {
                (None, true) => {
                    written.fires = Some(now);
                    (now, None)
                }
                (Some(since), false) => {
                    written.fires = None;
                    (since, Some(now))
                }
                (None, false) | (Some(_), true) => continue,
            };
            news.push(Hook::Alert(written.alert(&self.target, starts, ended)));
        }
        news
    }
}

impl Written {
    fn alert(&self, target: &TargetId, starts: Timestamp, ended: Option<Timestamp>) -> Alert {
        let mut labels = self.selector.example(target);
        let of = match &self.of {
            AnswerOf::Pod(pod) => {
                labels.insert("pod".to_owned(), pod.to_string());
                pod.to_string()
            }
            AnswerOf::Label(label) => label.clone(),
            AnswerOf::Whole => String::new(),
        };
        Alert {
            fingerprint: format!("{}/{of}", self.rule),
            labels,
            summary: None,
            starts,
            ended,
            by: None,
        }
    }
}
