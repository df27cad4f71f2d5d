//! How a template is carried out: strict about names, escaped whatever it says, bounded in work and in output.

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use super::context::{Context, Room};
use super::{Template, TemplateError};
use crate::notify::markup::Markup;
use crate::notify::text::lines;

/// Instructions for one message; the shipped templates take a few hundred.
const FUEL: u64 = 50_000;
/// Bytes of one block.
const MAX_BYTES: usize = 64 * 1024;

/// What no message needs, and what would go around the escaping or the bounds.
const WITHOUT_FILTERS: [&str; 6] = ["safe", "format", "indent", "pprint", "batch", "slice"];
const WITHOUT_FUNCTIONS: [&str; 2] = ["range", "debug"];

/// The blocks of a template, in the order of [`super::Name::blocks`].
pub(super) fn render(
    template: &Template,
    context: &Context<'_>,
    room: &Room,
) -> Result<Vec<String>, TemplateError> {
    let blocks = template.name.blocks();
    let mut rendered: Vec<(Markup, Vec<String>)> = Vec::new();
    // Once for each mark-up that the blocks are in.
    for (_, markup) in blocks {
        if rendered.iter().all(|(done, _)| done != markup) {
            rendered.push((*markup, render_in(template, *markup, context, room)?));
        }
    }
    Ok(blocks
        .iter()
        .enumerate()
        .filter_map(|(position, (_, markup))| {
            let (_, texts) = rendered.iter().find(|(done, _)| done == markup)?;
            texts.get(position).cloned()
        })
        .collect())
}

fn render_in(
    template: &Template,
    markup: Markup,
    context: &Context<'_>,
    room: &Room,
) -> Result<Vec<String>, TemplateError> {
    let fail = |error: &Error| fault(template, error);
    let environment = environment(markup);
    let compiled = environment
        .template_from_named_str(template.name.file(), &template.source)
        .map_err(|error| fail(&error))?;
    let mut captured = compiled
        .render_captured_to(context.variables(markup, room), Bounded::default())
        .map_err(|error| fail(&error))?;
    let mut texts = Vec::new();
    for (block, _) in template.name.blocks() {
        let mut out = Bounded::default();
        captured
            .with_state_mut(|state| state.render_block_to_write(block, &mut out))
            .map_err(|error| match error.kind() {
                ErrorKind::UnknownBlock => TemplateError {
                    file: template.file.clone(),
                    line: None,
                    reason: format!(
                        "there is no block `{block}`: add `{{% block {block} %}}{{% endblock %}}`, empty if nothing is to be said there"
                    ),
                },
                _ => fail(&error),
            })?;
        texts.push(tidy(&String::from_utf8_lossy(&out.bytes)));
    }
    Ok(texts)
}

fn environment<'a>(markup: Markup) -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    if let Ok(syntax) = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
    {
        environment.set_syntax(syntax);
    }
    // Any value but `None` makes what a `set` block captured count as escaped.
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("message".into()));
    environment.set_formatter(move |out, _, value| {
        if let Some(text) = value.as_str().filter(|_| value.is_safe()) {
            return Ok(out.write_str(text)?);
        }
        if value.is_undefined() {
            return Err(Error::new(ErrorKind::UndefinedError, "it has no value"));
        }
        if value.is_none() {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                "it is none: ask with `{% if … %}` first",
            ));
        }
        Ok(out.write_str(&markup.escape(&value.to_string()))?)
    });
    for name in WITHOUT_FILTERS {
        environment.remove_filter(name);
    }
    for name in WITHOUT_FUNCTIONS {
        environment.remove_global(name);
    }
    environment.add_filter("code", move |text: String| {
        Value::from_safe_string(markup.code(&text))
    });
    environment.add_filter("link", move |link: Value| -> Result<Value, Error> {
        let part = |name: &str| {
            let part = link.get_attr(name)?;
            part.as_str().map(str::to_owned).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidOperation,
                    "`link` is a filter of one of `links`",
                )
            })
        };
        Ok(Value::from_safe_string(
            markup.link(&part("label")?, &part("url")?),
        ))
    });
    environment
}

/// Without hidden characters, white space at the ends of lines, and more than one empty line.
fn tidy(text: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let text = lines(text);
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() && out.last().is_none_or(|last| last.is_empty()) {
            continue;
        }
        out.push(line);
    }
    out.join("\n").trim().to_owned()
}

/// What minijinja says, in one line and with its place.
pub(super) fn fault(template: &Template, error: &Error) -> TemplateError {
    let mut reason = match error.kind() {
        ErrorKind::OutOfFuel => {
            "it does not come to an end: messages are short, leave loops in loops out".to_owned()
        }
        ErrorKind::WriteFailure => format!("a block is longer than {MAX_BYTES} bytes"),
        kind => match error.detail() {
            Some(detail) => format!("{kind}: {detail}"),
            None => kind.to_string(),
        },
    };
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let text = inner.to_string();
        if !reason.contains(&text) {
            reason = format!("{reason}: {text}");
        }
        source = inner.source();
    }
    TemplateError {
        file: template.file.clone(),
        line: error.line(),
        reason,
    }
}

/// Takes so many bytes and no more.
#[derive(Debug, Default)]
struct Bounded {
    bytes: Vec<u8>,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_BYTES {
            return Err(io::Error::other("too much output"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
