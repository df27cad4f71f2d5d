//! What one tick of the sequential judge costs, on one thread: aims are 1 µs for a limit, 2 µs for a comparison, and
//! 15 ms for 1,000 analyses of four user rules (`max` and `compare` beside a baseline).
//!
//! `cargo bench -p recant-core --bench judge` measures; `cargo test` runs each once.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Bencher, Criterion};
use recant_core::sequential::{
    Analysis, GaugeCompare, GaugeLimit, QuantileCompare, QuantileLimit, QuantileLimitBeside,
    QuantileTolerance, RatioCompare, RatioLimit, RatioLimitBeside, Reading, Settings, Tolerance,
};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    shares(&mut criterion);
    quantiles(&mut criterion);
    gauges(&mut criterion);
    analyses(&mut criterion);
    criterion.final_summary();
}

/// Times by the processor time of this thread: wall time means little on a machine that does other things, too.
fn timed(bencher: &mut Bencher<'_>, mut tick: impl FnMut()) {
    bencher.iter_custom(|times| {
        let before = processor_time();
        for _ in 0..times {
            tick();
        }
        processor_time().saturating_sub(before)
    });
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a thread has run for some time, not for less than none")
}

/// Bad events of a tick: mostly none, sometimes some, the same in every run.
fn bad(tick: &mut u64) -> f64 {
    *tick = tick.wrapping_add(1);
    [0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 5.0, 0.0, 1.0][(*tick % 11) as usize]
}

fn shares(criterion: &mut Criterion) {
    let settings = Settings::default();
    let tolerance = Tolerance::default();
    let mut group = criterion.benchmark_group("one tick");
    let mut tick = 0;
    let mut limit = RatioLimit::new(0.01, settings).expect("good parameters");
    group.bench_function("limit", |bencher| {
        timed(bencher, || limit.update(black_box(100.0), bad(&mut tick)));
    });
    let mut compare = RatioCompare::new(tolerance, settings).expect("good parameters");
    group.bench_function("comparison", |bencher| {
        timed(bencher, || {
            compare.update(black_box(100.0), bad(&mut tick), 90.0, 1.0);
        });
    });
    let mut beside = RatioLimitBeside::new(0.01, tolerance, settings).expect("good parameters");
    group.bench_function("limit beside a comparison", |bencher| {
        timed(bencher, || {
            beside.update(black_box(100.0), bad(&mut tick), 90.0, 1.0);
        });
    });
    group.finish();
}

fn quantiles(criterion: &mut Criterion) {
    let settings = Settings::default();
    let bounds: Arc<[f64]> = Arc::from([
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ]);
    let counts = |slow: f64| {
        [
            9.0, 20.0, 30.0, 20.0, 10.0, 5.0, slow, 1.0, 0.0, 0.0, 0.0, 0.0,
        ]
    };
    let tolerance = QuantileTolerance {
        used: Some(vec![3, 4, 5, 6, 7]),
        ..QuantileTolerance::default()
    };
    let mut group = criterion.benchmark_group("one tick of a histogram with 11 bounds");
    let mut tick = 0;
    let mut limit =
        QuantileLimit::new(0.95, 0.3, Arc::clone(&bounds), settings).expect("good parameters");
    group.bench_function("limit between bounds", |bencher| {
        timed(bencher, || limit.update(black_box(&counts(bad(&mut tick)))));
    });
    let mut compare = QuantileCompare::new(0.95, Arc::clone(&bounds), &tolerance, settings)
        .expect("good parameters");
    group.bench_function("comparison at five bounds", |bencher| {
        timed(bencher, || {
            compare.update(black_box(&counts(bad(&mut tick))), &counts(1.0));
        });
    });
    let mut beside =
        QuantileLimitBeside::new(0.95, 0.5, bounds, tolerance, settings).expect("good parameters");
    group.bench_function("limit beside a comparison at five bounds", |bencher| {
        timed(bencher, || {
            beside.update(black_box(&counts(bad(&mut tick))), &counts(1.0));
        });
    });
    group.finish();
}

fn gauges(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one tick of a gauge");
    let mut tick = 0;
    let mut limit = GaugeLimit::new(10.0, 60.0, None).expect("good parameters");
    group.bench_function("limit", |bencher| {
        timed(bencher, || {
            let value = bad(&mut tick);
            limit.update(black_box(tick as f64), value);
        });
    });
    let mut compare = GaugeCompare::new(1.0, 0.0, 4, 240, 1800).expect("good parameters");
    group.bench_function("comparison", |bencher| {
        timed(bencher, || compare.update(black_box(bad(&mut tick)), 1.0));
    });
    group.finish();
}

const ANALYSES: usize = 1_000;
const RULES: usize = 4;

fn analyses(criterion: &mut Criterion) {
    let rule = RatioLimitBeside::new(0.01, Tolerance::default(), Settings::default())
        .expect("good parameters");
    let analysis = Analysis::new(&[1.0; 2 * RULES], 0.01, 0.05).expect("good parameters");
    let one: ([RatioLimitBeside; RULES], Analysis) =
        (std::array::from_fn(|_| rule.clone()), analysis);
    let mut all = vec![one; ANALYSES];
    let mut tick = 0;
    criterion.bench_function("one tick of 1,000 analyses of four user rules", |bencher| {
        timed(bencher, || {
            for (rules, analysis) in &mut all {
                let mut readings = [Reading::SILENT; 2 * RULES];
                for (rule, pair) in rules.iter_mut().zip(readings.chunks_exact_mut(2)) {
                    rule.update(black_box(100.0), bad(&mut tick), 90.0, 1.0);
                    pair.copy_from_slice(&[rule.reading(), rule.compare().reading()]);
                }
                black_box(analysis.judge(&readings));
            }
        });
    });
}
