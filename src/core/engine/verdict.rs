//! The verdict of a release: all its rules under one chance of a false alarm (judge.md 9).
//!
//! Each rule's tests say how unlikely its data would be if the release kept it. Their weighted mean calls the release bad,
//! at any look, and it passes when every rule's tests say so at one look. What is measured just now is for people.

use jiff::{SignedDuration, Timestamp};

use super::live::{Live, LiveRule};
use crate::judge::{FALSE_PASSES, InAll, Phase, Proof, ReleaseEvidence, State};
use crate::rule::Watch;
use crate::sequential::{Analysis, Reading, State as Says};
use crate::time::elapsed;
use crate::wording::count;

/// The rules of one release together.
#[derive(Debug, Clone)]
pub(super) struct Together {
    analysis: Option<Analysis>,
    readings: Vec<Reading>,
    against: f64,
    /// Where the release is called bad.
    needed: f64,
}

impl Together {
    /// Before anything was measured. A dry rule is judged, and decides nothing.
    pub(super) fn of(rules: &[LiveRule], watch: &Watch) -> Self {
        let weight = |rule: &LiveRule| {
            if rule.rule.dry_run {
                0.0
            } else {
                rule.rule.judging.weight
            }
        };
        let weights: Vec<f64> = rules.iter().map(weight).collect();
        let alpha = watch.assurance.false_alarms;
        Self {
            // Weights and chances were checked when the documents were read.
            analysis: Analysis::new(&weights, alpha, FALSE_PASSES).ok(),
            readings: vec![Reading::SILENT; rules.len()],
            against: 0.0,
            needed: -alpha.ln(),
        }
    }

    /// Whether the evidence against the release is enough now.
    pub(super) fn fails(&self) -> bool {
        self.against >= self.needed
    }

    /// Whether every rule was surely kept, at this look or an earlier one.
    pub(super) fn passing(&self) -> bool {
        self.analysis
            .as_ref()
            .is_some_and(|analysis| matches!(analysis.state(), Says::Passing))
    }

    /// Takes in what each rule says now.
    fn judge(&mut self, readings: impl Iterator<Item = Reading>) {
        self.readings.clear();
        self.readings.extend(readings);
        let Some(analysis) = &mut self.analysis else {
            return;
        };
        self.against = analysis.log_bad(&self.readings);
        analysis.judge(&self.readings);
    }

    /// 0 to 100: 50 when nothing is known, 100 when every rule is surely kept, 0 when the release is bad.
    pub(super) fn score(&self) -> f64 {
        self.analysis
            .as_ref()
            .map_or(50.0, |analysis| analysis.score(&self.readings))
    }

    fn proofs(&self) -> Vec<Proof> {
        let Some(analysis) = &self.analysis else {
            return Vec::new();
        };
        self.readings
            .iter()
            .zip(analysis.shares(&self.readings))
            .enumerate()
            .map(|(index, (reading, share))| Proof {
                against: reading.log_bad,
                against_needed: analysis.bad_level(index),
                in_favour: reading.log_good,
                in_favour_needed: -FALSE_PASSES.ln(),
                share,
                events: 0.0,
            })
            .collect()
    }
}

/// `1 in 240`; the sums are surer than any data can be.
fn one_in(log: f64) -> String {
    const SUREST: f64 = 1e9;
    let number = log.exp();
    if number > SUREST {
        format!("less than 1 in {}", count(SUREST))
    } else {
        format!("1 in {}", count(number))
    }
}

impl Live {
    /// Whether the release may go on: every rule was surely kept, and nothing is broken just now, be it for both arms (a
    /// release can be no worse than its baseline in a shared outage, and should not go on in it).
    pub(super) fn opens_gate(&self) -> bool {
        let broken = |rule: &LiveRule| match rule.seen.map(|seen| seen.state) {
            Some(State::BaselineAlsoBad | State::Failing | State::Suspected) => true,
            Some(State::Within | State::Unsure | State::TooLittle | State::NoData) | None => false,
        };
        self.together.as_ref().is_some_and(Together::passing) && !self.rules.iter().any(broken)
    }

    /// How rarely a release that is fine would look as bad as this one, for people; `None`: it is not called bad now, or
    /// by a value beyond its limit, which is a condition and has no odds (judge.md 8).
    pub(super) fn odds(&self) -> Option<String> {
        let together = self.together.as_ref().filter(|together| together.fails())?;
        let by_value = |rule: &LiveRule| {
            let held = rule.looked.map(|seen| seen.state) == Some(State::Failing);
            rule.rule.counts().is_none() && held && rule.fails()
        };
        if self.rules.iter().any(by_value) {
            return None;
        }
        Some(format!(
            "{} if the release were fine (decides at {})",
            one_in(together.against),
            one_in(together.needed)
        ))
    }

