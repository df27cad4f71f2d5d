//! `web` metrics as rules about a number in a JSON document.

use recant_core::argo::json::Json;
use recant_core::argo::metric::Metric;

use super::Rule;
use super::arguments::{Arguments, names_target, readable};
use super::condition::Limit;
use super::metric::{set_level, text};
use super::yaml::quoted;

/// Reads it into a rule; `field` is what the condition looks at within the result.
pub(super) fn convert(
    metric: &Metric,
    arguments: &Arguments,
    field: &str,
    limit: Limit,
    rule: &mut Rule,
) -> Result<(), String> {
    let part = metric.provider.get("web").unwrap_or(&Json::Null);
    let method = text(part, "method");
    if !method.is_empty() && method != "GET" {
        return Err(format!(
            "it asks by {method}, and Recant reads JSON by GET only"
        ));
    }
    let body = |name: &str| !matches!(part.get(name), None | Some(Json::Null));
    if body("body") || body("jsonBody") || body("authentication") {
        return Err(
            "it sends a body, or logs in by OAuth2, and Recant reads JSON by GET only".to_owned(),
        );
    }
    let url = arguments.fill(text(part, "url"))?;
    if names_target(&url) {
        return Err(format!(
            "its address `{}` is another for each target, and that of a rule is not: give the arguments by --arg",
            readable(&url)
        ));
    }
    let path = arguments.fill(text(part, "jsonPath"))?;
    let path = path.trim();
    let inner = match path {
        "" => "$",
        braced => braced
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .filter(|inner| !inner.contains(['{', '}']))
            .ok_or_else(|| format!("the path `{path}` is more than one path in braces"))?,
    };
    let root = if inner.starts_with('$') { "" } else { "$" };
    let mut authorization = None;
    let headers = part.get("headers").and_then(Json::as_array);
    for header in headers.unwrap_or_default() {
        let key = text(header, "key");
        let secret = arguments.secret(text(header, "value"));
        match (key.eq_ignore_ascii_case("authorization"), secret) {
            (true, Some((name, key))) => authorization = Some((name.to_owned(), key.to_owned())),
            (true, None) => {
                return Err("the header `Authorization` is no single secret argument: put the whole value, with `Bearer `, into one key of a secret".to_owned());
            }
            (false, _) if key.eq_ignore_ascii_case("accept") => rule
                .notes
                .push("the header `Accept` is left out".to_owned()),
            (false, _) => {
                return Err(format!(
                    "it sends the header `{key}`, and Recant sends `Authorization` only"
                ));
            }
        }
    }
    let mut value = format!(
        "{{url: {}, path: {}",
        quoted(&url),
        quoted(&format!("{root}{inner}{field}"))
    );
    if let Some((name, key)) = authorization {
        value.push_str(&format!(
            ", authorization: {{secret: {{name: {}, key: {}}}}}",
            quoted(&name),
            quoted(&key)
        ));
    }
    value.push('}');
    let mut notes = vec![
        "one value of the whole service: the revisions are not told apart, and it is compared with before the release; the path has to select exactly one number".to_owned(),
    ];
    if part.get("insecure") == Some(&Json::Bool(true)) {
        notes.push("`insecure` is left out: certificates are always checked".to_owned());
    }
    rule.set("httpJson", value, notes);
    set_level(rule, limit, metric)
}
