//! The built-in functions by name, and what they take and give as far as that is fixed.

use super::nature::GoType;

/// Functions that ask something of each element: how many arguments are required, and how many are optional.
pub(super) fn loop_arguments(name: &str) -> Option<(usize, usize)> {
    Some(match name {
        "all" | "none" | "any" | "one" | "filter" | "map" | "find" | "findIndex" | "findLast"
        | "findLastIndex" | "groupBy" => (2, 0),
        "count" | "sum" => (1, 1),
        "sortBy" | "reduce" => (2, 1),
        _ => return None,
    })
}

pub(super) fn is_builtin(name: &str) -> bool {
    loop_arguments(name).is_some() || is_checked_by_kind(name) || !signatures(name).is_empty()
}

/// Those whose arguments are checked by rules of their own.
pub(super) fn is_checked_by_kind(name: &str) -> bool {
    matches!(
        name,
        "len"
            | "abs"
            | "ceil"
            | "floor"
            | "round"
            | "int"
            | "float"
            | "max"
            | "min"
            | "mean"
            | "median"
            | "now"
            | "date"
            | "first"
            | "last"
            | "get"
            | "take"
            | "keys"
            | "values"
            | "toPairs"
            | "fromPairs"
            | "reverse"
            | "uniq"
            | "concat"
            | "flatten"
    )
}

/// The types of arguments and result.
pub(super) type Signature = (&'static [GoType], GoType);

/// The signatures of the others, in the order in which they are tried.
pub(super) fn signatures(name: &str) -> &'static [Signature] {
    use GoType::{Any, Anys, Duration, Floats, Int, Ints, Location, Text, Texts};
    match name {
        "type" | "string" | "toJSON" => &[(&[Any], Text)],
        "trim" => &[(&[Text], Text), (&[Text, Text], Text)],
        "trimPrefix" | "trimSuffix" => &[(&[Text, Text], Text), (&[Text], Text)],
        "upper" | "lower" | "toBase64" | "fromBase64" => &[(&[Text], Text)],
        "split" | "splitAfter" => &[(&[Text, Text], Texts), (&[Text, Text, Int], Texts)],
        "replace" => &[
            (&[Text, Text, Text, Int], Text),
            (&[Text, Text, Text], Text),
        ],
        "repeat" => &[(&[Text, Int], Text)],
        "join" => &[
            (&[Texts, Text], Text),
            (&[Anys, Text], Text),
            (&[Anys], Text),
            (&[Texts, Text], Text),
            (&[Texts], Text),
        ],
        "indexOf" | "lastIndexOf" => &[(&[Text, Text], Int)],
        "hasPrefix" | "hasSuffix" => &[(&[Text, Text], GoType::Bool)],
        "fromJSON" => &[(&[Text], Any)],
        "duration" => &[(&[Text], Duration)],
        "timezone" => &[(&[Text], Location)],
        "sort" => &[
            (&[Anys, Text], Anys),
            (&[Ints, Text], Anys),
            (&[Floats, Text], Anys),
            (&[Texts, Text], Anys),
            (&[Anys], Anys),
            (&[Floats], Anys),
            (&[Texts], Anys),
            (&[Ints], Anys),
        ],
        "bitand" | "bitor" | "bitxor" | "bitnand" | "bitshl" | "bitshr" | "bitushr" => {
            &[(&[Int, Int], Int)]
        }
        "bitnot" => &[(&[Int], Int)],
        _ => &[],
    }
}
