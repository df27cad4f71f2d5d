//! How numbers read in messages.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::target::Pod;

/// A share as a percentage with as many digits as it deserves: `31.2 %`, `0.14 %`, `99.95 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if share > 0.9 && share < 1.0 {
        // What is missing to 100 % is what matters: 99.95 % is not 100 %.
        let missing = digits(100.0 - percent);
        let decimals = missing
            .split_once('.')
            .map_or(0, |(_, digits)| digits.len());
        return format!("{percent:.decimals$} %");
    }
    format!("{} %", digits(percent))
}

/// Text from outside, cut to a length that fits into a message.
pub fn short(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// The first letter made large, as at the beginning of a sentence.
pub fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// `a`, `a and b`, `a, b and c`, and from the sixth on `a, b, c, d, e and 3 more`.
pub fn listed(items: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = items.len().saturating_sub(SHOWN);
    let shown = items.get(..items.len() - more).unwrap_or_default();
    match shown {
        [] => String::new(),
        shown if more > 0 => format!("{} and {more} more", shown.join(", ")),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
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

/// Bytes in the largest binary unit: `512 MiB`, `1.5 GiB`.
pub fn bytes(value: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = value;
    let mut unit = 0;
    while value.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", digits(value), UNITS.get(unit).unwrap_or(&"B"))
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

/// Pods that are not ready, with why: `2 pods are not ready: `a` and `b` (container app: CrashLoopBackOff)`; `None` if
/// all are.
pub fn unready<'a>(pods: impl Iterator<Item = &'a Pod>) -> Option<String> {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for pod in pods.filter(|pod| !pod.ready && !pod.terminating) {
        let reason = pod.unready_reason.as_deref().unwrap_or_default();
        by_reason
            .entry(reason)
            .or_default()
            .push(format!("`{}`", pod.name));
    }
    let number = by_reason.values().map(Vec::len).sum();
    let groups: Vec<String> = by_reason
        .iter()
        .map(|(reason, names)| match *reason {
            "" => listed(names),
            reason => format!("{} ({})", listed(names), short(reason, 200)),
        })
        .collect();
    let are = if number == 1 { "is" } else { "are" };
    (number > 0).then(|| {
        format!(
            "{} {are} not ready: {}",
            plural(number, "pod"),
            listed(&groups)
        )
    })
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
            (0.9995, "99.95 %"),
            (0.99, "99 %"),
            (0.95, "95 %"),
            (0.994_318, "99.432 %"),
        ] {
            assert_eq!(percent(share), text);
        }
        assert_eq!(latency(0.32), "320 ms");
        assert_eq!(latency(1.25), "1.25 s");
        assert_eq!(count(1_234_567.0), "1 234 567");
        assert_eq!(span(SignedDuration::from_secs(125)), "2 min 5 s");
        assert_eq!(span(SignedDuration::from_mins(90)), "1 h 30 min");
    }

    #[test]
    fn lists_and_texts_from_outside_are_bounded() {
        let items: Vec<String> = (1..=8).map(|item| item.to_string()).collect();
        assert_eq!(listed(&[]), "");
        assert_eq!(listed(&items[..1]), "1");
        assert_eq!(listed(&items[..3]), "1, 2 and 3");
        assert_eq!(listed(&items), "1, 2, 3, 4, 5 and 3 more");
        assert_eq!(short("connection refused", 11), "connection…");
        assert_eq!(short("äöü", 3), "äöü");
        assert_eq!(capitalised("über"), "Über");
    }
}
