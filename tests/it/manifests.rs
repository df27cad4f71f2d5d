//! `recant check` on users' Kubernetes files and Prometheus rules: what is said about each mistake, and about the files
//! of tests/acceptance, which are what users run today; and that the shipped manifests fit each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use recant::cli::check::{Checked, check};
use recant::config::settings::TABLE;
use serde_json::Value;
use tempfile::TempDir;

fn acceptance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/acceptance")
}

/// Outcome, and everything that was printed; the folder's name is taken out.
fn run(folder: &Path) -> (Checked, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let checked = check(&[folder.to_owned()], &mut out, &mut err).expect("writing to memory");
    err.extend(out);
    let text = String::from_utf8(err)
        .expect("text")
        .replace(&format!("{}/", folder.display()), "");
    (checked, text)
}

/// What is said about one file.
fn said(text: &str) -> (Checked, String) {
    let folder = TempDir::new().expect("a folder for the test");
    fs::write(folder.path().join("file.yaml"), text).expect("a file");
    run(folder.path())
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(format!("manifests__{name}"), text);
    });
}

#[test]
fn the_users_files_are_read_as_they_are() {
    let (checked, text) = run(&acceptance());
    assert_eq!(checked, Checked::Faulty);
    snapshot("acceptance", &text);
}

#[test]
fn the_smallest_repairs_leave_no_error() {
    let folder = TempDir::new().expect("a folder for the test");
    let mut patches = Vec::new();
    for entry in fs::read_dir(acceptance()).expect("the users' files") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|end| end == "patch") {
            patches.push(path);
        } else {
            let name = path.file_name().expect("a name");
            fs::copy(&path, folder.path().join(name)).expect("a copy");
        }
    }
    assert_eq!(patches.len(), 4, "{patches:?}");
    for patch in patches {
        let applied = Command::new("git")
            .args(["apply", "--whitespace=nowarn"])
            .arg(&patch)
            .current_dir(folder.path())
            .env("GIT_CEILING_DIRECTORIES", folder.path())
            .status()
            .expect("git runs");
        assert!(applied.success(), "{} does not apply", patch.display());
    }
    let (checked, text) = run(folder.path());
    assert_eq!(checked, Checked::Good, "{text}");
    assert!(
        text.ends_with("11 Kubernetes objects, 1 Prometheus rule file: 6 warnings\n"),
        "{text}"
    );
}

#[test]
fn each_mistake_is_told_with_its_repair() {
    for (name, text) in [
        (
            "cron_job_field_in_the_wrong_place",
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec:\n  schedule: '* * * * *'\n  backoffLimit: 3\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          restartPolicy: OnFailure\n          backoffLimit: 3\n          containers:\n          - {name: a, image: a, imagePullPolicie: Always}\n",
        ),
        (
            "a_list_for_a_mapping",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n- name: a\nspec:\n  template:\n    spec:\n      containers: {name: a}\n",
        ),
        (
            "old_ingress",
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\nspec:\n  rules:\n  - http:\n      paths:\n      - path: /\n        backend: {serviceName: a, servicePort: 80}\n",
        ),
        (
            "items_of_a_list",
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  datas: {a: b}\n- just a text\n",
        ),
        (
            "prometheus_rules",
            "groups:\n- name: a\n  rules:\n  - alert: A\n    exp: up == 0\n    for: 1m\n    severity: page\n",
        ),
        (
            "a_kind_nobody_knows",
            "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {anything: 1}\n",
        ),
        (
            "routes_without_a_name",
            "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec:\n  strategy:\n    canary:\n      trafficRouting:\n        istio:\n          virtualService: {name: web}\n          destinationRule: {name: web, canarySubsetName: canery, stableSubsetName: stable}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: web}\nspec:\n  http:\n  - name: a\n    route: [{destination: {host: web, subset: blue}}]\n  - route: [{destination: {host: web, subset: stable}}]\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: web}\nspec:\n  host: web\n  subsets: [{name: stable}, {name: canary}]\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n",
        ),
        (
            "aliases_are_not_followed",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: &m {name: a}\ndata: {a: b}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b}\nspec:\n  template:\n    metadata: {<<: *m}\n    specs: *m\n",
        ),
        (
            "values_of_a_wrong_type",
            "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: a\n  labels: {version: 2, canary: yes}\nspec:\n  schedule: 5\n  concurrencyPolicy: forbid\n  suspend: 'false'\n  successfulJobsHistoryLimit: '3'\n  jobTemplate:\n    spec:\n      backoffLimit: 1.5\n      template:\n        spec:\n          restartPolicy: Sometimes\n          containers:\n          - name: a\n            image: [a]\n            args: [--port, 8080]\n            env: [{name: REPLICAS, value: 3}]\n            ports: [{containerPort: http}]\n",
        ),
        (
            "a_document_of_recant_in_a_wrong_group",
            "apiVersion: recant.io/v1alpha1\nkind: Watch\nmetadata: {name: a, namespace: b}\n",
        ),
    ] {
        snapshot(name, &said(text).1);
    }
}

