//! A line of a file as it may be shown: short, without control characters, without secrets (P10).

use std::ops::Range;

use super::diagnostic::Place;

/// Characters of a line that are shown at most.
const WIDTH: usize = 110;
/// Characters kept before the marked part when a long line is cut.
const LEAD: usize = 40;
/// Bytes of a line on either side of the place that are looked at: lines may be a megabyte long.
const NEAR: usize = 1000;
/// Stands for what was cut away.
const CUT: char = '…';
/// Stands for a secret.
const MASK: &str = "***";

/// The place of `span` (bytes) in `text`; bytes within `masks` are not shown.
pub(super) fn place(text: &str, span: Range<usize>, masks: &[Range<usize>]) -> Place {
    let start = floor(text, span.start);
    let before = text.get(..start).unwrap_or("");
    let line_start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let rest = text.get(line_start..).unwrap_or("");
    let line_text = rest.split(['\n', '\r']).next().unwrap_or("");
    let line_end = line_start + line_text.len();
    let near = floor(text, start.saturating_sub(NEAR)).max(line_start)
        ..floor(text, start.saturating_add(NEAR)).min(line_end);
    let hidden = hidden(line_text, line_start, &near, masks);

    let mut shown: Vec<char> = Vec::new();
    let mut first_marked = None;
    let mut last_marked = 0;
    let mut in_mask = None;
    for (at, character) in text.get(near.clone()).unwrap_or("").char_indices() {
        let at = near.start + at;
        // The last mask that begins at or before this character; they are sorted and do not overlap.
        let index = hidden.partition_point(|mask| mask.start <= at);
        let mask = index
            .checked_sub(1)
            .filter(|index| hidden.get(*index).is_some_and(|mask| mask.contains(&at)));
        let length = shown.len();
        match mask {
            Some(_) if in_mask == mask => {}
            Some(_) => shown.extend(MASK.chars()),
            None => shown.push(printable(character)),
        }
        in_mask = mask;
        if at >= start && at < span.end {
            first_marked.get_or_insert(length.min(shown.len().saturating_sub(1)));
            last_marked = shown.len();
        }
    }
    let first = first_marked.unwrap_or(shown.len());
    let cut = Cut {
        before: near.start > line_start,
        after: near.end < line_end,
    };
    let (excerpt, before, marked) = window(&shown, &cut, first, last_marked.max(first + 1));
    Place {
        line: line_number(before_text(text, line_start)),
        column: text
            .get(line_start..start)
            .map_or(1, |t| t.chars().count() + 1),
        excerpt,
        before,
        marked,
    }
}

/// `name:line:column` of a byte of a text.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let start = floor(text, at);
    let before = before_text(text, start);
    let line_start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
    (line_number(before), column)
}

/// Text of a user for use within a message: in backticks, short, printable, secrets of URLs masked.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut masked = String::new();
    let mut from = 0;
    for tail in url_tails(text) {
        masked.push_str(text.get(from..tail.start).unwrap_or(""));
        masked.push_str(MASK);
        from = tail.end;
    }
    masked.push_str(text.get(from..).unwrap_or(""));
    let mut short: String = masked.chars().take(MOST).map(printable).collect();
    if masked.chars().nth(MOST).is_some() {
        short.push(CUT);
    }
    format!("`{short}`")
}

/// The parts of URLs that may hold a secret: user and password, path, query.
///
/// Chat and paging services put the secret into the path.
fn url_tails(text: &str) -> Vec<Range<usize>> {
    let mut tails = Vec::new();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("://")) {
        let authority = from + found + 3;
        let rest = text.get(authority..).unwrap_or("");
        let ends_url = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
        let end = authority + rest.find(ends_url).unwrap_or(rest.len());
        let url = text.get(authority..end).unwrap_or("");
        let host = url.find(['/', '?', '#']).unwrap_or(url.len());
        let start = match url.get(..host).and_then(|host| host.rfind('@')) {
            Some(_) => authority,
            None => authority + (host + 1).min(url.len()),
        };
        if start < end {
            tails.push(start..end);
        }
        from = end;
    }
    tails
}

