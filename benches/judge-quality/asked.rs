//! What the command line asks for.

/// What is to be run, and how much of it.
pub(crate) struct Asked {
    /// At most so many ticks of each scenario, over all its runs.
    pub(crate) ticks: u32,
    /// At most so many runs of each scenario.
    pub(crate) runs: u32,
    /// Only scenarios with this in their name.
    pub(crate) only: String,
    /// Added to the seed of each scenario: other dice.
    pub(crate) seed: u64,
    pub(crate) threads: u32,
    /// Other scenarios than those of `tests/reference`, which have no results to agree with.
    pub(crate) scenarios: Option<String>,
    /// Where what was measured is kept, so that a run that was cut short can go on.
    pub(crate) keep: Option<String>,
    /// `cargo test`: few runs of some short scenarios.
    pub(crate) trial: bool,
}

impl Asked {
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self {
            ticks: u32::MAX,
            runs: u32::MAX,
            only: String::new(),
            seed: 0,
            threads: 1,
            scenarios: None,
            keep: None,
            trial: true,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or(format!("`{argument}` needs a value behind it"))
            };
            match argument.as_str() {
                "--bench" => asked.trial = false,
                "--ticks" => asked.ticks = number(&argument, &value()?)?.max(1),
                "--runs" => asked.runs = number(&argument, &value()?)?.max(1),
                "--threads" => asked.threads = number(&argument, &value()?)?.max(1),
                "--seed" => asked.seed = u64::from(number(&argument, &value()?)?),
                "--only" => asked.only = value()?,
                "--keep" => asked.keep = Some(value()?),
                "--scenarios" => asked.scenarios = Some(value()?),
                // What the test harness of others would understand.
                _ => {}
            }
        }
        Ok(asked)
    }
}

fn number(argument: &str, text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|error| format!("`{argument} {text}` is no whole number: {error}"))
}
