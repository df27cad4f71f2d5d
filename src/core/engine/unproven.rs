//! Why a watch without a fault ends without a Pass: what is missing, and how long it would take at this traffic.

use jiff::{SignedDuration, Timestamp};

use super::live::{Live, LiveRule};
use super::verdict::Together;
use crate::analysis::Analysis;
use crate::judge::Proof;
use crate::sequential::Doubt;
use crate::time::elapsed;
use crate::wording::{count, digits, span};

/// Which rule is not surely kept, though nothing speaks against it.
pub(super) fn unproven(live: &Live, analysis: &Analysis, now: Timestamp) -> Option<String> {
    if live.together.as_ref().is_none_or(Together::passing) {
        return None;
    }
    let mut deciding = live
        .rules
        .iter()
        .filter(|rule| !rule.rule.dry_run && rule.rule.judging.weight > 0.0)
        .filter(|rule| !rule.rule.only_accuses())
        .peekable();
    if deciding.peek().is_none() {
        return Some("every rule that could call it good weighs 0".to_owned());
    }
    let pace = Pace::of(live, analysis, now);
    let of_rule = |rule: &LiveRule| {
        let proof = rule.seen?.proof?;
        (proof.in_favour < proof.in_favour_needed).then(|| unsure(rule, &proof, pace.as_ref()))
    };
    let reason = deciding
        .find_map(of_rule)
        .unwrap_or_else(|| "the rules were never all surely kept at one time".to_owned());
    Some(reason)
}

/// What is missing to call a rule kept.
fn unsure(rule: &LiveRule, proof: &Proof, pace: Option<&Pace>) -> String {
    let name = &rule.rule.name;
    let Some(release) = rule.evidence.release() else {
        return match rule.evidence.compared(&rule.rule) {
            Some(compared) if compared.decides && compared.in_favour < proof.in_favour_needed => {
                format!(
                    "`{name}`: {} stretches beside the baseline are too few to be sure that it is no worse than allowed",
                    count(compared.stretches as f64)
                )
            }
            Some(_) | None => format!("`{name}` was not kept for as long as it must be"),
        };
    };
    match release.doubt() {
        None | Some(Doubt::NoData) => format!(
            "`{name}`: there is nothing to judge it by: the service was not measured before the release"
        ),
        Some(Doubt::TooLittle { about, .. }) => {
            let needed = about.map_or_else(String::new, |about| {
                let takes = pace.map_or_else(String::new, |pace| pace.takes(proof.events, about));
                format!("; about {} would be enough{takes}", count(about))
            });
            format!(
                "`{name}`: {} requests are too few to be sure that it is kept{needed}",
                count(proof.events)
            )
        }
        Some(Doubt::BaselineAlsoBad) => {
            format!("`{name}`: it is broken, and the baseline breaks it too")
        }
        Some(Doubt::InBetween) => {
            format!(
                "`{name}`: {} requests leave open whether it is kept: what was measured is too near to its limit",
                count(proof.events)
            )
        }
    }
}

/// How fast events come.
struct Pace {
    lasted: SignedDuration,
    watch: SignedDuration,
}

impl Pace {
    fn of(live: &Live, analysis: &Analysis, now: Timestamp) -> Option<Self> {
        let lasted = elapsed(analysis.first_traffic?, now);
        lasted.is_positive().then(|| Self {
            lasted,
            watch: live.watch_time(),
        })
    }

    /// How long `needed` events take, when `seen` came in the time of the watch.
    fn takes(&self, seen: f64, needed: f64) -> String {
        let per_second = seen / self.lasted.as_secs_f64();
        let seconds = needed / per_second;
        // A year is as good as never; so is a pace of nothing.
        if !(seconds.is_finite() && seconds < 366.0 * 86_400.0) {
            return String::new();
        }
        let minutes = (seconds / 60.0).ceil().max(1.0) * 60.0;
        let takes = SignedDuration::try_from_secs_f64(minutes).unwrap_or(SignedDuration::MAX);
        format!(
            ", which takes about {} at {}: the watch is {}",
            span(takes),
            rate(per_second),
            span(self.watch)
        )
    }
}

/// `2 a minute`: in the unit in which there is at least one.
fn rate(per_second: f64) -> String {
    let units = [(1.0, "second"), (60.0, "minute"), (3_600.0, "hour")];
    let fits = units.iter().find(|(times, _)| per_second * times >= 1.0);
    let (times, unit) = fits.unwrap_or(&(86_400.0, "day"));
    let article = if *unit == "hour" { "an" } else { "a" };
    format!("{} {article} {unit}", digits(per_second * times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_it_would_take_is_said_in_a_unit_that_fits() {
        let pace = |minutes: i64| Pace {
            lasted: SignedDuration::from_mins(minutes),
            watch: SignedDuration::from_mins(30),
        };
        let cases = [
            (
                30,
                60.0,
                80.0,
                ", which takes about 40 min at 2 a minute: the watch is 30 min",
            ),
            (
                30,
                36_000.0,
                90_000.0,
                ", which takes about 1 h 15 min at 20 a second: the watch is 30 min",
            ),
            (
                30,
                5.0,
                300.0,
                ", which takes about 30 h at 10 an hour: the watch is 30 min",
            ),
            (30, 0.0, 300.0, ""),
        ];
        for (minutes, seen, needed, said) in cases {
            assert_eq!(pace(minutes).takes(seen, needed), said);
        }
    }
}
