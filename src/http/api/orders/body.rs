//! The bodies of orders: texts that people write, and what they mean.

use std::collections::BTreeSet;

use jiff::Timestamp;
use recant_core::command::{LONGEST_REASON, Lasting, Order, Reach};
use recant_core::guard::Guard;
use recant_core::ids::{PlanId, TargetId, TargetKind};
use recant_core::spec::duration;
use recant_core::wording::short;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::api::problem::Problem;

/// Characters of a name; plans have the longest.
const LONGEST: usize = 400;

/// An order that was understood.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) order: Order,
    pub(super) reason: String,
    pub(super) overrides: BTreeSet<Guard>,
    pub(super) dry_run: bool,
}

/// What a body orders.
pub(super) trait Ordering {
    /// For people.
    const WHAT: &'static str;

    /// # Errors
    /// A value that cannot be understood.
    fn read(self) -> Result<Read, Problem>;
}

/// Takes a target back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RollbackOrder")]
pub(super) struct Rollback {
    namespace: String,
    /// `KIND/NAME`, as `Deployment/checkout`.
    target: String,
    /// Hash or number of a revision; left out, the one that Recant would go back to.
    to: Option<String>,
    /// Why, for the journal and for those who are told.
    #[serde(default)]
    reason: String,
    /// Guards that must not hold it, by name, as `cool-down`.
    #[serde(default, rename = "override")]
    overrides: Vec<String>,
    /// Only say what would be written, and which guards would hold it.
    #[serde(default)]
    dry_run: bool,
}

/// Keeps Recant's hands off a target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "HoldOrder")]
pub(super) struct Hold {
    namespace: String,
    /// `KIND/NAME`, as `Deployment/checkout`.
    target: String,
    /// For how long, as `2h`. Neither this nor `until`: until it is ended.
    #[serde(rename = "for")]
    lasts: Option<String>,
    /// A time, as `2026-01-31T09:30:00Z`.
    until: Option<String>,
    /// Why, for the journal and for those who are told.
    #[serde(default)]
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

/// Ends what a person ends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ResumeOrder")]
pub(super) struct Resume {
    namespace: String,
    /// `KIND/NAME`, as `Deployment/checkout`.
    target: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

/// Keeps Recant's hands off everything in reach.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "FreezeOrder")]
pub(super) struct Freeze {
    /// Only in this namespace; left out, everywhere.
    namespace: Option<String>,
    /// Only this target of the namespace: `KIND/NAME`.
    target: Option<String>,
    /// For how long, as `2h`. Neither this nor `until`: until it is ended.
    #[serde(rename = "for")]
    lasts: Option<String>,
    /// A time, as `2026-01-31T09:30:00Z`.
    until: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

/// Agrees to a rollback.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ApproveOrder")]
pub(super) struct Approve {
    /// The plan, as the message names it.
    plan: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

/// Ends a freeze of the same reach.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "UnfreezeOrder")]
pub(super) struct Unfreeze {
    namespace: Option<String>,
    target: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

impl Ordering for Rollback {
    const WHAT: &'static str = "order of a rollback";

    fn read(self) -> Result<Read, Problem> {
        Ok(Read {
            order: Order::Rollback {
                target: target(&self.namespace, &self.target)?,
                to: self.to.map(|to| name("to", &to)).transpose()?,
            },
            reason: reason(&self.reason)?,
            overrides: guards(&self.overrides)?,
            dry_run: self.dry_run,
        })
    }
}

impl Ordering for Hold {
    const WHAT: &'static str = "order of a hold";

    fn read(self) -> Result<Read, Problem> {
        let order = Order::Hold {
            target: target(&self.namespace, &self.target)?,
            lasts: lasting(self.lasts.as_deref(), self.until.as_deref())?,
        };
        plain(order, &self.reason, self.dry_run)
    }
}

impl Ordering for Resume {
    const WHAT: &'static str = "order to resume";

    fn read(self) -> Result<Read, Problem> {
        let target = target(&self.namespace, &self.target)?;
        plain(Order::Resume { target }, &self.reason, self.dry_run)
    }
}

impl Ordering for Freeze {
    const WHAT: &'static str = "order of a freeze";

