//! The file that says who may do what at the API port (`api.callers`). Everything that is wrong with it is said at once,
//! and no value of it: somebody may have written a token where its place belongs.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use recant_core::access::{Grant, Grants, KnownBy, Scope, Scopes};
use recant_core::rule::SecretRef;
use recant_core::wording::short;
use serde_json::{Map, Value};

const MOST_BYTES: u64 = 1 << 20;
/// Callers; each is a value of a label of metrics, and a token to compare.
const MOST: usize = 256;
/// Characters of one name.
const LONGEST: usize = 256;
/// Faults that are said.
const MOST_FAULTS: usize = 20;

/// Names that callers have who are in no file.
const RESERVED: [&str; 7] = [
    "readToken",
    "hookToken",
    "markerKey",
    "approvalLink",
    "anonymous",
    "unknown",
    "none",
];

const KINDS: &str = "`token`, `serviceAccount`, `user`, `group`, `certificate`";

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the file {path} of callers cannot be used: {}", faults.join("; "))]
pub struct CallersError {
    path: String,
    /// At least one.
    faults: Vec<String>,
}

/// Reads it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(path: &Path) -> Result<Grants, CallersError> {
    let failed = |faults| CallersError {
        path: path.display().to_string(),
        faults,
    };
    let text = read_text(path).map_err(|reason| failed(vec![reason]))?;
    parse(&text).map_err(failed)
}

fn read_text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(size) if size as u64 > MOST_BYTES => Err("it is larger than 1 MiB".to_owned()),
        Ok(_) => Ok(text),
        Err(error) => Err(error.to_string()),
    }
}

fn parse(text: &str) -> Result<Grants, Vec<String>> {
    // Without the snippet: it would show lines that may hold a secret (P10).
    let options = serde_saphyr::options! { with_snippet: false };
    let document: Value = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| vec![format!("it is no YAML: {}", short(&error.to_string(), 200))])?;
    let empty = Map::new();
    let document = match &document {
        Value::Object(document) => document,
        Value::Null => &empty,
        _ => return Err(vec!["it is no YAML mapping".to_owned()]),
    };
    let mut faults = Vec::new();
    for key in document.keys().filter(|key| *key != "callers") {
        faults.push(format!(
            "there is no field `{}`, there is `callers`",
            short(key, 40)
        ));
    }
    let mut grants = Vec::new();
    let mut names = BTreeSet::new();
    match document.get("callers") {
        Some(Value::Array(callers)) if callers.len() <= MOST => {
            for (number, caller) in callers.iter().enumerate() {
                match grant(caller) {
                    Ok(grant) if names.insert(grant.name.clone()) => grants.push(grant),
                    Ok(grant) => faults.push(format!("two callers have the name `{}`", grant.name)),
                    Err(fault) => {
                        faults.push(format!("caller {}{}: {fault}", number + 1, called(caller)));
                    }
                }
            }
        }
        Some(Value::Array(_)) => faults.push(format!("it holds more than {MOST} callers")),
        Some(_) | None => faults.push("`callers` is no list of callers".to_owned()),
    }
    let hidden = faults.len().saturating_sub(MOST_FAULTS);
    if hidden > 0 {
        faults.truncate(MOST_FAULTS);
        faults.push(format!("and {hidden} more"));
    }
    if faults.is_empty() {
        Ok(Grants(grants))
    } else {
        Err(faults)
    }
}

fn called(caller: &Value) -> String {
    let name = caller["name"].as_str().filter(|name| is_name(name));
    name.map_or_else(String::new, |name| format!(" (`{name}`)"))
}

/// Fit for logs and labels of metrics.
fn is_name(name: &str) -> bool {
    let fine = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    !name.is_empty() && name.len() <= 63 && name.chars().all(fine)
}

fn grant(caller: &Value) -> Result<Grant, String> {
    let caller = caller.as_object().ok_or("it is no mapping")?;
    let name = caller
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !is_name(name) {
        return Err("`name` must be 1 to 63 letters, digits, `-`, `_` or `.`".to_owned());
    }
    if RESERVED.contains(&name) {
        return Err("the name is one that Recant gives itself: take another".to_owned());
    }
    let mut known_by = Vec::new();
    for (field, value) in caller {
        match field.as_str() {
            "name" | "scopes" => {}
            "token" => known_by.push(token(value)?),
            "serviceAccount" => known_by.push(service_account(value)?),
            "user" => known_by.push(KnownBy::User(text(field, value)?)),
            "group" => known_by.push(KnownBy::Group(text(field, value)?)),
            "certificate" => known_by.push(certificate(value)?),
            other => {
                let other = short(other, 40);
                return Err(format!(
                    "there is no field `{other}`; there are `name`, `scopes`, {KINDS}"
                ));
            }
        }
    }
    let known_by: [KnownBy; 1] = known_by
        .try_into()
        .map_err(|_| format!("exactly one of {KINDS} says who it is"))?;
    let [known_by] = known_by;
    Ok(Grant {
        name: name.to_owned(),
        known_by,
        scopes: scopes(caller.get("scopes"))?,
    })
}

