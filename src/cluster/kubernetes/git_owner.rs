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
use super::template::images;

const TRACKING: &str = "argocd.argoproj.io/tracking-id";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const INSTANCE: &str = "app.kubernetes.io/instance";
const FLUX: [(OwnerKind, &str); 2] = [
    (OwnerKind::Kustomization, "kustomize.toolkit.fluxcd.io"),
    (OwnerKind::HelmRelease, "helm.toolkit.fluxcd.io"),
];

/// The owner, if there is one; `template`: what stands in the object.
pub(super) fn read(
    metadata: &ObjectMeta,
    template: Option<&Value>,
    kind: TargetKind,
) -> Option<GitOwner> {
    let owner = argo_cd(metadata, kind).or_else(|| flux(metadata))?;
    let by_tool = shipped_by(metadata)
        .is_some_and(|manager| owner.tool.managers().contains(&manager.as_str()));
    Some(GitOwner {
        agrees: by_tool || last_applied(metadata, template),
        ..owner
    })
}

/// Whether what was applied last has the images that stand there now. Who applies what is there already does not become
/// an owner of it in `managedFields`, unless on the server's side.
fn last_applied(metadata: &ObjectMeta, template: Option<&Value>) -> bool {
    let applied = annotations(metadata)
        .get(LAST_APPLIED)
        .and_then(|applied| serde_json::from_str::<Value>(applied).ok());
    let applied = applied.and_then(|applied| Some(images(applied.pointer("/spec/template")?)));
    applied.is_some_and(|applied| {
        !applied.is_empty() && template.is_some_and(|template| images(template) == applied)
    })
}

fn argo_cd(metadata: &ObjectMeta, kind: TargetKind) -> Option<GitOwner> {
    let application = |namespace: Option<&str>, name: &str| GitOwner {
        tool: GitTool::ArgoCd,
        object: Some(OwnerObject {
            kind: OwnerKind::Application,
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }),
        agrees: false,
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
    let wrote = writers(metadata).any(|manager| GitTool::ArgoCd.managers().contains(&manager));
    if !wrote {
        return None;
    }
    let instance = labels(metadata).get(INSTANCE);
    Some(instance.map_or(
        GitOwner {
            tool: GitTool::ArgoCd,
            object: None,
            agrees: false,
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
    for (kind, group) in FLUX {
        let label = |key: &str| labels.get(&format!("{group}/{key}"));
        if let (Some(name), Some(namespace)) = (label("name"), label("namespace")) {
            return Some(GitOwner {
                tool: GitTool::Flux,
                object: Some(OwnerObject {
                    kind,
                    namespace: Some(namespace.clone()),
                    name: name.clone(),
                }),
                agrees: false,
            });
        }
    }
    let wrote = writers(metadata).any(|manager| GitTool::Flux.managers().contains(&manager));
    wrote.then_some(GitOwner {
        tool: GitTool::Flux,
        object: None,
        agrees: false,
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
        let owner = read(&metadata(of), None, TargetKind::Deployment);
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
    fn git_agrees_when_what_was_applied_last_is_what_is_there() {
        let applied =
            r#"{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"app:1"}]}}}}"#;
        let of = json!({
            "annotations": {
                "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout",
                "kubectl.kubernetes.io/last-applied-configuration": applied,
            },
            "managedFields": [wrote("recant", "2026-01-01T00:00:00Z")],
        });
        let agrees = |image: &str| {
            let template = json!({"spec": {"containers": [{"name": "app", "image": image}]}});
            let owner = read(&metadata(&of), Some(&template), TargetKind::Deployment);
            owner.expect("Argo CD").agrees
        };
        assert!(agrees("app:1"));
        assert!(!agrees("app:2"));
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
