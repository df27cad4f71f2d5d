//! What came of it all: what was recorded, done and told, as tests ask for it.

use std::fmt::Write as _;

use super::World;
use crate::analysis::Ending;
use crate::ids::AnalysisId;
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::saga::PlanEnd;

impl World {
    pub(in crate::engine::tests) fn records<'a, T>(
        &'a self,
        wanted: impl Fn(&'a Record) -> Option<T> + 'a,
    ) -> impl Iterator<Item = (i64, T)> + 'a {
        self.journal
            .iter()
            .filter_map(move |(second, record)| Some((*second, wanted(record)?)))
    }

    /// The rollback step that was handed out as the `index`th.
    pub(in crate::engine::tests) fn step(&self, index: usize) -> crate::plan::Step {
        let (_, command) = &self.commands[index];
        command.rollback().expect("a rollback").step.clone()
    }

    pub(in crate::engine::tests) fn count(&self, wanted: impl Fn(&Record) -> bool) -> usize {
        self.journal
            .iter()
            .filter(|(_, record)| wanted(record))
            .count()
    }

    pub(in crate::engine::tests) fn told(&self, kind: NoticeKind) -> usize {
        self.notices
            .iter()
            .filter(|notice| notice.kind == kind)
            .count()
    }

    pub(in crate::engine::tests) fn kinds(&self) -> Vec<NoticeKind> {
        self.notices.iter().map(|notice| notice.kind).collect()
    }

    pub(in crate::engine::tests) fn endings(&self) -> Vec<Ending> {
        self.records(|record| match record {
            Record::AnalysisEnded { ending, .. } => Some(ending.clone()),
            _ => None,
        })
        .map(|(_, ending)| ending)
        .collect()
    }

    pub(in crate::engine::tests) fn plans(&self) -> Vec<AnalysisId> {
        self.records(|record| match record {
            Record::PlanBegan { plan } => Some(plan.analysis.clone()),
            _ => None,
        })
        .map(|(_, analysis)| analysis)
        .collect()
    }

    pub(in crate::engine::tests) fn plan_ends(&self) -> Vec<PlanEnd> {
        self.records(|record| match record {
            Record::PlanEnded { end, .. } => Some(end.clone()),
            _ => None,
        })
        .map(|(_, end)| end)
        .collect()
    }

    /// When a record of this kind was written, first.
    #[track_caller]
    pub(in crate::engine::tests) fn when(&self, wanted: impl Fn(&Record) -> bool) -> i64 {
        let found = self.journal.iter().find(|(_, record)| wanted(record));
        found
            .unwrap_or_else(|| panic!("there is no such record:\n{}", self.transcript()))
            .0
    }

    /// A notice as people read it.
    pub(in crate::engine::tests) fn read(&self, kind: NoticeKind) -> String {
        let mut text = String::new();
        for notice in self.notices.iter().filter(|notice| notice.kind == kind) {
            writeln!(text, "{}", notice.headline).expect("is memory");
            for sentence in &notice.sentences {
                writeln!(text, "  {sentence}").expect("is memory");
            }
            for fact in &notice.facts {
                writeln!(text, "  | {}: {}", fact.label, fact.value).expect("is memory");
            }
        }
        text
    }
}
