//! What would change what a rule says: more data, or another limit. Estimates from what was measured, and said as such.

use recant_core::judge::Compared;
use recant_core::sequential::Doubt;
use recant_core::wording::{count, percent};

use super::account::{RuleAccount, kept_at};
use super::measured::{AgainstWhat, Measure, Test};
use super::odds::Weight;

/// Evidence below this part of its threshold says nothing of how much more is needed.
const TELLING: f64 = 0.1;

/// `counted`: events are counted, and not a value read.
pub(super) fn of(rule: &RuleAccount, counted: bool, doubt: Option<Doubt>) -> Vec<String> {
    let mut changes = Vec::new();
    if rule.dry_run {
        changes.push("nothing is decided by it as long as it has `dryRun`".to_owned());
    }
    if !counted {
        changes.extend(rule.compared.as_ref().and_then(compared));
        return changes;
    }
    let speaks = rule.against.is_some_and(|weight| weight.decides());
    let kept = rule.in_favour.is_some_and(|weight| weight.decides());
    if speaks {
        changes.extend(rule.tests.iter().find_map(wider));
        return changes;
    }
    if kept {
        changes.extend(rule.tests.iter().find_map(tighter));
        return changes;
    }
    changes.extend(more_against(rule));
    match doubt {
        None => {}
        Some(Doubt::NoData) => changes.push(match &rule.no_data {
            Some(reason) => format!("any data; there are none: {reason}"),
            None if rule.events > 0.0 => {
                "more data: nothing was judged yet since the baseline went".to_owned()
            }
            None => "any data: nothing was judged yet".to_owned(),
        }),
        Some(Doubt::TooLittle {
            events,
            about: Some(about),
        }) if about > events => changes.push(format!(
            "about {} more events like these, and it is surely kept",
            count(about - events)
        )),
        Some(Doubt::TooLittle { .. }) => changes.push(
            "more data: what was measured does not say yet that it is kept".to_owned(),
        ),
        Some(Doubt::BaselineAlsoBad) => changes.push(
            "a baseline within the limit: now both arms are above it, which is no fault of the release"
                .to_owned(),
        ),
        Some(Doubt::InBetween) => changes.push(
            rule.tests
                .iter()
                .find_map(between)
                .unwrap_or_else(|| "more data: neither side is sure yet".to_owned()),
        ),
    }
    changes
}

/// A comparison of values that decides, and does not say yet that the rule is kept.
fn compared(compared: &Compared) -> Option<String> {
    let kept = Weight::new(compared.in_favour, kept_at());
    (compared.decides && !compared.over && !compared.fails && !kept.decides()).then(|| {
        "more stretches of time beside the baseline that are no worse than allowed, and it is surely kept"
            .to_owned()
    })
}

fn more_against(rule: &RuleAccount) -> Option<String> {
    let part = rule.against?.part();
    (part >= TELLING && rule.events > 0.0).then(|| {
        let more = rule.events * (1.0 / part - 1.0);
        format!(
            "about {} more events like these, and it calls the release bad",
            count(more.ceil())
        )
    })
}

/// A share that is held against a limit of its own.
fn of_share(test: &Test) -> bool {
    test.measure == Measure::Share && test.canary.is_some() && test.bound.is_none()
}

fn wider(test: &Test) -> Option<String> {
    let allowed = test.allowed.filter(|_| of_share(test))?;
    (test.low > allowed).then(|| match test.against_what {
        AgainstWhat::Limit => format!(
            "a limit above about {} would not be surely exceeded by these data",
            percent(test.low)
        ),
        AgainstWhat::Baseline | AgainstWhat::Before => format!(
            "a tolerance that allows about {} would not be surely exceeded by these data",
            percent(test.low)
        ),
    })
}

fn tighter(test: &Test) -> Option<String> {
    let allowed = test.allowed.filter(|_| of_share(test))?;
    (test.high < allowed && test.against_what == AgainstWhat::Limit).then(|| {
        format!(
            "a limit below about {} would not be surely kept by these data",
            percent(test.high)
        )
    })
}

fn between(test: &Test) -> Option<String> {
    (of_share(test) && test.against_what == AgainstWhat::Limit).then(|| {
        format!(
            "more data; or a limit above about {}, which these data surely keep, or below about {}, which they surely \
             exceed",
            percent(test.high),
            percent(test.low)
        )
    })
}

#[cfg(test)]
mod tests {
    use recant_core::ids::RuleName;

    use super::*;

    fn rule(against: f64, in_favour: f64, low: f64, high: f64) -> RuleAccount {
        RuleAccount {
            rule: RuleName::from("http/error-rate"),
            state: None,
            dry_run: false,
            sentence: None,
            since: None,
            value: None,
            baseline_value: None,
            compared: None,
            tests: vec![Test {
                against_what: AgainstWhat::Limit,
                measure: Measure::Share,
                events: 300.0,
                bad: Some(3.0),
                canary: Some(0.01),
                low,
                high,
                baseline: None,
                baseline_low: None,
                baseline_high: None,
                baseline_events: None,
                allowed: Some(0.05),
                bound: None,
                open: None,
            }],
            against: Some(Weight::new(against.ln(), 100.0_f64.ln())),
            in_favour: Some(Weight::new(in_favour.ln(), 20.0_f64.ln())),
            share: Some(1.0),
            events: 300.0,
            no_data: None,
            changes: Vec::new(),
        }
    }

    #[test]
    fn says_how_much_more_it_takes() {
        let little = |about| {
            Some(Doubt::TooLittle {
                events: 300.0,
                about,
            })
        };
        for (rule, doubt, said) in [
            (
                rule(10.0, 1.0, 0.04, 0.2),
                Some(Doubt::InBetween),
                &[
                    "about 300 more events like these, and it calls the release bad",
                    "more data; or a limit above about 20 %, which these data surely keep, or below about 4 %, which \
                     they surely exceed",
                ][..],
            ),
            (
                rule(1.0, 4.0, 0.0, 0.06),
                little(Some(700.0)),
                &["about 400 more events like these, and it is surely kept"],
            ),
            (
                rule(1.0, 1.0, 0.0, 0.9),
                little(None),
                &["more data: what was measured does not say yet that it is kept"],
            ),
            (
                rule(200.0, 1.0, 0.13, 0.5),
                None,
                &["a limit above about 13 % would not be surely exceeded by these data"],
            ),
            (
                rule(1.0, 30.0, 0.0, 0.03),
                None,
                &["a limit below about 3 % would not be surely kept by these data"],
            ),
            (
                rule(1.0, 1.0, 0.1, 0.3),
                Some(Doubt::BaselineAlsoBad),
                &[
                    "a baseline within the limit: now both arms are above it, which is no fault of the release",
                ],
            ),
        ] {
            assert_eq!(of(&rule, true, doubt), said);
        }
        let dry = RuleAccount {
            dry_run: true,
            ..rule(1.0, 1.0, 0.0, 1.0)
        };
        let said = of(&dry, false, Some(Doubt::NoData));
        assert_eq!(said.len(), 1, "a value is no test: {said:?}");
        assert!(said.concat().contains("`dryRun`"), "{said:?}");
    }
}
