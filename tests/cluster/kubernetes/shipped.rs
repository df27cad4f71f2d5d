//! The shipped Deployment, Service and the patch that opens the API port, as a strict API server takes them.

use serde_json::Value;

use super::manifest;
use crate::bed::Bed;
use crate::case::run;

#[test]
fn the_api_server_takes_what_is_shipped() {
    run(async {
        let ns = Bed::get().await.namespace("shipped").await;
        let path = |file: &str| manifest(file).to_str().expect("UTF-8").to_owned();
        for file in ["service-account.yaml", "deployment.yaml", "service.yaml"] {
            // On the server's side nothing is given twice, and no field is unknown.
            ns.kubectl(&[
                "apply",
                "--server-side",
                "--validate=strict",
                "-f",
                &path(file),
            ])
            .await;
        }
        let patch = format!("--patch-file={}", path("../patches/open-api.yaml"));
        ns.kubectl(&["patch", "deployment", "recant", &patch]).await;
        let text = ns
            .kubectl(&["get", "deployment", "recant", "-o=json"])
            .await;
        let deployment: Value = serde_json::from_str(&text).expect("JSON");
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let names = |list: &Value| -> Vec<String> {
            let items = list.as_array().into_iter().flatten();
            let mut names: Vec<String> = items
                .filter_map(|item| Some(item["name"].as_str()?.to_owned()))
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(&container["ports"]), ["api", "ops"], "{container}");
        assert_eq!(names(&pod["volumes"]), ["api", "rules", "state"], "{pod}");
        let settings = names(&container["env"]);
        for setting in ["RECANT_API__ADDRESS", "RECANT_RULES", "RECANT_JOURNAL"] {
            assert!(settings.iter().any(|name| name == setting), "{settings:?}");
        }
    });
}