fn scopes(value: Option<&Value>) -> Result<Scopes, String> {
    let wrong = || {
        let words: Vec<String> = Scope::ALL
            .iter()
            .map(|scope| format!("`{scope}`"))
            .collect();
        format!(
            "`scopes` must be a list of one or more of {}",
            words.join(", ")
        )
    };
    let listed = value.and_then(Value::as_array).ok_or_else(wrong)?;
    let scopes = listed
        .iter()
        .map(|word| {
            let word = word.as_str()?;
            Scope::ALL.into_iter().find(|scope| scope.word() == word)
        })
        .collect::<Option<Scopes>>();
    scopes.filter(|scopes| !scopes.is_empty()).ok_or_else(wrong)
}

fn text(field: &str, value: &Value) -> Result<String, String> {
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        return Err(format!(
            "`{field}` must be a text of 1 to {LONGEST} characters"
        ));
    }
    Ok(text.to_owned())
}

/// The only field of a mapping.
fn only<'a>(field: &str, value: &'a Value, names: &str) -> Result<(&'a str, &'a Value), String> {
    let wrong = || format!("`{field}` must be a mapping with one of {names}");
    let mapping = value.as_object().ok_or_else(wrong)?;
    let mut fields = mapping.iter();
    match (fields.next(), fields.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        _ => Err(wrong()),
    }
}

fn token(value: &Value) -> Result<KnownBy, String> {
    let names = "`file`, `env`: the token itself does not belong into this file";
    let (name, place) = only("token", value, names)?;
    match name {
        "file" => Ok(KnownBy::Token(SecretRef::File(text("token.file", place)?))),
        "env" => Ok(KnownBy::Token(SecretRef::Env(text("token.env", place)?))),
        _ => Err(format!("`token` must be a mapping with one of {names}")),
    }
}

fn service_account(value: &Value) -> Result<KnownBy, String> {
    let given = text("serviceAccount", value)?;
    match given.split_once('/') {
        Some((namespace, name))
            if !namespace.is_empty() && !name.is_empty() && !given.contains(':') =>
        {
            Ok(KnownBy::User(format!(
                "system:serviceaccount:{namespace}:{name}"
            )))
        }
        _ => Err("`serviceAccount` must be NAMESPACE/NAME".to_owned()),
    }
}

fn certificate(value: &Value) -> Result<KnownBy, String> {
    let names = "`commonName`, `dns`, `uri`";
    let (name, value) = only("certificate", value, names)?;
    match name {
        "commonName" => Ok(KnownBy::CommonName(text("certificate.commonName", value)?)),
        "dns" => Ok(KnownBy::Dns(text("certificate.dns", value)?)),
        "uri" => Ok(KnownBy::Uri(text("certificate.uri", value)?)),
        _ => Err(format!(
            "`certificate` must be a mapping with one of {names}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_read() {
        let grants = parse(
            "callers:\n\
             - {name: argo, scopes: [read], token: {file: /etc/recant/argo}}\n\
             - {name: ci, scopes: [hooks, read], serviceAccount: shop/ci}\n\
             - {name: team, scopes: [act], group: 'oidc:shop'}\n\
             - {name: mesh, scopes: [administer], certificate: {uri: 'spiffe://a/b'}}\n",
        )
        .expect("good");
        let known: Vec<_> = grants
            .0
            .iter()
            .map(|grant| grant.known_by.clone())
            .collect();
        assert_eq!(
            known,
            [
                KnownBy::Token(SecretRef::File("/etc/recant/argo".into())),
                KnownBy::User("system:serviceaccount:shop:ci".into()),
                KnownBy::Group("oidc:shop".into()),
                KnownBy::Uri("spiffe://a/b".into()),
            ]
        );
        assert_eq!(grants.0[1].scopes.to_string(), "read, hooks");
    }

    #[test]
    fn everything_that_is_wrong_is_said_and_no_value() {
        let faults = parse(
            "caller: 1\n\
             callers:\n\
             - {name: a, scopes: [read], token: hunter2}\n\
             - {name: b, scopes: [write], user: x}\n\
             - {name: c, scopes: [], user: x}\n\
             - {name: d, scopes: [read]}\n\
             - {name: e, scopes: [read], user: x, group: z}\n\
             - {name: f, scopes: [read], serviceAccount: ci}\n\
             - {name: g, scopes: [read], certificate: {subject: x}}\n\
             - {name: 'a b', scopes: [read], user: x}\n\
             - {name: readToken, scopes: [read], user: x}\n\
             - {name: h, scopes: [read], usr: x}\n\
             - {name: i, scopes: [read], token: {value: hunter2}}\n\
             - {name: j, scopes: [read], user: x}\n\
             - {name: j, scopes: [read], user: z}\n\
             - 7\n",
        )
        .expect_err("nothing but faults");
        let text = faults.join("\n");
        assert!(!text.contains("hunter2"), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_is_no_file_of_callers_is_refused() {
        for (text, says) in [
            ("", "no list"),
            ("hunter2", "no YAML mapping"),
            ("callers: hunter2", "no list"),
            ("callers: {a: 1}", "no list"),
            ("callers: [", "no YAML"),
        ] {
            let faults = parse(text).expect_err(text).join("; ");
            assert!(faults.contains(says), "`{text}`: {faults}");
            assert!(!faults.contains("hunter2"), "{faults}");
        }
        let many: Vec<String> = (0..300)
            .map(|number| format!("- {{name: n{number}, scopes: [read], user: u}}\n"))
            .collect();
        let many = many.concat();
        let faults = parse(&format!("callers:\n{many}")).expect_err("too many");
        assert_eq!(faults, ["it holds more than 256 callers"]);
    }
}
