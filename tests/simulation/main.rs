//! The whole agent in simulated worlds: the real wiring, engine, executor, outbox and journal format, with everything
//! around them drawn from a seed. Each schedule is checked against the promises of the design after every step.
//!
//! Without arguments it is one of the tests; `tests/simulate` runs it with any number of schedules.

mod arguments;
mod cluster;
mod contract;
mod incarnation;
mod lease;
mod messages;
mod mutations;
mod oracle;
mod pausing;
mod people;
mod random;
mod replica;
mod rules;
mod scaling;
mod scenario;
mod schedule;
mod source;
mod suite;
mod trace;
mod words;
mod workload;
mod world;
mod writing;

use std::process::ExitCode;

use arguments::Wanted;

fn main() -> ExitCode {
    match arguments::read(std::env::args().skip(1)) {
        Ok(Wanted::Tests { filter }) => suite::tests(&filter),
        Ok(Wanted::Schedules(run)) => suite::schedules(&run),
        Ok(Wanted::ListMutations) => suite::list_mutations(),
        Ok(Wanted::Mutate { folder }) => suite::mutate(&folder),
        Err(error) => {
            suite::say(&format!("simulate: {error}"));
            ExitCode::from(2)
        }
    }
}
