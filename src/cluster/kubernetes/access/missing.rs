//! A right that is missing, and which shipped Role gives it.

use std::fmt;

/// A right that the service account lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    pub verb: &'static str,
    /// `deployments.apps`, `rollouts.argoproj.io/status`
    pub resource: String,
    /// Empty: in the whole cluster.
    pub namespace: String,
    /// Name of the one object, where the right is for one object.
    pub name: Option<String>,
    pub(super) role: Role,
}

/// Which of the shipped Roles holds a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// In each namespace with targets.
    Targets,
    /// The same, where traffic is stepped or shifted.
    Traffic,
    /// Where stuck pods are deleted.
    DeletePods,
    /// In the agent's own namespace.
    Agent,
    /// In the agent's own namespace, where there are several replicas.
    Replicas,
    /// Where `recant once` runs.
    Once,
    /// In the whole cluster, where tokens are reviewed.
    TokenReview,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            resource,
            namespace,
            name,
            role,
        } = self;
        let (role, file) = match role {
            Role::Targets => ("recant", "role.yaml"),
            Role::Traffic => ("recant-traffic", "traffic-role.yaml"),
            Role::DeletePods => {
                return write!(
                    f,
                    "`{verb}` on `{resource}` in namespace `{namespace}` is missing: add the Role `recant-delete-pods` and \
                     its binding (charts/manifests/delete-pods-role.yaml), or leave `deleteStuckPods` out"
                );
            }
            Role::Agent => ("recant-agent", "agent-role.yaml"),
            Role::Replicas => ("recant-replicas", "replicas-role.yaml"),
            Role::Once => ("recant-once", "once-role.yaml"),
            Role::TokenReview => {
                return write!(
                    f,
                    "`{verb}` on `{resource}` is missing: add the ClusterRole `recant-token-review` and its binding \
                     (charts/manifests/token-review.yaml), or leave `api.tokenReview` out"
                );
            }
        };
        write!(f, "`{verb}` on `{resource}`")?;
        if let Some(name) = name.as_ref().filter(|name| *name != namespace) {
            write!(f, " `{name}`")?;
        }
        write!(
            f,
            " in namespace `{namespace}` is missing: add it to the Role `{role}` (charts/manifests/{file})"
        )
    }
}