    /// What the rules of a release say now, each for itself and together.
    pub(super) fn judge_release(&mut self, phase: Phase, now: Timestamp) {
        self.judge(phase, now);
        let Some(together) = &mut self.together else {
            return;
        };
        for rule in &mut self.rules {
            let phase = rule.phase(phase);
            rule.evidence.tick(&rule.rule, phase, now);
        }
        let mut readings: Vec<Reading> = self
            .rules
            .iter()
            .map(|rule| rule.reading(phase, now))
            .collect();
        join(&self.rules, &mut readings);
        together.judge(readings.into_iter());
        let proofs = together.proofs();
        let fails = together.fails();
        let most = proofs.iter().map(|proof| proof.share).fold(0.0, f64::max);
        for (rule, proof) in self.rules.iter_mut().zip(proofs) {
            let decides = proof.against >= proof.against_needed
                || (fails && proof.share > 0.0 && proof.share >= most);
            rule.judged(proof, decides, now);
        }
    }
}

/// A rule that only accuses says for a release what the others say, and nothing of its own: it neither passes a release
/// nor stands in the way of that.
fn join(rules: &[LiveRule], readings: &mut [Reading]) {
    if !rules.iter().any(|rule| rule.rule.only_accuses()) {
        return;
    }
    let decides = |rule: &LiveRule| !rule.rule.dry_run && rule.rule.judging.weight > 0.0;
    let of_others = rules
        .iter()
        .zip(&*readings)
        .filter(|(rule, _)| decides(rule) && !rule.rule.only_accuses())
        .map(|(_, reading)| reading.log_good)
        .reduce(f64::min)
        .unwrap_or(0.0);
    for (rule, reading) in rules.iter().zip(readings) {
        if rule.rule.only_accuses() {
            reading.log_good = match rule.looked.map(|seen| seen.state) {
                Some(State::NoData | State::TooLittle | State::Within) | None => of_others,
                Some(
                    State::Unsure | State::Suspected | State::Failing | State::BaselineAlsoBad,
                ) => 0.0,
            };
        }
    }
}

impl LiveRule {
    /// What its tests say, as far as the release may be blamed for it.
    fn reading(&self, phase: Phase, now: Timestamp) -> Reading {
        let Some(seen) = &self.looked else {
            return Reading::SILENT;
        };
        let mut reading = self.evidence.reading(&self.rule, seen, now);
        // Alone a limit cannot tell old pain from new: what was so before the release is nobody's fault.
        let old_pain = self.rule.counts().is_some()
            && seen.state == State::BaselineAlsoBad
            && self.phase(phase) == Phase::Alone;
        let lasting = SignedDuration::try_from(self.rule.lasting).unwrap_or(SignedDuration::MAX);
        let lasts = self.rule.counts().is_none()
            || lasting.is_zero()
            || self
                .bad_since
                .is_some_and(|since| elapsed(since, now) >= lasting);
        if old_pain || !lasts {
            reading.log_bad = reading.log_bad.min(0.0);
        }
        reading
    }

    /// Puts what the tests say beside what is measured.
    fn judged(&mut self, proof: Proof, decides: bool, now: Timestamp) {
        let unmasked = self
            .looked
            .map(|seen| self.evidence.reading(&self.rule, &seen, now).log_bad);
        let bad = decides || unmasked.is_some_and(|bad| bad >= proof.against_needed);
        self.bad_since = bad.then(|| self.bad_since.unwrap_or(now));
        let Some(looked) = self.looked else {
            return;
        };
        let release = self.evidence.release();
        let looked = looked.allowing(release.and_then(ReleaseEvidence::allowed_by_past));
        let events = self.evidence.events();
        let proof = Proof { events, ..proof };
        let since = self.bad_since.filter(|_| decides);
        if self.rule.counts().is_none() {
            let seen = looked.told(proof);
            let compared = self.evidence.compared(&self.rule);
            self.seen = Some(compared.map_or(seen, |compared| seen.compared(compared, since)));
            return;
        }
        let in_all = || InAll::of(&self.evidence.release()?.shown()?);
        let in_all = since.and_then(|_| in_all());
        self.seen = Some(looked.judged(proof, since, in_all));
    }
}
