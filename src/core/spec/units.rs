//! Units that people write: `5%`, `300ms`, `1m30s`. Each error says what to write instead.

use std::time::Duration;

/// Longest text that is looked at.
const MOST_CHARS: usize = 40;
/// Decimals of a percentage, and of a quantity in a duration.
const MOST_DECIMALS: usize = 9;

/// A percentage with its exact decimal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Percent {
    /// As a share: 5 % is 0.05.
    pub(super) share: f64,
    /// As a whole number of 10^-11: for what must be exact.
    exact: u128,
}

impl Percent {
    /// The share in millionths, when it is a whole number of them.
    pub(super) fn millionths(self) -> Option<u32> {
        let unit = 10_u128.pow(5);
        if self.exact.is_multiple_of(unit) {
            u32::try_from(self.exact / unit).ok()
        } else {
            None
        }
    }
}

/// Reads `5%` or `0.1%`. The error says what to write.
pub(super) fn percent(text: &str) -> Result<Percent, String> {
    let Some(number) = text.strip_suffix('%') else {
        return Err(match decimal(text) {
            Some(number) if text.contains('.') && number.value <= 1.0 => {
                format!(
                    "write it in percent: `{}%`",
                    trimmed(number.digits, number.decimals, 2)
                )
            }
            Some(_) => format!("write the unit: `{text}%`"),
            None => "write a percentage, such as `5%` or `0.1%`".to_owned(),
        });
    };
    if number.ends_with(char::is_whitespace) {
        return Err(match decimal(number.trim_end()) {
            Some(_) => format!("write it without the space: `{}%`", number.trim_end()),
            None => "write a percentage, such as `5%` or `0.1%`".to_owned(),
        });
    }
    if number.starts_with('-') {
        return Err("a percentage here is not negative: write one such as `5%`".to_owned());
    }
    let Some(number) = decimal(number) else {
        return Err("write a percentage, such as `5%` or `0.1%`".to_owned());
    };
    let scale = u32::try_from(MOST_DECIMALS - number.decimals).unwrap_or(0);
    Ok(Percent {
        // By way of text, so that 0.1% is the nearest number to 0.001.
        share: format!("{}e-{}", number.digits, number.decimals + 2)
            .parse()
            .unwrap_or(number.value / 100.0),
        exact: number.digits * 10_u128.pow(scale),
    })
}

/// Reads `5%` or `0.1%` as a share: 0.05, 0.001. The error says what to write.
pub fn share(text: &str) -> Result<f64, String> {
    percent(text).map(|percent| percent.share)
}

/// The units of durations, longest first, in nanoseconds.
const UNITS: [(&str, u128); 5] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// Reads `300ms`, `90s`, `1m30s`, `0.5s`, `2h`. The error says what to write.
pub fn duration(text: &str) -> Result<Duration, String> {
    const USAGE: &str = "write a duration, such as `300ms`, `90s`, `1m30s` or `2h`";
    if text.chars().count() > MOST_CHARS {
        return Err(USAGE.to_owned());
    }
    if text.starts_with('-') {
        return Err("a duration here is not negative: write one such as `30s`".to_owned());
    }
    if decimal(text).is_some() {
        return Err(format!(
            "write the unit: `{text}ms`, `{text}s`, `{text}m` or `{text}h`"
        ));
    }
    let mut rest = text;
    let mut total: u128 = 0;
    let mut smallest = UNITS.len() + 1;
    let mut canonical = String::new();
    let mut was_canonical = true;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number_text, tail) = rest.split_at(digits);
        let unit_start = tail.trim_start();
        let letters = unit_start
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(unit_start.len());
        let (word, after) = unit_start.split_at(letters);
        let (Some(number), Some(unit)) = (decimal(number_text), unit_of(word)) else {
            return Err(match word {
                "us" | "µs" | "ns" | "w" | "y" => {
                    format!("the units are `d`, `h`, `m`, `s` and `ms`, not `{word}`: {USAGE}")
                }
                _ => USAGE.to_owned(),
            });
        };
        let Some((symbol, nanos)) = UNITS.get(unit) else {
            return Err(USAGE.to_owned());
        };
        was_canonical &= word == *symbol && unit_start.len() == tail.len();
        canonical.push_str(number_text);
        canonical.push_str(symbol);
        let place = UNITS.len() - unit;
        if place >= smallest {
            return Err(format!("{USAGE}, each unit once, the largest first"));
        }
        smallest = place;
        let scaled = number.digits * nanos;
        let power = 10_u128.pow(u32::try_from(number.decimals).unwrap_or(0));
        if scaled % power != 0 {
            return Err("durations below a nanosecond are not possible".to_owned());
        }
        total += scaled / power;
        rest = after.trim_start();
        was_canonical &= rest.len() == after.len();
    }
    if canonical.is_empty() {
        return Err(USAGE.to_owned());
    }
    if !was_canonical {
        return Err(format!("write `{canonical}`"));
    }
    let seconds = u64::try_from(total / 1_000_000_000).map_err(|_| USAGE.to_owned())?;
    if seconds > 1_000 * 365 * 86_400 {
        return Err("a duration of more than 1000 years is surely not meant".to_owned());
    }
    let nanos = u32::try_from(total % 1_000_000_000).unwrap_or(0);
    Ok(Duration::new(seconds, nanos))
}

