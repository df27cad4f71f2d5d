//! A table of counts in, a table for people out: what was measured, what the evidence says, and the verdict in a sentence.

use std::io::{BufRead, Write};

use anyhow::bail;
use comfy_table::{CellAlignment, Table, presets};

use recant_core::sequential::{
    Analysis, JudgeRule, Measured, ParameterError, RatioCompare, RatioLimit, RatioLimitBeside,
    Reading, Settings, Span, State, Tolerance, Verdict, WhenUnclear,
};
use recant_core::wording::{count, digits, percent};

use super::TableRule;
use super::columns::{Arm, Row, read};

/// Lines of the table when not all are asked for.
const SHOWN: usize = 24;
/// Characters of a bar.
const BAR: usize = 10;

/// One tick, as it is shown.
struct Line {
    tick: usize,
    time: Option<String>,
    canary: Arm,
    baseline: Option<Arm>,
    log_bad: f64,
    against: f64,
    good: f64,
    state: State,
}

/// Judges the table.
pub(super) fn run(
    asked: &TableRule,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let rows = read(input)?;
    let (history, rows) = rows.split_at(asked.history.min(rows.len()));
    let Some(first) = rows.first() else {
        bail!("every line is history: leave some to judge");
    };
    let mut rule = build(asked, first.baseline.is_some(), rows.len())?;
    for Row {
        canary, baseline, ..
    } in history
    {
        let Arm { total, bad } = baseline.unwrap_or(*canary);
        rule.warm(Measured::Counts { n: total, e: bad });
    }
    let both = asked.max.is_some() && asked.margin.is_some();
    let weights: &[f64] = if both { &[1.0, 1.0] } else { &[1.0] };
    let settings = settings(asked, rows.len());
    let mut analysis = Analysis::new(weights, settings.alpha, settings.beta)?;
    let mut lines = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        rule.update(measured(row));
        let readings = readings(&rule, both);
        let state = analysis.judge(&readings);
        let log_bad = analysis.log_bad(&readings);
        let good = readings
            .iter()
            .map(|reading| reading.log_good / settings.good_level())
            .fold(f64::INFINITY, f64::min);
        lines.push(Line {
            tick: index + 1,
            time: row.time.clone(),
            canary: row.canary,
            baseline: row.baseline,
            log_bad,
            against: log_bad / settings.bad_level(),
            good,
            state,
        });
    }
    writeln!(out, "{}\n", table(&lines, asked.all))?;
    let verdict = analysis.finish(WhenUnclear::Inconclusive);
    writeln!(
        out,
        "{}",
        sentence(verdict, &analysis, &rule, &lines, &settings)
    )?;
    for sentence in measured_in_words(&rule) {
        writeln!(out, "{sentence}")?;
    }
    Ok(())
}

fn settings(asked: &TableRule, ticks: usize) -> Settings {
    Settings {
        alpha: asked.false_alarms,
        tick: asked.tick.as_secs_f64(),
        span: Span::Release {
            horizon: ticks as u64,
        },
        ..Settings::default()
    }
}

/// An error about a parameter names the flag that gave it.
fn by_flag(error: ParameterError) -> anyhow::Error {
    let flag = match &error {
        ParameterError::Range { name, .. } => match *name {
            "p0" => "--max",
            "psi0" => "--margin",
            "plus" => "--plus",
            "alpha" => "--false-alarms",
            "tick" => "--tick",
            other => other,
        },
        ParameterError::Bounds { .. }
        | ParameterError::NoSuchBound { .. }
        | ParameterError::Missing { .. }
        | ParameterError::Unknown { .. } => "the rule",
    };
    anyhow::Error::from(error).context(format!("`{flag}` cannot be judged by"))
}

