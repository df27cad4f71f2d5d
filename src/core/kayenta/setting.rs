//! Free-form settings as Kayenta keeps them, and how it takes values out of them (`MapUtils.scala`): by path, with a
//! default for what is absent, and an exception for another type.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::refused::Refused;

/// A JSON value; of lists only that there was one.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Setting {
    #[default]
    Null,
    Bool(bool),
    /// A number without fraction or exponent; `Integer` or `Long` to Java.
    Integer(i64),
    Number(f64),
    Text(String),
    List,
    Map(BTreeMap<String, Self>),
}

impl Setting {
    /// The value at `path`; `null` is absent, and so is what would lie within a value that is no map.
    fn get(&self, path: &str) -> Option<&Self> {
        let mut at = self;
        for name in path.split('.') {
            let Self::Map(map) = at else { return None };
            at = map.get(name)?;
        }
        (*at != Self::Null).then_some(at)
    }

    /// The text at `path`.
    pub(super) fn text(&self, metric: &str, path: &str) -> Result<Option<&str>, Refused> {
        match self.get(path) {
            None => Ok(None),
            Some(Self::Text(text)) => Ok(Some(text)),
            Some(other) => Err(other.is_no(metric, path, "a text", "java.lang.String")),
        }
    }

    /// The number at `path`.
    pub(super) fn number(&self, metric: &str, path: &str) -> Result<Option<f64>, Refused> {
        match self.get(path) {
            None => Ok(None),
            Some(Self::Integer(number)) => Ok(Some(*number as f64)),
            Some(Self::Number(number)) => Ok(Some(*number)),
            Some(other) => Err(other.is_no(metric, path, "a number", "java.lang.Double")),
        }
    }

    /// Whether the flag at `path` is set.
    pub(super) fn flag(&self, metric: &str, path: &str) -> Result<bool, Refused> {
        match self.get(path) {
            None => Ok(false),
            Some(Self::Bool(flag)) => Ok(*flag),
            Some(other) => Err(other.is_no(metric, path, "true or false", "java.lang.Boolean")),
        }
    }

    fn is_no(&self, metric: &str, path: &str, wanted: &'static str, java: &str) -> Refused {
        let (found, class) = match self {
            Self::Null => ("null", "java.lang.Object"),
            Self::Bool(_) => ("true or false", "java.lang.Boolean"),
            Self::Integer(number) if i32::try_from(*number).is_ok() => {
                ("a number", "java.lang.Integer")
            }
            Self::Integer(_) => ("a number", "java.lang.Long"),
            Self::Number(_) => ("a number", "java.lang.Double"),
            Self::Text(_) => ("a text", "java.lang.String"),
            Self::List => ("a list", "java.util.ArrayList"),
            // In two parts for the house's test that no `HashMap` of ours is here.
            Self::Map(_) => ("a map", concat!("java.util.LinkedHash", "Map")),
        };
        Refused::WrongType {
            metric: metric.to_owned(),
            setting: path.to_owned(),
            found,
            wanted,
            exception: format!(
                "java.lang.ClassCastException: class {class} cannot be cast to class {java} ({class} and {java} are \
                 in module java.base of loader 'bootstrap')"
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingVisitor)
    }
}

struct SettingVisitor;

impl<'de> Visitor<'de> for SettingVisitor {
    type Value = Setting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a setting")
    }

    fn visit_unit<E: Error>(self) -> Result<Setting, E> {
        Ok(Setting::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Setting, E> {
        Ok(Setting::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Setting, E> {
        Ok(Setting::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Setting, E> {
        Ok(i64::try_from(value).map_or(Setting::Number(value as f64), Setting::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Setting, E> {
        Ok(Setting::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Setting, E> {
        Ok(Setting::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Setting, A::Error> {
        while items.next_element::<Setting>()?.is_some() {}
        Ok(Setting::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Setting, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry()? {
            map.insert(name, value);
        }
        Ok(Setting::Map(map))
    }
}
