//! How many metrics a second Kayenta's judge judges here, on one thread: of 60 and of 1,000 samples a side, 64 to a
//! request, as Kayenta itself was measured (about 950/s and 57/s; with ties 800/s and 65/s).
//!
//! `cargo bench -p recant-core --bench kayenta` measures; `cargo test` runs each once.

#![allow(clippy::print_stdout, reason = "a bench tells what it measured")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use recant_core::kayenta::{Metric, Request, Setting, Thresholds, judge};

const METRICS: usize = 64;
/// How many samples of a side the processor's time is taken for, in all.
const SAMPLES: usize = 8_000_000;
/// Whether samples are rounded to integers.
const INPUTS: [(&str, bool); 2] = [("normal", false), ("integers with ties", true)];

fn main() {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    for samples in [60, 1_000] {
        for (name, round) in INPUTS {
            processor_time(samples, name, round, if measuring { SAMPLES } else { 1 });
        }
    }
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("kayenta");
    group.throughput(Throughput::Elements(METRICS as u64));
    for samples in [60, 1_000] {
        for (name, round) in INPUTS {
            let request = request(samples, round);
            group.bench_function(format!("{samples} samples a side, {name}"), |bencher| {
                bencher.iter(|| judge(black_box(&request)));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}

/// Says how many metrics are judged in a second of the processor: wall time means little on a machine that does other
/// things, too. Judges about `in_all` samples of a side.
fn processor_time(samples: usize, name: &str, round: bool, in_all: usize) {
    let request = request(samples, round);
    let rounds = (in_all / (samples * METRICS)).max(1);
    let began = on_processor();
    for _ in 0..rounds {
        judge(black_box(&request)).expect("an answer");
    }
    let metrics = (rounds * METRICS) as f64 / (on_processor() - began);
    println!("{samples} samples a side, {name}: {metrics:.0} metrics a second of the processor");
}

/// Seconds that this thread has run.
fn on_processor() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Metrics around 100 with a deviation of 10, one half of them 5 % higher on the experiment's side.
fn request(samples: usize, round: bool) -> Request {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut side = |mean: f64| -> Vec<f64> {
        (0..samples)
            .map(|_| {
                // The sum of twelve uniform numbers is nearly normal, with deviation 1.
                let sum: f64 = (0..12).map(|_| uniform(&mut state)).sum();
                let value = mean + 10.0 * (sum - 6.0);
                if round { value.round() } else { value }
            })
            .collect()
    };
    let metrics = (0..METRICS)
        .map(|place| Metric {
            name: format!("metric-{place}"),
            id: None,
            tags: indexmap::IndexMap::new(),
            groups: vec![format!("group-{}", place % 4)],
            analysis: Setting::Null,
            control: side(100.0),
            experiment: side(if place % 2 == 0 { 100.0 } else { 105.0 }),
        })
        .collect();
    Request {
        thresholds: Thresholds {
            pass: 95.0,
            marginal: 75.0,
        },
        group_weights: None,
        metrics,
    }
}

/// The next number in 0..1 (xorshift64*, Vigna 2016).
fn uniform(state: &mut u64) -> f64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
}
