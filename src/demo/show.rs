//! What the demo shows: a live table for people, JSON lines for scripts, and a closing line with what was measured.

use std::sync::Arc;

use comfy_table::{CellAlignment, Table, presets};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;

use recant_core::analysis::Ending;
use recant_core::ids::{RevisionHash, TargetId};
use recant_core::judge::{Finding, State};
use recant_core::record::Record;
use recant_core::saga::PlanEnd;
use recant_core::snapshot::Snapshot;
use recant_core::verify::VerificationEnd;
use recant_core::wording;

use super::screen::{Screen, Tone};
use super::traffic::{Seen, Traffic};
use super::{Options, seconds};
use crate::agent::{Gathered, Observer, Ticked};
use crate::journal::JournalError;

/// One tick, on its way to the show.
#[derive(Debug)]
pub(super) struct Event {
    at: Timestamp,
    records: Vec<Record>,
    snapshot: Arc<Snapshot>,
}

/// Passes ticks on.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) events: mpsc::UnboundedSender<Event>,
}

impl Observer for Watching {
    fn ticked(&mut self, tick: &Ticked<'_>) {
        let event = Event {
            at: tick.at,
            records: tick.records.to_vec(),
            snapshot: tick.snapshot.clone(),
        };
        // The show is over: nobody looks any more.
        drop(self.events.send(event));
    }

    fn gathered(&mut self, _gathered: &Gathered) {}

    fn journal_failing(&mut self, error: &JournalError) {
        tracing::error!("{error}");
    }
}

/// How the demo ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    RolledBack,
    Promoted,
    Undecided,
}

/// The last line for scripts.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub outcome: Outcome,
    pub requests: u64,
    pub bad_answers: u64,
    /// Of the version that was shipped.
    pub first_bad_answer: Option<Timestamp>,
    pub shipped: Option<Timestamp>,
    pub decided: Option<Timestamp>,
    /// When no pod of the bad revision served any more.
    pub restored: Option<Timestamp>,
    /// Whether the symptom was gone after that.
    pub verified: bool,
    pub reason: String,
}

/// The state of the show.
pub(super) struct Show {
    options: Options,
    traffic: Traffic,
    target: TargetId,
    shipped: Option<Timestamp>,
    decided: Option<Timestamp>,
    restored: Option<Timestamp>,
    promoted: bool,
    verified: bool,
    reason: String,
    last_row: Option<Timestamp>,
    stage: Stage,
    screen: Screen,
    /// The versions of the pods that are ready.
    serving: Box<dyn Fn() -> Vec<String> + Send>,
}

/// How far the story is.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Waiting,
    Judging,
    RollingBack,
    Verifying,
}

impl Show {
    pub(super) fn new(
        options: Options,
        traffic: Traffic,
        target: TargetId,
        serving: Box<dyn Fn() -> Vec<String> + Send>,
    ) -> Self {
        Self {
            options,
            traffic,
            target,
            shipped: None,
            decided: None,
            restored: None,
            promoted: false,
            verified: false,
            reason: String::new(),
            last_row: None,
            stage: Stage::Waiting,
            screen: Screen::new(),
            serving,
        }
    }

    pub(super) fn begin(&mut self) {
        self.say(
            Timestamp::now(),
            Tone::Plain,
            "checkout:v1 runs in 3 pods; real requests, scraped every second",
        );
    }

    pub(super) fn shipped(&mut self, revision: &RevisionHash) {
        let now = Timestamp::now();
        self.shipped = Some(now);
        self.stage = Stage::Judging;
        self.say(
            now,
            Tone::Plain,
            &format!("somebody ships checkout:v2, revision {revision}"),
        );
    }

    /// Shows one tick; true when the story is over, or nobody reads it any more.
    pub(super) fn take(&mut self, event: Event) -> bool {
        let Event {
            at,
            records,
            snapshot,
        } = event;
        let mut over = false;
        for record in &records {
            over |= self.record(at, record);
        }
        let due = self
            .last_row
            .is_none_or(|last| at.duration_since(last).as_millis() >= 950);
        if due || over {
            self.last_row = Some(at);
            self.row(at, &snapshot);
        }
        over || self.screen.is_gone()
    }

