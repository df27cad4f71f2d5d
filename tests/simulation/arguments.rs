//! The command line: that of `tests/simulate`, or that which `cargo test` gives to every test binary.

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The tests whose names contain one of these; without any, all.
    Tests {
        filter: Vec<String>,
    },
    Schedules(Run),
    /// One line for each deliberate fault: number, what catches it, name and reason, with tabs between.
    ListMutations,
    /// Puts all deliberate faults into the copy of the code in this folder.
    Mutate {
        folder: String,
    },
}

/// Schedules of one seed after the other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) schedules: u64,
    /// Every line of each schedule is printed.
    pub(crate) trace: bool,
    /// The first violation ends it.
    pub(crate) first: bool,
}

/// # Errors
/// What cannot be understood, and what is possible instead.
pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut run = Run {
        seed: 1,
        schedules: 20_000,
        trace: false,
        first: false,
    };
    let mut asked = false;
    let mut filter = Vec::new();
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seed" | "--schedules" => {
                let value = arguments
                    .next()
                    .and_then(|value| value.replace('_', "").parse().ok());
                let value = value.ok_or(format!("{argument} wants a whole number behind it"))?;
                if argument == "--seed" {
                    run.seed = value;
                } else {
                    run.schedules = value;
                }
                asked = true;
            }
            "--trace" => {
                run.trace = true;
                asked = true;
            }
            "--first" => {
                run.first = true;
                asked = true;
            }
            "--list-mutations" => return Ok(Wanted::ListMutations),
            "--mutate" => {
                let folder = arguments
                    .next()
                    .ok_or("--mutate wants a folder behind it")?;
                return Ok(Wanted::Mutate { folder });
            }
            // Of `cargo test`.
            "--test-threads" | "--format" | "--color" | "--skip" | "-Z" => {
                arguments.next();
            }
            flag if flag.starts_with('-') => {}
            name => filter.push(name.to_owned()),
        }
    }
    if asked && !filter.is_empty() {
        return Err(format!(
            "{filter:?} is no option: there are --seed S, --schedules N, --first and --trace"
        ));
    }
    Ok(if asked {
        Wanted::Schedules(run)
    } else {
        Wanted::Tests { filter }
    })
}
