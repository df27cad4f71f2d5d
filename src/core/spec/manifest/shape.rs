//! Which fields objects may have: a tree of field lists, for each kind that is known.

use std::collections::BTreeMap;
use std::fmt;

use super::value::ValueType;

/// Names that stand for names that stand for names, at most.
const MOST_NAMES: usize = 32;

/// An API version with a kind: `apps/v1 Deployment`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKind {
    /// `v1`, `apps/v1`
    pub api_version: String,
    pub kind: String,
}

impl ObjectKind {
    /// The API group: empty for the core's.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// `v1`
    pub fn version(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or(self.api_version.as_str(), |(_, version)| version)
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_version, self.kind)
    }
}

/// What may stand in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A single value, or whatever else: it is not looked into.
    Any,
    /// A single value of this type.
    Value(ValueType),
    /// A mapping with these fields and no others.
    Fields(BTreeMap<String, Self>),
    List(Box<Self>),
    /// A mapping with keys of the user's choice.
    Map(Box<Self>),
    /// A shape that is defined once and used in several places, perhaps within itself.
    Named(String),
}

/// The shapes of some kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shapes {
    kinds: BTreeMap<ObjectKind, Shape>,
    pub(super) named: BTreeMap<String, Shape>,
}

impl Shapes {
    /// Adds a kind, or replaces what was known of it.
    pub fn add(&mut self, kind: ObjectKind, shape: Shape) {
        self.kinds.insert(kind, shape);
    }

    /// Says what a name stands for; names of different servers' schemas must not meet in one value.
    pub fn define(&mut self, name: String, shape: Shape) {
        self.named.insert(name, shape);
    }

    /// The shape of a kind, if it is known.
    pub fn of(&self, kind: &ObjectKind) -> Option<&Shape> {
        self.kinds.get(kind)
    }

    /// What a name stands for, if it was defined.
    pub fn named(&self, name: &str) -> Option<&Shape> {
        self.named.get(name)
    }

    /// All shapes that have a name.
    pub fn all_named(&self) -> impl Iterator<Item = &Shape> {
        self.named.values()
    }

    /// All kinds that are known.
    pub fn kinds(&self) -> impl Iterator<Item = &ObjectKind> {
        self.kinds.keys()
    }

    /// Follows names to what they stand for; names that lead nowhere stand for anything.
    pub fn resolve<'s>(&'s self, shape: &'s Shape) -> &'s Shape {
        let mut shape = shape;
        for _ in 0..MOST_NAMES {
            match shape {
                Shape::Named(name) => match self.named.get(name) {
                    Some(named) => shape = named,
                    None => return &Shape::Any,
                },
                Shape::Any
                | Shape::Value(_)
                | Shape::Fields(_)
                | Shape::List(_)
                | Shape::Map(_) => return shape,
            }
        }
        &Shape::Any
    }
}
