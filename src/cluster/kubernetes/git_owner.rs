//! Recognises the owner of a workload among `GitOps` tools by what stands on the workload itself.
//!
//! Argo CD: its tracking annotation, if it names this very object (copies of an object keep the annotation), or the
//! instance label where Argo CD's controller wrote the object: Helm sets the same label. Flux: its labels.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::ObjectMeta;
use recant_core::ids::TargetKind;
use recant_core::target::{GitOwner, GitTool, OwnerKind, OwnerObject};
use serde_json::Value;

use super::objects::{annotations, workload_resource};

const TRACKING: &str = "argocd.argoproj.io/tracking-id";
const INSTANCE: &str = "app.kubernetes.io/instance";
/// Under these names the tools stand in `managedFields`.
const ARGO_CD: [&str; 2] = ["argocd-controller", "argocd-application-controller"];
const FLUX: [(&str, OwnerKind, &str); 2] = [
    (
        "kustomize-controller",
        OwnerKind::Kustomization,
        "kustomize.toolkit.fluxcd.io",
    ),
    (
        "helm-controller",
        OwnerKind::HelmRelease,
        "helm.toolkit.fluxcd.io",
    ),
];

/// The owner, if there is one.
pub(super) fn read(metadata: &ObjectMeta, kind: TargetKind) -> Option<GitOwner> {
    argo_cd(metadata, kind).or_else(|| flux(metadata))
}

fn argo_cd(metadata: &ObjectMeta, kind: TargetKind) -> Option<GitOwner> {
    let application = |namespace: Option<&str>, name: &str| GitOwner {
        tool: GitTool::ArgoCd,
        object: Some(OwnerObject {
            kind: OwnerKind::Application,
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }),
    };
    if let Some(tracking) = annotations(metadata).get(TRACKING)
        && let Some((application_name, of)) = tracking.split_once(':')
        && of == tracked_as(metadata, kind)
    {
        // Applications outside of Argo CD's own namespace are named with theirs.
        return Some(match application_name.split_once('_') {
            Some((namespace, name)) => application(Some(namespace), name),
            None => application(None, application_name),
        });
    }
    let wrote = writers(metadata).any(|manager| ARGO_CD.contains(&manager));
    if !wrote {
        return None;
    }
    let instance = labels(metadata).get(INSTANCE);
    Some(instance.map_or(
        GitOwner {
            tool: GitTool::ArgoCd,
            object: None,
        },
        |name| application(None, name),
    ))
}

/// `apps/Deployment:shop/checkout`, as the tracking annotation has it.
fn tracked_as(metadata: &ObjectMeta, kind: TargetKind) -> String {
    let resource = workload_resource(kind);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (namespace, name) = (text(&metadata.namespace), text(&metadata.name));
    format!("{}/{}:{namespace}/{name}", resource.group, resource.kind)
}

fn flux(metadata: &ObjectMeta) -> Option<GitOwner> {
    let labels = labels(metadata);
    for (_, kind, group) in FLUX {
        let label = |key: &str| labels.get(&format!("{group}/{key}"));
        if let (Some(name), Some(namespace)) = (label("name"), label("namespace")) {
            return Some(GitOwner {
                tool: GitTool::Flux,
                object: Some(OwnerObject {
                    kind,
                    namespace: Some(namespace.clone()),
                    name: name.clone(),
                }),
            });
        }
    }
    let wrote = writers(metadata).any(|manager| FLUX.iter().any(|(name, ..)| *name == manager));
    wrote.then_some(GitOwner {
        tool: GitTool::Flux,
        object: None,
    })
}

/// Who wrote the images that stand in the pod template now: the manager that owns them, the last one if there are several.
pub(super) fn shipped_by(metadata: &ObjectMeta) -> Option<String> {
    let owns = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref();
        let containers = "/f:spec/f:template/f:spec/f:containers";
        let containers = fields.and_then(|fields| fields.0.pointer(containers)?.as_object());
        containers.is_some_and(|containers| {
            let mut containers = containers.values();
            containers.any(|container: &Value| container.get("f:image").is_some())
        })
    };
    let entries = metadata.managed_fields.iter().flatten().filter(owns);
    let last = entries.max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
    last?.manager.clone()
}

fn writers(metadata: &ObjectMeta) -> impl Iterator<Item = &str> {
    let entries = metadata.managed_fields.iter().flatten();
    entries.filter_map(|entry| entry.manager.as_deref())
}

fn labels(metadata: &ObjectMeta) -> &BTreeMap<String, String> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    metadata.labels.as_ref().unwrap_or(&NONE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(of: &Value) -> ObjectMeta {
        let mut metadata = json!({"name": "checkout", "namespace": "shop"});
        let fields = metadata.as_object_mut().expect("an object");
        fields.extend(of.as_object().expect("an object").clone());
        serde_json::from_value(metadata).expect("metadata")
    }

    fn wrote(manager: &str, time: &str) -> Value {
        json!({"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "time": time, "fieldsType": "FieldsV1",
               "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {
                   "k:{\"name\":\"app\"}": {".": {}, "f:image": {}}}}}}}})
    }

    #[track_caller]
    fn check(of: &Value, expected: Option<&str>) {
        let owner = read(&metadata(of), TargetKind::Deployment);
        assert_eq!(
            owner.map(|owner| owner.to_string()).as_deref(),
            expected,
            "{of}"
        );
    }

    #[test]
    fn the_owner_is_known_by_what_stands_on_the_object() {
        let tracking = |id: &str| json!({"annotations": {"argocd.argoproj.io/tracking-id": id}});
        check(&json!({}), None);
        check(
            &tracking("shop:apps/Deployment:shop/checkout"),
            Some("Argo CD (Application shop)"),
        );
        check(
            &tracking("team-a_shop:apps/Deployment:shop/checkout"),
            Some("Argo CD (Application team-a/shop)"),
        );
        // A copy of an object that belongs to Argo CD.
        check(&tracking("shop:apps/Deployment:shop/basket"), None);
        check(&tracking("shop"), None);
        let at = "2026-01-01T00:00:00Z";
        // Helm sets the label as well.
        let instance = json!({"app.kubernetes.io/instance": "shop"});
        check(
            &json!({"labels": instance, "managedFields": [wrote("helm", at)]}),
            None,
        );
        check(
            &json!({"labels": instance, "managedFields": [wrote("argocd-controller", at)]}),
            Some("Argo CD (Application shop)"),
        );
        check(
            &json!({"managedFields": [wrote("argocd-controller", at)]}),
            Some("Argo CD"),
        );
        check(
            &json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}),
            Some("Flux (Kustomization flux-system/apps)"),
        );
        check(
            &json!({"labels": {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "shop"}}),
            Some("Flux (HelmRelease shop/shop)"),
        );
        check(
            &json!({"managedFields": [wrote("kustomize-controller", at)]}),
            Some("Flux"),
        );
    }

    #[test]
    fn who_shipped_is_who_owns_the_images_last() {
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z");
        let managed = |entries: Vec<Value>| {
            shipped_by(&metadata(&json!({"managedFields": entries}))).unwrap_or_default()
        };
        assert_eq!(
            managed(vec![
                wrote("kubectl", early),
                wrote("argocd-controller", late)
            ]),
            "argocd-controller"
        );
        assert_eq!(
            managed(vec![
                wrote("recant", late),
                wrote("argocd-controller", early)
            ]),
            "recant"
        );
        assert_eq!(managed(vec![]), "");
    }
}
