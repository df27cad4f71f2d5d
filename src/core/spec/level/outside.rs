//! Values that are not series: the status of Kubernetes objects, numbers in JSON documents, lengths in a Redis.

use std::time::Duration;

use super::read_per;
use crate::rule::{HttpJson, KubernetesFact, Redis, RedisKey};
use crate::spec::excerpt::quoted;
use crate::spec::fields::{self, Fields, listed};
use crate::spec::nearest::nearest;
use crate::spec::report::Report;
use crate::spec::secret::Secret;
use crate::spec::tree::{Kind, Node};

const PASSWORD: Secret = Secret {
    field: "`password`",
    noun: "the secret",
    danger: "it is a secret",
    file: "/etc/recant/password",
    secret: "{name: redis, key: password}",
};
const AUTHORIZATION: Secret = Secret {
    field: "`authorization`",
    secret: "{name: queue, key: authorization}",
    ..PASSWORD
};

const FACTS: [&str; 5] = [
    "restarts",
    "outOfMemoryKills",
    "unreadyPods",
    "pendingPods",
    "failedProgress",
];
/// How long restarts and kills are counted together when the rule does not say: a container that crashes in a loop
/// is started again after at most 5 minutes, so two of them fall into this.
const DEFAULT_PER: Duration = Duration::from_mins(10);

/// `kubernetes: FACT` or `kubernetes: {fact: FACT, per: 10m}`.
pub(super) fn kubernetes(node: &Node, report: &mut Report<'_>) -> Option<KubernetesFact> {
    const HELP: &str =
        "write `kubernetes: unreadyPods`, or `kubernetes: {fact: restarts, per: 10m}`";
    if let Kind::Scalar(_) = &node.kind {
        return fact(node, "kubernetes", DEFAULT_PER, HELP, report);
    }
    let fields = Fields::open(node, "`kubernetes`", &["fact", "per"], report)?;
    let per = match fields.get("per") {
        None => Some(DEFAULT_PER),
        Some(node) => read_per(node, report),
    };
    let fact_node = fields.need("fact", HELP, report)?;
    let fact = fact(fact_node, "fact", per.unwrap_or(DEFAULT_PER), HELP, report)?;
    let counted = match fact {
        KubernetesFact::Restarts { .. } | KubernetesFact::OutOfMemoryKills { .. } => true,
        KubernetesFact::UnreadyPods
        | KubernetesFact::PendingPods
        | KubernetesFact::FailedProgress => false,
    };
    if let (false, Some(entry)) = (counted, fields.entry("per")) {
        report
            .error(
                entry.key_span,
                "`per` goes with what is counted, and this is how things stand",
            )
            .help("leave `per` out; `for` says how long it must be so");
        return None;
    }
    per.map(|_| fact)
}

fn fact(
    node: &Node,
    field: &str,
    per: Duration,
    help: &str,
    report: &mut Report<'_>,
) -> Option<KubernetesFact> {
    let text = fields::text(node, field, help, report)?;
    match text {
        "restarts" => Some(KubernetesFact::Restarts { per }),
        "outOfMemoryKills" => Some(KubernetesFact::OutOfMemoryKills { per }),
        "unreadyPods" => Some(KubernetesFact::UnreadyPods),
        "pendingPods" => Some(KubernetesFact::PendingPods),
        "failedProgress" => Some(KubernetesFact::FailedProgress),
        other => {
            report
                .error(node.span, format!("`{field}` cannot be {}", quoted(other)))
                .help(match nearest(other, FACTS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it is one of {}", listed(&FACTS)),
                });
            None
        }
    }
}

/// `httpJson: {url: …, path: …, authorization: {env: …}}`.
pub(super) fn http_json(node: &Node, report: &mut Report<'_>) -> Option<HttpJson> {
    const INSTEAD: &str =
        "give it as `authorization: {env: NAME}`, whose value is that of the header";
    const HELP: &str = "write `httpJson: {url: 'http://stats.shop:8080/queues', path: '$.length'}`";
    let fields = Fields::open(
        node,
        "`httpJson`",
        &["url", "path", "authorization"],
        report,
    )?;
    let url = fields
        .need("url", HELP, report)
        .and_then(|node| read_url(node, HELP, INSTEAD, report));
    let path = fields
        .need("path", HELP, report)
        .and_then(|node| read_path(node, report));
    let authorization = match fields.get("authorization") {
        None => Some(None),
        Some(node) => AUTHORIZATION.read(node, report).map(Some),
    };
    Some(HttpJson {
        url: url?,
        path: path?,
        authorization: authorization?,
    })
}

