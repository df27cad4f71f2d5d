//! The list of deliberate faults (`mutations.txt`) that `tests/mutations` puts into a copy of the code, each behind a
//! switch: here the list is read, held against the code, and applied.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const LIST: &str = include_str!("mutations.txt");
/// Fewer than this are no proof of anything.
const FEWEST: usize = 25;

/// What every copy gets: which fault is switched on.
const SWITCH: &str = "//! Which deliberate fault is on: `RECANT_MUTANT` holds its number.

/// Whether this one is.
pub fn on(number: usize) -> bool {
    static ON: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let read = || std::env::var(\"RECANT_MUTANT\").ok().and_then(|text| text.parse().ok());
    *ON.get_or_init(|| read().unwrap_or(0)) == number
}
";

/// One deliberate fault.
#[derive(Debug)]
pub(crate) struct Mutation {
    /// From 1 on.
    pub(crate) number: usize,
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    /// `simulation`, or `unit` and a part of the names of tests.
    pub(crate) caught_by: &'static str,
    edit: Option<Edit>,
}

/// A change of one file; it may hold the switches of several mutations.
#[derive(Debug)]
struct Edit {
    file: &'static str,
    old: &'static str,
    new: &'static str,
}

/// # Errors
/// What the list lacks.
pub(crate) fn list() -> Result<Vec<Mutation>, String> {
    let blocks = LIST.split("\n== ").skip(1).enumerate();
    blocks
        .map(|(place, block)| read(place + 1, block))
        .collect()
}

fn read(number: usize, block: &'static str) -> Result<Mutation, String> {
    let (head, change) = match block.split_once("\n--- old\n") {
        Some((head, change)) => (head, Some(change)),
        None => (block, None),
    };
    let name = head.lines().next().unwrap_or_default();
    let field = |field: &str| {
        let mut lines = head.lines();
        let value = lines
            .find_map(|line| line.strip_prefix(field))
            .map(str::trim);
        value.ok_or(format!("mutation `{name}` has no line `{field} …`"))
    };
    let edit = match change {
        None => {
            field("with:")?;
            None
        }
        Some(change) => {
            let texts = change.split_once("\n--- new\n");
            let (old, new) = texts.ok_or(format!("mutation `{name}` has no `--- new`"))?;
            Some(Edit {
                file: field("file:")?,
                old,
                new: new.trim_end_matches('\n'),
            })
        }
    };
    Ok(Mutation {
        number,
        name,
        why: field("why:")?,
        caught_by: field("caught by:")?,
        edit,
    })
}

/// Whether each mutation fits the code as it is.
///
/// # Errors
/// Every one that does not.
pub(crate) fn check() -> Result<(), String> {
    let mutations = list()?;
    let count = mutations.len();
    if count < FEWEST {
        return Err(format!(
            "there are {count} mutations, and at least {FEWEST} are wanted"
        ));
    }
    mutated(Path::new(env!("CARGO_MANIFEST_DIR")), &mutations).map(|_| ())
}

/// Puts all mutations into a copy of the code.
///
/// # Errors
/// Which one does not fit, or what could not be written.
pub(crate) fn apply(folder: &Path) -> Result<(), String> {
    let mut files = mutated(folder, &list()?)?;
    files.insert("src/core/mutant.rs", SWITCH.to_owned());
    let library = "src/core/lib.rs";
    let text = text_of(folder, library)?;
    files.insert(library, format!("{text}\npub mod mutant;\n"));
    for (file, text) in files {
        std::fs::write(folder.join(file), text).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

fn text_of(folder: &Path, file: &str) -> Result<String, String> {
    std::fs::read_to_string(folder.join(file)).map_err(|error| format!("{file}: {error}"))
}

fn mutated(
    folder: &Path,
    mutations: &[Mutation],
) -> Result<BTreeMap<&'static str, String>, String> {
    let mut files: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut switched = Vec::new();
    for mutation in mutations {
        let Some(edit) = &mutation.edit else { continue };
        let text = match files.get(edit.file) {
            Some(text) => text.clone(),
            None => text_of(folder, edit.file)?,
        };
        let found = text.matches(edit.old).count();
        if found != 1 {
            let (name, file) = (mutation.name, edit.file);
            faults.push(format!(
                "mutation `{name}`: its text is found {found} times in {file}"
            ));
            continue;
        }
        let new = switches(mutation, edit, mutations, &mut switched)?;
        files.insert(edit.file, text.replacen(edit.old, &new, 1));
    }
    let silent = mutations
        .iter()
        .filter(|mutation| !switched.contains(&mutation.number));
    faults
        .extend(silent.map(|mutation| format!("mutation `{}` is switched nowhere", mutation.name)));
    if faults.is_empty() {
        Ok(files)
    } else {
        Err(faults.join("\n"))
    }
}

/// The new text with a switch for each `MUTANT`, or `MUTANT(name of another mutation)`.
fn switches(
    own: &Mutation,
    edit: &Edit,
    all: &[Mutation],
    switched: &mut Vec<usize>,
) -> Result<String, String> {
    let root = if edit.file.starts_with("src/core/") {
        "crate"
    } else {
        "recant_core"
    };
    let mut parts = edit.new.split("MUTANT");
    let mut new = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let named = part.strip_prefix('(').and_then(|part| part.split_once(')'));
        let other =
            named.and_then(|(name, rest)| Some((all.iter().find(|one| one.name == name)?, rest)));
        let (mutation, rest) = other.unwrap_or((own, part));
        switched.push(mutation.number);
        let number = mutation.number;
        write!(new, "{root}::mutant::on({number}){rest}").map_err(|error| error.to_string())?;
    }
    if new == edit.old {
        return Err(format!("mutation `{}` changes nothing", own.name));
    }
    Ok(new)
}
