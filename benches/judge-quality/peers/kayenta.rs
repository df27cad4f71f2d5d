//! Kayenta's judge on both arms: one value per minute of the first hour, looked at once or every five minutes.

use recant_core::kayenta::{Metric, Request, Setting, Thresholds, judge};
use recant_core::sequential::quantile;

use super::taken_back;
use crate::draw::{Counted, Drawn};
use crate::methods::Ending;
use crate::scenario::{Arm, Rule};

/// Seconds of one value, between two looks, and until the last one.
const MINUTE: f64 = 60.0;
const LOOK: f64 = 300.0;
const HOUR: f64 = 3600.0;

/// What each arm showed in each minute: percent of errors, or the quantile in seconds. NaN without events.
pub(super) struct Minutes<'a> {
    /// The quantile and the bounds; none for errors.
    quantile: Option<(f64, &'a [f64])>,
    arms: [Side; 2],
    over: u32,
}

#[derive(Default)]
struct Side {
    unread: Counted,
    minute: Counted,
    values: Vec<f64>,
}

impl<'a> Minutes<'a> {
    pub(super) fn new(rule: &Rule, bounds: &'a [f64]) -> Self {
        let quantile = match rule {
            Rule::Share { .. } => None,
            Rule::Quantile { quantile, .. } => Some((*quantile, bounds)),
        };
        Self {
            quantile,
            arms: [Side::default(), Side::default()],
            over: 0,
        }
    }

    pub(super) fn tick(&mut self, to: f64, drawn: &Drawn) {
        if f64::from(self.over) * MINUTE >= HOUR {
            return;
        }
        let full = f64::from(self.over + 1) * MINUTE <= to + 1e-6;
        self.over += u32::from(full);
        for (arm, side) in [Arm::Canary, Arm::Baseline].into_iter().zip(&mut self.arms) {
            let (counted, read) = drawn.arm(arm);
            side.unread.add(counted);
            if read {
                side.minute.add(&side.unread);
                side.unread.clear();
            }
            if full {
                let Counted { n, e, buckets } = &side.minute;
                let value = match self.quantile {
                    None => 100.0 * e / n,
                    Some((q, bounds)) => quantile(q, bounds, buckets).unwrap_or(f64::NAN),
                };
                side.values.push(value);
                side.minute.clear();
            }
        }
    }

    pub(super) fn endings(&self, watch: f64) -> [(String, Ending); 2] {
        let last = watch.min(HOUR);
        let what = self.quantile.map_or("kayenta", |_| "kayenta p95");
        let looks = (1..).map(|look| f64::from(look) * LOOK);
        let first = looks
            .take_while(|at| *at <= last)
            .find(|at| self.fails(*at));
        let end = self.fails(last).then_some(last);
        [
            (format!("{what} every 5m"), taken_back(first)),
            (format!("{what} at end"), taken_back(end)),
        ]
    }

    /// Whether the canary fails by what was seen until then.
    fn fails(&self, until: f64) -> bool {
        let values = |side: &Side| -> Vec<f64> {
            let minutes = (0_u32..).map(|minute| f64::from(minute + 1) * MINUTE);
            let seen = minutes.take_while(|end| *end <= until);
            seen.zip(&side.values).map(|(_, value)| *value).collect()
        };
        let [canary, baseline] = &self.arms;
        let direction = Setting::Text("increase".to_owned());
        let settings = Setting::Map([("direction".to_owned(), direction)].into());
        let request = Request {
            thresholds: Thresholds {
                pass: 95.0,
                marginal: 75.0,
            },
            group_weights: None,
            metrics: vec![Metric {
                name: "service".to_owned(),
                id: None,
                tags: indexmap::IndexMap::new(),
                groups: vec!["all".to_owned()],
                analysis: Setting::Map([("canary".to_owned(), settings)].into()),
                control: values(baseline),
                experiment: values(canary),
            }],
        };
        judge(&request).is_ok_and(|result| result.score.classification == "Fail")
    }
}
