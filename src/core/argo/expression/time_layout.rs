//! Go's layouts of times: `2006-01-02T15:04:05Z07:00` and the like, to read and to write.

use jiff::Zoned;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use super::times::Moment;

/// What `date(text)` tries, in this order.
pub(super) const KNOWN: [&str; 7] = [
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
];

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The pieces of a layout, longer ones before those that they begin with.
const PIECES: [&str; 27] = [
    "January", "Jan", "Monday", "Mon", "MST", "2006", "002", "01", "02", "03", "04", "05", "06",
    "15", "-07:00", "-0700", "-07", "Z07:00", "Z0700", "PM", "pm", "_2", "1", "2", "3", "4", "5",
];

/// Splits the first piece off a layout; a text that is none stands for itself.
fn piece(layout: &str) -> (&str, &str, bool) {
    if let Some(first @ ('.' | ',')) = layout.chars().next() {
        let digits: String = layout
            .chars()
            .skip(1)
            .take_while(|digit| matches!(digit, '0' | '9'))
            .collect();
        let same = digits.chars().all(|digit| digits.starts_with(digit));
        let followed = layout
            .chars()
            .nth(1 + digits.len())
            .is_some_and(|next| next.is_ascii_digit());
        if !digits.is_empty() && same && !followed {
            let (piece, rest) = layout.split_at(first.len_utf8() + digits.len());
            return (piece, rest, true);
        }
    }
    for known in PIECES {
        if let Some(rest) = layout.strip_prefix(known) {
            let (piece, _) = layout.split_at(known.len());
            return (piece, rest, true);
        }
    }
    let size = layout.chars().next().map_or(0, char::len_utf8);
    let (piece, rest) = layout.split_at(size);
    (piece, rest, false)
}

pub(super) fn format(time: &Zoned, layout: &str) -> String {
    let mut out = String::new();
    let mut rest = layout;
    let month = usize::try_from(time.month() - 1).unwrap_or(0);
    let day = usize::try_from(time.weekday().to_sunday_zero_offset()).unwrap_or(0);
    let month = MONTHS.get(month).copied().unwrap_or_default();
    let day = DAYS.get(day).copied().unwrap_or_default();
    let hour = time.hour();
    let half = if hour % 12 == 0 { 12 } else { hour % 12 };
    while !rest.is_empty() {
        let (piece, more, known) = piece(rest);
        rest = more;
        let text = match piece {
            _ if !known => piece.to_owned(),
            "January" => month.to_owned(),
            "Jan" => month.chars().take(3).collect(),
            "Monday" => day.to_owned(),
            "Mon" => day.chars().take(3).collect(),
            "MST" if time.offset() == Offset::UTC => "UTC".to_owned(),
            "MST" => offset(time, false, "-07"),
            "2006" => format!("{:04}", time.year()),
            "06" => format!("{:02}", time.year().rem_euclid(100)),
            "002" => format!("{:03}", time.day_of_year()),
            "01" => format!("{:02}", time.month()),
            "1" => time.month().to_string(),
            "02" => format!("{:02}", time.day()),
            "_2" => format!("{:2}", time.day()),
            "2" => time.day().to_string(),
            "15" => format!("{hour:02}"),
            "03" => format!("{half:02}"),
            "3" => half.to_string(),
            "04" => format!("{:02}", time.minute()),
            "4" => time.minute().to_string(),
            "05" => format!("{:02}", time.second()),
            "5" => time.second().to_string(),
            "PM" => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            "pm" => if hour < 12 { "am" } else { "pm" }.to_owned(),
            "Z07:00" => offset(time, true, "-07:00"),
            "Z0700" => offset(time, true, "-0700"),
            "-07:00" | "-0700" | "-07" => offset(time, false, piece),
            fraction => subseconds(time, fraction),
        };
        out.push_str(&text);
    }
    out
}

fn offset(time: &Zoned, zulu: bool, form: &str) -> String {
    let seconds = time.offset().seconds();
    if zulu && seconds == 0 {
        return "Z".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    match form {
        "-07:00" => format!("{sign}{hours:02}:{minutes:02}"),
        "-0700" => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}"),
    }
}

fn subseconds(time: &Zoned, form: &str) -> String {
    let digits = format!("{:09}", time.subsec_nanosecond());
    let width = form.len() - 1;
    let cut: String = digits.chars().take(width).collect();
    let separator: String = form.chars().take(1).collect();
    if form.ends_with('0') {
        return format!("{separator}{cut}");
    }
    let cut = cut.trim_end_matches('0');
    if cut.is_empty() {
        String::new()
    } else {
        format!("{separator}{cut}")
    }
}

/// What was read so far.
struct Read {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    afternoon: Option<bool>,
    offset: i32,
}

