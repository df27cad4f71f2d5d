//! The settings of the guards: what holds for all targets, whatever their rules say.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use recant_core::guard::{Approving, AtMost, Freeze, GuardSettings, Silenced, Times};
use recant_core::rule::GitOps;

use super::SettingsError;
use super::errors::{Faults, Told};
use super::getter::Getter;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

impl Getter<'_> {
    /// The limits of the guards.
    pub(super) fn guards(&self, faults: &mut Faults) -> Result<GuardSettings, Told> {
        let yes_or_no = "is neither `true` nor `false`";
        let dry_run = faults.take(self.parse("dryRun", yes_or_no));
        let kill_switch = faults.take(self.parse("killSwitch", yes_or_no));
        let cool_down = faults.take(self.time("guards.coolDown", Duration::ZERO, DAY));
        let number = "is no whole number of 0 or more";
        let actions_per_hour = faults.take(self.parse("guards.actionsPerHour", number));
        let at_once = faults.take(self.at_most("guards.atOnce"));
        let mut times = |count: &str, time: &str, most| {
            let number = faults.take(self.parse(count, number));
            let within = faults.take(self.time(time, SECOND, most));
            Some(Times {
                number: number?,
                within: within?,
            })
        };
        let breaker = times("guards.breaker.failures", "guards.breaker.pause", DAY * 7);
        let flapping = times(
            "guards.flapping.rollbacks",
            "guards.flapping.within",
            DAY * 31,
        );
        // Failures are remembered for an hour.
        let hour = Duration::from_hours(1);
        let many_at_once = times(
            "guards.manyAtOnce.targets",
            "guards.manyAtOnce.within",
            hour,
        );
        let freezes = faults.take(self.freezes("guards.freeze"));
        let kinds = [("act", Silenced::Act), ("hold", Silenced::Hold)];
        let silences = faults.take(self.one_of("silences.actions", &kinds));
        let gitops = faults.take(self.one_of("gitops.policy", &GitOps::WRITTEN));
        let sync_period = faults.take(self.time("gitops.syncPeriod", SECOND, DAY));
        let namespaces = faults.take(self.list("guards.namespaces"));
        let check_secrets = faults.take(self.parse("guards.checkSecrets", yes_or_no));
        let labels = faults.take(self.labels("guards.labels"));
        let required = [("none", false), ("required", true)];
        let required = faults.take(self.one_of("approval.rollbacks", &required));
        let within = faults.take(self.time("approval.within", SECOND * 60, DAY));
        Ok(GuardSettings {
            cool_down: cool_down.ok_or(Told)?,
            actions_per_hour: actions_per_hour.ok_or(Told)?,
            at_once: at_once.ok_or(Told)?,
            breaker: breaker.ok_or(Told)?,
            flapping: flapping.ok_or(Told)?,
            many_at_once: many_at_once.ok_or(Told)?,
            freezes: freezes.ok_or(Told)?.into(),
            namespaces: namespaces.ok_or(Told)?.into(),
            labels: labels.ok_or(Told)?.into(),
            silences: silences.ok_or(Told)?,
            gitops: gitops.ok_or(Told)?,
            sync_period: sync_period.ok_or(Told)?,
            check_secrets: check_secrets.ok_or(Told)?,
            approval: Approving {
                required: required.ok_or(Told)?,
                within: within.ok_or(Told)?,
            },
            dry_run: dry_run.ok_or(Told)?,
            kill_switch: kill_switch.ok_or(Told)?,
        })
    }

    fn time(
        &self,
        key: &str,
        least: Duration,
        most: Duration,
    ) -> Result<SignedDuration, SettingsError> {
        let time = self.span(key, least, most)?;
        Ok(SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX))
    }

    fn at_most(&self, key: &str) -> Result<AtMost, SettingsError> {
        let text = self.text(key)?;
        let read = match text.strip_suffix('%') {
            Some(percent) => percent
                .trim()
                .parse()
                .ok()
                .filter(|percent| (1..=100).contains(percent))
                .map(AtMost::Percent),
            None => text
                .parse()
                .ok()
                .filter(|number| *number > 0)
                .map(AtMost::Number),
        };
        read.ok_or_else(|| {
            let reason =
                format!("`{text}` is neither a number of 1 or more nor a share like `25%`");
            self.invalid(key, reason)
        })
    }

    fn labels(&self, key: &str) -> Result<Vec<(String, String)>, SettingsError> {
        self.list(key)?
            .iter()
            .map(|text| match text.split_once('=') {
                Some((label, value)) if !label.trim().is_empty() => {
                    Ok((label.trim().to_owned(), value.trim().to_owned()))
                }
                Some(_) | None => {
                    let reason = format!("`{text}` is no label: write `team=shop`");
                    Err(self.invalid(key, reason))
                }
            })
            .collect()
    }

    fn freezes(&self, key: &str) -> Result<Vec<Freeze>, SettingsError> {
        let zone = |name: &str| TimeZone::get(name).ok();
        self.list(key)?
            .iter()
            .map(|text| Freeze::read(text, zone))
            .collect::<Result<_, _>>()
            .map_err(|error| self.invalid(key, error.to_string()))
    }
}
