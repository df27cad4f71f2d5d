//! The table for people: what our judge and what is used today do with the same releases, as Markdown.

use crate::bars::Measured;
use crate::counting::Counts;
use crate::scenario::{Release, Rule};

/// What the rows are called, and their scenarios.
const ROWS: [(&str, &str); 11] = [
    ("both arms 0.5 % errors, 24 h", "aa-24h-20rps-tick10"),
    (
        "both arms 1 %, one request in 10 s, 24 h",
        "low-1per10s-aa-24h",
    ),
    (
        "errors in clumps of 3 on average, 24 h",
        "aa-24h-clumped-phi5",
    ),
    (
        "pods that differ by where they run, 24 h",
        "placement-within-margin-24h",
    ),
    ("outage of both arms for 5 minutes", "shared-down-5min"),
    (
        "the same at 1,000 requests/s, canary 1.2 times its baseline",
        "shared-down-within-margin-1000rps",
    ),
    (
        "30 % errors after 10 minutes",
        "sustained-30pct-after-10min",
    ),
    ("30 % errors after 12 hours", "sustained-30pct-after-12h"),
    ("one pod of three bad after 2 minutes", "pods-1-of-3-bad"),
    (
        "0.5 -> 1 % errors at 500 requests/s",
        "subtle-0.5-to-1pct-500rps",
    ),
    (
        "latencies times 5 after 10 minutes",
        "latency-x5-after-10min",
    ),
];

/// A column: what it is called, and its judges of errors and of latencies; of several the quickest counts.
struct Column {
    title: &'static str,
    judges: [&'static [&'static str]; 2],
}

const fn column(
    title: &'static str,
    errors: &'static [&'static str],
    latencies: &'static [&'static str],
) -> Column {
    Column {
        title,
        judges: [errors, latencies],
    }
}

/// The first is ours, the last knows everything.
const COLUMNS: [Column; 9] = [
    column("Recant", &["guarded"], &["guarded"]),
    column(
        "Argo, limit 0",
        &["argo 99% [2m] 30s fl0"],
        &["argo p95 [2m] 30s fl0"],
    ),
    column(
        "Argo, limit 3",
        &["argo 99% [2m] 60s fl3"],
        &["argo p95 [2m] 60s fl3"],
    ),
    column("Flagger", &["flagger 99% 60s x5"], &["flagger p99 60s x5"]),
    column("CronJob", &["cron 5%/5m"], &["cron p95>1s/5m"]),
    column(
        "Kayenta, once",
        &["kayenta at end"],
        &["kayenta p95 at end"],
    ),
    column(
        "Kayenta, every 5 min",
        &["kayenta every 5m"],
        &["kayenta p95 every 5m"],
    ),
    column("z-test at the end", &["z at end"], &["z at end"]),
    column("oracle", &ORACLES, &ORACLES),
];
const ORACLES: [&str; 2] = ["oracle limit", "oracle compare"];

/// Below the table.
const LEGEND: &str = "\
Good releases, and those whose baseline suffers too: percent taken back. Bad ones: median time to the rollback; in
brackets the percentage found, where it is not all; \"too soon\" are those taken back before the fault. **Bold**: does
better than Recant there. The oracle is Wald's test that knows size and time of the fault.";

/// A cell, and how bad it is: the percentage taken back, or the median delay.
struct Cell {
    told: String,
    badness: f64,
}

/// Prints the table of the rows that were run, if any. `seed`: what was added to that of each scenario.
pub(crate) fn show(all: &[Measured], seed: u64) {
    let rows: Vec<String> = ROWS
        .iter()
        .filter_map(|(title, name)| {
            let one = all.iter().find(|one| one.scenario.name == *name)?;
            Some(row(title, one))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    let runs = all
        .iter()
        .filter(|one| ROWS.iter().any(|(_, name)| one.scenario.name == *name))
        .flat_map(|one| one.counts.values().map(|counts| counts.runs));
    let (least, most) = runs.fold((u32::MAX, 0), |(least, most), runs| {
        (least.min(runs), most.max(runs))
    });
    println!(
        "\nTable ({least} to {most} runs a row, seeds of the scenarios + {seed}, alpha 1 %)\n"
    );
    let titles = COLUMNS.map(|column| column.title);
    println!("| release | {} |", titles.join(" | "));
    println!("|---|{}", "---|".repeat(COLUMNS.len()));
    for row in rows {
        println!("{row}");
    }
    println!("\n{LEGEND}");
}

fn row(title: &str, one: &Measured) -> String {
    let bad = one.scenario.truth.release == Release::Bad;
    let of = match one.scenario.rule {
        Rule::Share { .. } => 0,
        Rule::Quantile { .. } => 1,
    };
    let cells: Vec<Option<Cell>> = COLUMNS
        .iter()
        .map(|column| {
            let judges = column.judges[of].iter();
            let all = judges.filter_map(|judge| one.counts.get(*judge));
            all.map(|counts| if bad { delay(counts) } else { share(counts) })
                .min_by(|a, b| a.badness.total_cmp(&b.badness))
        })
        .collect();
    let ours = cells.first().and_then(Option::as_ref);
    let ours = ours.map_or(f64::NAN, |cell| cell.badness);
    let last = cells.len() - 1;
    let told = cells.iter().enumerate().map(|(place, cell)| {
        let Some(cell) = cell else {
            return String::new();
        };
        if place > 0 && place < last && cell.badness < ours {
            format!("**{}**", cell.told)
        } else {
            cell.told.clone()
        }
    });
    format!("| {title} | {} |", told.collect::<Vec<_>>().join(" | "))
}

fn percent(part: u32, of: u32) -> String {
    let percent = 100.0 * f64::from(part) / f64::from(of);
    let digits = match part {
        0 => 0,
        _ if part == of => 0,
        _ if (1.0..=99.0).contains(&percent) => 1,
        _ => 2,
    };
    format!("{percent:.digits$} %")
}

fn share(counts: &Counts) -> Cell {
    Cell {
        told: percent(counts.failed, counts.runs),
        badness: f64::from(counts.failed) / f64::from(counts.runs),
    }
}

fn delay(counts: &Counts) -> Cell {
    let median = counts.delay(0.5);
    let mut told = match median {
        Some(seconds) => format!("{seconds:.0} s"),
        None if counts.failed == 0 => "never".to_owned(),
        None => "-".to_owned(),
    };
    if counts.failed > 0 && counts.failed + counts.before < counts.runs {
        told = format!("{told} ({})", percent(counts.failed, counts.runs));
    }
    if counts.before > 0 {
        told = format!("{told}, {} too soon", percent(counts.before, counts.runs));
    }
    Cell {
        told,
        badness: median.unwrap_or(f64::INFINITY),
    }
}
