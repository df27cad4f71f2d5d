//! The bodies of orders that change something besides a rollback: other replicas, another colour.

use std::collections::BTreeMap;
use std::time::Duration;

use recant_core::change::ObjectRef;
use recant_core::command::Order;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::rule::{Colour, Scale as Scaled, ScaleKind, ScaleTarget, ScaleTo, ScaleUp, Task};
use recant_core::spec::duration;
use recant_core::wording::short;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{Ordering, Read, guards, name, reason, target};
use crate::http::api::problem::Problem;

const MOST_REPLICAS: u32 = 100_000;
/// In percent.
const MOST_FACTOR: u32 = 10_000;
const MOST_LABELS: usize = 10;
/// How long the pods of a colour may take when it is not said.
const WAIT: Duration = Duration::from_mins(5);
const MOST_WAIT: Duration = Duration::from_hours(1);

/// Gives a workload more replicas.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ScaleOrder")]
pub(super) struct Scale {
    namespace: String,
    /// `KIND/NAME`, as `Deployment/worker`.
    target: String,
    /// How many; never fewer than there are. This or `factor`.
    replicas: Option<u32>,
    /// How many times as many as there are, in percent, as `150%`.
    factor: Option<String>,
    /// Taken back after this long, as `30m`; left out, never by itself.
    #[serde(rename = "for")]
    lasts: Option<String>,
    /// Why, for the journal and for those who are told.
    #[serde(default)]
    reason: String,
    /// Guards that must not hold it, by name, as `freeze`.
    #[serde(default, rename = "override")]
    overrides: Vec<String>,
    /// Only say what would be written, and which guards would hold it.
    #[serde(default)]
    dry_run: bool,
}

/// Leads the traffic of a Service, or of a path of an Ingress, to another colour.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SwitchOrder")]
pub(super) struct Switch {
    namespace: String,
    /// `Service/NAME` or `Ingress/NAME`.
    target: String,
    /// The labels that the Service shall select, as `{"color": "blue"}`; of an Ingress `{"service": "checkout-blue"}`.
    to: BTreeMap<String, String>,
    /// The workload of the new colour, as `Deployment/checkout-blue`: it is scaled up and has to be ready before.
    workload: Option<String>,
    /// What has the traffic now, as `Deployment/checkout-green`: the new colour gets as many replicas.
    present: Option<String>,
    /// The new colour gets at least as many replicas.
    min: Option<u32>,
    /// How long its pods may take to get ready, as `5m`, which it is when left out.
    wait: Option<String>,
    /// Of an Ingress with several.
    host: Option<String>,
    /// Of an Ingress with several.
    path: Option<String>,
    /// Taken back after this long, as `30m`; left out, never by itself.
    #[serde(rename = "for")]
    lasts: Option<String>,
    /// Why, for the journal and for those who are told.
    #[serde(default)]
    reason: String,
    /// Guards that must not hold it, by name, as `freeze`.
    #[serde(default, rename = "override")]
    overrides: Vec<String>,
    /// Only say what would be written, and which guards would hold it.
    #[serde(default)]
    dry_run: bool,
}

impl Ordering for Scale {
    const WHAT: &'static str = "order of a scaling";

    fn read(self) -> Result<Read, Problem> {
        let target = target(&self.namespace, &self.target)?;
        let to = match (self.replicas, self.factor.as_deref()) {
            (Some(replicas @ 1..=MOST_REPLICAS), None) => ScaleTo::Replicas(replicas),
            (Some(replicas), None) => {
                return Err(Problem::bad(format!(
                    "`replicas` is {replicas}, and from 1 to {MOST_REPLICAS} can be ordered: to none it goes by hand, or by \
                     an action with `evidence`"
                )));
            }
            (None, Some(factor)) => ScaleTo::Factor(in_percent(factor)?),
            (Some(_), Some(_)) | (None, None) => {
                return Err(Problem::bad(
                    "give `replicas`, as 5, or `factor`, as `150%`: one of them",
                ));
            }
        };
        let task = Task::Scale {
            scale: Scaled {
                target: scaled(&target)?,
                to,
                ceiling: None,
                undo_after: None,
            },
            ready: None,
            evidence: None,
        };
        Ok(Read {
            order: Order::Change {
                target,
                task: Box::new(task),
                undo_after: time("for", self.lasts.as_deref())?,
            },
            reason: reason(&self.reason)?,
            overrides: guards(&self.overrides)?,
            dry_run: self.dry_run,
        })
    }
}

impl Ordering for Switch {
    const WHAT: &'static str = "order of a switch";

