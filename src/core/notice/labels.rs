//! The labels of a notice as an alert: what tells its incident from others, and what people silence it by.

use std::collections::BTreeMap;

use super::{Incident, Notice, Problem, Severity, Status};

impl Notice {
    /// They name the incident and nothing that changes in its course: no revision, no text, and the severity of the
    /// problem instead of that of the message.
    pub fn labels(&self) -> BTreeMap<&'static str, String> {
        let (name, severity) = match self.status() {
            Status::Firing(problem) | Status::Resolved(problem) => {
                (problem.as_str().to_owned(), problem.severity())
            }
            Status::Event => (format!("{:?}", self.kind), self.severity),
        };
        let mut labels = BTreeMap::from([
            ("alertname", format!("Recant{name}")),
            ("severity", severity.as_str().to_owned()),
        ]);
        if let Some(watch) = &self.watch {
            labels.insert("namespace", watch.namespace.clone());
            labels.insert("watch", watch.name.clone());
        }
        if let Some(target) = &self.target {
            labels.insert("namespace", target.namespace.clone());
            labels.insert("target", format!("{}/{}", target.kind, target.name));
        }
        if let Some(Incident { problem, .. }) = self.incident()
            && let Some(correlation) = &self.correlation
        {
            match problem {
                Problem::RuleBroken => {
                    labels.insert("incident", correlation.to_string());
                }
                Problem::SourceUnavailable => {
                    labels.insert("source", correlation.to_string());
                }
                Problem::BadRelease | Problem::ReloadFailed => {}
            }
        }
        labels
    }
}

impl Severity {
    /// As labels have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}
