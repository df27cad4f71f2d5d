//! Parse, dispatch, exit code.

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use recant::cli;

/// Takes a bad release back: judges releases from metrics, rolls back, tells people, shows its evidence
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Recant {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(visible_alias = "analysis")]
    Analyse(cli::analyse::AnalyseArgs),
    Approve(cli::order::ApproveArgs),
    ArgoTemplate(cli::argo_template::ArgoTemplateArgs),
    Backtest(cli::backtest::BacktestArgs),
    Check(cli::check::CheckArgs),
    Convert(cli::convert::ConvertArgs),
    Demo(cli::demo::DemoArgs),
    Eval(cli::eval::EvalArgs),
    Explain(cli::explain::ExplainArgs),
    Freeze(cli::order::FreezeArgs),
    Hold(cli::order::HoldArgs),
    Journal(cli::journal::JournalArgs),
    Judge(cli::judge::JudgeArgs),
    Once(cli::once::OnceArgs),
    Replay(cli::replay::ReplayArgs),
    Resume(cli::order::ResumeArgs),
    Rollback(cli::order::RollbackArgs),
    Run(cli::run::RunArgs),
    Scale(cli::order::ScaleArgs),
    Schema(cli::schema::SchemaArgs),
    Switch(cli::order::SwitchArgs),
    Test(cli::test::TestArgs),
    Unfreeze(cli::order::UnfreezeArgs),
}

fn main() -> ExitCode {
    let result = match Recant::parse().command {
        Command::Analyse(args) => {
            cli::analyse::analyse(&args, &mut io::stdout(), &mut io::stderr())
        }
        Command::ArgoTemplate(args) => {
            cli::argo_template::argo_template(&args, &mut io::stdout().lock())
        }
        Command::Backtest(args) => cli::backtest::backtest(&args, &mut io::stdout().lock()),
        Command::Check(args) => cli::check::run(&args, &mut io::stdout(), &mut io::stderr()),
        Command::Convert(args) => {
            cli::convert::convert(&args, &mut io::stdout().lock(), &mut io::stderr().lock())
        }
        Command::Demo(args) => cli::demo::demo(&args),
        Command::Eval(args) => {
            cli::eval::eval(&args, &mut io::stdin().lock(), &mut io::stdout().lock())
        }
        Command::Explain(args) => cli::explain::explain(&args, &mut io::stdout().lock()),
        Command::Approve(args) => cli::order::approve(&args, &mut io::stdout().lock()),
        Command::Freeze(args) => cli::order::freeze(&args, &mut io::stdout().lock()),
        Command::Hold(args) => cli::order::hold(&args, &mut io::stdout().lock()),
        Command::Resume(args) => cli::order::resume(&args, &mut io::stdout().lock()),
        Command::Rollback(args) => cli::order::rollback(&args, &mut io::stdout().lock()),
        Command::Scale(args) => cli::order::scale(&args, &mut io::stdout().lock()),
        Command::Switch(args) => cli::order::switch(&args, &mut io::stdout().lock()),
        Command::Unfreeze(args) => cli::order::unfreeze(&args, &mut io::stdout().lock()),
        Command::Once(args) => cli::once::once(&args),
        Command::Run(args) => cli::run::run(&args),
        Command::Schema(args) => {
            cli::schema::print(&args, &mut io::stdout()).map_err(anyhow::Error::from)
        }
        Command::Test(args) => cli::test::test(&args, &mut io::stdout(), &mut io::stderr()),
        Command::Replay(args) => cli::replay::replay(&args, &mut io::stdout().lock()),
        Command::Journal(args) => cli::journal::journal(&args, &mut io::stdout().lock()),
        Command::Judge(args) => cli::judge::judge(&args, &mut io::stdout().lock()),
    };
    result.unwrap_or_else(|error| cli::complain(&error))
}
