//! The nearest of some known names: what a misspelt word was meant to be.

/// The known name that `word` was probably meant to be, if one is near enough.
///
/// Near is: equal but for case, `-`, `_`; or at most one change (insert, delete, replace, swap neighbours)
/// for each three letters, as rustc has it.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    const LONGEST: usize = 64;
    let letters: Vec<char> = word.chars().take(LONGEST + 1).collect();
    if letters.is_empty() || letters.len() > LONGEST {
        return None;
    }
    let plain = plain(word);
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        if self::plain(name) == plain {
            return Some(name);
        }
        let other: Vec<char> = name.chars().take(LONGEST + 1).collect();
        let allowed = (letters.len().max(other.len()) / 3).max(1);
        if letters.len().abs_diff(other.len()) > allowed {
            continue;
        }
        let distance = distance(&letters, &other);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

fn plain(word: &str) -> String {
    word.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Optimal string alignment distance: Levenshtein with swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    const LONG: usize = usize::MAX / 2;
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (row, x) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut last_b = None;
        for (column, y) in b.iter().enumerate() {
            let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(LONG);
            let replaced = at(&above, column) + usize::from(x != y);
            let mut least = replaced
                .min(at(&above, column + 1) + 1)
                .min(at(&current, column) + 1);
            if last_a == Some(y) && last_b == Some(x) {
                least = least.min(at(&before, column - 1) + 1);
            }
            current.push(least);
            last_b = Some(y);
        }
        before = std::mem::replace(&mut above, current);
        last_a = Some(x);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["name", "ratio", "histogram", "dryRun", "max", "min"];
        for (word, meant) in [
            ("nmae", Some("name")),
            ("ration", Some("ratio")),
            ("histgram", Some("histogram")),
            ("dry_run", Some("dryRun")),
            ("DryRun", Some("dryRun")),
            ("maxx", Some("max")),
            ("mox", Some("max")),
            ("for", None),
            ("gauge", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }

    #[test]
    fn endless_words_have_no_neighbour() {
        assert_eq!(nearest(&"x".repeat(1_000_000), ["max"]), None);
    }
}