    fn read(self) -> Result<Read, Problem> {
        let order = Order::Freeze {
            reach: reach(self.namespace.as_deref(), self.target.as_deref())?,
            lasts: lasting(self.lasts.as_deref(), self.until.as_deref())?,
        };
        plain(order, &self.reason, self.dry_run)
    }
}

impl Ordering for Unfreeze {
    const WHAT: &'static str = "order to unfreeze";

    fn read(self) -> Result<Read, Problem> {
        let reach = reach(self.namespace.as_deref(), self.target.as_deref())?;
        plain(Order::Unfreeze { reach }, &self.reason, self.dry_run)
    }
}

impl Ordering for Approve {
    const WHAT: &'static str = "approval";

    fn read(self) -> Result<Read, Problem> {
        let plan = PlanId(name("plan", &self.plan)?);
        plain(Order::Approve { plan }, &self.reason, self.dry_run)
    }
}

fn plain(order: Order, why: &str, dry_run: bool) -> Result<Read, Problem> {
    Ok(Read {
        order,
        reason: reason(why)?,
        overrides: BTreeSet::new(),
        dry_run,
    })
}

pub(super) fn name(field: &str, text: &str) -> Result<String, Problem> {
    let good = !text.is_empty()
        && text.chars().count() <= LONGEST
        && text.chars().all(|c| c.is_ascii_graphic());
    if good {
        Ok(text.to_owned())
    } else {
        Err(Problem::bad(format!(
            "`{field}` is empty, longer than {LONGEST} characters, or no name"
        )))
    }
}

pub(super) fn target(namespace: &str, target: &str) -> Result<TargetId, Problem> {
    let found = target.split_once('/').and_then(|(kind, own)| {
        let mut kinds = TargetKind::ALL.into_iter();
        let kind = kinds.find(|known| known.as_str().eq_ignore_ascii_case(kind))?;
        Some((kind, own))
    });
    let Some((kind, own)) = found else {
        return Err(Problem::bad(format!(
            "`{}` is no target: write KIND/NAME, as `Deployment/checkout`",
            short(target, 100)
        )));
    };
    Ok(TargetId {
        namespace: name("namespace", namespace)?,
        kind,
        name: name("target", own)?,
    })
}

fn reach(namespace: Option<&str>, of: Option<&str>) -> Result<Reach, Problem> {
    match (namespace, of) {
        (None, None) => Ok(Reach::Everything),
        (Some(namespace), None) => Ok(Reach::Namespace {
            namespace: name("namespace", namespace)?,
        }),
        (Some(namespace), Some(of)) => Ok(Reach::Target {
            target: target(namespace, of)?,
        }),
        (None, Some(_)) => Err(Problem::bad(
            "`target` needs its `namespace`: give both, or neither",
        )),
    }
}

fn lasting(lasts: Option<&str>, until: Option<&str>) -> Result<Lasting, Problem> {
    match (lasts, until) {
        (None, None) => Ok(Lasting::Open),
        (Some(_), Some(_)) => Err(Problem::bad("give `for` or `until`, not both")),
        (Some(lasts), None) => duration(lasts)
            .ok()
            .filter(|time| time.as_secs() > 0)
            .map(|time| Lasting::Seconds(time.as_secs()))
            .ok_or_else(|| {
                Problem::bad(format!(
                    "`for` is `{}`, and no time of a second or more: write `30m`, `2h` or `3d`",
                    short(lasts, 40)
                ))
            }),
        (None, Some(until)) => until.parse::<Timestamp>().map(Lasting::Until).map_err(|_| {
            Problem::bad(format!(
                "`until` is `{}`, and no time like `2026-01-31T09:30:00Z`",
                short(until, 40)
            ))
        }),
    }
}

pub(super) fn reason(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control) {
        return Err(Problem::bad(format!(
            "`reason` is longer than {LONGEST_REASON} characters, or more than one line"
        )));
    }
    Ok(text.to_owned())
}

pub(super) fn guards(names: &[String]) -> Result<BTreeSet<Guard>, Problem> {
    names
        .iter()
        .map(|name| {
            Guard::named(name).ok_or_else(|| {
                let known: Vec<String> = Guard::ALL
                    .iter()
                    .filter(|guard| guard.may_be_overridden())
                    .map(|guard| format!("`{}`", guard.dashed()))
                    .collect();
                Problem::bad(format!(
                    "`{}` is no guard; those that can be overridden are {}",
                    short(name, 40),
                    known.join(", ")
                ))
            })
        })
        .collect()
}
