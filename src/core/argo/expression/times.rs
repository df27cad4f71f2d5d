//! Times and durations: `now()`, `date()`, `duration()`, and the methods that conditions call on them.
//!
//! The one time zone that is known is UTC: a database of time zones is no part of the core. Another name is an error
//! that says so.

use std::rc::Rc;

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};
use thiserror::Error;

use super::error::{Class, ExpressionError};
use super::nature::GoType;
use super::numbers::Evaluated;
use super::operate::{assert_text, needed};
use super::time_layout;
use super::value::{Value, Whole};

/// A time with the offset from UTC that it was written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    at: Timestamp,
    offset: Offset,
}

fn bad(text: impl Into<String>) -> ExpressionError {
    ExpressionError::run(Class::BadArgument, text)
}

impl Moment {
    pub(super) fn utc(at: Timestamp) -> Self {
        Self {
            at,
            offset: Offset::UTC,
        }
    }

    pub(super) fn with_offset(at: Timestamp, offset: Offset) -> Self {
        Self { at, offset }
    }

    pub(super) fn timestamp(self) -> Timestamp {
        self.at
    }

    pub(super) fn zoned(self) -> Zoned {
        self.at.to_zoned(TimeZone::fixed(self.offset))
    }

    pub(super) fn plus(self, nanoseconds: i64) -> Result<Self, ExpressionError> {
        let at = self
            .at
            .checked_add(SignedDuration::from_nanos(nanoseconds))
            .map_err(|_| bad("the time lies beyond the year 9999"))?;
        Ok(Self { at, ..self })
    }

    /// Nanoseconds since another time; Go stops at 292 years, and so do we.
    pub(super) fn since(&self, other: &Self) -> i64 {
        let difference = self.at.as_nanosecond() - other.at.as_nanosecond();
        i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
    }

    pub(super) fn rfc3339(self) -> String {
        time_layout::format(&self.zoned(), "2006-01-02T15:04:05.999999999Z07:00")
    }

    /// As `%v` writes it.
    pub(super) fn display(self) -> String {
        time_layout::format(&self.zoned(), "2006-01-02 15:04:05.999999999 -0700 MST")
    }
}

/// The methods of Go's times and durations that are known here. Another one is refused as a missing field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Nanosecond,
    YearDay,
    Weekday,
    Unix,
    UnixMilli,
    UnixMicro,
    UnixNano,
    Format,
    Add,
    Sub,
    After,
    Before,
    Equal,
    Compare,
    IsZero,
    Utc,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    Abs,
    Text,
}

impl Method {
    pub(super) fn of(go: GoType, name: &str) -> Option<Self> {
        Some(match (go, name) {
            (GoType::Time, "Year") => Self::Year,
            (GoType::Time, "Month") => Self::Month,
            (GoType::Time, "Day") => Self::Day,
            (GoType::Time, "Hour") => Self::Hour,
            (GoType::Time, "Minute") => Self::Minute,
            (GoType::Time, "Second") => Self::Second,
            (GoType::Time, "Nanosecond") => Self::Nanosecond,
            (GoType::Time, "YearDay") => Self::YearDay,
            (GoType::Time, "Weekday") => Self::Weekday,
            (GoType::Time, "Unix") => Self::Unix,
            (GoType::Time, "UnixMilli") => Self::UnixMilli,
            (GoType::Time, "UnixMicro") => Self::UnixMicro,
            (GoType::Time, "UnixNano") => Self::UnixNano,
            (GoType::Time, "Format") => Self::Format,
            (GoType::Time, "Add") => Self::Add,
            (GoType::Time, "Sub") => Self::Sub,
            (GoType::Time, "After") => Self::After,
            (GoType::Time, "Before") => Self::Before,
            (GoType::Time, "Equal") => Self::Equal,
            (GoType::Time, "Compare") => Self::Compare,
            (GoType::Time, "IsZero") => Self::IsZero,
            (GoType::Time, "UTC") => Self::Utc,
            (GoType::Duration, "Hours") => Self::Hours,
            (GoType::Duration, "Minutes") => Self::Minutes,
            (GoType::Duration, "Seconds") => Self::Seconds,
            (GoType::Duration, "Milliseconds") => Self::Milliseconds,
            (GoType::Duration, "Microseconds") => Self::Microseconds,
            (GoType::Duration, "Nanoseconds") => Self::Nanoseconds,
            (GoType::Duration, "Abs") => Self::Abs,
            (
                GoType::Time
                | GoType::Duration
                | GoType::Month
                | GoType::Weekday
                | GoType::Location,
                "String",
            ) => Self::Text,
            (_, _) => return None,
        })
    }

