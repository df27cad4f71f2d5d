//! Who keeps a workload as Git says: Argo CD or Flux, as the object's own labels, annotations and `managedFields` tell it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A tool that writes back what Git says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GitTool {
    ArgoCd,
    Flux,
}

/// The owner of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitOwner {
    pub tool: GitTool,
    /// `None`: the tool wrote the object, and nothing on it says for whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<OwnerObject>,
    /// The images that stand in the template are those that Git asks for, as far as the object shows it.
    #[serde(default)]
    pub agrees: bool,
}

/// The object of the tool that the workload belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerObject {
    pub kind: OwnerKind,
    /// `None`: where Argo CD runs, which the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
}

/// Kinds of owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnerKind {
    /// `argoproj.io/v1alpha1`
    Application,
    /// `kustomize.toolkit.fluxcd.io/v1`
    Kustomization,
    /// `helm.toolkit.fluxcd.io/v2`
    HelmRelease,
}

impl GitTool {
    /// Under which names it stands in `managedFields`.
    pub const fn managers(self) -> &'static [&'static str] {
        match self {
            Self::ArgoCd => &["argocd-controller", "argocd-application-controller"],
            Self::Flux => &["kustomize-controller", "helm-controller"],
        }
    }
}

impl fmt::Display for GitTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ArgoCd => "Argo CD",
            Self::Flux => "Flux",
        })
    }
}

impl fmt::Display for OwnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Application => "Application",
            Self::Kustomization => "Kustomization",
            Self::HelmRelease => "HelmRelease",
        })
    }
}

/// `Argo CD (Application argocd/shop)`.
impl fmt::Display for GitOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tool)?;
        let Some(object) = &self.object else {
            return Ok(());
        };
        let namespace = object.namespace.as_deref();
        let namespace = namespace.map_or_else(String::new, |namespace| format!("{namespace}/"));
        write!(f, " ({} {namespace}{})", object.kind, object.name)
    }
}
