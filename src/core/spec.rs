//! Rule documents become rules: YAML or JSON text in, a [`RuleBook`] and diagnostics out.
//!
//! First each file becomes a tree with positions, then its documents become drafts, then names are looked up.
//! Every step goes on after an error, so that all errors of all files are reported at once. Nothing here reads
//! files; nothing here fails or panics, whatever the text.

mod actions;
mod always;
mod channel;
mod diagnostic;
mod document;
mod drafts;
mod excerpt;
mod fields;
mod limits;
mod metric;
mod nearest;
mod report;
mod resolve;
mod rule_set;
mod selector;
mod syntax;
mod tree;
mod units;
mod watch;

pub use self::diagnostic::{Diagnostic, Place, Severity, SourceFile};
pub use self::nearest::nearest;
pub use self::selector::{SelectorError, anchored, selector};
pub use self::tree::MOST_BYTES;
pub use self::units::duration;

use self::drafts::Drafts;
use self::report::Report;
use crate::rule::RuleBook;

/// What became of some files.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// `None`: there are errors among the diagnostics.
    pub book: Option<RuleBook>,
    /// Errors and warnings, in the order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
    pub found: Found,
}

/// How many documents of each kind the files hold, those with errors included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    pub rule_sets: usize,
    pub watches: usize,
    pub channels: usize,
}

/// Loads the documents of all files.
///
/// `shipped` holds files of rule sets that watches can name without loading them; a set of the same name in
/// `files` takes its place.
pub fn load(files: &[SourceFile], shipped: &[SourceFile]) -> Loaded {
    load_drafts(files, shipped, Drafts::default())
}

/// Like [`load`], when some files could not be read: names that seem missing are not reported.
pub fn load_partly(files: &[SourceFile], shipped: &[SourceFile]) -> Loaded {
    let drafts = Drafts {
        incomplete: true,
        ..Drafts::default()
    };
    load_drafts(files, shipped, drafts)
}

fn load_drafts(files: &[SourceFile], shipped: &[SourceFile], mut drafts: Drafts) -> Loaded {
    let mut reports: Vec<Report<'_>> = files.iter().map(Report::new).collect();
    read(&mut reports, 0, &mut drafts);
    let found = Found {
        rule_sets: drafts.sets.len(),
        watches: drafts.watches.len(),
        channels: drafts.channels.len(),
    };
    // Reports are looked up by the index of their file: shipped files follow the user's.
    let mut shipped_reports: Vec<Report<'_>> = shipped.iter().map(Report::new).collect();
    let mut shipped_drafts = Drafts::default();
    read(&mut shipped_reports, files.len(), &mut shipped_drafts);
    reports.extend(shipped_reports);

    let book = resolve::resolve(drafts, shipped_drafts, &mut reports);
    let errors: usize = reports.iter().map(Report::errors).sum();
    Loaded {
        book: (errors == 0).then_some(book),
        diagnostics: reports.into_iter().flat_map(Report::finish).collect(),
        found,
    }
}

/// Reads the documents of files, of which the first has the index `first`, into `drafts`.
fn read(reports: &mut [Report<'_>], first: usize, drafts: &mut Drafts) {
    for (index, report) in reports.iter_mut().enumerate() {
        let documents = tree::parse(report);
        drafts.incomplete |= documents.broken;
        let mut empty = true;
        for root in &documents.roots {
            empty &= root.is_null();
            document::read(root, first + index, drafts, report);
        }
        if empty && !documents.broken {
            report
                .file_warning("the file holds no document")
                .help("is this the right file?");
        }
    }
}
