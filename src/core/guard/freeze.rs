//! Freezes: times in which nothing is changed, by a cron schedule in a time zone, or because somebody said so.

use std::str::FromStr;

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use super::{Guard, GuardSettings, Hold, Ordered};
use crate::time::later;

/// The longest window: what lasts longer is no exception but a setting.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 31);

/// A window that comes again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// As somebody wrote it, for people.
    text: String,
    begins: Cron,
    lasts: SignedDuration,
    zone: TimeZone,
}

/// Why a freeze window cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FreezeError {
    #[error(
        "`{0}` is no freeze window: write `SCHEDULE for DURATION in TIME-ZONE`, as `0 18 * * FRI for 62h in Europe/Berlin`"
    )]
    Form(String),
    #[error("`{schedule}` is no cron schedule of five fields: {reason}")]
    Schedule { schedule: String, reason: String },
    #[error("`{0}` never comes")]
    Never(String),
    #[error("`{0}` is no duration of 1 minute to 31 days, such as `62h` or `90m`")]
    Duration(String),
    #[error("`{0}` is no time zone that is known here, such as `UTC` or `Europe/Berlin`")]
    Zone(String),
}

impl Freeze {
    /// Reads `0 18 * * FRI for 62h in Europe/Berlin`; without `in …` the schedule is in UTC. `zones` looks a time zone up:
    /// that reads files, which is not done here.
    ///
    /// # Errors
    /// What of it cannot be used.
    pub fn read(text: &str, zones: impl Fn(&str) -> Option<TimeZone>) -> Result<Self, FreezeError> {
        let text = text.trim();
        let form = || FreezeError::Form(text.to_owned());
        let (schedule, rest) = text.split_once(" for ").ok_or_else(form)?;
        let (lasts, zone) = match rest.split_once(" in ") {
            Some((lasts, zone)) => (lasts.trim(), Some(zone.trim())),
            None => (rest.trim(), None),
        };
        let span: jiff::Span =
            jiff::Span::from_str(lasts).map_err(|_| FreezeError::Duration(lasts.to_owned()))?;
        let lasts = span
            .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
            .ok()
            .filter(|lasts| (SignedDuration::from_mins(1)..=LONGEST).contains(lasts))
            .ok_or_else(|| FreezeError::Duration(lasts.to_owned()))?;
        let zone = match zone {
            None => TimeZone::UTC,
            Some(name) => zones(name).ok_or_else(|| FreezeError::Zone(name.to_owned()))?,
        };
        let schedule = schedule.trim();
        let begins = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .build()
            .parse(schedule)
            .map_err(|error| FreezeError::Schedule {
                schedule: schedule.to_owned(),
                reason: error.to_string(),
            })?;
        let any_day = Zoned::new(Timestamp::UNIX_EPOCH, zone.clone());
        if begins.find_next_occurrence(&any_day, true).is_err() {
            return Err(FreezeError::Never(schedule.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            begins,
            lasts,
            zone,
        })
    }

    /// When the window ends in which `now` lies; `None`: it lies in none.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let here = Zoned::new(now, self.zone.clone());
        let began = self.begins.find_previous_occurrence(&here, true).ok()?;
        let until = later(began.timestamp(), self.lasts);
        (now < until).then_some(until)
    }
}

/// A freeze that somebody ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Frozen {
    /// How far it reaches, for people.
    pub reach: String,
    pub ordered: Ordered,
}

/// Rollbacks and scalings are held alike: a frozen system is left to people.
pub(super) fn hold(
    now: Timestamp,
    settings: &GuardSettings,
    ordered: Option<&Frozen>,
) -> Option<Hold> {
    if let Some(frozen) = ordered.filter(|frozen| frozen.ordered.is_on(now)) {
        let reason = format!(
            "{} is frozen {}; `recant unfreeze` ends that",
            frozen.reach,
            frozen.ordered.in_words()
        );
        return Some(Hold::action(Guard::Freeze, reason, frozen.ordered.until));
    }
    // Windows may overlap: what counts is when the last of them ends.
    let frozen = settings
        .freezes
        .iter()
        .filter_map(|freeze| Some((freeze.until(now)?, freeze)));
    let (until, freeze) = frozen.max_by_key(|(until, _)| *until)?;
    let reason = format!(
        "it is frozen by the settings (`guards.freeze`: `{}`)",
        freeze.text
    );
    Some(Hold::action(Guard::Freeze, reason, Some(until)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(name: &str) -> Option<TimeZone> {
        // Winter and summer time as in central Europe, without reading files.
        match name {
            "Europe/Berlin" => TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").ok(),
            "UTC" => Some(TimeZone::UTC),
            _ => None,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn a_weekend_in_another_time_zone_is_frozen_to_the_minute_across_summer_time() {
        let weekend = Freeze::read("0 18 * * FRI for 62h in Europe/Berlin", zones).expect("reads");
        // (moment, frozen until)
        for (now, until) in [
            ("2026-11-20T16:59:59Z", None),
            ("2026-11-20T17:00:00Z", Some("2026-11-23T07:00:00Z")),
            ("2026-11-23T06:59:59Z", Some("2026-11-23T07:00:00Z")),
            ("2026-11-23T07:00:00Z", None),
            // Summer time begins on the Sunday: 62 hours are 62 hours.
            ("2026-03-27T17:00:00Z", Some("2026-03-30T07:00:00Z")),
            ("2026-03-27T16:59:59Z", None),
            ("2026-07-03T15:59:59Z", None),
            ("2026-07-03T16:00:00Z", Some("2026-07-06T06:00:00Z")),
        ] {
            assert_eq!(weekend.until(at(now)), until.map(at), "{now}");
        }
    }

    #[test]
    fn what_is_no_window_is_refused_with_what_to_write() {
        let refused: Vec<String> = [
            "weekends",
            "0 18 * * FRI for long",
            "0 18 * * FRI for 62h in Atlantis/Poseidonis",
            "0 18 * * for 62h",
            "0 0 31 2 * for 1h",
            "0 18 * * FRI for 0s",
            "0 18 * * FRI for 5y",
            " for 1h",
            "",
        ]
        .into_iter()
        .map(|text| Freeze::read(text, zones).expect_err(text).to_string())
        .collect();
        insta::assert_snapshot!(refused.join("\n"));
    }

    #[test]
    fn of_windows_that_overlap_the_last_end_is_told() {
        let window = |text| Freeze::read(text, zones).expect("reads");
        let settings = GuardSettings {
            freezes: vec![window("0 0 * * * for 2h"), window("0 1 * * * for 5h")].into(),
            ..GuardSettings::only(SignedDuration::ZERO, 1)
        };
        let until = |now| hold(at(now), &settings, None).map(|hold| hold.until);
        assert_eq!(
            until("2026-01-01T00:30:00Z"),
            Some(Some(at("2026-01-01T02:00:00Z")))
        );
        assert_eq!(
            until("2026-01-01T01:30:00Z"),
            Some(Some(at("2026-01-01T06:00:00Z")))
        );
        assert_eq!(until("2026-01-01T06:00:00Z"), None);
    }
}
