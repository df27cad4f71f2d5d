//! The arguments of a template: values where they are known, and what of Recant's stands in their place elsewhere.

use std::collections::BTreeMap;

use recant_core::argo::argument::{Argument, ValueFrom};

/// Words that stand for what only a target knows, while an expression is read. They are letters, so that they are
/// read wherever a value may stand.
pub(super) const NAME: &str = "RECANTxNAMEx";
pub(super) const NAMESPACE: &str = "RECANTxNAMESPACEx";
pub(super) const REVISION: &str = "RECANTxREVISIONx";

/// What stands in the place of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stand {
    Value(String),
    /// One of the words above.
    Word(&'static str),
    Secret {
        name: String,
        key: String,
    },
    Unknown,
}

/// The arguments of a template by name.
#[derive(Debug, Clone)]
pub(super) struct Arguments(BTreeMap<String, (Stand, bool)>);

/// What an argument without a value most likely is, by its name and the field that it comes from.
fn guess(argument: &Argument) -> Stand {
    if let Some(ValueFrom::FieldRef { path }) = &argument.value_from {
        match path.as_str() {
            "metadata.namespace" => return Stand::Word(NAMESPACE),
            "metadata.name" => return Stand::Word(NAME),
            path if path.contains("PodHash") || path.contains("pod-template-hash") => {
                return Stand::Word(REVISION);
            }
            _ => {}
        }
    }
    let name = argument.name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["hash", "revision", "version", "canary"]) {
        Stand::Word(REVISION)
    } else if has(&["namespace"]) || name == "ns" {
        Stand::Word(NAMESPACE)
    } else if has(&["service", "app", "deployment", "rollout", "workload"]) || name == "name" {
        Stand::Word(NAME)
    } else {
        Stand::Unknown
    }
}

impl Arguments {
    pub(super) fn new(args: &[Argument], given: &[(String, String)]) -> Self {
        let mut stands = BTreeMap::new();
        for argument in args {
            let value = given
                .iter()
                .rev()
                .find(|(name, _)| *name == argument.name)
                .map(|(_, value)| value);
            let stand = match (value, &argument.value_from, &argument.value) {
                (Some(value), _, _) => Stand::Value(value.clone()),
                (None, Some(ValueFrom::SecretKeyRef { name, key }), _) => Stand::Secret {
                    name: name.clone(),
                    key: key.clone(),
                },
                (None, _, Some(value)) => Stand::Value(value.clone()),
                (None, _, None) => guess(argument),
            };
            stands.insert(argument.name.clone(), (stand, value.is_some()));
        }
        Self(stands)
    }

    /// What the arguments became.
    pub(super) fn notes(&self) -> Vec<String> {
        let note = |(name, (stand, given)): (&String, &(Stand, bool))| match stand {
            Stand::Value(value) if *given => {
                Some(format!("argument `{name}` is `{value}`, as it was given"))
            }
            Stand::Value(value) => Some(format!(
                "argument `{name}` is `{value}`, its value in the template: rules have no arguments"
            )),
            Stand::Word(NAME) => Some(format!(
                "argument `{name}` has no value: the name of the target stands in its place; give another by --arg {name}=VALUE"
            )),
            Stand::Word(NAMESPACE) => Some(format!(
                "argument `{name}` has no value: the namespace of the target stands in its place"
            )),
            Stand::Word(_) => Some(format!(
                "argument `{name}` tells the revisions apart: Recant knows which pods are of which"
            )),
            Stand::Secret { .. } | Stand::Unknown => None,
        };
        self.0.iter().filter_map(note).collect()
    }

    /// A text with values and words in the place of its arguments.
    ///
    /// # Errors
    /// An argument that has neither, with what to do.
    pub(super) fn fill(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, tag)) = rest.split_once("{{") {
            out.push_str(before);
            let (tag, after) = tag
                .split_once("}}")
                .ok_or("a placeholder `{{` is never closed")?;
            let tag = tag.trim();
            let name = tag.strip_prefix("args.").unwrap_or(tag);
            match self.0.get(name).map(|(stand, _)| stand) {
                Some(Stand::Value(value)) => out.push_str(value),
                Some(Stand::Word(word)) => out.push_str(word),
                Some(Stand::Secret { .. }) => {
                    return Err(format!(
                        "the secret argument `{name}` is used where Recant takes no secret"
                    ));
                }
                Some(Stand::Unknown) => {
                    return Err(format!(
                        "the argument `{name}` has no value: give it by --arg {name}=VALUE"
                    ));
                }
                None => return Err(format!("`{{{{{tag}}}}}` names no argument of the template")),
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The key of a secret, if a text is nothing but the argument that comes from it.
    pub(super) fn secret(&self, text: &str) -> Option<(&str, &str)> {
        let tag = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
        match &self.0.get(tag.strip_prefix("args.")?)?.0 {
            Stand::Secret { name, key } => Some((name, key)),
            Stand::Value(_) | Stand::Word(_) | Stand::Unknown => None,
        }
    }
}

/// Whether a text holds something that only a target knows.
pub(super) fn names_target(text: &str) -> bool {
    [NAME, NAMESPACE, REVISION]
        .iter()
        .any(|word| text.contains(word))
}

/// A text with Recant's own placeholders in the place of the words.
pub(super) fn with_placeholders(text: &str) -> String {
    text.replace(NAME, "${name}")
        .replace(NAMESPACE, "${namespace}")
}

/// A text as the template had it, for notes.
pub(super) fn readable(text: &str) -> String {
    with_placeholders(text).replace(REVISION, "REVISION")
}