/// A URL without anything secret in it: it is shown in messages. `instead` says where secrets belong.
pub(in crate::spec) fn read_url(
    node: &Node,
    help: &str,
    instead: &str,
    report: &mut Report<'_>,
) -> Option<String> {
    const SECRETS: [&str; 6] = ["token", "secret", "password", "passwd", "apikey", "api_key"];
    let url = fields::text(node, "url", help, report)?;
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    if authority.is_some_and(|authority| authority.contains('@')) {
        report.mask(node.span);
        report
            .error(node.span, "`url` holds a user name or a password")
            .help(format!("leave the part before `@` out, and {instead}"));
        return None;
    }
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let parameters = || query.split('&').filter_map(|pair| pair.split('=').next());
    if parameters().any(|name| {
        let name = name.to_ascii_lowercase();
        SECRETS.iter().any(|secret| name.contains(secret))
    }) {
        report.mask(node.span);
        report
            .error(
                node.span,
                "`url` holds a secret in its query, and URLs are shown in messages",
            )
            .help(instead);
        return None;
    }
    let printable = url.chars().all(|c| c.is_ascii_graphic());
    match authority {
        Some(authority)
            if !authority.is_empty()
                && !authority.starts_with(':')
                && printable
                && !url.contains('#')
                && url.len() <= 2_000 =>
        {
            Some(url.to_owned())
        }
        _ => {
            report
                .error(node.span, "this is no URL that can be asked")
                .help(help);
            None
        }
    }
}

/// A `JSONPath`, as far as can be said here: the source compiles it.
fn read_path(node: &Node, report: &mut Report<'_>) -> Option<String> {
    const HELP: &str = "write a JSONPath (RFC 9535) that selects one number, such as `$.queues.integration.length`";
    let path = fields::text(node, "path", HELP, report)?;
    let reason = if !path.starts_with('$') {
        Some("a JSONPath begins with `$`".to_owned())
    } else if path.len() > 1_000 {
        Some("it has more than 1000 characters".to_owned())
    } else {
        report.checks().json_path(path).err()
    };
    if let Some(reason) = reason {
        report
            .error(node.span, format!("`path` is no JSONPath: {reason}"))
            .help(HELP);
        return None;
    }
    Some(path.to_owned())
}

/// `redis: {address: …, list: …, database: 0, username: …, password: {env: …}}`.
pub(super) fn redis(node: &Node, report: &mut Report<'_>) -> Option<Redis> {
    const HELP: &str = "write `redis: {address: 'redis.shop:6379', list: integration_queue}`";
    const KNOWN: &[&str] = &[
        "address", "list", "stream", "database", "username", "password",
    ];
    let fields = Fields::open(node, "`redis`", KNOWN, report)?;
    let address = fields
        .need("address", HELP, report)
        .and_then(|node| read_address(node, HELP, report));
    let key = match (fields.entry("list"), fields.entry("stream")) {
        (Some(_), Some(second)) => {
            report
                .error(second.key_span, "`redis` has a `list` and a `stream`")
                .help("a rule measures one thing: make two rules of it");
            None
        }
        (None, None) => {
            if !fields.unclear() {
                report
                    .error(fields.span, "`redis` names no `list` and no `stream`")
                    .help(HELP);
            }
            None
        }
        (Some(list), None) => read_key(&list.value, "list", HELP, report).map(RedisKey::List),
        (None, Some(stream)) => {
            read_key(&stream.value, "stream", HELP, report).map(RedisKey::Stream)
        }
    };
    let database = match fields.get("database") {
        None => Some(0),
        Some(node) => fields::integer(node, "database", (0, 255), report)
            .and_then(|number| u8::try_from(number).ok()),
    };
    let username = match fields.get("username") {
        None => Some(None),
        Some(node) => read_key(node, "username", HELP, report).map(Some),
    };
    let password = match fields.get("password") {
        None => Some(None),
        Some(node) => PASSWORD.read(node, report).map(Some),
    };
    if let (Some(entry), None) = (fields.entry("username"), fields.entry("password")) {
        report
            .error(
                entry.key_span,
                "`username` goes with `password`, which is missing",
            )
            .help("add `password: {env: NAME}`, or leave `username` out");
        return None;
    }
    Some(Redis {
        address: address?,
        database: database?,
        key: key?,
        username: username?,
        password: password?,
    })
}

fn read_key(node: &Node, field: &str, help: &str, report: &mut Report<'_>) -> Option<String> {
    let text = fields::text(node, field, help, report)?;
    if text.len() > 1_024 {
        report
            .error(node.span, format!("`{field}` has more than 1024 bytes"))
            .help(help);
        return None;
    }
    Some(text.to_owned())
}

fn read_address(node: &Node, help: &str, report: &mut Report<'_>) -> Option<String> {
    let text = fields::text(node, "address", help, report)?;
    if text.contains('@') {
        report.mask(node.span);
        report
            .error(node.span, "`address` holds a user name or a password")
            .help("leave the part before `@` out, and give it as `password: {env: NAME}`");
        return None;
    }
    if text.contains("://") {
        report
            .error(
                node.span,
                "`address` is a URL, and host and port are asked for",
            )
            .help(help);
        return None;
    }
    let parts = text.rsplit_once(':');
    let port = parts.and_then(|(_, port)| port.parse::<u16>().ok());
    let host = parts.map_or("", |(host, _)| host);
    let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    let plain = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if port.is_none_or(|port| port == 0) || !(bracketed || plain) {
        report
            .error(node.span, format!("`address` cannot be {}", quoted(text)))
            .help("write host and port, such as `redis.shop:6379`");
        return None;
    }
    Some(text.to_owned())
}