/// What of a line is not shown, sorted and without overlaps: `masks`, and what URLs may hide.
fn hidden(
    line: &str,
    line_start: usize,
    near: &Range<usize>,
    masks: &[Range<usize>],
) -> Vec<Range<usize>> {
    let mut hidden: Vec<Range<usize>> = url_tails(line)
        .into_iter()
        .map(|tail| tail.start + line_start..tail.end + line_start)
        .chain(masks.iter().cloned())
        .filter(|mask| mask.start < near.end && mask.end > near.start)
        .collect();
    hidden.sort_by_key(|mask| mask.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for mask in hidden {
        match merged.last_mut() {
            Some(last) if mask.start < last.end => last.end = last.end.max(mask.end),
            _ => merged.push(mask),
        }
    }
    merged
}

/// Whether parts of a line were left out already.
struct Cut {
    before: bool,
    after: bool,
}

/// Cuts a long line to a window around the marked characters.
fn window(shown: &[char], cut: &Cut, first: usize, last: usize) -> (String, usize, usize) {
    let (from, to) = if shown.len() <= WIDTH {
        (0, shown.len())
    } else {
        let from = if first < WIDTH - LEAD {
            0
        } else {
            first - LEAD
        };
        (from, (from + WIDTH).min(shown.len()))
    };
    let mut excerpt = String::new();
    let mut before = first - from;
    if from > 0 || cut.before {
        excerpt.push(CUT);
        before += 1;
    }
    excerpt.extend(shown.get(from..to).unwrap_or_default());
    if to < shown.len() || cut.after {
        excerpt.push(CUT);
    }
    let excerpt = excerpt.trim_end().to_owned();
    (excerpt, before, last.min(to.max(first + 1)) - first)
}

/// Control characters would move the cursor or change colours of the reader's terminal.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        // Bidirectional overrides show a line in another order than it is read.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

fn before_text(text: &str, end: usize) -> &str {
    text.get(..end).unwrap_or("")
}

/// Number of the line that follows `before`, from 1; `\n`, `\r\n` and a lone `\r` end a line, as in YAML.
fn line_number(before: &str) -> usize {
    let bytes = before.as_bytes();
    let breaks = bytes
        .iter()
        .zip(bytes.iter().skip(1).map(Some).chain([None]))
        .filter(|(byte, next)| **byte == b'\n' || (**byte == b'\r' && *next != Some(&b'\n')))
        .count();
    breaks + 1
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_the_span_and_counts_lines_and_characters() {
        let place = place("a: 1\r\nbé: x\n", 11..12, &[]);
        assert_eq!((place.line, place.column), (2, 5));
        assert_eq!(place.excerpt, "bé: x");
        assert_eq!((place.before, place.marked), (4, 1));
    }

    #[test]
    fn a_place_at_the_end_of_the_text_is_marked_behind_the_last_line() {
        let place = place("a: 1", 4..4, &[]);
        assert_eq!((place.line, place.column), (1, 5));
        assert_eq!((place.before, place.marked), (4, 1));
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}HERE{}", "x".repeat(5_000), "y".repeat(5_000));
        let place = place(&text, 5_000..5_004, &[]);
        assert_eq!(place.column, 5_001);
        assert!(place.excerpt.chars().count() <= WIDTH + 2, "{place:?}");
        let marked: String = place
            .excerpt
            .chars()
            .skip(place.before)
            .take(place.marked)
            .collect();
        assert_eq!(marked, "HERE");
    }

    #[test]
    fn urls_lose_what_may_be_a_secret() {
        let text = "url: https://hooks.slack.com/services/T/B/X # https://u:p@host/ http://plain";
        let place = place(text, 0..3, &[]);
        assert_eq!(
            place.excerpt,
            "url: https://hooks.slack.com/*** # https://*** http://plain"
        );
        assert_eq!(
            quoted("see https://a.b/c?d"),
            "`see https://a.b/***`".to_owned()
        );
    }

    #[test]
    fn masked_spans_are_not_shown_but_marked() {
        let place = place("token: xoxb-1 # x", 7..13, std::slice::from_ref(&(7..13)));
        assert_eq!(place.excerpt, "token: *** # x");
        assert_eq!((place.before, place.marked), (7, 3));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let place = place("a\u{1b}[31m: \u{202e}b\tc", 0..1, &[]);
        assert_eq!(place.excerpt, "a\u{fffd}[31m: \u{fffd}b c");
        assert_eq!(quoted("a\u{7}"), "`a\u{fffd}`");
    }
}
