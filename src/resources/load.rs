//! Documents of the cluster beside those of the files: which hold, and what is wrong with the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use recant_core::rule::RuleBook;
use recant_core::spec::{
    Diagnostic, FoundResource, LastGood, Merged, Resource, ResourceKey, Severity, SourceFile,
    fields_by_line,
};
use recant_core::wording::short;

use crate::cluster::kubernetes::resources::{ResourceStore, SeenResource};

/// Faults of one document that are told, and characters of each.
const MOST_FAULTS: usize = 30;
const LONGEST_FAULT: usize = 600;

/// What files and resources come to together.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Of the documents that this is about: a later number is a later picture.
    pub version: u64,
    pub book: RuleBook,
    pub standings: BTreeMap<ResourceKey, Standing>,
}

/// How one document stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub uid: String,
    pub generation: i64,
    /// It holds as it is.
    pub good: bool,
    /// It has errors, and its last good form goes on to hold.
    pub kept: bool,
    /// What is wrong, one each, with the field.
    pub faults: Vec<String>,
    /// What works and is perhaps not meant.
    pub warnings: Vec<String>,
    /// Rights that the agent lacks for it: it does not hold.
    pub lacking: Vec<String>,
}

/// Puts documents together, and remembers how they were when they were good.
#[derive(Debug)]
pub struct Loader {
    store: Arc<ResourceStore>,
    /// The agent's own: what lies there is for all.
    namespace: String,
    last: LastGood,
}

impl Loader {
    /// Reads from `store`; `namespace` is the agent's own.
    pub fn new(store: Arc<ResourceStore>, namespace: &str) -> Self {
        Self {
            store,
            namespace: namespace.to_owned(),
            last: LastGood::default(),
        }
    }

    /// Where the documents are seen.
    pub fn store(&self) -> &Arc<ResourceStore> {
        &self.store
    }

    /// All documents beside these files, which have no errors. `merge` is that of `config::rules`.
    pub fn load(
        &mut self,
        files: &[SourceFile],
        merge: impl FnOnce(&[SourceFile], &[Resource], &mut LastGood) -> Merged,
    ) -> Loaded {
        let (version, documents) = self.store.documents();
        let resources: Vec<Resource> = documents
            .iter()
            .map(|(key, seen)| Resource {
                key: key.clone(),
                uid: seen.uid.clone(),
                shared: key.namespace == self.namespace,
                file: SourceFile {
                    name: key.to_string(),
                    text: seen.text.to_string(),
                },
            })
            .collect();
        let Merged { book, mut found } = merge(files, &resources, &mut self.last);
        let standings = documents
            .into_iter()
            .zip(&resources)
            .filter_map(|((key, seen), resource)| {
                let found = found.remove(&key)?;
                Some((key, standing(&seen, &resource.file, &found)))
            })
            .collect();
        Loaded {
            version,
            book,
            standings,
        }
    }
}

fn standing(seen: &SeenResource, file: &SourceFile, found: &FoundResource) -> Standing {
    let fields = if found.diagnostics.is_empty() {
        BTreeMap::new()
    } else {
        fields_by_line(file)
    };
    let of = |severity: Severity| {
        let mut told: Vec<String> = found
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .map(|diagnostic| short(&in_words(diagnostic, &fields), LONGEST_FAULT))
            .collect();
        let more = told.len().saturating_sub(MOST_FAULTS);
        if more > 0 {
            told.truncate(MOST_FAULTS);
            told.push(format!("and {more} more"));
        }
        told
    };
    Standing {
        uid: seen.uid.clone(),
        generation: seen.generation,
        good: found.good,
        kept: found.kept,
        faults: of(Severity::Error),
        warnings: of(Severity::Warning),
        lacking: Vec::new(),
    }
}

/// `rules[0].max: this limit is never exceeded (it is first given at …): write …`
fn in_words(diagnostic: &Diagnostic, fields: &BTreeMap<usize, String>) -> String {
    let field = diagnostic
        .place
        .as_ref()
        .and_then(|place| fields.range(..=place.line).next_back())
        .map_or_else(String::new, |(_, field)| format!("{field}: "));
    let notes: Vec<String> = diagnostic
        .notes
        .iter()
        .map(|note| format!(" ({note})"))
        .collect();
    let notes = notes.concat();
    let help = diagnostic
        .help
        .as_ref()
        .map_or_else(String::new, |help| format!(": {help}"));
    format!("{field}{}{notes}{help}", diagnostic.message)
}
