//! Types before evaluation: writes what is known into the tree, and refuses what can never work.
//!
//! The first error counts, in expr-lang's order of visits; what was refused is unknown from there on. Some parts are not
//! looked at at all there (arguments of an unknown function, ends of a slice of something unknown), and so not here.

use super::ast::{Binary, Kind, Node, Unary};
use super::builtins;
use super::error::{Class, ExpressionError};
use super::go_regex;
use super::nature::{Environment, Function, GoType, Kind as GoKind, Nature, maybe};
use super::times::Method;

/// Checks a tree and writes the natures of its nodes.
pub(super) fn check(node: &mut Node, environment: &Environment) -> Result<(), ExpressionError> {
    let mut checker = Checker {
        environment,
        variables: Vec::new(),
        scopes: Vec::new(),
        error: None,
    };
    checker.visit(node);
    checker.error.map_or(Ok(()), Err)
}

pub(super) struct Checker<'e> {
    pub(super) environment: &'e Environment,
    variables: Vec<(String, Nature)>,
    scopes: Vec<Scope>,
    error: Option<ExpressionError>,
}

/// What `#` is inside of a predicate.
struct Scope {
    collection: Nature,
    index: bool,
    accumulator: bool,
}

impl Checker<'_> {
    /// Notes the first error; the node is unknown then.
    pub(super) fn refuse(&mut self, at: usize, class: Class, text: impl Into<String>) -> Nature {
        if self.error.is_none() {
            self.error = Some(ExpressionError::compile(class, text).at(at));
        }
        Nature::unknown()
    }

    pub(super) fn refuse_with(&mut self, error: ExpressionError) -> Nature {
        self.error.get_or_insert(error);
        Nature::unknown()
    }

    pub(super) fn visit(&mut self, node: &mut Node) -> Nature {
        let at = node.at;
        let nature = match &mut node.kind {
            Kind::Nil => Nature::nil(),
            Kind::Bool(_) => Nature::of(GoType::Bool),
            Kind::Integer(_) => Nature::of(GoType::Int),
            Kind::Float(_) => Nature::of(GoType::Float64),
            Kind::Text(_) => Nature::of(GoType::Text),
            Kind::Identifier(name) => self.identifier(name, at),
            Kind::Unary(operator, inner) => self.unary(*operator, inner, at),
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right, at),
            // The nature of a predicate is that of what it gives.
            Kind::Chain(inner) | Kind::Predicate(inner) => self.visit(inner),
            Kind::Member {
                base,
                property,
                optional,
                method,
            } => self.member(base, property, *optional, *method, at),
            Kind::Slice { base, from, to } => {
                self.slice(base, from.as_deref_mut(), to.as_deref_mut(), at)
            }
            Kind::Call { callee, arguments } => self.call(callee, arguments, at),
            Kind::Builtin(builtin) => self.builtin(builtin, at),
            Kind::Pointer(name) => self.pointer(name, at),
            Kind::Let { name, value, body } => self.declare(name, value, body, at),
            Kind::Sequence(nodes) => {
                let mut last = Nature::unknown();
                for node in nodes {
                    last = self.visit(node);
                }
                last
            }
            Kind::Conditional { condition, yes, no } => self.conditional(condition, yes, no),
            Kind::Array(nodes) => self.array(nodes),
            Kind::Map(pairs) => {
                for (key, value) in pairs {
                    self.visit(key);
                    self.visit(value);
                }
                Nature::of(GoType::Object)
            }
            // Rewrites come after the check.
            Kind::Literals(_) | Kind::InTexts(..) | Kind::InIntegers(..) => Nature::unknown(),
        };
        node.nature = nature.clone();
        nature
    }

    fn identifier(&mut self, name: &str, at: usize) -> Nature {
        for (variable, nature) in self.variables.iter().rev() {
            if variable == name {
                return nature.clone();
            }
        }
        if name == "$env" {
            return Nature::unknown();
        }
        self.name(name, true, true, at)
    }

    fn name(&mut self, name: &str, strict: bool, builtins: bool, at: usize) -> Nature {
        if let Some(nature) = self.environment.get(name) {
            return nature;
        }
        if builtins && builtins::is_builtin(name) {
            return Nature::of(GoType::Function(Function::Builtin));
        }
        if strict {
            return self.refuse(
                at,
                Class::UnknownName,
                format!("nothing is called `{name}`: the measured value is called `result`"),
            );
        }
        Nature::unknown()
    }

    fn unary(&mut self, operator: Unary, inner: &mut Node, at: usize) -> Nature {
        let nature = self.visit(inner);
        match operator {
            Unary::Not if nature.is_bool() || nature.is_unknown() => {
                return Nature::of(GoType::Bool);
            }
            Unary::Plus | Unary::Minus if nature.is_number() => return nature,
            Unary::Plus | Unary::Minus if nature.is_unknown() => return Nature::unknown(),
            Unary::Not | Unary::Plus | Unary::Minus => {}
        }
        self.refuse(
            at,
            Class::TypeMismatch,
            format!(
                "`{}` cannot be applied to {}",
                operator.text(),
                nature.describe()
            ),
        )
    }

    fn binary(&mut self, operator: Binary, left: &mut Node, right: &mut Node, at: usize) -> Nature {
        let l = self.visit(left);
        let r = self.visit(right);
        let known = match operator {
            Binary::In => match self.membership(&l, &r, at) {
                Ok(known) => known,
                Err(refused) => return refused,
            },
            Binary::Matches => {
                if let Some(pattern) = right.as_text()
                    && let Err(error) = go_regex::compile(pattern)
                {
                    return self
                        .refuse_with(ExpressionError::compile(Class::BadRegexp, error).at(at));
                }
                texts(&l, &r)
            }
            Binary::Coalesce => {
                return match (l.nil, r.nil) {
                    (true, _) => r,
                    (false, true) => l,
                    (false, false) if r.assignable_to(&l) => l,
                    (false, false) => Nature::unknown(),
                };
            }
            Binary::Or
            | Binary::And
            | Binary::Equal
            | Binary::NotEqual
            | Binary::Less
            | Binary::Greater
            | Binary::GreaterOrEqual
            | Binary::LessOrEqual
            | Binary::Contains
            | Binary::StartsWith
            | Binary::EndsWith
            | Binary::Range
            | Binary::Plus
            | Binary::Minus
            | Binary::Multiply
            | Binary::Divide
            | Binary::Modulo
            | Binary::Power => combined(operator, &l, &r),
        };
        known.unwrap_or_else(|| {
            self.refuse(
                at,
                Class::TypeMismatch,
                format!(
                    "`{}` does not work between {} and {}",
                    operator.text(),
                    l.describe(),
                    r.describe()
                ),
            )
        })
    }

    /// `in`. The error is the nature of a node that was refused already.
    fn membership(&mut self, l: &Nature, r: &Nature, at: usize) -> Result<Option<Nature>, Nature> {
        let yes = Ok(Some(Nature::of(GoType::Bool)));
        if (l.is_text() || l.is_unknown()) && matches!(r.kind(), GoKind::Struct | GoKind::Pointer) {
            return yes;
        }
        if r.is_map() {
            if !l.is_unknown() && !l.assignable_to(&r.key()) {
                let text = format!("{} is never the name of a field", l.describe());
                return Err(self.refuse(at, Class::TypeMismatch, text));
            }
            return yes;
        }
        if r.is_list() {
            if !l.comparable_to(&r.item()) {
                let (one, other) = (l.describe(), r.describe());
                let text = format!("{one} is never in {other}");
                return Err(self.refuse(at, Class::TypeMismatch, text));
            }
            return yes;
        }
        if l.is_unknown() && r.is_text() || r.is_unknown() {
            return yes;
        }
        Ok(None)
    }

    fn member(
        &mut self,
        base: &mut Node,
        property: &mut Node,
        optional: bool,
        method: bool,
        at: usize,
    ) -> Nature {
        let name = property
            .as_text()
            .map(|text| String::from_utf8_lossy(text).into_owned());
        if matches!(&base.kind, Kind::Identifier(name) if name == "$env") {
            return match name {
                Some(name) => self.name(&name, !optional, false, at),
                None => Nature::unknown(),
            };
        }
        let base = self.visit(base);
        let property = self.visit(property);
        if base.is_unknown() {
            return Nature::unknown();
        }
        if let Some(name) = &name {
            if base.nil {
                return self.refuse(
                    at,
                    Class::MissingField,
                    format!("there is no field `{name}` in nothing (nil)"),
                );
            }
            if let Some(method) = base.go.and_then(|go| Method::of(go, name)) {
                return Nature::of(GoType::Function(Function::Method(method)));
            }
        }
        match base.kind() {
            GoKind::Map => {
                if !property.assignable_to(&base.key()) && !property.is_unknown() {
                    let text = format!("{} is never the name of a field", property.describe());
                    return self.refuse(at, Class::BadAccess, text);
                }
                return base.item();
            }
            GoKind::Slice | GoKind::Array => {
                if !property.is_integer() && !property.is_unknown() {
                    let text = format!(
                        "elements of a list are picked by a whole number, not by {}",
                        property.describe()
                    );
                    return self.refuse(at, Class::BadAccess, text);
                }
                return base.item();
            }
            GoKind::Invalid
            | GoKind::Interface
            | GoKind::Bool
            | GoKind::Int
            | GoKind::Int64
            | GoKind::Uint8
            | GoKind::Float64
            | GoKind::Text
            | GoKind::Function
            | GoKind::Struct
            | GoKind::Pointer => {}
        }
        let what = match (name, method) {
            (Some(name), true) => format!("no method `{name}`"),
            (Some(name), false) => format!("no field `{name}`"),
            (None, _) => "no elements to pick by `[…]`".to_owned(),
        };
        self.refuse(
            at,
            Class::MissingField,
            format!("{} has {what}", base.describe()),
        )
    }

    fn slice(
        &mut self,
        base: &mut Node,
        from: Option<&mut Node>,
        to: Option<&mut Node>,
        at: usize,
    ) -> Nature {
        let nature = self.visit(base);
        if nature.is_unknown() {
            return Nature::unknown();
        }
        if !nature.is_text() && !nature.is_list() {
            let text = format!("no part can be cut out of {}", nature.describe());
            return self.refuse(at, Class::BadAccess, text);
        }
        for end in from.into_iter().chain(to) {
            let at = end.at;
            let end = self.visit(end);
            if !end.is_integer() && !end.is_unknown() {
                let text = format!(
                    "the ends of `[from:to]` are whole numbers, and this is {}",
                    end.describe()
                );
                return self.refuse(at, Class::BadAccess, text);
            }
        }
        nature
    }

    fn pointer(&mut self, name: &str, at: usize) -> Nature {
        let Some(scope) = self.scopes.last() else {
            return self.refuse(
                at,
                Class::Syntax,
                "`#` stands for an element: it has no meaning here",
            );
        };
        match name {
            "" if scope.collection.is_unknown() => Nature::unknown(),
            "" => scope.collection.item(),
            "index" if scope.index => Nature::of(GoType::Int),
            "acc" if scope.accumulator => Nature::unknown(),
            _ => self.refuse(
                at,
                Class::UnknownName,
                format!("`#{name}` has no meaning here"),
            ),
        }
    }

    /// Checks what is asked of each element of a collection.
    pub(super) fn predicate(
        &mut self,
        collection: &Nature,
        index: bool,
        accumulator: bool,
        node: &mut Node,
    ) -> Nature {
        self.scopes.push(Scope {
            collection: collection.clone(),
            index,
            accumulator,
        });
        let nature = self.visit(node);
        self.scopes.pop();
        nature
    }

    fn declare(&mut self, name: &str, value: &mut Node, body: &mut Node, at: usize) -> Nature {
        let taken = self.environment.get(name).is_some()
            || builtins::is_builtin(name)
            || self.variables.iter().any(|(variable, _)| variable == name);
        if taken {
            return self.refuse(
                at,
                Class::Redeclared,
                format!("something is called `{name}` already: take another name"),
            );
        }
        let nature = self.visit(value);
        self.variables.push((name.to_owned(), nature));
        let nature = self.visit(body);
        self.variables.pop();
        nature
    }

    fn conditional(&mut self, condition: &mut Node, yes: &mut Node, no: &mut Node) -> Nature {
        let at = condition.at;
        let asked = self.visit(condition);
        if !asked.is_bool() && !asked.is_unknown() {
            let text = format!(
                "what is asked before `?` has to be true or false, and is {}",
                asked.describe()
            );
            return self.refuse(at, Class::TypeMismatch, text);
        }
        let yes = self.visit(yes);
        let no = self.visit(no);
        match (yes.nil, no.nil) {
            (true, _) => return no,
            (false, true) => return yes,
            (false, false) => {}
        }
        if !yes.assignable_to(&no) {
            return Nature::unknown();
        }
        if yes.is_list() && no.is_list() {
            let (one, other) = (yes.item(), no.item());
            if !one.assignable_to(&other) || !other.assignable_to(&one) {
                return Nature::of(GoType::Anys);
            }
        }
        yes
    }

    fn array(&mut self, nodes: &mut [Node]) -> Nature {
        let mut previous = Nature::unknown();
        let mut same = true;
        for (index, node) in nodes.iter_mut().enumerate() {
            let nature = self.visit(node);
            same &= index == 0 || nature.kind() == previous.kind();
            previous = nature;
        }
        if same {
            Nature::list_of(previous)
        } else {
            Nature::of(GoType::Anys)
        }
    }
}

