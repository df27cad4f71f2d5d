//! What users run today, run as they do: their own file from `tests/acceptance`, its script as a Job beside a real
//! Prometheus, on a release that is bad. It is what Recant is measured by.
//!
//! Two things are not theirs: the namespace's name, and a shim for `kubectl exec` (there is no container to go into).

mod as_it_is;
mod repaired;

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::bed::Bed;
use crate::jobs::{Jobs, USERS_FILE, users_cronjob};
use crate::namespace::Namespace;
use crate::prometheus::Prometheus;
use crate::receiver::Receiver;
use crate::services::Behaviour;
use crate::wait::wait_for;

/// Nothing that is waited for takes longer, on a busy machine.
const WITHIN: Duration = Duration::from_mins(1);

/// The users' application.
pub(crate) const APP: &str = "claude-orchestrator";

/// The shim: `kubectl exec … -- promtool …` runs the real promtool here, and what is `localhost:9090` inside of
/// Prometheus' pod is the real Prometheus. Everything else is the real kubectl's.
const SHIM: &str = r#"#!/bin/bash
# kubectl, with a shim for `kubectl exec`: see tests/cluster/script.rs.
if [ "$1" = exec ]; then
  while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
  shift
  [ "$1" = promtool ] || { echo "the shim for kubectl exec knows only promtool, not $1" >&2; exit 127; }
  shift
  exec PROMTOOL "${@//http:\/\/localhost:9090/PROMETHEUS}"
fi
exec KUBECTL "$@"
"#;

/// The users' application with everything that their script needs.
struct Shop {
    ns: Namespace,
    prometheus: Prometheus,
    slack: Receiver,
    jobs: Jobs,
}

impl Shop {
    /// A namespace with Prometheus, the Secret that their file refers to, and rights for the script; no workload yet.
    async fn open(name: &str) -> Self {
        let bed = Bed::get().await;
        let ns = bed.namespace(name).await;
        let slack = Receiver::start().await;
        let url = format!("--from-literal=webhook-url={}/services/T0/B0", slack.url());
        ns.kubectl(&["create", "secret", "generic", "slack-notifications", &url])
            .await;
        // Their file brings no rights, so they have given them to the default account by hand.
        ns.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "script"},
            "rules": [
                {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["*"]},
                {"apiGroups": ["argoproj.io"], "resources": ["*"], "verbs": ["*"]},
            ],
        }))
        .await;
        let account = format!("--serviceaccount={}:default", ns.name());
        ns.kubectl(&["create", "rolebinding", "script", "--role=script", &account])
            .await;
        // Of the good version nothing is bad, so that every error has one cause.
        let good = Behaviour {
            errors: 0.0,
            ..Behaviour::GOOD
        };
        ns.behave("v1", good);
        let bad = Behaviour {
            errors: 0.6,
            ..Behaviour::FAILING
        };
        ns.behave("v2", bad);
        let prometheus = ns.prometheus().await;
        let tools = tools(bed, &prometheus);
        let jobs = Jobs::start_with_tools(&ns, Some(&tools));
        Self {
            ns,
            prometheus,
            slack,
            jobs,
        }
    }

    /// Waits until so many of the answers are errors that the script still sees more than its threshold, 5 %, when good
    /// answers have come for as long again.
    async fn wait_errors(&self) {
        let of = format!(r#"destination_service_name="{APP}""#);
        let query = format!(
            r#"sum(rate(istio_requests_total{{{of},response_code=~"5.*"}}[5m])) / sum(rate(istio_requests_total{{{of}}}[5m])) > 0.25"#
        );
        wait_for("the errors to be in Prometheus", WITHIN, || async {
            let vector = self.prometheus.query(&query).await?;
            if vector.is_empty() {
                Err("a rate below 25 %".to_owned())
            } else {
                Ok(())
            }
        })
        .await;
    }

    /// Applies the users' file, or a copy of it, and returns its `CronJob`'s name.
    async fn apply(&self, file: &str) -> String {
        users_cronjob(&self.ns, file).await
    }
}

/// The users' file with the smallest repair that makes it act: `rollback-cronjob.patch`.
async fn repaired() -> String {
    let users = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/acceptance");
    let folder = Bed::get().await.folder("repaired");
    let file = folder.join("rollback-cronjob.yaml");
    std::fs::copy(users.join("rollback-cronjob.yaml"), &file).expect("the users' file is there");
    let applied = Command::new("git")
        .args(["apply", "--whitespace=nowarn"])
        .arg(users.join("rollback-cronjob.patch"))
        .current_dir(&folder)
        .env("GIT_CEILING_DIRECTORIES", &folder)
        .output()
        .expect("git runs");
    let said = String::from_utf8_lossy(&applied.stderr);
    assert!(applied.status.success(), "the patch does not apply: {said}");
    std::fs::read_to_string(&file).expect("the users' file is UTF-8")
}

/// `text` with every `from` replaced; there must be so many.
fn replaced(text: &str, from: &str, to: &str, times: usize) -> String {
    assert_eq!(text.matches(from).count(), times, "of `{from}`");
    text.replace(from, to)
}

/// The programs of the script's image.
fn tools(bed: &Bed, prometheus: &Prometheus) -> PathBuf {
    let folder = bed.folder("tools");
    let path = |name: &str| bed.binary(name).display().to_string();
    let shim = SHIM
        .replace("PROMTOOL", &path("promtool"))
        .replace("PROMETHEUS", &prometheus.url())
        .replace("KUBECTL", &path("kubectl"));
    let file = folder.join("kubectl");
    std::fs::write(&file, shim)
        .and_then(|()| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)))
        .and_then(|()| {
            let plugin = "kubectl-argo-rollouts";
            symlink(bed.binary(plugin), folder.join(plugin))
        })
        .expect("the bed's folder is writable");
    folder
}

/// Prints past the harness, which hides what passing tests print.
pub(crate) fn told(line: &str) {
    std::io::stderr()
        .write_all(format!("SCRIPT {line}\n").as_bytes())
        .expect("a line can be printed");
}

/// The last line that is not empty.
fn last_line(text: &str) -> &str {
    text.lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or_default()
}