    pub(super) fn signature(self) -> super::builtins::Signature {
        match self {
            Self::Year
            | Self::Day
            | Self::Hour
            | Self::Minute
            | Self::Second
            | Self::Nanosecond
            | Self::YearDay => (&[], GoType::Int),
            Self::Month => (&[], GoType::Month),
            Self::Weekday => (&[], GoType::Weekday),
            Self::Unix
            | Self::UnixMilli
            | Self::UnixMicro
            | Self::UnixNano
            | Self::Milliseconds
            | Self::Microseconds
            | Self::Nanoseconds => (&[], GoType::Int64),
            Self::Hours | Self::Minutes | Self::Seconds => (&[], GoType::Float64),
            Self::Format => (&[GoType::Text], GoType::Text),
            Self::Add => (&[GoType::Duration], GoType::Time),
            Self::Sub => (&[GoType::Time], GoType::Duration),
            Self::After | Self::Before | Self::Equal => (&[GoType::Time], GoType::Bool),
            Self::Compare => (&[GoType::Time], GoType::Int),
            Self::IsZero => (&[], GoType::Bool),
            Self::Utc => (&[], GoType::Time),
            Self::Abs => (&[], GoType::Duration),
            Self::Text => (&[], GoType::Text),
        }
    }

    pub(super) fn call(self, receiver: &Value, given: &[Value]) -> Evaluated {
        match receiver {
            Value::Time(time) => self.of_time(*time, given),
            Value::Duration(duration) => Ok(self.of_duration(*duration)),
            other => Ok(Value::bytes(super::go_text::display(other))),
        }
    }

    fn of_time(self, time: Moment, given: &[Value]) -> Evaluated {
        let zoned = time.zoned();
        let first = given.first().unwrap_or(&Value::Nil);
        let other = || match first {
            Value::Time(other) => Ok(*other),
            other => Err(needed("a time", other)),
        };
        Ok(match self {
            Self::Year => Value::int(i64::from(zoned.year())),
            Self::Month => Value::Int(i64::from(zoned.month()), Whole::Month),
            Self::Day => Value::int(i64::from(zoned.day())),
            Self::Hour => Value::int(i64::from(zoned.hour())),
            Self::Minute => Value::int(i64::from(zoned.minute())),
            Self::Second => Value::int(i64::from(zoned.second())),
            Self::Nanosecond => Value::int(i64::from(zoned.subsec_nanosecond())),
            Self::YearDay => Value::int(i64::from(zoned.day_of_year())),
            Self::Weekday => {
                let day = zoned.weekday().to_sunday_zero_offset();
                Value::Int(i64::from(day), Whole::Weekday)
            }
            Self::Unix => {
                let seconds = time.at.as_nanosecond().div_euclid(1_000_000_000);
                Value::Int(i64::try_from(seconds).unwrap_or(i64::MAX), Whole::Int64)
            }
            Self::UnixMilli => Value::Int(time.at.as_millisecond(), Whole::Int64),
            Self::UnixMicro => Value::Int(time.at.as_microsecond(), Whole::Int64),
            Self::UnixNano => {
                let nanoseconds = i64::try_from(time.at.as_nanosecond());
                Value::Int(nanoseconds.unwrap_or(i64::MAX), Whole::Int64)
            }
            Self::Format => {
                let layout = String::from_utf8_lossy(assert_text(first)?).into_owned();
                Value::text(&time_layout::format(&zoned, &layout))
            }
            Self::Add => match first {
                Value::Duration(duration) => Value::Time(time.plus(*duration)?),
                other => return Err(needed("a duration", other)),
            },
            Self::Sub => Value::Duration(time.since(&other()?)),
            Self::After => Value::Bool(time.at > other()?.at),
            Self::Before => Value::Bool(time.at < other()?.at),
            Self::Equal => Value::Bool(time.at == other()?.at),
            Self::Compare => Value::int(time.at.cmp(&other()?.at) as i64),
            // Go's zero is the start of the year 1.
            Self::IsZero => Value::Bool(time.at.as_second() == -62_135_596_800),
            Self::Utc => Value::Time(Moment::utc(time.at)),
            Self::Hours
            | Self::Minutes
            | Self::Seconds
            | Self::Milliseconds
            | Self::Microseconds
            | Self::Nanoseconds
            | Self::Abs
            | Self::Text => Value::text(&time.display()),
        })
    }

    fn of_duration(self, nanoseconds: i64) -> Value {
        let unit = |unit: i64| {
            // As Go: whole units and the rest apart, so that large ones keep their digits.
            let (whole, rest) = (nanoseconds / unit, nanoseconds % unit);
            Value::Float(whole as f64 + rest as f64 / unit as f64)
        };
        match self {
            Self::Hours => unit(3_600_000_000_000),
            Self::Minutes => unit(60_000_000_000),
            Self::Seconds => unit(1_000_000_000),
            Self::Milliseconds => Value::Int(nanoseconds / 1_000_000, Whole::Int64),
            Self::Microseconds => Value::Int(nanoseconds / 1000, Whole::Int64),
            Self::Nanoseconds => Value::Int(nanoseconds, Whole::Int64),
            Self::Abs => Value::Duration(nanoseconds.saturating_abs()),
            _ => Value::text(&duration_text(nanoseconds)),
        }
    }
}

/// A duration as a plain number of nanoseconds; anything else as it is.
pub(super) fn without_unit(value: &Value) -> Value {
    match value {
        Value::Duration(duration) => Value::int(*duration),
        other => other.clone(),
    }
}

