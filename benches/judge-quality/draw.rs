//! One run of a scenario: counts of both arms, tick by tick, drawn as `scenarios.md` of the specification says.

use rand::RngExt as _;
use rand_distr::{Binomial, Distribution as _, Geometric, Poisson, StandardNormal};
use rand_pcg::Pcg64;

use crate::rates::{Rates, Tick};
use crate::scenario::{Arm, Errors, Scenario};

/// What one arm counted: total and bad ones, or events per bucket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted {
    pub(crate) n: f64,
    pub(crate) e: f64,
    pub(crate) buckets: Vec<f64>,
}

impl Counted {
    pub(crate) fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.e += other.e;
        self.buckets.resize(other.buckets.len(), 0.0);
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += count;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.n = 0.0;
        self.e = 0.0;
        self.buckets.fill(0.0);
    }
}

/// The dice of one run, and what it remembers from tick to tick.
pub(crate) struct Run<'a> {
    scenario: &'a Scenario,
    rates: &'a Rates,
    random: Pcg64,
    /// Logarithm of the shared noise, in standard deviations.
    noise: f64,
    /// Seconds at which a burst of each arm ends.
    burst_ends: [f64; 2],
    /// Factor of each arm by where its pods run.
    placed: [f64; 2],
    /// Drawn, and not read yet.
    unread: [Counted; 2],
}

/// One tick, with what its faults left of it.
pub(crate) struct Drawn {
    arms: [Counted; 2],
    read: [bool; 2],
    /// What our reader makes of it; `None`: there is no sample of both arms.
    pub(crate) seen: Option<Seen>,
}

impl Drawn {
    /// What an arm counted in the tick, and whether its counter was read at the end of it.
    pub(crate) fn arm(&self, arm: Arm) -> (&Counted, bool) {
        let [canary, baseline] = &self.arms;
        let [of_canary, of_baseline] = self.read;
        match arm {
            Arm::Canary => (canary, of_canary),
            Arm::Baseline => (baseline, of_baseline),
            Arm::Both => (baseline, of_canary && of_baseline),
        }
    }
}

/// What a reader sees at the end of a tick.
pub(crate) struct Seen {
    /// Seconds since the start of the watch.
    pub(crate) to: f64,
    pub(crate) canary: Counted,
    pub(crate) baseline: Counted,
}

impl<'a> Run<'a> {
    pub(crate) fn new(scenario: &'a Scenario, rates: &'a Rates, run: u64) -> Self {
        let mut random = Pcg64::new(u128::from(scenario.seed), u128::from(run));
        let noise = random.sample(StandardNormal);
        let mut placed = [1.0, 1.0];
        if let Some(placement) = scenario
            .errors
            .as_ref()
            .and_then(|errors| errors.placement.as_ref())
        {
            let pods = [placement.canary_pods, placement.baseline_pods];
            for (factor, pods) in placed.iter_mut().zip(pods) {
                let spread = 1.0 - placement.spread..=1.0 + placement.spread;
                let sum: f64 = (0..pods).map(|_| random.random_range(spread.clone())).sum();
                *factor = sum / f64::from(pods);
            }
        }
        Self {
            scenario,
            rates,
            random,
            noise,
            burst_ends: [f64::NEG_INFINITY; 2],
            placed,
            unread: [Counted::default(), Counted::default()],
        }
    }

    /// A tick of the baseline before the release.
    pub(crate) fn history(&mut self, tick: &Tick) -> Counted {
        self.draw(tick)[1].clone()
    }

    /// Draws a tick; what was drawn is added to `totals`.
    pub(crate) fn tick(&mut self, tick: &Tick, totals: &mut [Counted; 2]) -> Drawn {
        let mut arms = self.draw(tick);
        for (total, counted) in totals.iter_mut().zip(&arms) {
            total.add(counted);
        }
        let faults = &self.scenario.faults;
        let length = self.scenario.tick_s;
        let (from, to) = (tick.t - length / 2.0, tick.t + length / 2.0);
        for reset in &faults.counter_resets {
            let at = reset.at_s.is_some_and(|at| from < at && at <= to);
            let every = reset
                .every_s
                .is_some_and(|every| (to / every).floor() > (from / every).floor() && to >= every);
            if at || every {
                for (index, counted) in arms.iter_mut().enumerate() {
                    if hit(reset.arm, index) {
                        lose(counted, &mut self.random);
                    }
                }
            }
        }
        let mut read = [true, true];
        for (index, read) in read.iter_mut().enumerate() {
            let outage = faults.missing.iter().any(|missing| {
                hit(missing.arm, index) && missing.from_s < to && to <= missing.to_s
            });
            let odd = faults.missing_probability > 0.0
                && self.random.random_bool(faults.missing_probability);
            *read = !outage && !odd;
        }
        for (unread, counted) in self.unread.iter_mut().zip(&arms) {
            unread.add(counted);
        }
        // Compared only over intervals common to both arms.
        let seen = (read == [true, true]).then(|| self.read(to));
        Drawn { arms, read, seen }
    }

