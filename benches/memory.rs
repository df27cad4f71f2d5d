//! Resident memory of the engine: at rest, and with watches under analysis for two minutes.
//!
//! Each size is measured in a process of its own, which this program starts: memory that was given back once is
//! never counted for another size.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench tells what it measured, and asks Linux for it; it lies with the core and is none of it"
)]

mod fleet;

use std::process::Command;

use fleet::{Doing, Fleet};

const SIZE: &str = "RECANT_BENCH_WATCHES";
/// Ticks that are kept apart in the evidence are fewer: memory does not grow any more by then.
const SECONDS: usize = 120;

fn main() {
    if let Some(watches) = std::env::var(SIZE).ok().and_then(|size| size.parse().ok()) {
        child(watches);
        return;
    }
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let sizes: &[usize] = if measuring {
        &[0, 1, 1_000, 10_000]
    } else {
        &[0, 20]
    };
    let own = std::env::current_exe().expect("the path of this program");
    for watches in sizes {
        let output = Command::new(&own)
            .env(SIZE, watches.to_string())
            .output()
            .expect("this program starts");
        assert!(output.status.success(), "{output:?}");
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
}

fn child(watches: usize) {
    let before = resident();
    let mut fleet = Fleet::new(watches, Doing::Releasing);
    let begun = resident();
    for _ in 0..SECONDS {
        let inputs = fleet.answers();
        drop(fleet.tick(inputs));
    }
    let after = resident();
    let each = (after.saturating_sub(before)).checked_div(watches as u64);
    println!(
        "MEMORY {watches} watches x 4 rules under analysis: {after} KiB resident after {SECONDS} s ({begun} KiB after \
         the first seconds, {before} KiB before there were any){}",
        each.map_or_else(String::new, |each| format!(", {each} KiB a watch"))
    );
}

/// KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .expect("its line")
}