fn build(asked: &TableRule, baseline: bool, ticks: usize) -> anyhow::Result<JudgeRule> {
    let settings = settings(asked, ticks);
    let tolerance = Tolerance {
        psi0: asked.margin.map_or(1.5, |margin| 1.0 + margin),
        plus: asked.plus,
        wait: None,
    };
    Ok(match (asked.max, asked.margin) {
        (None, None) => bail!("say what is allowed: `--max 1%`, `--margin 50%`, or both"),
        (Some(_) | None, Some(_)) if !baseline => bail!(
            "`--margin` compares with a baseline: give its columns `baseline_total` and `baseline_bad`, or leave it out"
        ),
        (Some(max), None) if !baseline => {
            JudgeRule::RatioLimit(RatioLimit::new(max, settings).map_err(by_flag)?)
        }
        (Some(max), None | Some(_)) => JudgeRule::RatioLimitBeside(
            RatioLimitBeside::new(max, tolerance, settings).map_err(by_flag)?,
        ),
        (None, Some(_)) => {
            JudgeRule::RatioCompare(RatioCompare::new(tolerance, settings).map_err(by_flag)?)
        }
    })
}

fn measured(row: &Row) -> Measured<'static> {
    let Arm { total, bad } = row.canary;
    match row.baseline {
        None => Measured::Counts { n: total, e: bad },
        Some(baseline) => Measured::BothCounts {
            n_c: total,
            e_c: bad,
            n_b: baseline.total,
            e_b: baseline.bad,
        },
    }
}

fn readings(rule: &JudgeRule, both: bool) -> Vec<Reading> {
    let own = rule.reading();
    match rule.beside() {
        Some(beside) if both => vec![own, beside],
        Some(_) | None => vec![own],
    }
}

/// The first and the last tick, every change of state with the tick before it, and some between.
fn chosen(lines: &[Line], all: bool) -> Vec<&Line> {
    let every = lines.len().div_ceil(SHOWN).max(1);
    let changes = |index: usize| {
        let state = |index: usize| lines.get(index).map(|line| line.state);
        index > 0 && state(index) != state(index - 1)
    };
    let wanted = |index: usize| {
        all || index == 0
            || index + 1 == lines.len()
            || (index + 1).is_multiple_of(every)
            || changes(index)
            || changes(index + 1)
    };
    let numbered = lines.iter().enumerate();
    numbered
        .filter(|(index, _)| wanted(*index))
        .map(|(_, line)| line)
        .collect()
}

