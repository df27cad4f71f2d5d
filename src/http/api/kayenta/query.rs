//! From a metric of a config and a scope to `PromQL`, as Kayenta's Prometheus service does it.

use recant_core::wording::short;

use super::config::{CanaryConfig, ConfigMetric};
use super::request::Scope;

/// A filter that holds the whole query begins with this.
const WHOLE: &str = "PromQL:";

/// The expression of a metric for one side.
///
/// # Errors
/// What cannot be honoured, by its name.
pub(super) fn promql(
    config: &CanaryConfig,
    metric: &ConfigMetric,
    scope: &Scope,
) -> Result<String, String> {
    let name = &metric.name;
    let refused = |what: String| Err(format!("metric `{name}`: {what}"));
    let Some(query) = &metric.query else {
        return refused("it has no `query`".to_owned());
    };
    if query.kind != "prometheus" {
        let kind = short(&query.kind, 40);
        return refused(format!(
            "`query.type` `{kind}` is not here: there is `prometheus`"
        ));
    }
    if query
        .custom_filter
        .as_ref()
        .is_some_and(|filter| !filter.is_empty())
    {
        return refused("`query.customFilter` is no more: use `customInlineTemplate`".to_owned());
    }
    let filled = |text: &&String| !text.is_empty();
    let inline = query.custom_inline_template.as_ref().filter(filled);
    let named = query.custom_filter_template.as_ref().filter(filled);
    let resource = query.resource_type.as_ref().filter(filled);
    let template = match (inline, named) {
        (Some(text), _) => text,
        (None, Some(named)) => match config.templates.get(named) {
            Some(text) => text,
            None => return refused(format!("there is no template `{}`", short(named, 100))),
        },
        (None, None) => {
            return match resource {
                Some(resource) => refused(format!(
                    "`query.resourceType` `{}` is not here: write a template that names the series by \
                     `${{scope}}` and `${{location}}`",
                    short(resource, 40)
                )),
                None => refused(
                    "it needs `query.customInlineTemplate` or `query.customFilterTemplate`"
                        .to_owned(),
                ),
            };
        }
    };
    let variable = |wanted: &str| match wanted {
        "scope" => scope.scope.clone(),
        "location" => scope.location.clone(),
        "resourceType" => query.resource_type.clone(),
        other => scope.extended_scope_params.get(other).cloned(),
    };
    let text = match expand(template, variable) {
        Ok(text) => text,
        Err(unknown) => {
            return refused(format!(
                "its template names `${{{}}}`, which the scope does not have",
                short(&unknown, 100)
            ));
        }
    };
    if let Some(whole) = text.strip_prefix(WHOLE) {
        return Ok(whole.trim().to_owned());
    }
    let Some(series) = query.metric_name.as_ref().filter(filled) else {
        return refused("its template is a filter, and `query.metricName` is missing".to_owned());
    };
    let bindings = query.label_bindings.iter().flatten().map(String::as_str);
    let filters: Vec<&str> = text
        .split(',')
        .chain(bindings)
        .map(str::trim)
        .filter(|filter| !filter.is_empty())
        .collect();
    let by = match query.group_by_fields.as_deref() {
        None | Some([]) => String::new(),
        Some(fields) => format!(" by ({})", fields.join(", ")),
    };
    Ok(format!("avg({series}{{{}}}){by}", filters.join(",")))
}

/// Puts values in the place of `${name}`; the error is the first name without one.
fn expand(template: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    // As Kayenta writes templates down that it has read.
    let template = template.replace("$\\{", "${");
    let mut text = String::new();
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        text.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            // An opening without an end is text.
            text.push_str("${");
            rest = after;
            continue;
        };
        text.push_str(&variable(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn made(query: &Value) -> Result<String, String> {
        let document = json!({
            "name": "c",
            "metrics": [{"name": "errors", "query": query}],
            "templates": {"t": "pod=~\"${scope}-.*\", zone=\"${location}\""},
        });
        let config = CanaryConfig::read(&document).expect("it can be read");
        let scope = json!({
            "scope": "checkout", "location": "eu", "start": "2026-01-01T00:00:00Z",
            "end": "2026-01-01T00:10:00+00:00", "step": 60, "extendedScopeParams": {"status": "5.."},
        });
        let scope = Scope::read(&scope, "experimentScope").expect("a scope");
        promql(&config, &config.metrics[0], &scope)
    }

    #[test]
    fn templates_become_queries_and_what_cannot_is_named() {
        let prometheus = |more: Value| {
            let mut query = json!({"type": "prometheus", "metricName": "requests"});
            query
                .as_object_mut()
                .expect("an object")
                .extend(more.as_object().expect("an object").clone());
            query
        };
        for (query, expected) in [
            (
                prometheus(json!({"customFilterTemplate": "t"})),
                r#"avg(requests{pod=~"checkout-.*",zone="eu"})"#,
            ),
            (
                prometheus(json!({"customInlineTemplate": "status=~\"$\\{status}\"",
                    "labelBindings": ["job=\"a\""], "groupByFields": ["pod", "zone"]})),
                r#"avg(requests{status=~"5..",job="a"}) by (pod, zone)"#,
            ),
            (
                prometheus(
                    json!({"customInlineTemplate": "PromQL: sum(rate(x{a=\"${scope}\"}[1m]))"}),
                ),
                r#"sum(rate(x{a="checkout"}[1m]))"#,
            ),
        ] {
            assert_eq!(made(&query).as_deref(), Ok(expected));
        }
        for (query, says) in [
            (
                json!({"type": "datadog", "metricName": "a"}),
                "`query.type` `datadog`",
            ),
            (prometheus(json!({})), "customInlineTemplate"),
            (
                prometheus(json!({"resourceType": "gce_instance"})),
                "`gce_instance` is not here",
            ),
            (prometheus(json!({"customFilter": "a"})), "customFilter"),
            (
                prometheus(json!({"customFilterTemplate": "u"})),
                "no template `u`",
            ),
            (
                prometheus(json!({"customInlineTemplate": "${project}"})),
                "`${project}`",
            ),
            (
                json!({"type": "prometheus", "customInlineTemplate": "a=\"b\""}),
                "`query.metricName` is missing",
            ),
        ] {
            let error = made(&query).expect_err("it cannot be honoured");
            assert!(
                error.contains(says) && error.contains("metric `errors`"),
                "{error}"
            );
        }
    }
}