    fn record(&mut self, at: Timestamp, record: &Record) -> bool {
        match record {
            Record::FirstTraffic { .. } => {
                self.say(
                    at,
                    Tone::Plain,
                    "v2 has its first traffic: the watch begins",
                );
            }
            Record::BaselineGone { .. } => {
                self.say(
                    at,
                    Tone::Plain,
                    "the last pod of v1 has gone: v2 is judged alone",
                );
            }
            Record::Failed { findings, .. } => {
                self.decided = Some(at);
                let failing = findings
                    .iter()
                    .find(|finding| finding.state == State::Failing);
                self.reason = failing
                    .map(|finding| finding.sentence.clone())
                    .unwrap_or_default();
                let text = format!("v2 is bad: {}", self.reason);
                self.say(at, Tone::Bad, &text);
            }
            Record::PlanBegan { plan } => {
                self.stage = Stage::RollingBack;
                self.say(
                    at,
                    Tone::Plain,
                    &format!("rolling back to revision {}", plan.to.revision),
                );
            }
            Record::PlanEnded {
                end: PlanEnd::Done, ..
            } => {
                self.restored = Some(at);
                self.stage = Stage::Verifying;
                self.say(
                    at,
                    Tone::Plain,
                    "no pod of v2 serves any more; verifying that the symptom is gone",
                );
            }
            Record::PlanEnded {
                end: PlanEnd::Fenced { reason } | PlanEnd::Stuck { reason },
                ..
            } => {
                self.reason.clone_from(reason);
                self.say(
                    at,
                    Tone::Bad,
                    &format!("the rollback was not carried out: {reason}"),
                );
                return true;
            }
            Record::VerificationEnded { end, findings, .. } => {
                self.verified = *end == VerificationEnd::Gone;
                let text = match end {
                    VerificationEnd::Gone => findings.first().map_or_else(
                        || "the symptom is gone".to_owned(),
                        |finding| format!("the symptom is gone: {}", finding.sentence),
                    ),
                    VerificationEnd::Remains { reason } => format!("the symptom remains: {reason}"),
                    VerificationEnd::Unknown { reason } => format!("not verified: {reason}"),
                };
                let tone = if self.verified { Tone::Good } else { Tone::Bad };
                self.say(at, tone, &text);
                return true;
            }
            Record::AnalysisEnded {
                ending, findings, ..
            } => match ending {
                Ending::Pass => {
                    self.promoted = true;
                    self.decided = Some(at);
                    let sentences: Vec<&str> = findings
                        .iter()
                        .map(|finding| finding.sentence.as_str())
                        .collect();
                    self.reason = format!("no rule failed: {}", sentences.join("; "));
                    self.say(at, Tone::Good, "v2 passed its watch: it is known good");
                    return true;
                }
                Ending::Inconclusive { reason } => {
                    self.reason.clone_from(reason);
                    self.say(at, Tone::Bad, &format!("no verdict: {reason}"));
                    return true;
                }
                Ending::Fail | Ending::Superseded { .. } => {}
            },
            _ => {}
        }
        false
    }

    pub(super) fn outcome(&self) -> Outcome {
        if self.promoted {
            Outcome::Promoted
        } else if self.restored.is_some() {
            Outcome::RolledBack
        } else {
            Outcome::Undecided
        }
    }

