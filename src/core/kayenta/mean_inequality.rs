//! Kayenta's other classifier, which compares means and nothing else. It is there to measure the real one against: no
//! configuration of the judge chooses it. (A third one is random; there is none by medians.)

use super::classify::{Classification, Label};
use super::config::{Direction, NanStrategy};
use super::summary::mean;

/// Labels by which mean is larger (`MeanInequalityClassifier.scala`); the metric is not critical and need not have data.
pub fn mean_inequality(
    experiment: &[f64],
    control: &[f64],
    direction: Direction,
    nan_strategy: NanStrategy,
) -> Classification {
    let of = |label, reason: Option<&str>, ratio| Classification {
        label,
        reason: reason.map(str::to_owned),
        ratio: Some(ratio),
        critical: false,
    };
    if experiment.is_empty() || control.is_empty() {
        return match nan_strategy {
            NanStrategy::Remove => of(Label::Nodata, None, 0.0),
            NanStrategy::Replace => of(Label::Pass, None, 1.0),
        };
    }
    let (experiment, control) = (mean(experiment), mean(control));
    let ratio = experiment / control;
    if direction.counts_increase() && experiment > control {
        let reason = "The Canary mean was greater than the Baseline mean";
        of(Label::High, Some(reason), ratio)
    } else if direction.counts_decrease() && experiment < control {
        let reason = "The Canary mean was less than the Baseline mean";
        of(Label::Low, Some(reason), ratio)
    } else {
        of(Label::Pass, None, ratio)
    }
}
