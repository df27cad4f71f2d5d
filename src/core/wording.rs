//! How numbers read in messages.

use jiff::SignedDuration;

/// A share as a percentage with as many digits as it deserves: `31.2 %`, `0.14 %`, `5 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", digits(share * 100.0))
}

/// A number with about three significant digits and no trailing zeros.
pub fn digits(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    let text = if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else if size >= 0.01 || size == 0.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.5}")
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A count with thin groups of three: `12 345`.
pub fn count(value: f64) -> String {
    let plain = format!("{value:.0}");
    let mut grouped = String::with_capacity(plain.len() + plain.len() / 3);
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// Seconds as people say them: `320 ms`, `1.2 s`.
pub fn latency(seconds: f64) -> String {
    if seconds.abs() < 1.0 {
        format!("{} ms", digits(seconds * 1000.0))
    } else {
        format!("{} s", digits(seconds))
    }
}

/// A span of time in its two largest units: `45 s`, `2 min 5 s`, `1 h 30 min`.
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, 0, rest) => format!("{rest} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, rest) => format!("{minutes} min {rest} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// `1 pod`, `3 pods`.
pub fn plural(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("{number} {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        for (share, text) in [
            (0.312, "31.2 %"),
            (0.0014, "0.14 %"),
            (0.05, "5 %"),
            (1.0, "100 %"),
            (0.0, "0 %"),
        ] {
            assert_eq!(percent(share), text);
        }
        assert_eq!(latency(0.32), "320 ms");
        assert_eq!(latency(1.25), "1.25 s");
        assert_eq!(count(1_234_567.0), "1 234 567");
        assert_eq!(span(SignedDuration::from_secs(125)), "2 min 5 s");
        assert_eq!(span(SignedDuration::from_mins(90)), "1 h 30 min");
    }
}
