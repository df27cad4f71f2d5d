//! Types before evaluation: calls of built-in functions, of the controller's functions, and of methods.

use super::ast::{Builtin, Kind, Node};
use super::builtins;
use super::check::Checker;
use super::error::{Class, ExpressionError};
use super::nature::{Function, GoType, Kind as GoKind, Nature};

impl Checker<'_> {
    pub(super) fn builtin(&mut self, builtin: &mut Builtin, at: usize) -> Nature {
        let name = builtin.name.clone();
        if builtins::loop_arguments(&name).is_some() {
            return self.over_elements(&name, &mut builtin.arguments);
        }
        if name == "get" {
            return self.get(&mut builtin.arguments, at);
        }
        if builtins::is_checked_by_kind(&name) {
            let given: Vec<Nature> = builtin
                .arguments
                .iter_mut()
                .map(|argument| self.visit(argument))
                .collect();
            return match by_kind(&name, &given) {
                Ok(nature) => nature,
                Err(error) => self.refuse_with(error.at(at)),
            };
        }
        self.by_signature(&name, &mut builtin.arguments, at)
    }

    fn over_elements(&mut self, name: &str, arguments: &mut [Node]) -> Nature {
        let Some((collection, rest)) = arguments.split_first_mut() else {
            return Nature::unknown();
        };
        let at = collection.at;
        let collection = self.visit(collection);
        if !collection.is_list() && !collection.is_unknown() {
            let text = format!(
                "`{name}` takes a list, and this is {}",
                collection.describe()
            );
            return self.refuse(at, Class::BadArgument, text);
        }
        let Some((asked, rest)) = rest.split_first_mut() else {
            return match name {
                "count" => Nature::of(GoType::Int),
                _ if collection.is_unknown() => Nature::unknown(),
                _ => collection.item(),
            };
        };
        let at = asked.at;
        let reduces = name == "reduce";
        let given = self.predicate(&collection, reduces || name == "map", reduces, asked);
        for other in rest {
            self.visit(other);
        }
        if given.nil {
            let class = if name == "sum" {
                Class::BadArgument
            } else {
                Class::BadPredicate
            };
            return self.refuse(
                at,
                class,
                format!("`{name}` gets nothing (nil) for each element"),
            );
        }
        let asks = matches!(
            name,
            "all"
                | "none"
                | "any"
                | "one"
                | "filter"
                | "count"
                | "find"
                | "findLast"
                | "findIndex"
                | "findLastIndex"
        );
        if asks && !given.is_bool() && !given.is_unknown() {
            let text = format!(
                "what `{name}` asks of each element has to be true or false, and is {}",
                given.describe()
            );
            return self.refuse(at, Class::BadPredicate, text);
        }
        match name {
            "all" | "none" | "any" | "one" => Nature::of(GoType::Bool),
            "filter" if collection.is_unknown() => Nature::of(GoType::Anys),
            "filter" => Nature::list_of(collection.item()),
            "map" => Nature::list_of(given),
            "count" | "findIndex" | "findLastIndex" => Nature::of(GoType::Int),
            // Out of a function type comes a plain type: what is known of elements is lost.
            "sum" => given.go.map_or_else(Nature::unknown, Nature::of),
            "find" | "findLast" if collection.is_unknown() => Nature::unknown(),
            "find" | "findLast" => collection.item(),
            "groupBy" => Nature::of(GoType::Groups),
            "sortBy" => collection,
            _ => given,
        }
    }

    fn get(&mut self, arguments: &mut [Node], at: usize) -> Nature {
        let count = arguments.len();
        let [base, property] = arguments else {
            return self.refuse_with(wrong_number("get", "2", count).at(at));
        };
        let environment = matches!(&base.kind, Kind::Identifier(name) if name == "$env");
        let of = self.visit(base);
        let by = self.visit(property);
        if environment {
            let name = property.as_text().map(|name| String::from_utf8_lossy(name));
            let found = name.and_then(|name| self.environment.get(&name));
            return found.unwrap_or_else(Nature::unknown);
        }
        if of.is_unknown() {
            return Nature::unknown();
        }
        let fits = match of.kind() {
            GoKind::Slice | GoKind::Array => by.is_integer() || by.is_unknown(),
            GoKind::Map => by.assignable_to(&of.key()) || by.is_unknown(),
            _ => false,
        };
        if fits {
            return of.item();
        }
        let text = format!(
            "nothing can be picked from {} by {}",
            of.describe(),
            by.describe()
        );
        self.refuse(at, Class::BadAccess, text)
    }

    fn by_signature(&mut self, name: &str, arguments: &mut [Node], at: usize) -> Nature {
        let mut last = None;
        for (takes, gives) in builtins::signatures(name) {
            match self.fits(name, takes, arguments) {
                Ok(()) => return Nature::of(*gives),
                Err(error) => last = Some(error.at(at)),
            }
        }
        match last {
            Some(error) => self.refuse_with(error),
            None => Nature::unknown(),
        }
    }

    pub(super) fn call(&mut self, callee: &mut Node, arguments: &mut [Node], at: usize) -> Nature {
        let called = match &callee.kind {
            Kind::Identifier(name) => format!("`{name}`"),
            Kind::Member { property, .. } => property.as_text().map_or_else(
                || "this".to_owned(),
                |name| format!("`{}`", String::from_utf8_lossy(name)),
            ),
            _ => "this".to_owned(),
        };
        let nature = self.visit(callee);
        if nature.is_unknown() {
            return Nature::unknown();
        }
        let Some(GoType::Function(function)) = nature.go else {
            let text = format!("{called} is {} and cannot be called", nature.describe());
            return self.refuse(at, Class::NotCallable, text);
        };
        let (takes, gives): builtins::Signature = match function {
            Function::AsInt => (&[GoType::Any], GoType::Int64),
            Function::AsFloat => (&[GoType::Any], GoType::Float64),
            Function::IsNan | Function::IsInf => (&[GoType::Float64], GoType::Bool),
            Function::IsNil => (&[GoType::Any], GoType::Bool),
            Function::Default => (&[GoType::Any, GoType::Any], GoType::Any),
            Function::Method(method) => method.signature(),
            // Reached through a variable only; it is nil, and calling it fails.
            Function::Builtin => return Nature::unknown(),
        };
        if let Err(error) = self.fits(called.trim_matches('`'), takes, arguments) {
            return self.refuse_with(error.at(at));
        }
        Nature::of(gives)
    }

    /// Whether arguments fit a signature. Those behind the first that does not are not looked at.
    fn fits(
        &mut self,
        name: &str,
        takes: &[GoType],
        arguments: &mut [Node],
    ) -> Result<(), ExpressionError> {
        if takes.len() != arguments.len() {
            for argument in arguments.iter_mut() {
                self.visit(argument);
            }
            return Err(wrong_number(
                name,
                &takes.len().to_string(),
                arguments.len(),
            ));
        }
        for (takes, argument) in takes.iter().zip(arguments) {
            let given = self.visit(argument);
            let takes = Nature::of(*takes);
            if (takes.is_float() || takes.is_integer()) && given.is_integer() {
                if takes.is_float() {
                    to_float(argument);
                }
                continue;
            }
            let nil_is_fine = matches!(takes.kind(), GoKind::Pointer | GoKind::Interface);
            let fine = if given.nil {
                nil_is_fine
            } else {
                given.is_unknown() || given.assignable_to(&takes)
            };
            if !fine {
                return Err(bad(format!(
                    "`{name}` takes {}, and gets {}",
                    takes.describe(),
                    given.describe()
                )));
            }
        }
        Ok(())
    }
}

