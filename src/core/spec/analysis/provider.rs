//! The provider of a metric: which are known, what belongs to each, and what Recant cannot honour.

use super::super::report::Report;
use super::part::{Part, TypeOf};
use crate::argo::expression::{Expression, duration};
use crate::argo::json_path::JsonPath;
use crate::argo::metric::PROVIDERS;

/// Those that Recant speaks.
const SPOKEN: [&str; 3] = ["prometheus", "web", "kayenta"];

pub(super) fn check(metric: &Part<'_>, report: &mut Report<'_>) {
    let Some(node) = metric.get("provider") else {
        report
            .error(metric.span, "a metric has no `provider`")
            .help("say what is asked: `prometheus`, `web` or `kayenta`");
        return;
    };
    let mut known = PROVIDERS.to_vec();
    known.push("plugin");
    let Some(part) = Part::open(node, "`provider`", &known, report) else {
        return;
    };
    for entry in part.entries() {
        let name = entry.key.as_str();
        if known.contains(&name) && !SPOKEN.contains(&name) {
            report
                .error(
                    entry.key_span,
                    format!("the provider `{name}` is not supported by Recant"),
                )
                .help("Recant measures by `prometheus`, `web` and `kayenta`; leave this metric to the controller");
        }
    }
    if let Some(node) = part.get("prometheus") {
        let known = [
            "address",
            "query",
            "timeout",
            "insecure",
            "headers",
            "rangeQuery",
            "authentication",
        ];
        if let Some(part) = Part::open(node, "`prometheus`", &known, report) {
            prometheus(&part, report);
        }
    }
    if let Some(node) = part.get("web") {
        let known = [
            "method",
            "url",
            "headers",
            "body",
            "jsonBody",
            "timeoutSeconds",
            "jsonPath",
            "insecure",
            "authentication",
        ];
        if let Some(part) = Part::open(node, "`web`", &known, report) {
            web(&part, report);
        }
    }
    if let Some(node) = part.get("kayenta") {
        let known = [
            "address",
            "application",
            "canaryConfigName",
            "metricsAccountName",
            "configurationAccountName",
            "storageAccountName",
            "threshold",
            "scopes",
            "lookback",
        ];
        Part::open(node, "`kayenta`", &known, report);
    }
}

fn prometheus(part: &Part<'_>, report: &mut Report<'_>) {
    for (name, wanted) in [
        ("address", TypeOf::Text),
        ("query", TypeOf::Text),
        ("timeout", TypeOf::Whole),
        ("insecure", TypeOf::Boolean),
    ] {
        part.typed(name, wanted, report);
    }
    headers(part, report);
    authentication(part, report);
    let Some(node) = part.get("rangeQuery") else {
        return;
    };
    let known = ["start", "end", "step"];
    let Some(range) = Part::open(node, "`rangeQuery`", &known, report) else {
        return;
    };
    for name in known {
        let (Some(text), Some(node)) = (range.text(name, report), range.get(name)) else {
            continue;
        };
        let fault = if text.contains("{{") {
            None
        } else if name == "step" {
            duration(&text).err().map(|error| error.to_string())
        } else {
            let expression = Expression::new(&text);
            expression.syntax_error().map(ToString::to_string)
        };
        if let Some(fault) = fault {
            report
                .warn(
                    node.span,
                    format!("`rangeQuery.{name}` cannot be read: {fault}"),
                )
                .help("mend it: as it is, every measurement ends as Error");
        }
    }
}

fn web(part: &Part<'_>, report: &mut Report<'_>) {
    for (name, wanted) in [
        ("method", TypeOf::Text),
        ("url", TypeOf::Text),
        ("body", TypeOf::Text),
        ("jsonBody", TypeOf::Anything),
        ("timeoutSeconds", TypeOf::Whole),
        ("insecure", TypeOf::Boolean),
    ] {
        part.typed(name, wanted, report);
    }
    headers(part, report);
    authentication(part, report);
    let (Some(path), Some(node)) = (part.text("jsonPath", report), part.get("jsonPath")) else {
        return;
    };
    if path.contains("{{") {
        return;
    }
    match JsonPath::new(&path) {
        Err(error) => {
            report
                .warn(node.span, format!("`jsonPath` cannot be read: {error}"))
                .help("mend it: as it is, every measurement ends as Error");
        }
        Ok(_) if !path.is_empty() && !path.contains('{') => {
            report
                .warn(
                    node.span,
                    "`jsonPath` has no braces: it is plain text, and the result is that text",
                )
                .help("write the path in braces: `{$.a}`");
        }
        Ok(_) => {}
    }
}

/// Their values may be secrets: they are never shown.
fn headers(part: &Part<'_>, report: &mut Report<'_>) {
    for item in part.list("headers", report) {
        let Some(header) = Part::open(item, "a header", &["key", "value"], report) else {
            continue;
        };
        if let Some(value) = header.get("value") {
            report.mask(value.span);
        }
        header.text("key", report);
        header.text("value", report);
    }
}

fn authentication(part: &Part<'_>, report: &mut Report<'_>) {
    let Some(node) = part.get("authentication") else {
        return;
    };
    report.mask(node.span);
    report
        .error(
            node.span,
            "`authentication` is not supported by Recant: it speaks neither OAuth2 nor SigV4",
        )
        .help("take a token in a header, from a secret argument, or leave this metric to the controller");
}
