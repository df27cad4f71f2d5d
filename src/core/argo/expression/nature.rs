//! What is known of a value before it is there: Go's type of it, if any, as expr-lang's checker sees it.

use std::rc::Rc;

use super::value::Value;

/// A Go type that a value of a condition can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoType {
    /// `interface{}`: known to be unknown.
    Any,
    Bool,
    Int,
    Int64,
    Uint8,
    Float64,
    Text,
    /// `[]any`
    Anys,
    /// `[]float64`
    Floats,
    /// `[]int`
    Ints,
    /// `[]string`
    Texts,
    /// `[2]any`, an element of [`GoType::Pairs`]
    Pair,
    Pairs,
    /// `map[string]any`
    Object,
    /// `map[any]any`, of `fromPairs`
    AnyMap,
    /// `map[any][]any`, of `groupBy`
    Groups,
    Function(Function),
    Time,
    Duration,
    Month,
    Weekday,
    Location,
}

/// A function that is a value, or a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    AsInt,
    AsFloat,
    IsNan,
    IsInf,
    IsNil,
    Default,
    /// The name of a built-in function where none is called: its value is nil.
    Builtin,
    Method(super::times::Method),
}

/// Go's kinds, as far as the checker asks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Invalid,
    Interface,
    Bool,
    Int,
    Int64,
    Uint8,
    Float64,
    Text,
    Slice,
    Array,
    Map,
    Function,
    Struct,
    Pointer,
}

impl GoType {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Any => Kind::Interface,
            Self::Bool => Kind::Bool,
            Self::Int | Self::Month | Self::Weekday => Kind::Int,
            Self::Int64 | Self::Duration => Kind::Int64,
            Self::Uint8 => Kind::Uint8,
            Self::Float64 => Kind::Float64,
            Self::Text => Kind::Text,
            Self::Anys | Self::Floats | Self::Ints | Self::Texts | Self::Pairs => Kind::Slice,
            Self::Pair => Kind::Array,
            Self::Object | Self::AnyMap | Self::Groups => Kind::Map,
            Self::Function(_) => Kind::Function,
            Self::Time => Kind::Struct,
            Self::Location => Kind::Pointer,
        }
    }

    /// For messages to people.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Any => "a value of unknown type",
            Self::Bool => "a boolean",
            Self::Int | Self::Int64 | Self::Uint8 => "a whole number",
            Self::Float64 => "a number",
            Self::Text => "a text",
            Self::Floats => "a list of numbers",
            Self::Ints => "a list of whole numbers",
            Self::Texts => "a list of texts",
            Self::Anys | Self::Pairs => "a list",
            Self::Pair => "a pair",
            Self::Object | Self::AnyMap | Self::Groups => "an object",
            Self::Function(_) => "a function",
            Self::Time => "a time",
            Self::Duration => "a duration",
            Self::Month => "a month",
            Self::Weekday => "a day of the week",
            Self::Location => "a time zone",
        }
    }

    fn element(self) -> Option<Self> {
        match self {
            Self::Anys | Self::Pair | Self::Object | Self::AnyMap => Some(Self::Any),
            Self::Floats => Some(Self::Float64),
            Self::Ints => Some(Self::Int),
            Self::Texts => Some(Self::Text),
            Self::Pairs => Some(Self::Pair),
            Self::Groups => Some(Self::Anys),
            Self::Any
            | Self::Bool
            | Self::Int
            | Self::Int64
            | Self::Uint8
            | Self::Float64
            | Self::Text
            | Self::Function(_)
            | Self::Time
            | Self::Duration
            | Self::Month
            | Self::Weekday
            | Self::Location => None,
        }
    }
}

/// What the checker knows of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Nature {
    /// `None`: unknown, or nil.
    pub(super) go: Option<GoType>,
    pub(super) nil: bool,
    /// What is known of the elements, where it is more than the type says.
    pub(super) element: Option<Rc<Self>>,
}

impl Nature {
    pub(super) fn unknown() -> Self {
        Self {
            go: None,
            nil: false,
            element: None,
        }
    }

    pub(super) fn nil() -> Self {
        Self {
            go: None,
            nil: true,
            element: None,
        }
    }

    pub(super) fn of(go: GoType) -> Self {
        Self {
            go: Some(go),
            nil: false,
            element: None,
        }
    }

