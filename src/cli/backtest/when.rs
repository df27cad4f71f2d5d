//! A time as people give it: a day, or an instant.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A time; a day begins at midnight UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When(pub(super) Timestamp);

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self(at));
        }
        if let Ok(seconds) = text.parse::<i64>() {
            return Timestamp::from_second(seconds)
                .map(Self)
                .map_err(|_| "no such time".to_owned());
        }
        text.parse::<Date>()
            .ok()
            .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
            .map(|midnight| Self(midnight.timestamp()))
            .ok_or_else(|| {
                "give a day like 2026-01-31 or a time like 2026-01-31T09:30:00Z".to_owned()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_read() {
        for (text, second) in [
            ("2026-01-01", 1_767_225_600),
            ("2026-01-01T00:00:15Z", 1_767_225_615),
            ("2026-01-01T01:00:00+01:00", 1_767_225_600),
            ("1767225600", 1_767_225_600),
        ] {
            let when: When = text.parse().expect(text);
            assert_eq!(when.0.as_second(), second, "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-01-01T25:00:00Z"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
