//! Creating an object as `kubectl apply` does: by a POST of the manifest, with the manifest in an annotation.

use axum::http::{Request, header};
use kube::Resource as _;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use super::Namespace;

/// What kubectl compares the next manifest with.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// As kubectl asks: under its name in `managedFields`, and no field that the server does not know.
const QUERY: &str = "fieldManager=kubectl-client-side-apply&fieldValidation=Strict";

/// Whether it was created: when it was there already, or cannot be created so, nothing was done.
pub(super) async fn create(ns: &Namespace, manifest: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let version = text(&manifest["apiVersion"]);
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let kind = GroupVersionKind::gvk(group, version, &text(&manifest["kind"]));
    let path = DynamicObject::url_path(&ApiResource::from_gvk(&kind), Some(ns.name()));
    let mut applied = manifest.clone();
    applied["metadata"]["namespace"] = json!(ns.name());
    if applied["metadata"]["annotations"].is_null() {
        applied["metadata"]["annotations"] = json!({});
    }
    let mut object = applied.clone();
    object["metadata"]["annotations"][LAST_APPLIED] = json!(format!("{applied}\n"));
    let request = Request::post(format!("{path}?{QUERY}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(object.to_string().into_bytes())
        .expect("a path of plain characters");
    ns.bed().client().request_text(request).await.is_ok()
}
