//! The texts of messages, as templates: shipped ones, and the files of a folder that replace them.
//!
//! A template says the words and their order; what a service allows (lengths, numbers, sizes) is kept by the code around
//! it, whatever a template does. Every template is tried with every kind of notice when it is loaded.

mod check;
mod context;
mod environment;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::markup::Markup;
use context::Room;
use environment::render;

pub(super) use context::Context;
pub(super) use context::Room as TextRoom;

/// The services whose messages have a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    Slack,
    Teams,
    Alertmanager,
}

impl Name {
    const ALL: [Self; 3] = [Self::Slack, Self::Teams, Self::Alertmanager];

    /// Its file.
    pub fn file(self) -> &'static str {
        match self {
            Self::Slack => "slack.jinja",
            Self::Teams => "teams.jinja",
            Self::Alertmanager => "alertmanager.jinja",
        }
    }

    fn shipped(self) -> &'static str {
        match self {
            Self::Slack => include_str!("../../alerts/messages/slack.jinja"),
            Self::Teams => include_str!("../../alerts/messages/teams.jinja"),
            Self::Alertmanager => include_str!("../../alerts/messages/alertmanager.jinja"),
        }
    }

    /// The blocks that a message is built from, each with its mark-up.
    pub(super) fn blocks(self) -> &'static [(&'static str, Markup)] {
        match self {
            Self::Slack => &[
                ("headline", Markup::Plain),
                ("text", Markup::Slack),
                ("facts", Markup::Slack),
                ("links", Markup::Slack),
                ("footer", Markup::Slack),
            ],
            Self::Teams => &[
                ("headline", Markup::Plain),
                ("text", Markup::Card),
                ("facts", Markup::Card),
                ("footer", Markup::Card),
            ],
            Self::Alertmanager => &[("summary", Markup::Plain), ("description", Markup::Plain)],
        }
    }
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {reason}", file.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct TemplateError {
    pub file: PathBuf,
    /// From 1.
    pub line: Option<usize>,
    /// What is wrong, with which notice, and what to do.
    pub reason: String,
}

/// The templates of all services; clones share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    slack: Arc<Template>,
    teams: Arc<Template>,
    alertmanager: Arc<Template>,
}

#[derive(Debug, PartialEq, Eq)]
struct Template {
    name: Name,
    /// What errors call it.
    file: PathBuf,
    source: String,
}

impl Template {
    fn shipped(name: Name) -> Arc<Self> {
        Arc::new(Self {
            name,
            file: Path::new("alerts/messages").join(name.file()),
            source: name.shipped().to_owned(),
        })
    }
}

impl Templates {
    /// Those that Recant comes with.
    pub fn shipped() -> Self {
        Self {
            slack: Template::shipped(Name::Slack),
            teams: Template::shipped(Name::Teams),
            alertmanager: Template::shipped(Name::Alertmanager),
        }
    }

    /// Those of a folder, and the shipped ones where it has none.
    ///
    /// # Errors
    /// Everything that is wrong in any of them, at once.
    pub fn load(folder: &Path) -> Result<Self, Vec<TemplateError>> {
        let mut templates = Self::shipped();
        let mut errors = check::unknown_files(folder)?;
        for name in Name::ALL {
            match check::read(folder, name) {
                Ok(None) => {}
                Ok(Some(template)) => {
                    errors.extend(check::check(&template));
                    *templates.slot(name) = Arc::new(template);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(templates)
        } else {
            Err(errors)
        }
    }

    fn slot(&mut self, name: Name) -> &mut Arc<Template> {
        match name {
            Name::Slack => &mut self.slack,
            Name::Teams => &mut self.teams,
            Name::Alertmanager => &mut self.alertmanager,
        }
    }

    fn of(&self, name: Name) -> &Arc<Template> {
        match name {
            Name::Slack => &self.slack,
            Name::Teams => &self.teams,
            Name::Alertmanager => &self.alertmanager,
        }
    }

    /// The blocks of a message, in the order of [`Name::blocks`]. A template that fails on a notice gives way to the
    /// shipped one: a message in other words is better than none.
    pub(super) fn render(&self, name: Name, context: &Context<'_>, room: &Room) -> Vec<String> {
        let template = self.of(name);
        render(template, context, room)
            .or_else(|error| {
                tracing::warn!(
                    notice.id = %context.notice.id,
                    "the message template {error}; the shipped one is used instead"
                );
                render(&Template::shipped(name), context, room)
            })
            .unwrap_or_else(|_| {
                // The shipped templates are tested with every kind of notice; a notice that even they fail on is told
                // by its headline.
                let mut blocks = vec![String::new(); name.blocks().len()];
                if let Some(first) = blocks.first_mut() {
                    first.clone_from(&context.notice.headline);
                }
                blocks
            })
    }
}

#[cfg(test)]
mod tests;
