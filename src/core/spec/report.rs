//! Collects what is wrong with one file while it is read: a bounded number of findings, sorted by place.

use std::ops::Range;

use super::checks::Checks;
use super::diagnostic::{Diagnostic, Severity, SourceFile};
use super::excerpt;

/// Findings that are shown for each file; the rest is counted.
pub(super) const MOST_FINDINGS: usize = 100;

/// A part of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What was found in one file so far.
#[derive(Debug)]
pub(super) struct Report<'f> {
    file: &'f SourceFile,
    findings: Vec<Finding>,
    hidden: usize,
    masks: Vec<Range<usize>>,
    errors: usize,
    checks: Checks,
    team: bool,
}

/// One finding; the methods add to it.
#[derive(Debug)]
pub(super) struct Finding {
    severity: Severity,
    span: Option<Span>,
    message: String,
    notes: Vec<String>,
    help: Option<String>,
}

impl Finding {
    /// Says what to do.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Names another place that matters.
    pub(super) fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push(note.into());
        self
    }
}

impl<'f> Report<'f> {
    pub(super) fn new(file: &'f SourceFile, checks: Checks) -> Self {
        Self {
            checks,
            file,
            findings: Vec::new(),
            hidden: 0,
            masks: Vec::new(),
            errors: 0,
            team: false,
        }
    }

    /// The document belongs to a team, and not to those who run the agent.
    pub(super) fn of_a_team(self) -> Self {
        Self { team: true, ..self }
    }

    pub(super) fn is_of_a_team(&self) -> bool {
        self.team
    }

    pub(super) fn file(&self) -> &'f SourceFile {
        self.file
    }

    /// What the program around the core checks.
    pub(super) fn checks(&self) -> Checks {
        self.checks
    }

    /// Something that must be mended.
    pub(super) fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Finding {
        self.errors += 1;
        self.add(Severity::Error, Some(span), message.into())
    }

    /// Something that works, but perhaps not as meant.
    pub(super) fn warn(&mut self, span: Span, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Warning, Some(span), message.into())
    }

    /// Something about the file as a whole that must be mended.
    pub(super) fn file_error(&mut self, message: impl Into<String>) -> &mut Finding {
        self.errors += 1;
        self.add(Severity::Error, None, message.into())
    }

    /// Something about the file as a whole that may not be meant.
    pub(super) fn file_warning(&mut self, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Warning, None, message.into())
    }

    /// Keeps a part of the file out of every excerpt: it may be a secret.
    pub(super) fn mask(&mut self, span: Span) {
        self.masks.push(span.start..span.end);
    }

    /// How many errors were reported, shown or not.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// `name:line:column` of the start of a span, for notes of other places.
    ///
    /// Lines are counted from the start of the file: do not ask for findings that are only counted.
    pub(super) fn position(&self, span: Span) -> String {
        let (line, column) = excerpt::position(&self.file.text, span.start);
        format!("`{}:{line}:{column}`", self.file.name)
    }

    /// Whether further findings would only be counted: skip costly help.
    pub(super) fn is_full(&self) -> bool {
        self.findings.len() > MOST_FINDINGS
    }

    /// The findings as they are shown, in the order of the file.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let Self {
            file,
            mut findings,
            hidden,
            masks,
            errors: _,
            checks: _,
            team: _,
        } = self;
        // The last place is a spare for findings that came when the report was full.
        findings.truncate(MOST_FINDINGS);
        findings.sort_by_key(|finding| finding.span.map_or(0, |span| span.start));
        let mut shown: Vec<Diagnostic> = findings
            .into_iter()
            .map(|finding| Diagnostic {
                severity: finding.severity,
                message: finding.message,
                file: file.name.clone(),
                place: finding
                    .span
                    .map(|span| excerpt::place(&file.text, span.start..span.end, &masks)),
                notes: finding.notes,
                help: finding.help,
            })
            .collect();
        if hidden > 0 {
            shown.push(Diagnostic::of_file(
                &file.name,
                format!("{hidden} more problems in this file are not shown"),
                "mend those above first, then check again",
            ));
        }
        shown
    }

    fn add(&mut self, severity: Severity, span: Option<Span>, message: String) -> &mut Finding {
        if self.findings.len() >= MOST_FINDINGS {
            self.hidden += 1;
            self.findings.truncate(MOST_FINDINGS);
        }
        self.findings.push(Finding {
            severity,
            span,
            message,
            notes: Vec::new(),
            help: None,
        });
        self.findings
            .last_mut()
            .expect("a finding was pushed just before")
    }
}