/// The time that a text is by a layout; `None` if it is none.
pub(super) fn parse(layout: &str, text: &str) -> Option<Moment> {
    let mut read = Read {
        year: 0,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        afternoon: None,
        offset: 0,
    };
    let (mut layout, mut text) = (layout, text);
    while !layout.is_empty() {
        let (piece, more, known) = piece(layout);
        layout = more;
        text = if known {
            read.piece(piece, text, layout)?
        } else {
            text.strip_prefix(piece)?
        };
    }
    if !text.is_empty() {
        return None;
    }
    match read.afternoon {
        Some(true) if read.hour < 12 => read.hour += 12,
        Some(false) if read.hour == 12 => read.hour = 0,
        Some(_) | None => {}
    }
    let date = Date::new(read.year, read.month, read.day).ok()?;
    let time = Time::new(read.hour, read.minute, read.second, read.nanosecond).ok()?;
    let offset = Offset::from_seconds(read.offset).ok()?;
    let at = DateTime::from_parts(date, time)
        .to_zoned(TimeZone::fixed(offset))
        .ok()?
        .timestamp();
    Some(Moment::with_offset(at, offset))
}

/// Exactly so many digits, or up to so many.
fn digits(text: &str, least: usize, most: usize) -> Option<(i32, &str)> {
    let count = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if count < least {
        return None;
    }
    let (number, rest) = text.split_at(count);
    Some((number.parse().ok()?, rest))
}

fn named<'t>(text: &'t str, names: &[&str], short: bool) -> Option<(usize, &'t str)> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = if short { name.get(..3)? } else { name };
        let start = text.get(..name.len())?;
        let rest = text.get(name.len()..)?;
        start.eq_ignore_ascii_case(name).then_some((index, rest))
    })
}

impl Read {
    fn piece<'t>(&mut self, piece: &str, text: &'t str, layout: &str) -> Option<&'t str> {
        let small = |number: i32| i8::try_from(number).ok();
        Some(match piece {
            "2006" => {
                let (year, rest) = digits(text, 4, 4)?;
                self.year = i16::try_from(year).ok()?;
                rest
            }
            "06" => {
                let (year, rest) = digits(text, 2, 2)?;
                let year = if year >= 69 { year + 1900 } else { year + 2000 };
                self.year = i16::try_from(year).ok()?;
                rest
            }
            "January" | "Jan" => {
                let (month, rest) = named(text, &MONTHS, piece == "Jan")?;
                self.month = i8::try_from(month + 1).ok()?;
                rest
            }
            "Monday" | "Mon" => named(text, &DAYS, piece == "Mon")?.1,
            "01" | "1" => {
                let (month, rest) = digits(text, piece.len(), 2)?;
                self.month = small(month)?;
                rest
            }
            "02" | "2" | "_2" => {
                let text = if piece == "_2" {
                    text.trim_start_matches(' ')
                } else {
                    text
                };
                let (day, rest) = digits(text, if piece == "02" { 2 } else { 1 }, 2)?;
                self.day = small(day)?;
                rest
            }
            "15" | "03" | "3" => {
                let least = if piece == "03" { 2 } else { 1 };
                let (hour, rest) = digits(text, least, 2)?;
                self.hour = small(hour)?;
                rest
            }
            "04" | "4" => {
                let (minute, rest) = digits(text, piece.len(), 2)?;
                self.minute = small(minute)?;
                rest
            }
            "05" | "5" => {
                let (second, rest) = digits(text, piece.len(), 2)?;
                self.second = small(second)?;
                // A fraction may follow seconds even if the layout names none.
                if rest.starts_with(['.', ',']) && !layout.starts_with(['.', ',']) {
                    self.fraction(rest).unwrap_or(rest)
                } else {
                    rest
                }
            }
            "PM" | "pm" => {
                let half = text.get(..2)?;
                self.afternoon = Some(half.eq_ignore_ascii_case("pm"));
                text.get(2..)?
            }
            "MST" => {
                let count = text.bytes().take_while(u8::is_ascii_uppercase).count();
                if !(3..=5).contains(&count) {
                    return None;
                }
                text.get(count..)?
            }
            "Z07:00" | "Z0700" if text.starts_with('Z') => text.get(1..)?,
            "Z07:00" | "-07:00" => self.offset(text, true, true)?,
            "Z0700" | "-0700" => self.offset(text, false, true)?,
            "-07" => self.offset(text, false, false)?,
            "002" => digits(text, 3, 3)?.1,
            _ => self.fraction(text)?,
        })
    }

    fn offset<'t>(&mut self, text: &'t str, colon: bool, minutes: bool) -> Option<&'t str> {
        let sign = match text.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let (hours, mut rest) = digits(text.get(1..)?, 2, 2)?;
        let mut seconds = hours * 3600;
        if minutes {
            if colon {
                rest = rest.strip_prefix(':')?;
            }
            let (minutes, more) = digits(rest, 2, 2)?;
            seconds += minutes * 60;
            rest = more;
        }
        self.offset = sign * seconds;
        Some(rest)
    }

    fn fraction<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let rest = text.strip_prefix(['.', ','])?;
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return None;
        }
        let (digits, rest) = rest.split_at(count);
        let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
        self.nanosecond = nine.parse().ok()?;
        Some(rest)
    }
}