/// Why a text is no duration, in Go's words, which become messages of runs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DurationError {
    #[error("time: invalid duration \"{0}\"")]
    Invalid(String),
    #[error("time: missing unit in duration \"{0}\"")]
    MissingUnit(String),
    #[error("time: unknown unit \"{unit}\" in duration \"{text}\"")]
    UnknownUnit { unit: String, text: String },
}

/// `time.ParseDuration`, in nanoseconds: `1h30m`, `-1.5s`, `0`.
///
/// # Errors
/// What is none, with the reason.
pub fn duration(text: &str) -> Result<i64, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let mut fault = None;
    parse_duration(text, &mut fault).ok_or_else(|| fault.unwrap_or_else(invalid))
}

fn parse_duration(text: &str, fault: &mut Option<DurationError>) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let count = digits(rest);
        let (whole, after) = (rest.get(..count)?, rest.get(count..)?);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => {
                let count = digits(after);
                (after.get(..count)?, after.get(count..)?)
            }
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = after
            .find(|character: char| character == '.' || character.is_ascii_digit())
            .unwrap_or(after.len());
        let unit: i128 = match after.get(..end)? {
            "ns" => 1,
            "us" | "µs" | "μs" => 1000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => {
                *fault = Some(DurationError::MissingUnit(text.to_owned()));
                return None;
            }
            unit => {
                *fault = Some(DurationError::UnknownUnit {
                    unit: unit.to_owned(),
                    text: text.to_owned(),
                });
                return None;
            }
        };
        rest = after.get(end..)?;
        let parse = |text: &str| {
            if text.is_empty() {
                Some(0)
            } else {
                text.get(..text.len().min(30))?.parse::<i128>().ok()
            }
        };
        total += parse(whole)?.checked_mul(unit)?;
        let fraction = fraction.get(..fraction.len().min(15))?;
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        total += parse(fraction)? * unit / scale;
        if total > i128::from(i64::MAX) + 1 {
            return None;
        }
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// `Duration.String`: `1h30m0s`, `1.5s`, `100ms`.
pub(super) fn duration_text(nanoseconds: i64) -> String {
    let size = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let fraction = |value: u64, unit: u64| {
        let rest = value % unit;
        if rest == 0 {
            return String::new();
        }
        let width = unit.ilog10() as usize;
        format!(".{rest:0width$}").trim_end_matches('0').to_owned()
    };
    match size {
        0 => "0s".to_owned(),
        1..=999 => format!("{sign}{size}ns"),
        1000..=999_999 => format!("{sign}{}{}µs", size / 1000, fraction(size, 1000)),
        1_000_000..=999_999_999 => {
            format!("{sign}{}{}ms", size / 1_000_000, fraction(size, 1_000_000))
        }
        _ => {
            let seconds = size / 1_000_000_000;
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let rest = format!("{}{}s", seconds % 60, fraction(size, 1_000_000_000));
            match (hours, minutes) {
                (0, 0) => format!("{sign}{rest}"),
                (0, minutes) => format!("{sign}{minutes}m{rest}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{rest}"),
            }
        }
    }
}

/// `date(text)`, `date(text, layout)`, `date(text, layout, zone)`, each also with a zone first.
pub(super) fn date(given: &[Value]) -> Evaluated {
    let given = match given.split_first() {
        Some((Value::Location, rest)) => rest,
        _ => given,
    };
    let text_of = |value: Option<&Value>| {
        assert_text(value.unwrap_or(&Value::Nil))
            .map(|text| String::from_utf8_lossy(text).into_owned())
    };
    let text = text_of(given.first())?;
    let layouts: Vec<String> = match given.len() {
        0 | 1 => time_layout::KNOWN
            .iter()
            .map(|&known| known.to_owned())
            .collect(),
        _ => vec![text_of(given.get(1))?],
    };
    if let Some(name) = given.get(2) {
        zone(name)?;
    }
    layouts
        .iter()
        .find_map(|layout| time_layout::parse(layout, &text))
        .map(Value::Time)
        .ok_or_else(|| bad(format!("`{text}` is no date of a known form")))
}

/// `timezone(name)`.
pub(super) fn zone(name: &Value) -> Evaluated {
    let name = assert_text(name)?;
    match Rc::as_ref(name).as_slice() {
        b"" | b"UTC" | b"Local" => Ok(Value::Location),
        other => Err(bad(format!(
            "the time zone `{}` is not known here: only UTC is",
            String::from_utf8_lossy(other)
        ))),
    }
}

pub(super) fn month_name(month: i64) -> &'static str {
    let index = usize::try_from(month - 1).unwrap_or(usize::MAX);
    time_layout::MONTHS.get(index).copied().unwrap_or("?")
}

pub(super) fn weekday_name(day: i64) -> &'static str {
    let index = usize::try_from(day).unwrap_or(usize::MAX);
    time_layout::DAYS.get(index).copied().unwrap_or("?")
}
