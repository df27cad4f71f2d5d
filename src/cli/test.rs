//! `recant test FILES…`: runs the tests that are written beside rules, as `promtool test rules` does.

mod junit;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use jiff::SignedDuration;

use recant_core::spec::{self, Loaded};
use recant_core::testcase::{Origin, TestCase};
use recant_core::wording::plural;

use super::annotations::{Annotation, AnnotationArgs, Level};
use crate::config::rules;
use crate::ruletest::{self, Failure, Outcome};

/// Runs the tests of rules: series written beside them, and what is expected of them by time
///
/// A test is a document `kind: Test`, usually in `NAME_test.yaml` beside `NAME.yaml`: of the two, name either. Nothing is
/// asked and nothing is changed: series take the place of metrics, and a simple model that of the cluster.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes:
  0  every test passed
  1  a test failed
  2  the files, or how they are named, have errors; or they hold no test")]
pub struct TestArgs {
    /// Files, or folders of files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only tests with this in their name
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Tells of every test what happened when
    #[arg(long, short)]
    verbose: bool,
    /// Also writes the results to this file, as `JUnit` XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    annotations: AnnotationArgs,
}

/// A test that was run.
#[derive(Debug)]
struct Ran {
    name: String,
    /// The file that holds it.
    file: String,
    took: Duration,
    /// Empty: it passed.
    failures: Vec<String>,
}

/// Runs the tests: results go to `out`, what is wrong with files to `err`.
pub fn test(args: &TestArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let paths = with_companions(&args.files);
    let (files, loaded) = rules::load_files(&paths);
    let Loaded {
        book,
        tests,
        diagnostics,
        ..
    } = loaded;
    for diagnostic in &diagnostics {
        writeln!(err, "{diagnostic}\n")?;
    }
    let mut annotations: Vec<Annotation> = diagnostics.iter().map(Annotation::from).collect();
    let Some(book) = book else {
        args.annotations.tell("recant test", &annotations, err)?;
        writeln!(err, "no test was run: mend the errors above first")?;
        return Ok(ExitCode::from(2));
    };
    let wanted = |test: &&TestCase| {
        let only = args.only.as_deref();
        only.is_none_or(|only| test.name.contains(only))
    };
    let tests: Vec<&TestCase> = tests.iter().filter(wanted).collect();
    if tests.is_empty() {
        let what = match &args.only {
            Some(only) => format!("no test there has {only:?} in its name"),
            None => "there is no test there: a test is a document with `kind: Test`".to_owned(),
        };
        writeln!(err, "{what}")?;
        return Ok(ExitCode::from(2));
    }
    let mut all: Vec<Ran> = Vec::new();
    for test in tests {
        let file = files
            .get(test.origin.file)
            .map_or_else(String::new, |file| file.name.clone());
        if all.last().is_none_or(|last| last.file != file) {
            writeln!(out, "{file}")?;
        }
        let began = Instant::now();
        let outcome = ruletest::run(test, book.channels.values());
        let ran = Ran {
            name: test.name.clone(),
            took: began.elapsed(),
            failures: outcome
                .failures
                .iter()
                .map(|failure| told(failure, &file, |origin| spec::position(&files, origin)))
                .collect(),
            file,
        };
        annotations.extend(outcome.failures.iter().map(|failure| Annotation {
            level: Level::Error,
            place: Some((
                ran.file.clone(),
                Some(spec::position(&files, failure.origin)),
            )),
            title: format!("recant test: {}", ran.name),
            message: in_one_line(failure),
        }));
        show(&ran, &outcome, args.verbose, out)?;
        all.push(ran);
    }
    if let Some(path) = &args.junit {
        junit::write(path, &all)
            .with_context(|| format!("writing the results to `{}`", path.display()))?;
    }
    args.annotations.tell("recant test", &annotations, err)?;
    let failed = all.iter().filter(|ran| !ran.failures.is_empty()).count();
    let passed = all.len() - failed;
    writeln!(out, "{} passed, {failed} failed", plural(passed, "test"))?;
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn show(ran: &Ran, outcome: &Outcome, verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    let result = if ran.failures.is_empty() {
        "ok"
    } else {
        "FAILED"
    };
    writeln!(out, "  {}: {result}", ran.name)?;
    if verbose {
        for (at, text) in &outcome.story {
            writeln!(out, "    {:>7}  {text}", time(*at))?;
        }
    }
    for failure in &ran.failures {
        for line in failure.lines() {
            writeln!(out, "    {line}")?;
        }
    }
    Ok(())
}

/// An expectation that was not met, in several lines.
fn told(failure: &Failure, file: &str, position: impl Fn(Origin) -> (usize, usize)) -> String {
    let (line, column) = position(failure.origin);
    let mut text = format!(
        "{file}:{line}:{column}: at {}, {}:\n  expected: {}\n  got:      {}",
        time(failure.at),
        failure.what,
        failure.expected,
        failure.got
    );
    for sentence in &failure.sentences {
        text.push_str("\n    ");
        text.push_str(sentence);
    }
    text
}

fn in_one_line(failure: &Failure) -> String {
    format!(
        "at {}, {}: expected {}, got {}",
        time(failure.at),
        failure.what,
        failure.expected,
        failure.got
    )
}

/// A time as it is written in tests: `1h30m`.
fn time(at: SignedDuration) -> String {
    let seconds = at.as_secs();
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    let text = parts.concat();
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// Rules and their tests belong together: whichever of `http.yaml` and `http_test.yaml` is named, both are read.
fn with_companions(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        all.push(path.clone());
        all.extend(companion(path).filter(|companion| companion.is_file()));
    }
    all
}

fn companion(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_str()?;
    let ending = path.extension()?.to_str()?;
    let stem = match stem.strip_suffix("_test") {
        Some(rules) => rules.to_owned(),
        None => format!("{stem}_test"),
    };
    Some(path.with_file_name(format!("{stem}.{ending}")))
}
