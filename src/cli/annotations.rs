//! What a CI system shows beside a run, by `--annotations`: GitHub's workflow commands, and its summary of the step.
//!
//! The commands go to standard error, which GitHub reads like standard output: what is printed there stays what it is.
//! GitHub shows ten errors, ten warnings and ten notices of a step, and a summary of up to 1 MiB.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use recant_core::spec::{Diagnostic, Severity};
use recant_core::wording::short;

/// Of each level.
const MOST: usize = 10;
/// Characters of one message.
const LONGEST: usize = 2000;
/// Lines of the summary.
const MOST_LINES: usize = 200;

/// What a CI system is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct AnnotationArgs {
    /// Also tell a CI system what was found, beside the lines of files where it can: on GitHub errors, warnings and
    /// notices of the step, and its summary (`GITHUB_STEP_SUMMARY`)
    #[arg(long, value_enum, value_name = "CI")]
    annotations: Option<System>,
}

/// A CI system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum System {
    /// GitHub Actions
    Github,
}

/// How much it weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Error,
    Warning,
    Notice,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    pub(crate) level: Level,
    /// The file and the line and column in it, both from 1; none: it is about no place in a file.
    pub(crate) place: Option<(String, Option<(usize, usize)>)>,
    pub(crate) title: String,
    pub(crate) message: String,
}

impl From<&Diagnostic> for Annotation {
    fn from(found: &Diagnostic) -> Self {
        let Diagnostic {
            severity,
            message,
            file,
            place,
            notes,
            help,
        } = found;
        let mut lines = vec![message.clone()];
        lines.extend(notes.iter().map(|note| format!("note: {note}")));
        lines.extend(help.iter().map(|help| format!("help: {help}")));
        Self {
            level: match severity {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
            },
            place: Some((
                file.clone(),
                place.as_ref().map(|place| (place.line, place.column)),
            )),
            title: "recant".to_owned(),
            message: lines.join("\n"),
        }
    }
}

impl AnnotationArgs {
    /// Whether anything is to be told.
    pub(crate) fn wanted(&self) -> bool {
        self.annotations.is_some()
    }

    /// Tells what was found under this heading, if that is wanted.
    ///
    /// # Errors
    /// It cannot be written; of a summary the file is named.
    pub(crate) fn tell(
        &self,
        heading: &str,
        found: &[Annotation],
        err: &mut dyn Write,
    ) -> anyhow::Result<()> {
        match self.annotations {
            None => return Ok(()),
            Some(System::Github) => {}
        }
        let root = std::env::var_os("GITHUB_WORKSPACE").map(PathBuf::from);
        err.write_all(commands(found, root.as_deref()).as_bytes())?;
        let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from) else {
            return Ok(());
        };
        append(&path, &summary(heading, found)).map_err(|error| {
            anyhow::anyhow!(
                "writing the summary of the step to {} (GITHUB_STEP_SUMMARY): {error}",
                path.display()
            )
        })
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// The workflow commands, one line each.
fn commands(found: &[Annotation], root: Option<&Path>) -> String {
    let mut text = String::new();
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let of_level: Vec<&Annotation> =
            found.iter().filter(|found| found.level == level).collect();
        let shown = if of_level.len() > MOST {
            MOST - 1
        } else {
            MOST
        };
        for annotation in of_level.iter().take(shown) {
            command(&mut text, annotation, root);
        }
        if of_level.len() > shown {
            let more = of_level.len() - shown;
            let last = Annotation {
                level,
                place: None,
                title: "recant".to_owned(),
                message: format!("and {more} more: see the log of this step"),
            };
            command(&mut text, &last, root);
        }
    }
    text
}

