//! Parse, dispatch, exit code.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use recant::cli;
use recant::cli::check::{Checked, check_templates};

/// Takes a bad release back: judges releases from metrics, rolls back, tells people, shows its evidence
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Recant {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says everything that is wrong with rule files, before anything runs
    Check {
        /// Files, or folders of files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Folder with message templates that replace the shipped ones
        #[arg(long, env = "RECANT_TEMPLATES", value_name = "FOLDER")]
        templates: Option<PathBuf>,
    },
    Demo(cli::demo::DemoArgs),
    Journal(cli::journal::JournalArgs),
    Judge(cli::judge::JudgeArgs),
    Run(cli::run::RunArgs),
    /// Prints the JSON Schema of all documents, for editors
    ///
    /// Keep it in a file, and begin documents with a comment that names it:
    ///   # yaml-language-server: $schema=recant.schema.json
    #[command(verbatim_doc_comment)]
    Schema,
    Test(cli::test::TestArgs),
}

fn main() -> ExitCode {
    let result = match Recant::parse().command {
        Command::Check { files, templates } => check(&files, templates.as_deref())
            .map(ExitCode::from)
            .map_err(anyhow::Error::from),
        Command::Demo(args) => cli::demo::demo(&args),
        Command::Run(args) => cli::run::run(&args),
        Command::Schema => cli::schema::print(&mut io::stdout()).map_err(anyhow::Error::from),
        Command::Test(args) => cli::test::test(&args, &mut io::stdout(), &mut io::stderr()),
        Command::Journal(args) => cli::journal::journal(&args, &mut io::stdout().lock()),
        Command::Judge(args) => cli::judge::judge(&args, &mut io::stdout().lock()),
    };
    result.unwrap_or_else(|error| cli::complain(&error))
}

fn check(files: &[PathBuf], templates: Option<&Path>) -> io::Result<Checked> {
    let (out, err) = (&mut io::stdout(), &mut io::stderr());
    let rules = cli::check::check(files, out, err)?;
    let templates = match templates {
        Some(folder) => check_templates(folder, out, err)?,
        None => Checked::Good,
    };
    Ok(match rules {
        Checked::Good => templates,
        Checked::Faulty => rules,
    })
}
