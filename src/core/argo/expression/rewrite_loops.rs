//! expr-lang's rewrites of loops over elements, which decide what is asked of which element and in which order: an
//! error that is never reached is no error.

use super::ast::{Binary, Builtin, Kind, Node};
use super::nature::{GoType, Nature};
use super::print;

/// The passes, in expr-lang's order.
pub(super) const PASSES: [fn(&mut Node); 8] = [
    in_range,
    map_of_filter,
    length_of_filter,
    last_of_filter,
    first_of_filter,
    combined_predicates,
    sum_of_array,
    sum_of_map,
];

fn nothing() -> Node {
    Node::new(Kind::Nil, 0)
}

fn take(node: &mut Node) -> Node {
    std::mem::replace(node, nothing())
}

/// A call of this name with so many arguments.
fn call<'n>(node: &'n mut Node, name: &str, arguments: usize) -> Option<&'n mut Builtin> {
    match &mut node.kind {
        Kind::Builtin(builtin) if builtin.name == name && builtin.arguments.len() == arguments => {
            Some(builtin)
        }
        _ => None,
    }
}

fn both(operator: Binary, left: Node, right: Node) -> Node {
    let at = left.at;
    Node::new(Kind::Binary(operator, Box::new(left), Box::new(right)), at)
}

/// What a predicate asks.
fn asked(node: Node) -> Node {
    match node.kind {
        Kind::Predicate(inner) => *inner,
        _ => node,
    }
}

/// `filter(filter(a, p), q)` is `filter(a, p && q)`.
pub(super) fn filter_of_filter(node: &mut Node) -> bool {
    let Some(outer) = call(node, "filter", 2) else {
        return false;
    };
    let [first, second] = outer.arguments.as_mut_slice() else {
        return false;
    };
    let Some(inner) = call(first, "filter", 2) else {
        return false;
    };
    let mut inner = std::mem::take(&mut inner.arguments).into_iter();
    let (Some(base), Some(one)) = (inner.next(), inner.next()) else {
        return false;
    };
    let combined = both(Binary::And, asked(one), asked(take(second)));
    let at = combined.at;
    outer.arguments = vec![base, Node::new(Kind::Predicate(Box::new(combined)), at)];
    outer.map = None;
    true
}

/// `int in 1..9` is two comparisons.
fn in_range(node: &mut Node) {
    let Kind::Binary(Binary::In, left, right) = &mut node.kind else {
        return;
    };
    if left.nature.go != Some(GoType::Int) {
        return;
    }
    let Kind::Binary(Binary::Range, from, to) = &mut right.kind else {
        return;
    };
    if !matches!((&from.kind, &to.kind), (Kind::Integer(_), Kind::Integer(_))) {
        return;
    }
    let needle = take(left);
    let from = both(Binary::GreaterOrEqual, needle.clone(), take(from));
    let to = both(Binary::LessOrEqual, needle, take(to));
    node.kind = Kind::Binary(Binary::And, Box::new(from), Box::new(to));
}

fn asks_for_index(node: &Node) -> bool {
    let mut found = matches!(&node.kind, Kind::Pointer(name) if name == "index");
    node.children(&mut |child| found |= asks_for_index(child));
    found
}

/// `map(filter(a, p), f)` maps while it filters.
fn map_of_filter(node: &mut Node) {
    let nature = node.nature.clone();
    let Some(outer) = call(node, "map", 2) else {
        return;
    };
    let [first, second] = outer.arguments.as_mut_slice() else {
        return;
    };
    if asks_for_index(second) || !matches!(second.kind, Kind::Predicate(_)) {
        return;
    }
    let Some(inner) = call(first, "filter", 2) else {
        return;
    };
    if inner.map.is_some() {
        return;
    }
    let map = Some(Box::new(asked(take(second))));
    let arguments = std::mem::take(&mut inner.arguments);
    node.kind = Kind::Builtin(Builtin {
        name: "filter".to_owned(),
        arguments,
        map,
        throws: false,
    });
    node.nature = plain(&nature);
}