    /// `[]any` whose elements are known to be these.
    pub(super) fn list_of(element: Self) -> Self {
        Self {
            element: Some(Rc::new(element)),
            ..Self::of(GoType::Anys)
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.go.map_or(Kind::Invalid, GoType::kind)
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.go, None | Some(GoType::Any)) && !self.nil
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(self.go, Some(GoType::Int | GoType::Int64 | GoType::Uint8))
    }

    pub(super) fn is_float(&self) -> bool {
        self.go == Some(GoType::Float64)
    }

    pub(super) fn is_number(&self) -> bool {
        self.is_integer() || self.is_float()
    }

    pub(super) fn is_bool(&self) -> bool {
        self.kind() == Kind::Bool
    }

    pub(super) fn is_text(&self) -> bool {
        self.kind() == Kind::Text
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.kind(), Kind::Slice | Kind::Array)
    }

    pub(super) fn is_map(&self) -> bool {
        self.kind() == Kind::Map
    }

    pub(super) fn is_time(&self) -> bool {
        self.go == Some(GoType::Time)
    }

    pub(super) fn is_duration(&self) -> bool {
        self.go == Some(GoType::Duration)
    }

    /// The type of a map's keys.
    pub(super) fn key(&self) -> Self {
        match self.go {
            Some(GoType::Object) => Self::of(GoType::Text),
            Some(GoType::AnyMap | GoType::Groups) => Self::of(GoType::Any),
            _ => Self::unknown(),
        }
    }

    /// What an element or the value of a field is.
    pub(super) fn item(&self) -> Self {
        // expr-lang keeps what it knows of groups by `Ref`, but asks it of lists only.
        match (&self.element, self.kind()) {
            (Some(element), Kind::Slice | Kind::Array) => element.as_ref().clone(),
            _ => self
                .go
                .and_then(GoType::element)
                .map_or_else(Self::unknown, Self::of),
        }
    }

    pub(super) fn assignable_to(&self, other: &Self) -> bool {
        if self.nil
            && matches!(
                other.kind(),
                Kind::Pointer | Kind::Interface | Kind::Function | Kind::Map | Kind::Slice
            )
        {
            return true;
        }
        match (self.go, other.go) {
            (Some(one), Some(other)) => one == other || other == GoType::Any,
            _ => false,
        }
    }

    pub(super) fn comparable_to(&self, other: &Self) -> bool {
        self.is_unknown()
            || other.is_unknown()
            || self.nil
            || other.nil
            || self.is_number() && other.is_number()
            || self.is_list() && other.is_list()
            || self.assignable_to(other)
    }

    /// For messages to people.
    pub(super) fn describe(&self) -> &'static str {
        match self.go {
            Some(go) => go.describe(),
            None if self.nil => "nothing (nil)",
            None => "a value of unknown type",
        }
    }
}

/// One side unknown and the other one of these, or both unknown.
pub(super) fn maybe(left: &Nature, right: &Nature, fits: &dyn Fn(&Nature) -> bool) -> bool {
    match (left.is_unknown(), right.is_unknown()) {
        (true, true) => true,
        (true, false) => fits(right),
        (false, true) => fits(left),
        (false, false) => false,
    }
}

/// The names that an expression can use.
#[derive(Debug)]
pub(super) struct Environment {
    result: Option<Nature>,
}

impl Environment {
    /// Those of conditions.
    pub(super) fn with(result: &Value) -> Self {
        Self {
            result: Some(result.nature()),
        }
    }

    /// Those of the ends of a range query.
    pub(super) fn without_result() -> Self {
        Self { result: None }
    }

    pub(super) fn get(&self, name: &str) -> Option<Nature> {
        let function = match (name, &self.result) {
            ("isNaN", _) => Function::IsNan,
            ("isInf", _) => Function::IsInf,
            ("result", Some(nature)) => return Some(nature.clone()),
            ("asInt", Some(_)) => Function::AsInt,
            ("asFloat", Some(_)) => Function::AsFloat,
            ("isNil", Some(_)) => Function::IsNil,
            ("default", Some(_)) => Function::Default,
            (_, _) => return None,
        };
        Some(Nature::of(GoType::Function(function)))
    }
}
