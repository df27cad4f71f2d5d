//! Where a secret is: fields of metrics that are given by reference only (P10).

use super::channel::{is_path, is_variable, read_key};
use super::fields::{self, Fields, NameKind};
use super::report::Report;
use super::tree::{Kind, Node};
use crate::rule::SecretRef;

const KNOWN: &[&str] = &["env", "file", "secret"];

/// Reads where the secret of a field is; never says what it found, since it may be the secret itself.
/// `what` is the field in quotes: "`password`".
pub(super) fn read(node: &Node, what: &'static str, report: &mut Report<'_>) -> Option<SecretRef> {
    let field = what.trim_matches('`');
    let reference = format!(
        "write `{field}: {{env: NAME}}`, `{field}: {{file: PATH}}` or `{field}: {{secret: {{name: NAME, key: KEY}}}}`"
    );
    if let Kind::Scalar(_) = &node.kind
        && !node.is_null()
    {
        report.mask(node.span);
        report
            .error(
                node.span,
                format!("{what} is written out, and it is a secret"),
            )
            .help(format!(
                "{reference}: rule files are kept in Git and shown in messages, secrets are not"
            ));
        return None;
    }
    let fields = Fields::open(node, what, KNOWN, report)?;
    let given: Vec<_> = KNOWN.iter().filter_map(|name| fields.entry(name)).collect();
    let entry = match given.as_slice() {
        [entry] => entry,
        [] => {
            if !fields.unclear() {
                report
                    .error(
                        fields.span,
                        format!("{what} does not say where the secret is"),
                    )
                    .help(reference);
            }
            return None;
        }
        [_, second, ..] => {
            report
                .error(
                    second.key_span,
                    format!("{what} is given in more than one way"),
                )
                .help(reference);
            return None;
        }
    };
    match entry.key.as_str() {
        "env" => {
            let name = fields::text(&entry.value, "env", &reference, report)?;
            if !is_variable(name) {
                report.mask(entry.value.span);
                report
                    .error(entry.value.span, "`env` is not the name of an environment variable")
                    .help("write the name of the variable that holds the secret: letters, digits and `_`");
                return None;
            }
            Some(SecretRef::Env(name.to_owned()))
        }
        "file" => {
            let path = fields::text(&entry.value, "file", &reference, report)?;
            if !is_path(path) {
                report.mask(entry.value.span);
                report
                    .error(entry.value.span, "`file` is not the path of a file")
                    .help("write the path of the file that holds the secret, such as `/etc/recant/password`");
                return None;
            }
            Some(SecretRef::File(path.to_owned()))
        }
        _ => {
            const HELP: &str =
                "write `secret: {name: redis, key: password}`: a Secret in the agent's namespace";
            let fields = Fields::open(&entry.value, "`secret`", &["name", "key"], report)?;
            let name = fields
                .need("name", HELP, report)
                .and_then(|node| fields::name(node, "name", NameKind::Subdomain, report));
            let key = fields
                .need("key", HELP, report)
                .and_then(|node| read_key(node, HELP, report));
            Some(SecretRef::KubernetesSecret {
                name: name?.to_owned(),
                key: key?.to_owned(),
            })
        }
    }
}