fn texts(l: &Nature, r: &Nature) -> Option<Nature> {
    let fits = l.is_text() && r.is_text() || maybe(l, r, &Nature::is_text);
    fits.then(|| Nature::of(GoType::Bool))
}

/// What an operator gives for two natures; `None` if it does not work between them.
fn combined(operator: Binary, l: &Nature, r: &Nature) -> Option<Nature> {
    let numbers = l.is_number() && r.is_number();
    let comparable = |n: &Nature| n.is_number() || n.is_text() || n.is_time() || n.is_duration();
    let bool = || Some(Nature::of(GoType::Bool));
    let duration = || Some(Nature::of(GoType::Duration));
    let time = || Some(Nature::of(GoType::Time));
    let promoted = || {
        Some(Nature::of(if l.is_float() || r.is_float() {
            GoType::Float64
        } else {
            GoType::Int
        }))
    };
    let maybe_number = |go: GoType| maybe(l, r, &Nature::is_number).then(|| Nature::of(go));
    match operator {
        Binary::Equal | Binary::NotEqual if l.comparable_to(r) => bool(),
        Binary::Or | Binary::And if l.is_bool() && r.is_bool() || maybe(l, r, &Nature::is_bool) => {
            bool()
        }
        Binary::Less | Binary::Greater | Binary::GreaterOrEqual | Binary::LessOrEqual => {
            let same = numbers
                || l.is_text() && r.is_text()
                || l.is_time() && r.is_time()
                || l.is_duration() && r.is_duration();
            if same || maybe(l, r, &comparable) {
                bool()
            } else {
                None
            }
        }
        Binary::Plus | Binary::Minus | Binary::Multiply if numbers => promoted(),
        Binary::Plus if l.is_text() && r.is_text() => Some(Nature::of(GoType::Text)),
        Binary::Plus if l.is_time() && r.is_duration() || l.is_duration() && r.is_time() => time(),
        Binary::Plus if l.is_duration() && r.is_duration() => duration(),
        Binary::Plus => maybe(l, r, &comparable).then(Nature::unknown),
        Binary::Minus if l.is_time() && r.is_time() => duration(),
        Binary::Minus if l.is_time() && r.is_duration() => time(),
        Binary::Minus if l.is_duration() && r.is_duration() => duration(),
        Binary::Minus => {
            let fits = |n: &Nature| n.is_number() || n.is_time() || n.is_duration();
            maybe(l, r, &fits).then(Nature::unknown)
        }
        Binary::Multiply
            if (l.is_number() || l.is_duration()) && (r.is_number() || r.is_duration()) =>
        {
            duration()
        }
        Binary::Multiply => {
            let fits = |n: &Nature| n.is_number() || n.is_duration();
            maybe(l, r, &fits).then(Nature::unknown)
        }
        Binary::Divide | Binary::Power if numbers => Some(Nature::of(GoType::Float64)),
        Binary::Divide | Binary::Power => maybe_number(GoType::Float64),
        Binary::Modulo if l.is_integer() && r.is_integer() || maybe(l, r, &Nature::is_integer) => {
            Some(Nature::of(GoType::Int))
        }
        Binary::Range if l.is_integer() && r.is_integer() || maybe(l, r, &Nature::is_integer) => {
            Some(Nature::list_of(Nature::of(GoType::Int)))
        }
        Binary::Contains | Binary::StartsWith | Binary::EndsWith => texts(l, r),
        Binary::Equal
        | Binary::NotEqual
        | Binary::Or
        | Binary::And
        | Binary::Modulo
        | Binary::Range
        | Binary::In
        | Binary::Matches
        | Binary::Coalesce => None,
    }
}