    /// The closing line, and the same for scripts.
    pub(super) fn end(&mut self, outcome: Outcome) -> Summary {
        let Seen {
            requests,
            bad,
            first_bad,
            last_bad,
        } = self.traffic.seen();
        let shipped = self.shipped;
        let since = |to: Option<Timestamp>| match (first_bad.or(shipped), to) {
            (Some(from), Some(to)) => format!("{:.1} s", seconds(from, to)),
            _ => "?".to_owned(),
        };
        let closing = match outcome {
            Outcome::RolledBack => {
                let served = match (first_bad, last_bad) {
                    (Some(first), Some(last)) => format!("{:.1} s", seconds(first, last)),
                    _ => "?".to_owned(),
                };
                format!(
                    "v2 was rolled back: decided {} after its first bad answer, gone after {}{}. \
                     {bad} of {requests} requests got a bad answer, over {served}.",
                    since(self.decided),
                    since(self.restored),
                    if self.verified {
                        ", symptom gone"
                    } else {
                        ", not verified"
                    },
                )
            }
            Outcome::Promoted => format!(
                "v2 is good and was left alone: known good {} after it was shipped. \
                 {bad} of {requests} requests got a bad answer.",
                match (shipped, self.decided) {
                    (Some(from), Some(to)) => format!("{:.1} s", seconds(from, to)),
                    _ => "?".to_owned(),
                }
            ),
            Outcome::Undecided => format!(
                "nothing was decided. {bad} of {requests} requests got a bad answer. {}",
                self.reason
            ),
        };
        let summary = Summary {
            outcome,
            requests,
            bad_answers: bad,
            first_bad_answer: first_bad,
            shipped,
            decided: self.decided,
            restored: self.restored,
            verified: self.verified,
            reason: std::mem::take(&mut self.reason),
        };
        if self.options.json {
            self.screen.print(&json(&summary));
        } else {
            let tone = match outcome {
                Outcome::RolledBack | Outcome::Promoted => Tone::Good,
                Outcome::Undecided => Tone::Bad,
            };
            self.screen.close(tone, &closing);
        }
        summary
    }

    fn row(&mut self, at: Timestamp, snapshot: &Snapshot) {
        let seen = self.traffic.seen();
        let target = snapshot
            .targets
            .iter()
            .find(|target| target.target == self.target);
        let findings = target
            .and_then(|target| target.analysis.as_ref())
            .map(|analysis| analysis.findings.as_slice())
            .unwrap_or_default();
        if self.options.json {
            let line = serde_json::json!({
                "at": at, "requests": seen.requests, "badAnswers": seen.bad, "findings": findings,
            });
            self.screen.print(&line.to_string());
            return;
        }
        if !self.screen.is_terminal() {
            return;
        }
        let mut block = vec![String::new()];
        block.extend(
            table(findings)
                .to_string()
                .lines()
                .map(|line| line.trim_end().to_owned()),
        );
        block.push(self.status(at, &seen));
        self.screen.draw(block);
    }

    fn status(&self, at: Timestamp, seen: &Seen) -> String {
        let serving = (self.serving)();
        let of = |version: &str| serving.iter().filter(|found| *found == version).count();
        let stage = match self.stage {
            Stage::Waiting => "before the release",
            Stage::Judging => "judging v2",
            Stage::RollingBack => "rolling back",
            Stage::Verifying => "verifying",
        };
        let since = self.shipped.map_or_else(String::new, |shipped| {
            format!(", {:.0} s", seconds(shipped, at))
        });
        format!(
            " {stage}{since}; pods: {} v1, {} v2; {} requests, {} bad answers",
            of("v1"),
            of("v2"),
            seen.requests,
            seen.bad
        )
    }

    fn say(&mut self, at: Timestamp, tone: Tone, text: &str) {
        if self.options.json {
            let line = serde_json::json!({"at": at, "event": text});
            self.screen.print(&line.to_string());
        } else {
            self.screen.say(at, tone, text);
        }
    }
}

/// One row per rule: what was measured of both versions, and what the judge says.
fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if findings.is_empty() {
        return table;
    }
    table.set_header(["rule", "v1", "v2", "of requests", "judged"]);
    for finding in findings {
        let ratio = finding.rule.as_str().contains("error");
        let value = |value: Option<f64>| match value {
            None => "-".to_owned(),
            Some(value) if ratio => wording::percent(value),
            Some(value) => wording::latency(value),
        };
        table.add_row([
            finding.rule.to_string(),
            value(finding.baseline.and_then(|baseline| baseline.value)),
            value(finding.canary.value),
            wording::count(finding.canary.events),
            state(finding.state).to_owned(),
        ]);
    }
    for column in 1..=3 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn json(summary: &Summary) -> String {
    serde_json::to_string(summary).expect("texts, numbers and times become JSON")
}

fn state(state: State) -> &'static str {
    match state {
        State::NoData => "no data yet",
        State::TooLittle => "too little to judge",
        State::Within => "within its limit",
        State::Unsure => "above it, perhaps by chance",
        State::Suspected => "above its limit?",
        State::Failing => "ABOVE its limit",
        State::BaselineAlsoBad => "baseline also bad",
    }
}