    fn read(self) -> Result<Read, Problem> {
        let object = object(&self.namespace, &self.target)?;
        let to = colour(&object, &self)?;
        let workload = |text: &str| target(&self.namespace, text);
        let Some(new) = self.workload.as_deref() else {
            return Err(Problem::bad(format!(
                "`workload` is missing: traffic is led only to pods that are ready. Say whose: `Deployment/{}`",
                likely(&object, &to)
            )));
        };
        let new = workload(new)?;
        let present = self.present.as_deref().map(workload).transpose()?;
        let least = match self.min {
            None => 1,
            Some(least @ 1..=MOST_REPLICAS) => least,
            Some(_) => {
                return Err(Problem::bad(format!("`min` is from 1 to {MOST_REPLICAS}")));
            }
        };
        let within = time("wait", self.wait.as_deref())?.unwrap_or(WAIT);
        if within > MOST_WAIT {
            return Err(Problem::bad(
                "`wait` is at most 1h: pods that are not ready by then never will be",
            ));
        }
        let task = Task::Switch {
            object,
            to,
            up: Some(ScaleUp {
                target: scaled(&new)?,
                present: present.as_ref().map(scaled).transpose()?,
                least,
                within,
                then_down: None,
            }),
        };
        Ok(Read {
            order: Order::Change {
                target: new,
                task: Box::new(task),
                undo_after: time("for", self.lasts.as_deref())?,
            },
            reason: reason(&self.reason)?,
            overrides: guards(&self.overrides)?,
            dry_run: self.dry_run,
        })
    }
}

fn scaled(target: &TargetId) -> Result<ScaleTarget, Problem> {
    let kind = match target.kind {
        TargetKind::Deployment => ScaleKind::Deployment,
        TargetKind::StatefulSet => ScaleKind::StatefulSet,
        TargetKind::Rollout => ScaleKind::Rollout,
        TargetKind::DaemonSet => {
            return Err(Problem::bad(format!(
                "{target} has no replicas: it runs one pod on each node"
            )));
        }
    };
    Ok(ScaleTarget {
        namespace: target.namespace.clone(),
        kind,
        name: target.name.clone(),
    })
}

/// A Service or an Ingress.
fn object(namespace: &str, text: &str) -> Result<ObjectRef, Problem> {
    let found = text.split_once('/').and_then(|(kind, own)| {
        let kinds = [("v1", "Service"), ("networking.k8s.io/v1", "Ingress")];
        let known = kinds
            .into_iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(kind))?;
        Some((known, own))
    });
    let Some(((api_version, kind), own)) = found else {
        return Err(Problem::bad(format!(
            "`{}` has no traffic to switch: write `Service/checkout` or `Ingress/checkout`",
            short(text, 100)
        )));
    };
    Ok(ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: name("namespace", namespace)?,
        name: name("target", own)?,
    })
}

fn colour(object: &ObjectRef, switch: &Switch) -> Result<Colour, Problem> {
    let Switch { to, host, path, .. } = switch;
    if object.kind == "Ingress" {
        let service = match (to.len(), to.get("service")) {
            (1, Some(service)) => name("to", service)?,
            (_, _) => {
                return Err(Problem::bad(
                    "of an Ingress say the Service that the path shall lead to: `service=checkout-blue`",
                ));
            }
        };
        let text = |field: &str, text: &Option<String>| {
            text.as_deref().map(|text| name(field, text)).transpose()
        };
        return Ok(Colour::Service {
            host: text("host", host)?,
            path: text("path", path)?,
            service,
        });
    }
    if host.is_some() || path.is_some() {
        return Err(Problem::bad(
            "`host` and `path` are of an Ingress: a Service is switched by its labels",
        ));
    }
    let of_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let good = (1..=MOST_LABELS).contains(&to.len())
        && to.iter().all(|(key, value)| {
            name("to", key).is_ok()
                && (1..=63).contains(&value.len())
                && value.bytes().all(of_label)
        });
    if !good {
        return Err(Problem::bad(format!(
            "`to` has 1 to {MOST_LABELS} labels that the Service shall select, as `color=blue`"
        )));
    }
    Ok(Colour::Labels { labels: to.clone() })
}

/// What the workload of a colour may be called: an example, and no default.
fn likely(object: &ObjectRef, to: &Colour) -> String {
    match to {
        Colour::Service { service, .. } => service.clone(),
        Colour::Labels { labels } => match labels.values().next() {
            Some(colour) => format!("{}-{colour}", object.name),
            None => object.name.clone(),
        },
    }
}

fn in_percent(text: &str) -> Result<u32, Problem> {
    let whole = text.strip_suffix('%').and_then(|text| text.parse().ok());
    whole
        .filter(|factor| (101..=MOST_FACTOR).contains(factor))
        .ok_or_else(|| {
            Problem::bad(format!(
                "`factor` is `{}`: write a whole percentage of what there is, more than `100%`, such as `150%`",
                short(text, 40)
            ))
        })
}

fn time(field: &str, text: Option<&str>) -> Result<Option<Duration>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let time = duration(text).ok().filter(|time| time.as_secs() > 0);
    time.map(Some).ok_or_else(|| {
        Problem::bad(format!(
            "`{field}` is `{}`, and no time of a second or more: write `30m`, `2h` or `3d`",
            short(text, 40)
        ))
    })
}