#[test]
fn what_is_right_is_left_alone() {
    for text in [
        // A name of another kind, namespace or file that is given.
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: n}\nspec: {template: {spec: {containers: [{name: a, envFrom: [{secretRef: {name: s}}, {configMapRef: {name: c, optional: true}}]}]}}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
        // Nothing is known about fields under annotations, data, or resources.
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {any/thing: '1'}, labels: {a.b/c: d}}\ndata: {a: b}\nbinaryData: {c: ZA==}\nimmutable: true\n",
        // Null is no value.
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, creationTimestamp: null}\nspec: {template: {spec: {volumes: null, containers: [{name: a, resources: {limits: {cpu: 1}}}]}}}\nstatus: {}\n",
        // Numbers in quotes are text, and some fields take text and numbers.
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, labels: {version: '2', build: 1.2.3, date: 2026-01-01}}\nspec: {replicas: 2.0, paused: off, template: {spec: {containers: [{name: a, args: ['8080', 10m], env: [{name: A, value: \"true\"}], ports: [{containerPort: 0x50}], resources: {limits: {cpu: 1, memory: 1Gi}}, livenessProbe: {httpGet: {path: /, port: 80}}, readinessProbe: {httpGet: {path: /, port: http}}}]}}}\n",
        // A Rollout of a whole VirtualService in another namespace.
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a, namespace: n}\nspec: {strategy: {canary: {trafficRouting: {istio: {virtualService: {name: web.mesh, routes: [main]}}}}}}\n---\napiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata: {name: web, namespace: mesh}\nspec: {http: [{name: main, route: [{destination: {host: web.example.com}}]}]}\n",
    ] {
        let (checked, said) = said(text);
        assert_eq!(checked, Checked::Good, "{said}");
        assert!(said.ends_with("no problem found\n"), "{said}");
    }
}

#[test]
fn secrets_of_a_wrong_type_are_not_shown() {
    let (checked, said) = said(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pin: 90210}\ndata: {b: 90210}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, env: [{name: DB_PASSWORD, value: 90210}]}]}\n",
    );
    assert_eq!(checked, Checked::Faulty);
    assert_eq!(
        said.matches("must be text, and is a number").count(),
        3,
        "{said}"
    );
    assert!(!said.contains("90210"), "{said}");
}

#[test]
fn secrets_are_not_shown() {
    let (checked, said) = said(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringDat: {token: hunter2}\ndata: {b: [aHVudGVyMg==]}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n        env:\n        - {name: DB_PASSWORD, valeu: hunter2}\n        envv: [{name: API_TOKEN, value: hunter2}]\n",
    );
    assert_eq!(checked, Checked::Faulty);
    assert!(said.contains("unknown field `valeu`"), "{said}");
    assert!(said.contains("unknown field `stringDat`"), "{said}");
    assert!(
        !said.contains("hunter2") && !said.contains("aHVud"),
        "{said}"
    );
}

fn shipped(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("charts/manifests")
        .join(name);
    let text = fs::read_to_string(path).expect("it is shipped");
    serde_saphyr::from_multiple(&text).expect("YAML")
}

#[test]
fn the_shipped_service_reaches_the_ports_of_the_shipped_deployment() {
    let deployment = &shipped("deployment.yaml")[0]["spec"]["template"];
    let patch = &shipped("../patches/open-api.yaml")[0]["spec"]["template"];
    let service = &shipped("service.yaml")[0];
    assert_eq!(service["metadata"]["name"], "recant");
    assert_eq!(
        service["spec"]["selector"],
        deployment["metadata"]["labels"]
    );
    let list = |pod: &Value, of: &str| -> Vec<Value> {
        let container = &pod["spec"]["containers"][0];
        container[of].as_array().cloned().unwrap_or_default()
    };
    let replicas = &shipped("../patches/replicas.yaml")[0]["spec"]["template"];
    let all = |of: &str| {
        [deployment, patch, replicas]
            .map(|pod| list(pod, of))
            .concat()
    };
    for port in service["spec"]["ports"].as_array().expect("ports") {
        let opened = all("ports");
        let opened = opened
            .iter()
            .find(|open| open["name"] == port["targetPort"]);
        let opened = opened.unwrap_or_else(|| panic!("nothing opens {port}"));
        assert_eq!(opened["containerPort"], port["port"], "{port}");
    }
    // Each setting is given once, and there is one of this name.
    let mut names = std::collections::BTreeSet::new();
    for variable in all("env") {
        let name = variable["name"].as_str().expect("a name").to_owned();
        let known = TABLE.iter().any(|entry| {
            let mut variable = String::from("RECANT_");
            for character in entry.key.chars() {
                match character {
                    '.' => variable.push_str("__"),
                    upper if upper.is_ascii_uppercase() => {
                        variable.push('_');
                        variable.push(upper);
                    }
                    other => variable.push(other.to_ascii_uppercase()),
                }
            }
            variable == name
        });
        assert!(known || name == "POD_NAME", "`{name}` is no setting");
        assert!(names.insert(name.clone()), "`{name}` is given twice");
    }
    // What the templates for Argo ask unless they are told otherwise.
    let address = all("env")
        .into_iter()
        .find(|variable| variable["name"] == "RECANT_API__ADDRESS");
    assert_eq!(address.expect("it has an address")["value"], "0.0.0.0:9465");
}
