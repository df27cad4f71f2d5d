//! Why nothing was decided, in words.

use super::arbitrary::{beside, limit, settings};
use crate::sequential::{Doubt, JudgeRule, Settings};

fn doubt(rule: &JudgeRule) -> String {
    let doubt = rule.doubt(settings().good_level());
    doubt.as_ref().map_or_else(String::new, Doubt::to_string)
}

#[test]
fn it_says_what_is_missing() {
    let mut rule = JudgeRule::RatioLimit(limit(settings()));
    assert_eq!(doubt(&rule), "no data");
    let update = |rule: &mut JudgeRule, n: f64, e: f64| {
        rule.update(crate::sequential::Measured::Counts { n, e });
    };
    update(&mut rule, 5.0, 5.0);
    assert_eq!(doubt(&rule), "too little data: 5 events");
    let mut rule = JudgeRule::RatioLimit(limit(settings()));
    (0..5).for_each(|_| update(&mut rule, 50.0, 0.0));
    let words = doubt(&rule);
    let about: f64 = words
        .strip_prefix("too little data: 250 of about ")
        .and_then(|rest| rest.strip_suffix(" events"))
        .and_then(|number| number.parse().ok())
        .expect("a number");
    // It needs about c ln(6/beta)/p0 = 5 * 4.8/0.02 quiet events.
    assert!((600.0..2000.0).contains(&about), "{words}");
    let learned = Settings {
        learn: false,
        ..settings()
    };
    let mut rule = JudgeRule::RatioLimit(limit(learned));
    (0..200).for_each(|_| update(&mut rule, 50.0, 1.0));
    assert_eq!(
        doubt(&rule),
        "in between: neither surely within its bound nor beyond"
    );
    let mut rule = beside(settings());
    (0..8).for_each(|_| rule.update(50.0, 20.0, 50.0, 20.0));
    assert_eq!(
        doubt(&JudgeRule::RatioLimitBeside(rule)),
        "above its limit, and so is the baseline: no fault of the release"
    );
    let mut rule = JudgeRule::RatioLimit(limit(settings()));
    (0..200).for_each(|_| update(&mut rule, 50.0, 0.0));
    assert_eq!(doubt(&rule), "", "it passes");
}
