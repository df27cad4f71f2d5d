//! The table: each side, and how many times less Recant needs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::counted::Spent;
use crate::{INTERVAL, METRICS};

/// So many times less processor time for a measurement is the aim.
const AIM: f64 = 10.0;

/// Prints it as Markdown.
pub(crate) fn print(
    runs: usize,
    window: Duration,
    argo: &Spent,
    recant: &Spent,
    idle: &BTreeMap<String, f64>,
) {
    println!(
        "\n{runs} analyses x {METRICS} metrics, every {} s, {} s each\n",
        INTERVAL.as_secs(),
        window.as_secs()
    );
    println!("| | Argo Rollouts | Recant | times less |\n|---|---|---|---|");
    let line = |what: &str, of: &dyn Fn(&Spent) -> f64, digits: usize| {
        let (theirs, ours) = (of(argo), of(recant));
        let times = if ours > 0.0 {
            format!("{:.1}", theirs / ours)
        } else {
            "-".to_owned()
        };
        println!("| {what} | {theirs:.digits$} | {ours:.digits$} | {times} |");
    };
    line("measurements", &|spent| spent.measurements, 0);
    line("CPU, s", &|spent| spent.cpu_seconds, 2);
    line("CPU per measurement, µs", &cpu, 0);
    line("queries to Prometheus", &|spent| spent.queries, 0);
    line(
        "queries per measurement",
        &|spent| spent.queries / spent.measurements,
        4,
    );
    line(
        "writes to the API server, without those of the idle cluster",
        &|spent| written(spent, idle),
        0,
    );
    line(
        "writes per measurement",
        &|spent| written(spent, idle) / spent.measurements,
        4,
    );
    line("resident memory, MiB", &|spent| spent.resident_mib, 0);
    line("most resident memory, MiB", &|spent| spent.peak_mib, 0);
    let share = cpu(argo) / cpu(recant);
    let held = if share >= AIM { "held" } else { "MISSED" };
    println!("\naim, CPU per measurement at most 1/{AIM:.0} of Argo's: {held}, 1/{share:.1}");
    for (side, spent) in [("Argo Rollouts", argo), ("Recant", recant)] {
        println!("written with {side}: {}", by_resource(spent, idle));
    }
}

/// Processor time of a measurement in microseconds.
fn cpu(spent: &Spent) -> f64 {
    spent.cpu_seconds * 1e6 / spent.measurements
}

/// Beyond what the idle cluster writes in the same time.
fn written(spent: &Spent, idle: &BTreeMap<String, f64>) -> f64 {
    let by_itself = idle.values().sum::<f64>() * spent.lasted.as_secs_f64();
    (spent.writes.values().sum::<f64>() - by_itself).max(0.0)
}

fn by_resource(spent: &Spent, idle: &BTreeMap<String, f64>) -> String {
    let seconds = spent.lasted.as_secs_f64();
    let resources = spent.writes.iter().map(|(resource, count)| {
        let by_itself = idle.get(resource).copied().unwrap_or_default() * seconds;
        format!("{resource} {count:.0} (idle {by_itself:.0})")
    });
    resources.collect::<Vec<_>>().join(", ")
}
