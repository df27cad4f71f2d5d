//! What is wrong with a file, for the person who wrote it: message, place, the line itself, and what to do.
//!
//! Diagnostics are shown in terminals and logs: they carry no control characters and no secret (P10).

use std::fmt;

/// A file as it was read: its name for messages, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    pub name: String,
    pub text: String,
}

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing of what was given is used until this is mended.
    Error,
    /// It works, but perhaps not as meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that is wrong; `Display` shows it in several lines, without a line break at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub message: String,
    pub file: String,
    /// `None`: it concerns the file as a whole.
    pub place: Option<Place>,
    /// Places that matter too: where a name was defined first.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

/// A place in a file, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line, shortened when it is long, secrets and control characters replaced.
    pub excerpt: String,
    /// Characters of the excerpt before the marked part.
    pub before: usize,
    /// Characters of the excerpt that are marked; at least 1.
    pub marked: usize,
}

impl Diagnostic {
    /// An error about a whole file: it cannot be read, or is none that can be.
    pub fn of_file(file: &str, message: String, help: &str) -> Self {
        Self {
            severity: Severity::Error,
            message,
            file: file.to_owned(),
            place: None,
            notes: Vec::new(),
            help: Some(help.to_owned()),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            severity,
            message,
            file,
            place,
            notes,
            help,
        } = self;
        writeln!(f, "{severity}: {message}")?;
        let gutter = place.as_ref().map_or(1, |p| p.line.to_string().len());
        let margin = " ".repeat(gutter);
        if let Some(place) = place {
            writeln!(f, "{margin}--> {file}:{}:{}", place.line, place.column)?;
            writeln!(f, "{margin} |")?;
            writeln!(f, "{} | {}", place.line, place.excerpt)?;
            let indent = " ".repeat(place.before);
            write!(f, "{margin} | {indent}{}", "^".repeat(place.marked))?;
        } else {
            write!(f, "{margin}--> {file}")?;
        }
        for note in notes {
            write!(f, "\n{margin} = note: {note}")?;
        }
        if let Some(help) = help {
            write!(f, "\n{margin} = help: {help}")?;
        }
        Ok(())
    }
}