fn table(lines: &[Line], all: bool) -> Table {
    let timed = lines.iter().any(|line| line.time.is_some());
    let beside = lines.iter().any(|line| line.baseline.is_some());
    let mut heading = vec!["tick"];
    heading.extend(timed.then_some("time"));
    heading.push(if beside { "canary" } else { "bad" });
    heading.extend(beside.then_some("baseline"));
    heading.extend(["for it", "against it", "state"]);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(&heading);
    for line in chosen(lines, all) {
        let mut cells = vec![line.tick.to_string()];
        if timed {
            cells.push(line.time.clone().unwrap_or_default());
        }
        cells.push(share(Some(line.canary)));
        if beside {
            cells.push(share(line.baseline));
        }
        cells.push(bar(line.good));
        cells.push(bar(line.against));
        let state = match line.state {
            State::Undecided => "undecided",
            State::Passing => "passing",
            State::Fail => "FAIL",
        };
        cells.push(state.to_owned());
        table.add_row(cells);
    }
    if let Some(column) = table.column_mut(0) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// `3 of 120`, of one tick.
fn share(arm: Option<Arm>) -> String {
    match arm {
        Some(Arm { total, bad }) if total.is_finite() && bad.is_finite() => {
            format!("{} of {}", digits(bad), count(total))
        }
        Some(_) => "missing".to_owned(),
        None => String::new(),
    }
}

/// How far evidence has come to where it decides.
fn bar(part: f64) -> String {
    let full = (1..=BAR)
        .take_while(|step| part * BAR as f64 >= *step as f64)
        .count();
    format!("{}{}", "#".repeat(full), ".".repeat(BAR - full))
}

fn sentence(
    verdict: Verdict,
    analysis: &Analysis,
    rule: &JudgeRule,
    lines: &[Line],
    settings: &Settings,
) -> String {
    let at = |tick: Option<u64>| {
        let line = lines.iter().find(|line| Some(line.tick as u64) == tick);
        let time = line.and_then(|line| line.time.as_ref());
        let time = time.map_or_else(String::new, |time| format!(" ({time})"));
        format!("tick {}{time}", tick.unwrap_or_default())
    };
    match verdict {
        Verdict::Fail => {
            let decided = lines.iter().find(|line| line.state == State::Fail);
            let log_bad = decided.map_or(0.0, |line| line.log_bad);
            format!(
                "Fail at {}: if it were within what is allowed, evidence like this would come up in at most 1 of {} \
                 watches.",
                at(analysis.failed_at()),
                count(log_bad.exp())
            )
        }
        Verdict::Pass => {
            let within = match rule {
                // It passes by either; both arms may be above the limit.
                JudgeRule::RatioLimitBeside(_) => {
                    "within the limit, or no worse than the baseline allows,"
                }
                JudgeRule::RatioLimit(_)
                | JudgeRule::RatioCompare(_)
                | JudgeRule::QuantileLimit(_)
                | JudgeRule::QuantileCompare(_)
                | JudgeRule::QuantileLimitBeside(_)
                | JudgeRule::GaugeLimit(_)
                | JudgeRule::GaugeCompare(_) => "within what is allowed",
            };
            format!(
                "Pass: surely {within} at {}, and never surely beyond it.",
                at(analysis.passed_at())
            )
        }
        Verdict::Inconclusive => {
            let why = rule.doubt(settings.good_level());
            let why = why.map_or_else(
                || "the rules were never sure at the same tick".to_owned(),
                |doubt| doubt.to_string(),
            );
            format!("Inconclusive: {why}.")
        }
    }
}

/// What was measured over all ticks.
fn measured_in_words(rule: &JudgeRule) -> Vec<String> {
    let arm = |name: &str, share: Option<f64>, n: f64, low: f64, high: f64| {
        share.map(|share| {
            format!(
                "{name}: {} of {} events were bad; between {} and {}.",
                percent(share),
                count(n),
                percent(low),
                percent(high)
            )
        })
    };
    let compared = |compare: &RatioCompare| {
        let shown = compare.shown();
        let allowed = shown
            .allowed
            .map(|allowed| format!("Allowed by the baseline: {}.", percent(allowed)));
        [
            arm(
                "Canary",
                shown.canary,
                shown.n_c,
                shown.canary_low,
                shown.canary_high,
            ),
            arm(
                "Baseline",
                shown.baseline,
                shown.n_b,
                shown.baseline_low,
                shown.baseline_high,
            ),
            allowed,
        ]
    };
    let lines = match rule {
        JudgeRule::RatioLimit(limit) => {
            let shown = limit.shown();
            let measured = arm("Measured", shown.estimate, shown.n, shown.low, shown.high);
            vec![measured, Some(format!("Limit: {}.", percent(shown.limit)))]
        }
        JudgeRule::RatioLimitBeside(limit) => {
            let mut lines = compared(limit.compare()).to_vec();
            lines.push(Some(format!(
                "Limit: {}.",
                percent(limit.shown().limit.limit)
            )));
            let also = "Both arms are above the limit: that is no fault of the canary.";
            lines.push(limit.baseline_also_bad().then(|| also.to_owned()));
            lines
        }
        JudgeRule::RatioCompare(compare) => compared(compare).to_vec(),
        JudgeRule::QuantileLimit(_)
        | JudgeRule::QuantileCompare(_)
        | JudgeRule::QuantileLimitBeside(_)
        | JudgeRule::GaugeLimit(_)
        | JudgeRule::GaugeCompare(_) => Vec::new(),
    };
    lines.into_iter().flatten().collect()
}
