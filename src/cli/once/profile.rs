//! What a rollback `CronJob` says in its environment, as a watch: the drop-in for a script that runs every few minutes.

use std::sync::Arc;

use anyhow::{Context as _, bail};

use recant_core::ids::TargetKind;
use recant_core::rule::{Check, MatchOp, Matcher, Metric, Rule, RuleBook, Selector, Unit};
use recant_core::spec::{self, SourceFile};

use crate::config::rules;

/// The label by which Istio names a service.
const SERVICE: &str = "destination_service_name";
/// When the environment does not say.
const ERROR_THRESHOLD: f64 = 0.05;
/// In milliseconds, likewise.
const RESPONSE_TIME_THRESHOLD: f64 = 1000.0;

/// What the environment says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    /// `None`: the run's own.
    pub(super) namespace: Option<String>,
    pub(super) app: String,
    /// A share of all requests.
    errors: f64,
    /// Milliseconds.
    response_time: f64,
    slack: bool,
}

impl Profile {
    /// Reads it; empty variables count as not set.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let text = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let Some(app) = text("APP_NAME") else {
            bail!(
                "no rules are named: give files or folders with --rules, RECANT_RULES or `rules` in the settings; or, \
                 in place of a rollback script, name the application in the environment variable APP_NAME"
            );
        };
        let number = |name: &str, default: f64, unit: &str, fits: fn(f64) -> bool| {
            let Some(value) = text(name) else {
                return Ok(default);
            };
            match value.trim().parse::<f64>() {
                Ok(number) if number.is_finite() && fits(number) => Ok(number),
                Ok(_) | Err(_) => bail!(
                    "the environment variable {name} is `{}`, which is not {unit}",
                    recant_core::wording::short(value.trim(), 60)
                ),
            }
        };
        Ok(Self {
            namespace: text("NAMESPACE"),
            app,
            errors: number(
                "ERROR_THRESHOLD",
                ERROR_THRESHOLD,
                "a share of requests above 0 and below 1, such as 0.05",
                |share| share > 0.0 && share < 1.0,
            )?,
            response_time: number(
                "RESPONSE_TIME_THRESHOLD",
                RESPONSE_TIME_THRESHOLD,
                "a number of milliseconds above 0, such as 1000",
                |time| time > 0.0,
            )?,
            slack: text("SLACK_WEBHOOK_URL").is_some(),
        })
    }

    /// The name of the Rollout that takes the place of the Deployment, if there is one.
    pub(super) fn rollout(&self) -> String {
        format!("{}-rollout", self.app)
    }

    /// One watch with the shipped rules for Istio, narrowed to the service and with the environment's limits.
    ///
    /// # Errors
    /// A name is none that Kubernetes knows.
    pub(super) fn book(&self, namespace: &str, kind: TargetKind) -> anyhow::Result<RuleBook> {
        let target = match kind {
            TargetKind::Deployment | TargetKind::StatefulSet | TargetKind::DaemonSet => {
                self.app.clone()
            }
            TargetKind::Rollout => self.rollout(),
        };
        let channel = serde_json::json!({
            "apiVersion": "recant.dev/v1alpha1",
            "kind": "Channel",
            "metadata": {"name": "slack"},
            "slack": {"url": {"env": "SLACK_WEBHOOK_URL"}},
        });
        let mut on_fail = vec![serde_json::json!({"rollback": {}})];
        let mut always = Vec::new();
        let mut documents = Vec::new();
        if self.slack {
            let notify = serde_json::json!({"notify": ["slack"]});
            on_fail.push(notify.clone());
            // Between releases there is nothing to take back: all that can be done is to tell.
            always.push(serde_json::json!({"rule": "istio", "onFail": [notify]}));
            documents.push(channel);
        }
        documents.push(serde_json::json!({
            "apiVersion": "recant.dev/v1alpha1",
            "kind": "Watch",
            "metadata": {"name": self.app, "namespace": namespace},
            "target": {"kind": kind.to_string(), "name": target},
            "rules": ["istio"],
            "release": {"watch": "24h"},
            "onFail": on_fail,
            "always": always,
        }));
        let documents: Vec<String> = documents.iter().map(ToString::to_string).collect();
        let file = SourceFile {
            name: "environment".to_owned(),
            // JSON is YAML.
            text: documents.join("\n---\n"),
        };
        let loaded = spec::load(&[file], &rules::shipped());
        for diagnostic in &loaded.diagnostics {
            crate::cli::eprint_line(&format!("{diagnostic}\n"));
        }
        let mut book = loaded.book.context(
            "what the environment variables APP_NAME and NAMESPACE name cannot be watched, see above",
        )?;
        for watch in &mut book.watches {
            for rule in &mut watch.rules {
                self.narrow(Arc::make_mut(rule));
            }
            for always in &mut watch.always {
                self.narrow(Arc::make_mut(&mut always.rule));
            }
        }
        Ok(book)
    }

    fn narrow(&self, rule: &mut Rule) {
        let service = Matcher {
            label: SERVICE.to_owned(),
            op: MatchOp::Equal,
            value: self.app.clone(),
        };
        let narrow = |selector: &mut Selector| {
            selector.matchers.push(service.clone());
            selector
                .matchers
                .sort_by(|a, b| (&a.label, &a.value).cmp(&(&b.label, &b.value)));
        };
        let Check::Counts(check) = &mut rule.check else {
            return;
        };
        match &mut check.metric {
            Metric::Ratio(ratio) => {
                narrow(&mut ratio.part);
                narrow(&mut ratio.total);
                check.max = Some(self.errors);
            }
            Metric::Histogram(histogram) => {
                narrow(&mut histogram.histogram);
                check.max = Some(match histogram.unit {
                    Unit::Milliseconds => self.response_time,
                    Unit::Seconds => self.response_time / 1000.0,
                });
            }
        }
        // The environment names two limits, and a release fails by nothing else.
        check.compare = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Limits of the rules, each of which must be about this service and compare nothing.
    fn limits<'a>(rules: impl Iterator<Item = &'a Arc<Rule>>) -> Vec<Option<f64>> {
        let limit = |rule: &Arc<Rule>| {
            let Check::Counts(check) = &rule.check else {
                panic!("{rule:?}");
            };
            assert_eq!(check.compare, None);
            let question = format!("{:?}", check.metric);
            assert!(question.contains("destination_service_name"), "{question}");
            check.max
        };
        rules.map(limit).collect()
    }

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<Profile> {
        Profile::read(|name| {
            let found = variables.iter().find(|(found, _)| *found == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_becomes_a_watch_with_the_shipped_rules() {
        let profile = read(&[
            ("NAMESPACE", "shop"),
            ("APP_NAME", "checkout"),
            ("ERROR_THRESHOLD", "0.02"),
            ("RESPONSE_TIME_THRESHOLD", "250"),
            (
                "SLACK_WEBHOOK_URL",
                "https://hooks.slack.com/services/T/B/X",
            ),
        ])
        .expect("it is good");
        let book = profile.book("shop", TargetKind::Rollout).expect("is good");
        let [watch] = book.watches.as_slice() else {
            panic!("{book:?}");
        };
        assert_eq!(watch.target.to_string(), "Rollout shop/checkout-rollout");
        assert_eq!(watch.watch.as_secs(), 86_400);
        assert!(watch.on_fail.rollback && watch.on_fail.notify.len() == 1);
        assert_eq!(limits(watch.rules.iter()), [Some(0.02), Some(250.0)]);
        let always = || watch.always.iter();
        assert_eq!(
            limits(always().map(|always| &always.rule)),
            [Some(0.02), Some(250.0)]
        );
        assert!(always().all(|always| always.notify.len() == 1 && always.scale.is_none()));
        assert!(always().all(|always| always.window.as_secs() == 300));
        let plain = read(&[("APP_NAME", "checkout")]).expect("it is good");
        let book = plain.book("shop", TargetKind::Deployment).expect("is good");
        assert_eq!(
            limits(book.watches[0].rules.iter()),
            [Some(0.05), Some(1000.0)]
        );
        assert!(
            book.watches[0].always.is_empty(),
            "there is nobody to be told"
        );
        assert!(book.channels.is_empty());
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (name, value) in [
            ("ERROR_THRESHOLD", "5%"),
            ("ERROR_THRESHOLD", "5"),
            ("ERROR_THRESHOLD", "NaN"),
            ("RESPONSE_TIME_THRESHOLD", "1s"),
            ("RESPONSE_TIME_THRESHOLD", "-1"),
        ] {
            let error = read(&[("APP_NAME", "a"), (name, value)]).expect_err("is refused");
            let text = error.to_string();
            assert!(text.contains(name) && text.contains(value), "{text}");
        }
        let error = read(&[("APP_NAME", " ")]).expect_err("is refused");
        assert!(error.to_string().contains("APP_NAME"), "{error}");
        let odd = read(&[("APP_NAME", "no name")]).expect("only the cluster's rules refuse it");
        assert!(odd.book("shop", TargetKind::Deployment).is_err());
    }
}
