//! Limits of values as people write them: `80%`, `100`, `1.5GiB`, `500ms`. Each error says what to write instead.

use super::units;
use crate::rule::LevelUnit;

/// What a limit may look like, for every message about one.
pub(super) const USAGE: &str = "write a percentage (`80%`), a number (`100`), an amount of memory (`512Mi`) or a duration (`500ms`)";

/// A limit with the unit that it is written in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantity {
    /// Percent: a share. Bytes and seconds: so many.
    pub(super) value: f64,
    pub(super) unit: LevelUnit,
    /// It is written `500m`, which elsewhere in Kubernetes means half of one.
    pub(super) bare_minutes: bool,
}

/// Units of memory in bytes: those of Kubernetes and those that people write.
const BYTES: [(&str, u64); 18] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
    // Kubernetes' own for powers of ten, which people also write for plain thousands.
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

/// Reads a limit. The error says what to write.
pub(super) fn quantity(text: &str) -> Result<Quantity, String> {
    let with = |value, unit| Quantity {
        value,
        unit,
        bare_minutes: false,
    };
    if let Some(rest) = text.strip_prefix('-') {
        return Err(if rest.starts_with(|c: char| c.is_ascii_digit()) {
            "a limit here is not negative: for values that can be, compare a distance, such as `promql: abs(…)`"
                .to_owned()
        } else {
            USAGE.to_owned()
        });
    }
    if text.ends_with('%') {
        return units::percent(text).map(|percent| with(percent.share, LevelUnit::Percent));
    }
    if let Some(value) = number(text) {
        return Ok(with(value, LevelUnit::Number));
    }
    let word = text.to_ascii_lowercase();
    if matches!(
        word.as_str(),
        "nan" | "inf" | "+inf" | "infinity" | ".inf" | ".nan"
    ) {
        return Err(format!("no value is ever beyond that: {USAGE}"));
    }
    let start = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(start);
    if number(digits).is_some()
        && let Some(exponent) = suffix.strip_prefix(['e', 'E'])
        && exponent
            .trim_start_matches(['+', '-'])
            .bytes()
            .all(|byte| byte.is_ascii_digit())
        && !exponent.is_empty()
    {
        return Err("write the number in digits, without an exponent, such as `1000`".to_owned());
    }
    let trimmed = suffix.trim_start();
    if let (Some(value), Some((name, bytes))) = (
        number(digits),
        BYTES.iter().find(|(name, _)| *name == trimmed),
    ) {
        if trimmed.len() < suffix.len() {
            return Err(format!("write it without the space: `{digits}{trimmed}`"));
        }
        let value = value * *bytes as f64;
        if matches!(*name, "k" | "M" | "G" | "T") {
            return Err(format!(
                "write `{digits}{name}{}` for bytes, or the number in digits: `{value}`",
                if *name == "k" { "B" } else { "iB" }
            ));
        }
        return Ok(with(value, LevelUnit::Bytes));
    }
    match units::duration(text) {
        Ok(duration) => Ok(Quantity {
            value: duration.as_secs_f64(),
            unit: LevelUnit::Seconds,
            bare_minutes: suffix == "m",
        }),
        Err(help) if !digits.is_empty() && trimmed.starts_with(|c: char| "dhms".contains(c)) => {
            Err(help)
        }
        Err(_) => Err(USAGE.to_owned()),
    }
}

/// An unsigned decimal number.
fn number(text: &str) -> Option<f64> {
    const MOST_CHARS: usize = 20;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if text.len() > MOST_CHARS || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_exact() {
        const GIB: f64 = 1_073_741_824.0;
        for (text, value, unit) in [
            ("80%", 0.8, LevelUnit::Percent),
            ("250%", 2.5, LevelUnit::Percent),
            ("100", 100.0, LevelUnit::Number),
            ("0", 0.0, LevelUnit::Number),
            ("0.5", 0.5, LevelUnit::Number),
            ("512Mi", GIB / 2.0, LevelUnit::Bytes),
            ("1.5GiB", 1.5 * GIB, LevelUnit::Bytes),
            ("200MB", 2e8, LevelUnit::Bytes),
            ("7B", 7.0, LevelUnit::Bytes),
            ("500ms", 0.5, LevelUnit::Seconds),
            ("1m30s", 90.0, LevelUnit::Seconds),
        ] {
            let read = quantity(text).expect(text);
            assert_eq!(
                (read.value.to_bits(), read.unit),
                (f64::to_bits(value), unit),
                "{text}"
            );
        }
        assert!(quantity("500m").expect("a duration").bare_minutes);
        assert!(!quantity("1h30m").expect("a duration").bare_minutes);
    }

    #[test]
    fn what_is_no_limit_says_what_to_write() {
        for (text, help) in [
            (
                "1e400",
                "write the number in digits, without an exponent, such as `1000`",
            ),
            (
                "1e3",
                "write the number in digits, without an exponent, such as `1000`",
            ),
            ("5 Mi", "write it without the space: `5Mi`"),
            (
                "10k",
                "write `10kB` for bytes, or the number in digits: `10000`",
            ),
            (
                "10M",
                "write `10MiB` for bytes, or the number in digits: `10000000`",
            ),
            ("30min", "write `30m`"),
            ("many", USAGE),
            ("1,000", USAGE),
            ("", USAGE),
            ("-", USAGE),
            ("0x10", USAGE),
        ] {
            assert_eq!(quantity(text).expect_err(text), help, "{text}");
        }
        for text in ["NaN", "inf", "+Inf", ".inf"] {
            let help = quantity(text).expect_err(text);
            assert!(
                help.starts_with("no value is ever beyond that"),
                "{text}: {help}"
            );
        }
        let help = quantity("-5").expect_err("is negative");
        assert!(help.starts_with("a limit here is not negative"), "{help}");
        assert!(quantity(&"9".repeat(400)).is_err());
    }
}