/// Index in [`UNITS`] of a unit, as it is or as people write it.
fn unit_of(word: &str) -> Option<usize> {
    let symbol = match word.to_lowercase().as_str() {
        "d" | "day" | "days" => "d",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "ms" | "msec" | "msecs" | "milli" | "millis" | "millisecond" | "milliseconds" => "ms",
        _ => return None,
    };
    UNITS.iter().position(|(unit, _)| *unit == symbol)
}

/// An unsigned decimal number: `digits / 10^decimals`.
#[derive(Debug, Clone, Copy)]
struct Decimal {
    digits: u128,
    decimals: usize,
    value: f64,
}

fn decimal(text: &str) -> Option<Decimal> {
    if text.len() > MOST_CHARS / 2 {
        return None;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > MOST_DECIMALS {
        return None;
    }
    Some(Decimal {
        digits: format!("{whole}{fraction}").parse().ok()?,
        decimals: fraction.len(),
        value: text.parse().ok()?,
    })
}

/// `digits / 10^decimals * 10^shift` as text.
fn trimmed(digits: u128, decimals: usize, shift: usize) -> String {
    let (digits, decimals) = if decimals >= shift {
        (digits, decimals - shift)
    } else {
        let power = u32::try_from(shift - decimals).unwrap_or(0);
        (digits * 10_u128.pow(power), 0)
    };
    let text = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = text.split_at(text.len() - decimals);
    if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_exact() {
        for (text, share, millionths) in [
            ("5%", 0.05, Some(50_000)),
            ("0.1%", 0.001, Some(1_000)),
            ("95%", 0.95, Some(950_000)),
            ("99.99%", 0.9999, Some(999_900)),
            ("99.99999%", 0.999_999_9, None),
            ("100.0%", 1.0, Some(1_000_000)),
            ("250%", 2.5, Some(2_500_000)),
        ] {
            let read = percent(text).expect(text);
            assert_eq!(read.share.to_bits(), f64::to_bits(share), "{text}");
            assert_eq!(read.millionths(), millionths, "{text}");
        }
    }

    #[test]
    fn what_is_no_percentage_says_what_to_write() {
        for (text, help) in [
            ("5", "write the unit: `5%`"),
            ("0.05", "write it in percent: `5%`"),
            ("0.999", "write it in percent: `99.9%`"),
            ("0.0015", "write it in percent: `0.15%`"),
            ("5 %", "write it without the space: `5%`"),
            (
                "-5%",
                "a percentage here is not negative: write one such as `5%`",
            ),
            ("five", "write a percentage, such as `5%` or `0.1%`"),
            ("5%%", "write a percentage, such as `5%` or `0.1%`"),
            ("1e3%", "write a percentage, such as `5%` or `0.1%`"),
            ("%", "write a percentage, such as `5%` or `0.1%`"),
            ("", "write a percentage, such as `5%` or `0.1%`"),
            ("5,5%", "write a percentage, such as `5%` or `0.1%`"),
        ] {
            assert_eq!(percent(text).expect_err(text), help, "{text}");
        }
    }

    #[test]
    fn durations_are_exact() {
        for (text, milliseconds) in [
            ("300ms", 300),
            ("90s", 90_000),
            ("1m30s", 90_000),
            ("0.5s", 500),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1h0m5s20ms", 3_605_020),
            ("0s", 0),
        ] {
            let read = duration(text).expect(text);
            assert_eq!(read, Duration::from_millis(milliseconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_what_to_write() {
        const USAGE: &str = "write a duration, such as `300ms`, `90s`, `1m30s` or `2h`";
        for (text, help) in [
            (
                "30",
                "write the unit: `30ms`, `30s`, `30m` or `30h`".to_owned(),
            ),
            (
                "0.5",
                "write the unit: `0.5ms`, `0.5s`, `0.5m` or `0.5h`".to_owned(),
            ),
            ("30min", "write `30m`".to_owned()),
            ("5 minutes", "write `5m`".to_owned()),
            ("1h 30m", "write `1h30m`".to_owned()),
            ("30S", "write `30s`".to_owned()),
            (
                "30s1m",
                format!("{USAGE}, each unit once, the largest first"),
            ),
            (
                "5us",
                format!("the units are `d`, `h`, `m`, `s` and `ms`, not `us`: {USAGE}"),
            ),
            ("soon", USAGE.to_owned()),
            ("PT5M", USAGE.to_owned()),
            ("", USAGE.to_owned()),
            ("1.2.3s", USAGE.to_owned()),
            (
                "-5s",
                "a duration here is not negative: write one such as `30s`".to_owned(),
            ),
            (
                "99999999999999d",
                "a duration of more than 1000 years is surely not meant".to_owned(),
            ),
        ] {
            assert_eq!(duration(text).expect_err(text), help, "{text}");
        }
    }
}