    fn read(&mut self, to: f64) -> Seen {
        let [canary, baseline] = &mut self.unread;
        let seen = Seen {
            to,
            canary: canary.clone(),
            baseline: baseline.clone(),
        };
        canary.clear();
        baseline.clear();
        seen
    }

    fn draw(&mut self, tick: &Tick) -> [Counted; 2] {
        match &self.scenario.errors {
            Some(errors) => self.draw_errors(errors, tick),
            None => [&tick.canary_buckets, &tick.baseline_buckets].map(|means| {
                let buckets: Vec<f64> = means
                    .iter()
                    .map(|mean| poisson(*mean, &mut self.random))
                    .collect();
                Counted {
                    n: buckets.iter().sum(),
                    e: 0.0,
                    buckets,
                }
            }),
        }
    }

    fn draw_errors(&mut self, errors: &Errors, tick: &Tick) -> [Counted; 2] {
        let length = self.scenario.tick_s;
        let mut factor = 1.0;
        if let Some(noise) = &errors.shared_noise {
            factor = (noise.sigma * self.noise - noise.sigma * noise.sigma / 2.0).exp();
            let kept = (-length / noise.tau_s).exp();
            let fresh: f64 = self.random.sample(StandardNormal);
            self.noise = kept * self.noise + (1.0 - kept * kept).sqrt() * fresh;
        }
        let mut arms = [Counted::default(), Counted::default()];
        let means = [
            (tick.canary_mean, tick.canary_rate),
            (tick.baseline_mean, tick.baseline_rate),
        ];
        for (index, (mean, rate)) in means.into_iter().enumerate() {
            let mut rate = rate * factor * self.placed[index];
            if let Some(bursts) = &errors.bursts {
                if self.random.random_bool((length / bursts.every_s).min(1.0)) {
                    self.burst_ends[index] = tick.t + bursts.seconds;
                }
                if tick.t < self.burst_ends[index] {
                    rate *= bursts.factor;
                }
            }
            arms[index] = count(mean, rate.clamp(0.0, 1.0), errors, &mut self.random);
        }
        arms
    }

    /// Ticks of history that are drawn before the release.
    pub(crate) fn history_ticks(&self) -> &'a [Tick] {
        &self.rates.history
    }
}

fn hit(arm: Arm, index: usize) -> bool {
    match arm {
        Arm::Canary => index == 0,
        Arm::Baseline => index == 1,
        Arm::Both => true,
    }
}

/// A counter restarts within the tick: what it had counted since the last scrape is lost.
fn lose(counted: &mut Counted, random: &mut Pcg64) {
    let kept: f64 = random.random();
    let good = binomial(counted.n - counted.e, kept, random);
    counted.e = binomial(counted.e, kept, random);
    counted.n = good + counted.e;
    for bucket in &mut counted.buckets {
        *bucket = binomial(*bucket, kept, random);
    }
}

fn count(mean: f64, rate: f64, errors: &Errors, random: &mut Pcg64) -> Counted {
    let mut good = poisson(mean * (1.0 - rate), random);
    let mut bad = if errors.phi > 1.0 {
        let size = f64::midpoint(errors.phi, 1.0);
        let clumps = poisson(mean * rate / size, random);
        let more = Geometric::new(1.0 / size).expect("a chance");
        let mut sum = clumps;
        for _ in 0..clumps as u64 {
            sum += more.sample(random) as f64;
        }
        sum
    } else {
        poisson(mean * rate, random)
    };
    if errors.retries > 0.0 {
        let mut last = bad;
        while last > 0.0 {
            let again = errors.retries * last;
            last = binomial(again, rate, random);
            bad += last;
            good += again - last;
        }
    }
    Counted {
        n: good + bad,
        e: bad,
        buckets: Vec::new(),
    }
}

fn poisson(mean: f64, random: &mut Pcg64) -> f64 {
    Poisson::new(mean).map_or(0.0, |poisson| poisson.sample(random))
}

fn binomial(n: f64, chance: f64, random: &mut Pcg64) -> f64 {
    Binomial::new(n as u64, chance).map_or(0.0, |binomial| binomial.sample(random) as f64)
}
