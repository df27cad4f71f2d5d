//! What `recant check` found outside of the files: one line each for people, one object each for scripts.

use std::fmt;

use serde::Serialize;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Weight {
    Ok,
    /// It works, but perhaps not as meant.
    Warning,
    /// It will not work until it is mended.
    Error,
    /// Nobody knows: it could not be looked at.
    Unknown,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Area {
    Cluster,
    Rights,
    Target,
    Source,
    Channel,
    Resource,
    Files,
    Settings,
    Templates,
}

/// One thing that was looked at outside of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) weight: Weight,
    pub(super) area: Area,
    pub(super) what: String,
    /// What to do.
    pub(super) help: Option<String>,
}

/// All of them, in the order in which they were looked at.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
}

impl Findings {
    pub(super) fn ok(&mut self, area: Area, what: impl Into<String>) {
        self.add(Weight::Ok, area, what.into(), None);
    }

    pub(super) fn warning(&mut self, area: Area, what: impl Into<String>, help: &str) {
        self.add(Weight::Warning, area, what.into(), Some(help.to_owned()));
    }

    pub(super) fn error(&mut self, area: Area, what: impl Into<String>, help: &str) {
        self.add(Weight::Error, area, what.into(), Some(help.to_owned()));
    }

    pub(super) fn unknown(&mut self, area: Area, what: impl Into<String>, help: &str) {
        self.add(Weight::Unknown, area, what.into(), Some(help.to_owned()));
    }

    pub(super) fn count(&self, weight: Weight) -> usize {
        self.iter().filter(|found| found.weight == weight).count()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.found.iter()
    }

    fn add(&mut self, weight: Weight, area: Area, what: String, help: Option<String>) {
        let finding = Finding {
            weight,
            area,
            what,
            help,
        };
        // Several watches may lack the same.
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            weight,
            area,
            what,
            help,
        } = self;
        let weight = match weight {
            Weight::Ok => "ok",
            Weight::Warning => "warning",
            Weight::Error => "error",
            Weight::Unknown => "unknown",
        };
        let area = match area {
            Area::Cluster => "cluster",
            Area::Rights => "rights",
            Area::Target => "target",
            Area::Source => "source",
            Area::Channel => "channel",
            Area::Resource => "resource",
            Area::Files => "files",
            Area::Settings => "settings",
            Area::Templates => "template",
        };
        write!(f, "{weight:<8} {area:<8} {what}")?;
        if let Some(help) = help {
            write!(f, "\n{:18}= help: {help}", "")?;
        }
        Ok(())
    }
}

/// "`a`, `b`, `c` and 4 more".
pub(super) fn some(names: &[String]) -> String {
    const MOST: usize = 5;
    let shown = names.get(..MOST).unwrap_or(names).join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
