//! The syntax tree. The checker writes each node's type into it, and the rewrites change it in place.

use std::rc::Rc;

use super::nature::Nature;

/// A node, its place in the source, its type once checked, and how deep the tree below it is.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) at: usize,
    pub(super) nature: Nature,
    pub(super) depth: usize,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Nil,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Rc<Vec<u8>>),
    Identifier(String),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<Node>, Box<Node>),
    /// `a?.b`: what follows in it is skipped when something is nil.
    Chain(Box<Node>),
    Member {
        base: Box<Node>,
        property: Box<Node>,
        optional: bool,
        method: bool,
    },
    Slice {
        base: Box<Node>,
        from: Option<Box<Node>>,
        to: Option<Box<Node>>,
    },
    Call {
        callee: Box<Node>,
        arguments: Vec<Node>,
    },
    Builtin(Builtin),
    Predicate(Box<Node>),
    /// `#`, `#index`, `#acc`, or the empty name for `.field`.
    Pointer(String),
    Let {
        name: String,
        value: Box<Node>,
        body: Box<Node>,
    },
    Sequence(Vec<Node>),
    Conditional {
        condition: Box<Node>,
        yes: Box<Node>,
        no: Box<Node>,
    },
    Array(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// A rewrite's list of literals.
    Literals(Vec<Node>),
    /// A rewrite of `x in ["a", "b"]`: Go looks the value up in a map whose keys are texts.
    InTexts(Box<Node>, Vec<Rc<Vec<u8>>>),
    /// A rewrite of `x in [1, 2]` where x is an int.
    InIntegers(Box<Node>, Vec<i64>),
}

/// A call of a built-in function.
#[derive(Debug, Clone)]
pub(super) struct Builtin {
    pub(super) name: String,
    pub(super) arguments: Vec<Node>,
    /// Rewrites: what `filter` and `find` give for an element.
    pub(super) map: Option<Box<Node>>,
    /// Rewrites: `find` fails where `filter(…)[0]` would.
    pub(super) throws: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Plus,
    Minus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    Greater,
    GreaterOrEqual,
    LessOrEqual,
    In,
    Matches,
    Contains,
    StartsWith,
    EndsWith,
    Range,
    Plus,
    Minus,
    Multiply,
    Divide,
    Modulo,
    Power,
    Coalesce,
}

impl Binary {
    /// The operator of a token, if it is one.
    pub(super) fn of(token: &str) -> Option<Self> {
        Some(match token {
            "or" | "||" => Self::Or,
            "and" | "&&" => Self::And,
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "<=" => Self::LessOrEqual,
            "in" => Self::In,
            "matches" => Self::Matches,
            "contains" => Self::Contains,
            "startsWith" => Self::StartsWith,
            "endsWith" => Self::EndsWith,
            ".." => Self::Range,
            "+" => Self::Plus,
            "-" => Self::Minus,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "%" => Self::Modulo,
            "**" | "^" => Self::Power,
            "??" => Self::Coalesce,
            _ => return None,
        })
    }

    /// How tightly it binds; a greater number binds more tightly.
    pub(super) fn precedence(self) -> u32 {
        match self {
            Self::Or => 10,
            Self::And => 15,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::LessOrEqual
            | Self::In
            | Self::Matches
            | Self::Contains
            | Self::StartsWith
            | Self::EndsWith => 20,
            Self::Range => 25,
            Self::Plus | Self::Minus => 30,
            Self::Multiply | Self::Divide | Self::Modulo => 60,
            Self::Power => 100,
            Self::Coalesce => 500,
        }
    }

    pub(super) fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Less | Self::Greater | Self::GreaterOrEqual | Self::LessOrEqual
        )
    }

    /// Whether `not` may stand before it.
    pub(super) fn can_be_negated(self) -> bool {
        matches!(
            self,
            Self::In | Self::Matches | Self::Contains | Self::StartsWith | Self::EndsWith
        )
    }

    /// As it is written, for messages.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::LessOrEqual => "<=",
            Self::In => "in",
            Self::Matches => "matches",
            Self::Contains => "contains",
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Range => "..",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "**",
            Self::Coalesce => "??",
        }
    }
}

