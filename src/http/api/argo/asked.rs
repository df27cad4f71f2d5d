//! What a template of Argo's `web` provider asks for: the parameters of its URL.

use std::collections::BTreeMap;

use recant_core::ids::{RevisionHash, TargetKind};
use recant_core::target::naming::Naming;
use recant_core::wording::short;

use crate::http::api::problem::Problem;

const MOST_LABELS: usize = 20;
/// The longest value of a label, and the longest name of an object.
const LONGEST: usize = 253;

/// Which revision of which target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) naming: Naming,
    /// The pod-template hash: without it, a verdict of the revision before could be taken for one of the new revision.
    pub(super) revision: RevisionHash,
}

impl Asked {
    /// Reads the parameters; each stands there once.
    pub(super) fn read(pairs: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut given: BTreeMap<String, String> = BTreeMap::new();
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        for (key, value) in pairs {
            if value.len() > LONGEST {
                let key = short(&key, 80);
                return Err(unusable(&format!("`{key}` is longer than {LONGEST} bytes")));
            }
            let (place, name) = match key.strip_prefix("label.") {
                Some(label) if !label.is_empty() => (&mut labels, label.to_owned()),
                _ if KNOWN.contains(&key.as_str()) => (&mut given, key.clone()),
                _ => {
                    let key = short(&key, 80);
                    return Err(unusable(&format!("there is no parameter `{key}`")));
                }
            };
            if place.insert(name, value).is_some() {
                let key = short(&key, 80);
                return Err(unusable(&format!("`{key}` is given twice")));
            }
        }
        if labels.len() > MOST_LABELS {
            let detail = format!("there are more than {MOST_LABELS} labels");
            return Err(unusable(&detail));
        }
        let mut take = |key: &str| match given.remove(key) {
            Some(value) if value.is_empty() => Err(unusable(&format!("`{key}` is empty"))),
            value => Ok(value),
        };
        let missing = |key: &str| unusable(&format!("`{key}` is missing"));
        let hash = take("hash").map_err(|_| {
            let detail =
                "`hash` is empty: give the pod-template hash, as by `podTemplateHashValue: Latest`";
            Problem::bad(detail)
        })?;
        let namespace = take("namespace")?.ok_or_else(|| missing("namespace"))?;
        let kind = match take("kind")?.as_deref() {
            None => TargetKind::Rollout,
            Some(kind) => TargetKind::named(kind).ok_or_else(|| {
                let (kind, kinds) = (short(kind, 40), TargetKind::listed());
                Problem::bad(format!("`kind={kind}` is none of {kinds}"))
            })?,
        };
        let (name, service) = (take("name")?, take("service")?);
        let hash = hash.ok_or_else(|| missing("hash"))?;
        if name.is_none() && service.is_none() && labels.is_empty() {
            return Err(unusable(
                "nothing says which workload is meant: give `name`, `service`, or a label such as `label.app`",
            ));
        }
        Ok(Self {
            naming: Naming {
                namespace,
                kind,
                name,
                service,
                labels,
            },
            revision: RevisionHash(hash),
        })
    }
}

const KNOWN: [&str; 5] = ["namespace", "kind", "name", "service", "hash"];

/// The request cannot be understood.
pub(super) fn unusable(why: &str) -> Problem {
    Problem::bad(format!(
        "{}; ask for `?namespace=NAMESPACE&name=NAME&hash=HASH`, with `service=SERVICE` or `label.LABEL=VALUE` instead \
         of the name if you like, and `&kind=Deployment` where it is no Rollout",
        short(why, 200)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Asked, String> {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Asked::read(pairs.collect()).map_err(|problem| problem.detail)
    }

    #[test]
    fn a_workload_is_named_in_several_ways() {
        let asked =
            read("namespace=shop&hash=h&service=a&label.app=b&label.team=c&kind=Deployment")
                .expect("it is whole");
        assert_eq!(asked.naming.kind, TargetKind::Deployment);
        assert_eq!(asked.naming.name, None);
        assert_eq!(asked.naming.service.as_deref(), Some("a"));
        let labels: Vec<_> = asked.naming.labels.into_iter().collect();
        let label = |label: &str, value: &str| (label.to_owned(), value.to_owned());
        assert_eq!(labels, [label("app", "b"), label("team", "c")]);
    }

    #[test]
    fn what_cannot_be_meant_says_why() {
        for (text, why) in [
            (
                "namespace=shop&hash=h",
                "nothing says which workload is meant",
            ),
            ("namespace=shop&hash=h&name=", "`name` is empty"),
            (
                "namespace=shop&hash=h&name=a&name=b",
                "`name` is given twice",
            ),
            (
                "namespace=shop&hash=h&label.=b",
                "there is no parameter `label.`",
            ),
            ("namespace=shop&hash=h&app=b", "there is no parameter `app`"),
            ("namespace=shop&name=a", "`hash` is missing"),
            ("namespace=shop&name=a&hash=", "`hash` is empty"),
            ("name=a&hash=h", "`namespace` is missing"),
            (
                "namespace=shop&name=a&hash=h&kind=Pod",
                "`kind=Pod` is none of",
            ),
        ] {
            let said = read(text).expect_err(text);
            assert!(said.contains(why), "{text}: {said}");
        }
        let long = format!("namespace=shop&hash=h&name={}", "x".repeat(254));
        assert!(read(&long).is_err_and(|said| said.contains("longer than 253")));
        let many: Vec<String> = (0..21).map(|n| format!("&label.l{n}=v")).collect();
        let said = read(&format!("namespace=shop&hash=h{}", many.concat()));
        assert!(said.is_err_and(|said| said.contains("more than 20 labels")));
    }
}
