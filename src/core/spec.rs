//! Rule documents become rules: YAML or JSON text in, a [`RuleBook`] and diagnostics out.
//!
//! First each file becomes a tree with positions, then its documents become drafts, then names are looked up.
//! Every step goes on after an error, so that all errors of all files are reported at once. Nothing here reads
//! files; nothing here fails or panics, whatever the text.

mod actions;
mod always;
mod analysis;
mod channel;
mod checks;
mod diagnostic;
mod document;
mod drafts;
mod excerpt;
mod fields;
mod judging;
mod labels;
mod level;
mod limits;
mod manifest;
mod metric;
mod nearest;
mod places;
mod quantity;
mod report;
mod resolve;
mod resources;
mod rule_set;
mod runbook;
mod secret;
mod selector;
mod syntax;
mod tasks;
mod test;
mod traffic;
mod tree;
mod units;
mod watch;

pub use self::analysis::{Analyses, analyses};
pub use self::checks::{Beside, Check, Checks};
pub use self::diagnostic::{Diagnostic, Place, Severity, SourceFile};
pub use self::manifest::{
    Knowledge, Manifests, ObjectKind, ObjectName, Presence, Shape, Shapes, ValueType,
    shipped_shapes,
};
pub use self::nearest::nearest;
pub use self::places::{fields_by_line, places};
pub use self::resources::{
    Found as FoundResource, LastGood, Merged, Resource, ResourceKey, ResourceKind, merge,
};
pub use self::selector::{SelectorError, anchored, selector};
pub use self::tree::MOST_BYTES;
pub use self::units::{duration, share};

use self::drafts::Drafts;
use self::report::Report;
use crate::rule::RuleBook;
use crate::testcase::{Origin, TestCase};

/// What became of some files.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// `None`: there are errors among the diagnostics.
    pub book: Option<RuleBook>,
    /// The tests among the documents that can be run.
    pub tests: Vec<TestCase>,
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
    /// Those without errors of their own.
    pub tests: usize,
}

/// Line and column, both from 1, of a place in one of the files that were loaded.
pub fn position(files: &[SourceFile], origin: Origin) -> (usize, usize) {
    files
        .get(origin.file)
        .map_or((1, 1), |file| excerpt::position(&file.text, origin.offset))
}

/// How documents are loaded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Some files could not be read: names that seem missing are not reported.
    pub partly: bool,
    pub checks: Checks,
}

/// Loads the documents of all files.
///
/// `shipped` holds files of rule sets that watches can name without loading them; a set of the same name in
/// `files` takes its place.
pub fn load(files: &[SourceFile], shipped: &[SourceFile]) -> Loaded {
    load_with(files, shipped, Options::default())
}

/// Like [`load`], with more that is checked, or less.
pub fn load_with(files: &[SourceFile], shipped: &[SourceFile], options: Options) -> Loaded {
    let drafts = Drafts {
        incomplete: options.partly,
        ..Drafts::default()
    };
    load_drafts(files, shipped, drafts, options.checks, None).loaded
}

/// What became of files among which Kubernetes objects and Prometheus rules are welcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The diagnostics are of all documents; the book only needs Recant's to be without errors.
    pub loaded: Loaded,
    pub manifests: Manifests,
}

/// Like [`load_with`], and checks the users' Kubernetes and Prometheus files among them.
pub fn check(
    files: &[SourceFile],
    shipped: &[SourceFile],
    options: Options,
    knowledge: &Knowledge,
) -> Checked {
    let drafts = Drafts {
        incomplete: options.partly,
        ..Drafts::default()
    };
    load_drafts(files, shipped, drafts, options.checks, Some(knowledge))
}

/// With `knowledge`, documents that are not Recant's are checked too; without, they are errors.
fn load_drafts(
    files: &[SourceFile],
    shipped: &[SourceFile],
    mut drafts: Drafts,
    checks: Checks,
    knowledge: Option<&Knowledge>,
) -> Checked {
    let report = |file| Report::new(file, checks);
    let mut reports: Vec<Report<'_>> = files.iter().map(report).collect();
    let mut others = knowledge.map(|_| manifest::Documents::default());
    read(&mut reports, 0, &mut drafts, others.as_mut());
    let found = Found {
        rule_sets: drafts.sets.len(),
        watches: drafts.watches.len(),
        channels: drafts.channels.len(),
        tests: drafts.tests.len(),
    };
    // Reports are looked up by the index of their file: shipped files follow the user's.
    let mut shipped_reports: Vec<Report<'_>> = shipped.iter().map(report).collect();
    let mut shipped_drafts = Drafts::default();
    read(&mut shipped_reports, files.len(), &mut shipped_drafts, None);
    reports.extend(shipped_reports);

    let (book, tests) = resolve::resolve(drafts, shipped_drafts, &mut reports);
    let errors: usize = reports.iter().map(Report::errors).sum();
    let manifests = match (&others, knowledge) {
        (Some(others), Some(knowledge)) => others.check(knowledge, &mut reports),
        (None, _) | (_, None) => Manifests::default(),
    };
    let loaded = Loaded {
        book: (errors == 0).then_some(book),
        tests: if errors == 0 { tests } else { Vec::new() },
        diagnostics: reports.into_iter().flat_map(Report::finish).collect(),
        found,
    };
    Checked { loaded, manifests }
}

/// Reads the documents of files, of which the first has the index `first`, into `drafts`.
fn read(
    reports: &mut [Report<'_>],
    first: usize,
    drafts: &mut Drafts,
    mut others: Option<&mut manifest::Documents>,
) {
    for (index, report) in reports.iter_mut().enumerate() {
        let documents = tree::parse(report);
        drafts.incomplete |= documents.broken;
        let mut empty = true;
        for mut root in documents.roots {
            empty &= root.node.is_null();
            let items = document::listed(&mut root.node);
            if let Some(ours) = &items {
                for unfollowed in std::mem::take(&mut root.unfollowed) {
                    unfollowed.refuse(report);
                }
                for item in ours {
                    document::read(item, first + index, drafts, report);
                }
                if document::is_empty_list(&root.node) {
                    continue;
                }
            }
            let left = match others.as_deref_mut() {
                Some(others) => others.take(root, first + index, report),
                None => Some(root),
            };
            if let Some(mut root) = left {
                for unfollowed in root.unfollowed {
                    unfollowed.refuse(report);
                }
                document::without_what_servers_add(&mut root.node);
                document::read(&root.node, first + index, drafts, report);
            }
        }
        if empty && !documents.broken {
            report
                .file_warning("the file holds no document")
                .help("is this the right file?");
        }
    }
}