fn command(text: &mut String, annotation: &Annotation, root: Option<&Path>) {
    let Annotation {
        level,
        place,
        title,
        message,
    } = annotation;
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    let mut properties = Vec::new();
    if let Some((file, position)) = place {
        // GitHub knows files by their paths in the repository.
        let inside = root.and_then(|root| Path::new(file).strip_prefix(root).ok());
        let file = inside.map_or(file.clone(), |inside| inside.display().to_string());
        properties.push(format!("file={}", property(&file)));
        if let Some((line, column)) = position {
            properties.push(format!("line={line},col={column}"));
        }
    }
    properties.push(format!("title={}", property(title)));
    let message = data(&short_lines(message));
    // Text takes whatever is written to it.
    writeln!(text, "::{level} {}::{message}", properties.join(",")).unwrap_or_default();
}

/// Line by line, for one line is what [`short`] makes of a text.
fn short_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .take(20)
        .map(|line| short(line, LONGEST / 10))
        .collect();
    lines.join("\n")
}

/// As GitHub unescapes the message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// As GitHub unescapes a property of a command.
fn property(text: &str) -> String {
    data(&short(text, 300))
        .replace(':', "%3A")
        .replace(',', "%2C")
}

/// The summary, in Markdown.
fn summary(heading: &str, found: &[Annotation]) -> String {
    let mut text = format!("### {}\n\n", markdown(heading));
    if found.is_empty() {
        text.push_str("No problem found.\n");
    }
    for annotation in found.iter().take(MOST_LINES) {
        let level = match annotation.level {
            Level::Error => "❌",
            Level::Warning => "⚠️",
            Level::Notice => "✅",
        };
        let place = annotation.place.as_ref().map_or_else(String::new, |place| {
            let (file, position) = place;
            let line = position.map_or_else(String::new, |(line, _)| format!(":{line}"));
            format!(" `{}{line}`", short(file, 300).replace('`', "'"))
        });
        let title = markdown(&annotation.title);
        let first = annotation.message.lines().next().unwrap_or_default();
        let first = markdown(&short(first, LONGEST / 4));
        writeln!(text, "- {level} **{title}**{place}: {first}").unwrap_or_default();
    }
    if found.len() > MOST_LINES {
        writeln!(text, "- and {} more", found.len() - MOST_LINES).unwrap_or_default();
    }
    text.push('\n');
    text
}

/// What is no markup, whatever is in it: names and reasons come from outside.
fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '*' | '_' | '[' | ']' | '#' | '|' | '!' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '\n' | '\r' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(level: Level, file: &str, message: &str) -> Annotation {
        Annotation {
            level,
            place: Some((file.to_owned(), Some((3, 5)))),
            title: "a: b, c".to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn commands_are_escaped_as_github_unescapes_them() {
        let text = commands(
            &[found(
                Level::Error,
                "/repo/rules/a,b.yaml",
                "100% bad\n::error::x",
            )],
            Some(Path::new("/repo")),
        );
        assert_eq!(
            text,
            "::error file=rules/a%2Cb.yaml,line=3,col=5,title=a%3A b%2C c::100%25 bad%0A::error::x\n"
        );
    }

    #[test]
    fn there_are_never_more_than_github_shows() {
        for (count, lines) in [(0, 0), (10, 10), (11, 10), (5000, 10)] {
            let found = vec![found(Level::Warning, "a", "b"); count];
            let text = commands(&found, None);
            assert_eq!(text.lines().count(), lines, "{count}");
            assert_eq!(text.contains("more"), count > MOST);
        }
        let long = "é\n".repeat(100_000);
        let found = vec![found(Level::Notice, &long, &long); 5000];
        assert!(commands(&found, None).len() < 100_000);
        let summary = summary("x", &found);
        assert!(summary.len() < 1 << 20, "{}", summary.len());
        assert!(summary.ends_with("- and 4800 more\n\n"));
    }

    #[test]
    fn a_summary_holds_no_markup_of_others() {
        let text = summary(
            "of <b>shop</b>",
            &[found(Level::Notice, "a`b", "*x* <img>\n- y")],
        );
        assert_eq!(
            text,
            "### of &lt;b>shop&lt;/b>\n\n- ✅ **a: b, c** `a'b:3`: \\*x\\* &lt;img>\n\n"
        );
    }
}
