//! What a rule about a value says, in words.

use jiff::SignedDuration;

use super::{Compared, signed};
use crate::judge::finding::{Measured, State};
use crate::rule::{Level, LevelCheck, LevelLimit, LevelUnit, Rule, Sampled};
use crate::wording::{bytes, digits, latency, percent, span};

/// What was found, for a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::judge) struct Said {
    pub(super) state: State,
    /// How long the value has been beyond the limit.
    pub(super) lasted: Option<SignedDuration>,
    /// The baseline beside it is beyond the limit too.
    pub(super) shared: bool,
    /// A rate: how long events were counted together, at most its `per`.
    pub(super) counted: Option<SignedDuration>,
    /// Seconds until the limit is reached, if it goes on like this.
    pub(super) reaches: Option<f64>,
    /// How it compares with the baseline, of a rule that asks for it.
    pub(super) compared: Option<Compared>,
    /// The rule failed by its comparison, and nothing runs beside it now.
    pub(super) incomparable: bool,
}

impl Said {
    /// Seconds until the limit is reached if it goes on like this; nothing is said when it does not, or is there.
    pub(in crate::judge) fn reaches(&self) -> Option<f64> {
        self.reaches
    }

    /// How it compares with the baseline.
    pub(in crate::judge) fn compared(&self) -> Option<Compared> {
        self.compared
    }

    /// The same with how it compares with the baseline.
    pub(in crate::judge) fn beside(self, compared: Compared) -> Self {
        Self {
            compared: Some(compared),
            ..self
        }
    }

    /// One sentence without a full stop at the end.
    pub(in crate::judge) fn sentence(
        &self,
        rule: &Rule,
        check: &LevelCheck,
        canary: &Measured,
        baseline: Option<&Measured>,
    ) -> String {
        if let Sampled::Level(Level::Alert(alert)) = &check.metric.sampled {
            return self.of_alert(rule, &alert.name, canary);
        }
        let shown = |value: Option<f64>| in_unit(check.metric.unit, value.unwrap_or_default());
        let limit = in_unit(check.metric.unit, check.limit.value());
        let when = match self.counted {
            None => "now".to_owned(),
            Some(counted) => format!(
                "in the last {}",
                span(counted.max(SignedDuration::from_secs(1)))
            ),
        };
        let limit = match check.limit {
            LevelLimit::Max(_) => format!("the limit is {limit}"),
            LevelLimit::Min(_) => format!("at least {limit} is asked for"),
        };
        let beside = baseline.map_or_else(String::new, |baseline| {
            format!("; the baseline beside it is at {}", shown(baseline.value))
        });
        format!(
            "`{}`: {} {when}, {limit}{beside}{}{}",
            rule.name,
            shown(canary.value),
            self.what_it_means(signed(rule.lasting), check.limit),
            self.compared
                .map_or_else(String::new, |compared| compared.clause(check))
        )
    }

    fn of_alert(&self, rule: &Rule, alert: &str, canary: &Measured) -> String {
        let fires = match canary.value.unwrap_or_default() {
            several if several > 1.0 => format!("fires {} times", digits(several)),
            one if one > 0.0 => "fires".to_owned(),
            _ => return format!("`{}`: the alert `{alert}` is over", rule.name),
        };
        let lasting = signed(rule.lasting);
        let lasted = span(self.lasted.unwrap_or_default());
        let more = match self.state {
            State::Failing if lasting.is_zero() => String::new(),
            State::Failing => format!("; for {lasted} so far"),
            State::BaselineAlsoBad if self.shared => {
                "; it does for the baseline too, so it is not the release's doing".to_owned()
            }
            State::BaselineAlsoBad => {
                "; it did before the release already, so it is not the release's doing".to_owned()
            }
            State::Unsure => format!(
                "; for {lasted} so far, and the rule fails after {}",
                span(lasting)
            ),
            State::NoData | State::TooLittle | State::Within | State::Suspected => String::new(),
        };
        format!("`{}`: the alert `{alert}` {fires}{more}", rule.name)
    }

    fn what_it_means(&self, lasting: SignedDuration, limit: LevelLimit) -> String {
        let side = match limit {
            LevelLimit::Max(_) => "above",
            LevelLimit::Min(_) => "below",
        };
        let lasted = span(self.lasted.unwrap_or_default());
        match (self.state, self.lasted, self.reaches) {
            (State::Failing, Some(_), _) if lasting.is_zero() => String::new(),
            (State::Failing, Some(_), _) => format!("; {side} it for {lasted}"),
            (State::Unsure, Some(_), _) => {
                format!(
                    "; {side} it for {lasted}, and it fails after {}",
                    span(lasting)
                )
            }
            (State::TooLittle, _, _) if self.incomparable => {
                "; it failed by its comparison, and nothing runs beside it now to compare with"
                    .to_owned()
            }
            (State::TooLittle, _, _) => "; that is too short to tell".to_owned(),
            (State::BaselineAlsoBad, _, _) if self.shared => {
                "; the baseline is too, so it is not the release's doing".to_owned()
            }
            (State::BaselineAlsoBad, _, _) => {
                format!(
                    "; it was {side} it before the release already, so it is not the release's doing"
                )
            }
            (_, None, Some(seconds)) => format!(
                "; if it goes on like this it reaches it in {}",
                span(SignedDuration::try_from_secs_f64(seconds.round()).unwrap_or_default())
            ),
            _ => String::new(),
        }
    }
}

impl Compared {
    /// Begins with `; `.
    fn clause(&self, check: &LevelCheck) -> String {
        let worse = if self.fails {
            "surely worse than the baseline: "
        } else {
            ""
        };
        let ran = if self.over { " while that ran" } else { "" };
        let side = match check.limit {
            LevelLimit::Max(_) => "above",
            LevelLimit::Min(_) => "below",
        };
        let stretches = match self.stretches {
            0 => ", for too short to compare them".to_owned(),
            all => format!(
                ", in {} of {all} stretches {side} what is allowed",
                self.worse
            ),
        };
        let advisory = if self.decides { "" } else { "; advisory" };
        format!("; {worse}{}{ran}{stretches}{advisory}", self.times(check))
    }

    /// `1.4 times the baseline`, or both values where that says nothing.
    pub fn times(&self, check: &LevelCheck) -> String {
        let times = self.canary / self.baseline;
        if self.canary > 0.0 && self.baseline > 0.0 && (0.01..1000.0).contains(&times) {
            return format!("{} times the baseline", digits(times));
        }
        let [canary, baseline] =
            [self.canary, self.baseline].map(|value| in_unit(check.metric.unit, value));
        format!("{canary} in the mean beside {baseline} of the baseline")
    }
}

fn in_unit(unit: LevelUnit, value: f64) -> String {
    match unit {
        LevelUnit::Number => digits(value),
        LevelUnit::Percent => percent(value),
        LevelUnit::Bytes => bytes(value),
        LevelUnit::Seconds => latency(value),
    }
}