/// Literal whole numbers that are passed where Go wants a `float64` become such; what is computed does not.
fn to_float(node: &mut Node) {
    match &mut node.kind {
        Kind::Integer(value) => {
            node.kind = Kind::Float(*value as f64);
            node.nature = Nature::of(GoType::Float64);
        }
        Kind::Unary(_, inner) => to_float(inner),
        Kind::Binary(operator, left, right) if matches!(operator.text(), "+" | "-" | "*") => {
            to_float(left);
            to_float(right);
        }
        _ => {}
    }
}

fn wrong_number(name: &str, takes: &str, given: usize) -> ExpressionError {
    bad(format!(
        "`{name}` takes {takes} arguments, and gets {given}"
    ))
}

fn bad(text: impl Into<String>) -> ExpressionError {
    ExpressionError::compile(Class::BadArgument, text)
}

/// A nature as the rules by kind see it: unknown is an interface, nil is nothing.
fn kind(nature: &Nature) -> GoKind {
    if nature.is_unknown() {
        GoKind::Interface
    } else if nature.kind() == GoKind::Pointer {
        GoKind::Struct
    } else {
        nature.kind()
    }
}

fn is_number(kind: GoKind) -> bool {
    matches!(
        kind,
        GoKind::Int | GoKind::Int64 | GoKind::Uint8 | GoKind::Float64
    )
}

