//! Tries templates before they are used: every kind of notice, with everything in it and with nothing but a headline.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use recant_core::notice::{Notice, NoticeKind};

use super::context::{Context, Room};
use super::environment::render;
use super::{Name, Template, TemplateError};
use crate::notify::{Attempt, samples};

const MAX_BYTES: u64 = 64 * 1024;
const ROOM: Room = Room {
    sentence: 700,
    facts: 20,
    fact: 300,
    links: 2500,
};

/// Files of the folder that replace nothing, though they look as if they should.
pub(super) fn unknown_files(folder: &Path) -> Result<Vec<TemplateError>, Vec<TemplateError>> {
    let fail = |reason: String| TemplateError {
        file: folder.to_owned(),
        line: None,
        reason,
    };
    let entries = fs::read_dir(folder).map_err(|error| {
        vec![fail(format!(
            "the folder of message templates cannot be read: {error}"
        ))]
    })?;
    let known: Vec<&str> = Name::ALL.iter().map(|name| name.file()).collect();
    let mut errors = Vec::new();
    for entry in entries.take(1000).flatten() {
        let file = entry.file_name();
        let name = file.to_string_lossy();
        if name.ends_with(".jinja") && !name.starts_with('.') && !known.contains(&name.as_ref()) {
            errors.push(TemplateError {
                file: entry.path(),
                line: None,
                reason: format!(
                    "no message has a template of this name: those that can be replaced are {}",
                    known.join(", ")
                ),
            });
        }
    }
    errors.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(errors)
}

/// The template of the folder, if it has one.
pub(super) fn read(folder: &Path, name: Name) -> Result<Option<Template>, TemplateError> {
    let file = folder.join(name.file());
    let fail = |reason: String| TemplateError {
        file: file.clone(),
        line: None,
        reason,
    };
    if !file.try_exists().unwrap_or(true) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    fs::File::open(&file)
        .and_then(|open| open.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| fail(format!("it cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fail(format!("it is longer than {MAX_BYTES} bytes")));
    }
    let source = String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8 text".to_owned()))?;
    Ok(Some(Template { name, file, source }))
}

/// What is wrong with a template: each fault once, with the first notice that shows it.
pub(super) fn check(template: &Template) -> Vec<TemplateError> {
    let mut errors: Vec<TemplateError> = Vec::new();
    let mut seen = BTreeSet::new();
    for kind in NoticeKind::ALL {
        let full = samples::of(*kind);
        let bare = Notice {
            watch: None,
            target: None,
            correlation: None,
            sentences: Vec::new(),
            facts: Vec::new(),
            links: Vec::new(),
            ..full.clone()
        };
        for (what, notice, attempt) in [
            ("", &full, Attempt::First),
            (", sent again", &full, Attempt::MayBeRepeat),
            (" that has nothing but a headline", &bare, Attempt::First),
        ] {
            let context = Context { notice, attempt };
            let Err(error) = render(template, &context, &ROOM) else {
                continue;
            };
            if seen.insert((error.line, error.reason.clone())) {
                let parse = error.reason.starts_with("syntax error");
                let reason = if parse {
                    error.reason
                } else {
                    format!("{} (with a notice `{kind:?}`{what})", error.reason)
                };
                errors.push(TemplateError { reason, ..error });
            }
        }
    }
    errors
}
