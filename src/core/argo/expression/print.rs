//! Whether two parts of a tree are the same text, places aside.

use super::ast::{Kind, Node};

pub(super) fn same(one: &Node, other: &Node) -> bool {
    let own = match (&one.kind, &other.kind) {
        (Kind::Nil, Kind::Nil)
        | (Kind::Chain(_), Kind::Chain(_))
        | (Kind::Predicate(_), Kind::Predicate(_))
        | (Kind::Slice { .. }, Kind::Slice { .. })
        | (Kind::Call { .. }, Kind::Call { .. })
        | (Kind::Sequence(_), Kind::Sequence(_))
        | (Kind::Conditional { .. }, Kind::Conditional { .. })
        | (Kind::Array(_), Kind::Array(_))
        | (Kind::Map(_), Kind::Map(_))
        | (Kind::Literals(_), Kind::Literals(_)) => true,
        (Kind::Integer(one), Kind::Integer(other)) => one == other,
        (Kind::Float(one), Kind::Float(other)) => one.to_bits() == other.to_bits(),
        (Kind::Text(one), Kind::Text(other)) => one == other,
        (Kind::Bool(one), Kind::Bool(other))
        | (
            Kind::Member { optional: one, .. },
            Kind::Member {
                optional: other, ..
            },
        ) => one == other,
        (Kind::Identifier(one), Kind::Identifier(other))
        | (Kind::Pointer(one), Kind::Pointer(other))
        | (Kind::Let { name: one, .. }, Kind::Let { name: other, .. }) => one == other,
        (Kind::Unary(one, _), Kind::Unary(other, _)) => one == other,
        (Kind::Binary(one, ..), Kind::Binary(other, ..)) => one == other,
        (Kind::Builtin(one), Kind::Builtin(other)) => {
            one.name == other.name && one.map.is_some() == other.map.is_some()
        }
        (Kind::InTexts(_, one), Kind::InTexts(_, other)) => one == other,
        (Kind::InIntegers(_, one), Kind::InIntegers(_, other)) => one == other,
        _ => false,
    };
    if !own {
        return false;
    }
    let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
    one.children(&mut |child| of_one.push(child.clone()));
    other.children(&mut |child| of_other.push(child.clone()));
    of_one.len() == of_other.len()
        && of_one
            .iter()
            .zip(&of_other)
            .all(|(one, other)| same(one, other))
}
