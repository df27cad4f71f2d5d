//! A table of counts: a heading line that names the columns, then a line per tick.

use std::io::BufRead;

use anyhow::{Context as _, bail};

use super::input::Lines;

/// Longest line that is read, in bytes.
const LONGEST: u64 = 1 << 16;
/// Lines that are read at most: a year of ticks of ten seconds.
const MOST_ROWS: usize = 3_200_000;

/// Counts of one arm; a number that is missing is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Arm {
    pub(super) total: f64,
    pub(super) bad: f64,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// As it is written.
    pub(super) time: Option<String>,
    pub(super) canary: Arm,
    /// `None`: the table has no baseline.
    pub(super) baseline: Option<Arm>,
}

/// Where the columns are.
struct Columns {
    separator: char,
    time: Option<usize>,
    canary: (usize, usize),
    baseline: Option<(usize, usize)>,
}

/// Reads the table. An error says which line, and what would be right.
pub(super) fn read(input: &mut dyn BufRead) -> anyhow::Result<Vec<Row>> {
    let mut columns: Option<Columns> = None;
    let mut rows = Vec::new();
    let mut lines = Lines::new(input, LONGEST);
    while let Some((number, text)) = lines.next_line()? {
        let at = || format!("line {number}");
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match &columns {
            None => columns = Some(Columns::of(text).with_context(at)?),
            Some(columns) => {
                if rows.len() == MOST_ROWS {
                    bail!(
                        "{}: more than {MOST_ROWS} lines: judge a part of them",
                        at()
                    );
                }
                rows.push(columns.row(text).with_context(at)?);
            }
        }
    }
    if rows.is_empty() {
        bail!(
            "there is no line of counts: give a heading such as `time,total,bad`, and a line per tick"
        );
    }
    Ok(rows)
}

fn fields(text: &str, separator: char) -> Vec<&str> {
    text.split(separator)
        .map(|field| field.trim().trim_matches('"').trim())
        .collect()
}

impl Columns {
    fn of(heading: &str) -> anyhow::Result<Self> {
        let separator = [',', ';', '\t']
            .into_iter()
            .find(|separator| heading.contains(*separator))
            .unwrap_or(',');
        let names: Vec<String> = fields(heading, separator)
            .into_iter()
            .map(|name| name.to_lowercase().replace([' ', '-'], "_"))
            .collect();
        let find = |wanted: &[&str]| {
            names
                .iter()
                .position(|name| wanted.contains(&name.as_str()))
        };
        let both = |total: &[&str], bad: &[&str]| find(total).zip(find(bad));
        let one = both(&["total", "n"], &["bad", "errors", "e"]);
        let canary = both(
            &["canary_total", "n_c"],
            &["canary_bad", "canary_errors", "e_c"],
        );
        let baseline = both(
            &["baseline_total", "n_b"],
            &["baseline_bad", "baseline_errors", "e_b"],
        );
        let Some(canary) = canary.or(one) else {
            bail!(
                "the heading `{heading}` names neither `total` and `bad` nor `canary_total`, `canary_bad`, \
                 `baseline_total` and `baseline_bad`"
            );
        };
        Ok(Self {
            separator,
            time: find(&["time", "timestamp", "at"]),
            canary,
            baseline,
        })
    }

    fn row(&self, text: &str) -> anyhow::Result<Row> {
        let fields = fields(text, self.separator);
        let number = |index: usize| match fields.get(index).copied() {
            None => bail!("`{text}` has no column {}", index + 1),
            // Missing, as Prometheus, pandas and R write it.
            Some("" | "-" | "NaN" | "nan" | "NA" | "null") => Ok(f64::NAN),
            Some(field) => field
                .parse::<f64>()
                .with_context(|| format!("`{field}` in column {} is no number", index + 1)),
        };
        let arm = |(total, bad): (usize, usize)| -> anyhow::Result<Arm> {
            Ok(Arm {
                total: number(total)?,
                bad: number(bad)?,
            })
        };
        Ok(Row {
            time: self
                .time
                .and_then(|index| fields.get(index))
                .map(|time| (*time).to_owned()),
            canary: arm(self.canary)?,
            baseline: self.baseline.map(arm).transpose()?,
        })
    }
}