/// A type without what was known of its elements.
fn plain(nature: &Nature) -> Nature {
    nature
        .go
        .map_or_else(|| Nature::of(GoType::Any), Nature::of)
}

/// `len(filter(a, p))` counts.
fn length_of_filter(node: &mut Node) {
    let Some(outer) = call(node, "len", 1) else {
        return;
    };
    let Some(inner) = outer
        .arguments
        .first_mut()
        .and_then(|first| call(first, "filter", 2))
    else {
        return;
    };
    outer.arguments = std::mem::take(&mut inner.arguments);
    "count".clone_into(&mut outer.name);
}

fn last_of_filter(node: &mut Node) {
    end_of_filter(node, -1, "last", "findLast");
}

fn first_of_filter(node: &mut Node) {
    end_of_filter(node, 0, "first", "find");
}

/// `filter(a, p)[0]` and `first(filter(a, p))` look no further than the first that fits.
fn end_of_filter(node: &mut Node, index: i64, builtin: &str, find: &str) {
    let found = match &mut node.kind {
        Kind::Member {
            base,
            property,
            optional: false,
            ..
        } if matches!(property.kind, Kind::Integer(value) if value == index) => {
            call(base, "filter", 2).map(|filter| (filter, true))
        }
        Kind::Builtin(outer) if outer.name == builtin && outer.arguments.len() == 1 => outer
            .arguments
            .first_mut()
            .and_then(|first| call(first, "filter", 2))
            .map(|filter| (filter, false)),
        _ => None,
    };
    let Some((filter, throws)) = found else {
        return;
    };
    let arguments = std::mem::take(&mut filter.arguments);
    let map = filter.map.take();
    node.kind = Kind::Builtin(Builtin {
        name: find.to_owned(),
        arguments,
        map,
        throws,
    });
    node.nature = plain(&node.nature);
}

/// `all(a, p) && all(a, q)` is `all(a, p && q)`, and so for `any` with `||` and `none`.
fn combined_predicates(node: &mut Node) {
    let Kind::Binary(operator, left, right) = &mut node.kind else {
        return;
    };
    let operator = *operator;
    let (Kind::Builtin(one), Kind::Builtin(other)) = (&mut left.kind, &mut right.kind) else {
        return;
    };
    let combined = match (one.name.as_str(), operator) {
        ("all", Binary::And) => Binary::And,
        ("any", Binary::Or) | ("none", Binary::And) => Binary::Or,
        (_, _) => return,
    };
    if one.name != other.name {
        return;
    }
    let ([list, p], [same_list, q]) =
        (one.arguments.as_mut_slice(), other.arguments.as_mut_slice())
    else {
        return;
    };
    if list.nature.go != same_list.nature.go || !print::same(list, same_list) {
        return;
    }
    let mut predicate = both(combined, asked(take(p)), asked(take(q)));
    combined_predicates(&mut predicate);
    let at = predicate.at;
    let arguments = vec![
        take(list),
        Node::new(Kind::Predicate(Box::new(predicate)), at),
    ];
    node.kind = Kind::Builtin(Builtin {
        name: one.name.clone(),
        arguments,
        map: None,
        throws: false,
    });
}

/// `sum([a, b, c])` is `a + (b + c)`.
fn sum_of_array(node: &mut Node) {
    let Some(sum) = call(node, "sum", 1) else {
        return;
    };
    let Some(Kind::Array(items)) = sum.arguments.first_mut().map(|first| &mut first.kind) else {
        return;
    };
    if items.len() < 2 || items.len() > super::MOST_DEPTH / 2 {
        return;
    }
    let folded = std::mem::take(items)
        .into_iter()
        .rev()
        .reduce(|right, left| both(Binary::Plus, left, right));
    if let Some(folded) = folded {
        node.kind = folded.kind;
    }
}

/// `sum(map(a, f))` is `sum(a, f)`.
fn sum_of_map(node: &mut Node) {
    let Some(sum) = call(node, "sum", 1) else {
        return;
    };
    let Some(map) = sum
        .arguments
        .first_mut()
        .and_then(|first| call(first, "map", 2))
    else {
        return;
    };
    sum.arguments = std::mem::take(&mut map.arguments);
}
