//! `webhook: {url: …}`: a call of somebody outside. What may be secret in it is given by reference only (P10).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rule::{SecretRef, Task, Webhook, WebhookUrl};
use crate::spec::excerpt::quoted;
use crate::spec::fields::{self, Fields};
use crate::spec::level::read_url;
use crate::spec::report::Report;
use crate::spec::secret::Secret;
use crate::spec::tree::{Kind, Node};

const URL: Secret = Secret {
    field: "`urlFrom`",
    noun: "the URL",
    danger: "whoever knows it may call it",
    file: "/etc/recant/webhook-url",
    secret: "{name: webhook, key: url}",
};
const HEADER: Secret = Secret {
    field: "`header`",
    noun: "the value of the header",
    danger: "it may be a secret",
    file: "/etc/recant/webhook-token",
    secret: "{name: webhook, key: token}",
};
/// Headers of one call.
const MOST_HEADERS: usize = 10;
/// Those that Recant sets, or that belong to the connection.
const OURS: [&str; 10] = [
    "idempotency-key",
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "host",
    "connection",
    "upgrade",
    "te",
    "trailer",
];
/// A call that takes longer holds up what comes after it.
const LONGEST: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(100);
const USUAL: Duration = Duration::from_secs(5);

/// `namespace`: that of the document; empty where it has none.
pub(super) fn read(node: &Node, namespace: Option<&str>, report: &mut Report<'_>) -> Option<Task> {
    const HELP: &str = "write `webhook: {url: 'https://hooks.example.org/drain'}`, or `webhook: {urlFrom: {secret: {name: NAME, key: KEY}}}`";
    let known = ["url", "urlFrom", "headers", "timeout"];
    let fields = Fields::open(node, "`webhook`", &known, report)?;
    let url = match (fields.entry("url"), fields.entry("urlFrom")) {
        (Some(_), Some(from)) => {
            report
                .error(from.key_span, "`url` and `urlFrom` are both given")
                .help("leave one of them out");
            None
        }
        (Some(url), None) => plain(&url.value, HELP, report),
        (None, Some(from)) => URL.read(&from.value, report).map(WebhookUrl::Secret),
        (None, None) => {
            if !fields.unclear() {
                report
                    .error(fields.span, "`webhook` has neither `url` nor `urlFrom`")
                    .help(HELP);
            }
            None
        }
    };
    let headers = match fields.get("headers") {
        None => Some(BTreeMap::new()),
        Some(node) => headers(node, report),
    };
    let timeout = match fields.get("timeout") {
        None => Some(USUAL),
        Some(node) => timeout(node, report),
    };
    let mut webhook = Webhook {
        url: url?,
        headers: headers?,
        timeout: timeout?,
    };
    if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) {
        webhook.belong_to(namespace);
    }
    Some(Task::Webhook { webhook })
}

fn plain(node: &Node, help: &str, report: &mut Report<'_>) -> Option<WebhookUrl> {
    const INSTEAD: &str = "give the whole URL as `urlFrom: {secret: {name: NAME, key: KEY}}`";
    let url = read_url(node, help, INSTEAD, report)?;
    if url.starts_with("http://") {
        report
            .warn(node.span, "this webhook is called without TLS")
            .help("write `https://`; without it the call is refused unless the setting `webhooks.plainHttp` is true");
    }
    Some(WebhookUrl::Plain(url))
}

fn headers(node: &Node, report: &mut Report<'_>) -> Option<BTreeMap<String, SecretRef>> {
    const HELP: &str = "write `headers: {authorization: {secret: {name: NAME, key: KEY}}}`";
    let Kind::Map(entries) = &node.kind else {
        if !matches!(node.kind, Kind::Reported) {
            report.mask(node.span);
            report
                .error(node.span, "`headers` must be a mapping of names")
                .help(HELP);
        }
        return None;
    };
    if entries.len() > MOST_HEADERS {
        report
            .error(node.span, format!("more than {MOST_HEADERS} headers"))
            .help("a webhook needs one or two");
        return None;
    }
    let mut headers = BTreeMap::new();
    let mut good = true;
    for entry in entries {
        let name = entry.key.to_ascii_lowercase();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let wrong = if name.is_empty() || name.len() > 100 || !name.bytes().all(token) {
            Some(format!("no header can be called {}", quoted(&entry.key)))
        } else if OURS.contains(&name.as_str()) {
            Some(format!("Recant sets the header `{name}` itself"))
        } else if headers.contains_key(&name) {
            Some(format!("header `{name}` is given twice"))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            good = false;
            report.error(entry.key_span, wrong).help(HELP);
        }
        match HEADER.read(&entry.value, report) {
            Some(secret) => {
                headers.insert(name, secret);
            }
            None => good = false,
        }
    }
    good.then_some(headers)
}

fn timeout(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let timeout = fields::duration(node, "timeout", report)?;
    if !(SHORTEST..=LONGEST).contains(&timeout) {
        report
            .error(node.span, "`timeout` is between 100ms and 10s")
            .help("what takes longer should answer at once and go on by itself");
        return None;
    }
    Some(timeout)
}
