//! The order of the entries of a Scala 2.12 map after `groupBy`. Kayenta lists its groups in it, and adds their scores
//! up in it.
//!
//! Up to four entries keep the order in which `groupBy`'s mutable hash table of 16 buckets gives them: from the last
//! bucket to the first. More lie in a hash trie: by five bits of their hash after another.

/// Entries of a map that needs no trie.
const SMALL: usize = 4;

/// Brings entries, each of a name of its own, into the order of the map.
pub(super) fn sort<T>(entries: &mut [T], name: impl Fn(&T) -> &str) {
    if entries.len() <= SMALL {
        // Within a bucket the newest comes first.
        entries.reverse();
        entries.sort_by_key(|entry| std::cmp::Reverse(bucket(java_hash(name(entry)))));
    } else {
        entries.sort_by_key(|entry| trie_path(java_hash(name(entry))));
    }
}

/// Java's `String.hashCode`: base 31 over UTF-16.
fn java_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| {
        hash.wrapping_mul(31).wrapping_add(u32::from(unit))
    })
}

/// Which of 16 buckets: the upper four bits of Scala's `byteswap32` of the hash, rotated by the table's seed of 4.
fn bucket(hash: u32) -> u32 {
    const FACTOR: u32 = 0x9e37_75cd;
    let swapped = hash.wrapping_mul(FACTOR).swap_bytes().wrapping_mul(FACTOR);
    swapped.rotate_right(4) >> 28
}

/// The way to an entry from the root of the trie: the lowest five bits of the improved hash first.
fn trie_path(hash: u32) -> [u32; 7] {
    let mut hash = hash.wrapping_add(!(hash << 9));
    hash ^= hash >> 14;
    hash = hash.wrapping_add(hash << 4);
    hash ^= hash >> 10;
    std::array::from_fn(|level| (hash >> (5 * level)) & 31)
}