fn by_kind(name: &str, given: &[Nature]) -> Result<Nature, ExpressionError> {
    use GoKind::{Array, Interface, Map, Slice, Text};
    let plain = |nature: &Nature| {
        if nature.is_unknown() {
            Nature::of(GoType::Any)
        } else {
            nature.go.map_or_else(Nature::unknown, Nature::of)
        }
    };
    let refuse = |class: Class, nature: &Nature| {
        let text = format!("`{name}` does not work on {}", nature.describe());
        Err(ExpressionError::compile(class, text))
    };
    match name {
        "max" | "min" | "mean" | "median" => {
            let Some(first) = given.first() else {
                return Err(wrong_number(name, "1 or more", 0));
            };
            for nature in given {
                match kind(nature) {
                    Interface | Array | Slice => return Ok(Nature::of(GoType::Any)),
                    kind if is_number(kind) => {}
                    _ => return refuse(Class::BadArgument, nature),
                }
            }
            return Ok(plain(first));
        }
        "now" => {
            return match given {
                [] => Ok(Nature::of(GoType::Time)),
                [only] if only.go == Some(GoType::Location) => Ok(Nature::of(GoType::Time)),
                _ => Err(wrong_number(name, "no", given.len())),
            };
        }
        "date" => {
            let zone = given
                .first()
                .is_some_and(|first| first.go == Some(GoType::Location));
            let count = given.len() - usize::from(zone);
            return if given.is_empty() || count > 3 {
                Err(wrong_number(name, "1 to 3", given.len()))
            } else {
                Ok(Nature::of(GoType::Time))
            };
        }
        "concat" => {
            if given.is_empty() {
                return Err(wrong_number(name, "1 or more", 0));
            }
            for nature in given {
                if !matches!(kind(nature), Interface | Array | Slice) {
                    return refuse(Class::BadArgument, nature);
                }
            }
            return Ok(Nature::of(GoType::Anys));
        }
        "take" => {
            let [list, count] = given else {
                return Err(wrong_number(name, "2", given.len()));
            };
            if !matches!(kind(list), Interface | Array | Slice) {
                return refuse(Class::BadArgument, list);
            }
            if !matches!(kind(count), Interface | GoKind::Int | GoKind::Int64) {
                return refuse(Class::BadArgument, count);
            }
            return Ok(plain(list));
        }
        _ => {}
    }
    let [only] = given else {
        return Err(wrong_number(name, "1", given.len()));
    };
    let of = kind(only);
    match name {
        "len" if matches!(of, Array | Map | Slice | Text | Interface) => {
            Ok(Nature::of(GoType::Int))
        }
        "abs" if is_number(of) || of == Interface => Ok(plain(only)),
        "ceil" | "floor" | "round" if is_number(of) || of == Interface => {
            Ok(Nature::of(GoType::Float64))
        }
        "int" if is_number(of) || matches!(of, Interface | Text) => Ok(Nature::of(GoType::Int)),
        "float" if is_number(of) || matches!(of, Interface | Text) => {
            Ok(Nature::of(GoType::Float64))
        }
        "first" | "last" => match of {
            Interface => Ok(Nature::of(GoType::Any)),
            Slice | Array => {
                let element = plain(only).item();
                Ok(element)
            }
            _ => refuse(Class::BadAccess, only),
        },
        "keys" | "values" | "toPairs" if matches!(of, Interface | Map) => {
            Ok(Nature::of(GoType::Anys))
        }
        "keys" | "values" => refuse(Class::BadAccess, only),
        "fromPairs" if matches!(of, Interface | Slice | Array) => Ok(Nature::of(GoType::AnyMap)),
        "reverse" | "uniq" | "flatten" if matches!(of, Interface | Slice | Array) => {
            Ok(Nature::of(GoType::Anys))
        }
        _ => refuse(Class::BadArgument, only),
    }
}