impl Unary {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Not => "not",
            Self::Plus => "+",
            Self::Minus => "-",
        }
    }
}

impl Node {
    pub(super) fn new(kind: Kind, at: usize) -> Self {
        let mut deepest = 0;
        visit(&kind, &mut |child| deepest = deepest.max(child.depth));
        Self {
            kind,
            at,
            nature: Nature::unknown(),
            depth: deepest + 1,
        }
    }

    /// The text, if it is a literal one.
    pub(super) fn as_text(&self) -> Option<&Rc<Vec<u8>>> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Calls `f` with each child, in the order of evaluation.
    pub(super) fn children(&self, f: &mut dyn FnMut(&Self)) {
        visit(&self.kind, f);
    }

    /// Like [`Self::children`], to change them.
    pub(super) fn children_mut(&mut self, f: &mut dyn FnMut(&mut Self)) {
        match &mut self.kind {
            Kind::Nil
            | Kind::Bool(_)
            | Kind::Integer(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::Identifier(_)
            | Kind::Pointer(_) => {}
            Kind::Unary(_, inner)
            | Kind::Chain(inner)
            | Kind::Predicate(inner)
            | Kind::InTexts(inner, _)
            | Kind::InIntegers(inner, _) => f(inner),
            Kind::Binary(_, left, right) => {
                f(left);
                f(right);
            }
            Kind::Member { base, property, .. } => {
                f(base);
                f(property);
            }
            Kind::Slice { base, from, to } => {
                f(base);
                for end in from.iter_mut().chain(to) {
                    f(end);
                }
            }
            Kind::Call { callee, arguments } => {
                f(callee);
                arguments.iter_mut().for_each(f);
            }
            Kind::Builtin(builtin) => {
                builtin.arguments.iter_mut().for_each(&mut *f);
                builtin.map.iter_mut().for_each(|node| f(node));
            }
            Kind::Let { value, body, .. } => {
                f(value);
                f(body);
            }
            Kind::Sequence(nodes) | Kind::Array(nodes) | Kind::Literals(nodes) => {
                nodes.iter_mut().for_each(f);
            }
            Kind::Conditional { condition, yes, no } => {
                f(condition);
                f(yes);
                f(no);
            }
            Kind::Map(pairs) => {
                for (key, value) in pairs {
                    f(key);
                    f(value);
                }
            }
        }
    }
}

fn visit(kind: &Kind, f: &mut dyn FnMut(&Node)) {
    match kind {
        Kind::Nil
        | Kind::Bool(_)
        | Kind::Integer(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::Identifier(_)
        | Kind::Pointer(_) => {}
        Kind::Unary(_, inner)
        | Kind::Chain(inner)
        | Kind::Predicate(inner)
        | Kind::InTexts(inner, _)
        | Kind::InIntegers(inner, _) => f(inner),
        Kind::Binary(_, left, right) => {
            f(left);
            f(right);
        }
        Kind::Member { base, property, .. } => {
            f(base);
            f(property);
        }
        Kind::Slice { base, from, to } => {
            f(base);
            for end in from.iter().chain(to) {
                f(end);
            }
        }
        Kind::Call { callee, arguments } => {
            f(callee);
            arguments.iter().for_each(f);
        }
        Kind::Builtin(builtin) => {
            builtin.arguments.iter().for_each(&mut *f);
            builtin.map.iter().for_each(|node| f(node));
        }
        Kind::Let { value, body, .. } => {
            f(value);
            f(body);
        }
        Kind::Sequence(nodes) | Kind::Array(nodes) | Kind::Literals(nodes) => {
            nodes.iter().for_each(f);
        }
        Kind::Conditional { condition, yes, no } => {
            f(condition);
            f(yes);
            f(no);
        }
        Kind::Map(pairs) => {
            for (key, value) in pairs {
                f(key);
                f(value);
            }
        }
    }
}
