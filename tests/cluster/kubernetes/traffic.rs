//! What directs traffic, on the real API server with the definitions of Istio and Gateway API: the users' own files,
//! stepped and taken back, and nothing else of them changed; never to pods that are not there.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use recant::cluster::{Cluster as _, ClusterError};
use recant_core::change::{Change, Edit, ObjectRef, ObjectState};
use recant_core::ids::TargetKind;
use recant_core::plan::{Action, StepCommand, StepResult};
use recant_core::traffic::{IngressBackend, Route, RouteKind, Selector, Shift};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{WITHIN, Watched, agent, client_of, manifest, reason, target};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;
use crate::wait::wait_for;

/// The users' files, and the namespace that is written into them, by which tests are kept apart.
const ISTIO: &str = include_str!("../../acceptance/istio-canary.yaml");
const ISTIO_REPAIR: &str = include_str!("../../acceptance/istio-canary.patch");
const INGRESS: &str = include_str!("../../acceptance/nginx-canary-ingress.yaml");
const USERS_NAMESPACE: &str = "claude-ecosystem";

/// A namespace with what directs its traffic, and the agent's hands in it.
struct Traffic {
    ns: Namespace,
    watched: Watched,
}

impl Traffic {
    async fn of(name: &str) -> Self {
        let bed = Bed::get().await;
        for folder in ["istio", "gateway"] {
            let folder = bed.definitions(folder);
            let folder = folder.to_str().expect("a path in UTF-8");
            bed.kubectl(&["apply", "--server-side", "-f", folder]).await;
            let established = "--for=condition=Established";
            bed.kubectl(&["wait", established, "--timeout=30s", "-f", folder])
                .await;
        }
        let ns = bed.namespace(name).await;
        let client = agent(bed, &ns).await;
        for file in ["traffic-role.yaml", "traffic-role-binding.yaml"] {
            let path = manifest(file);
            ns.kubectl(&["apply", "-f", path.to_str().expect("a path in UTF-8")])
                .await;
        }
        let watched = Watched::start(client, target(&ns, TargetKind::Deployment));
        let traffic = Self { ns, watched };
        let nobody = traffic.route(RouteKind::VirtualService, "nobody", None);
        wait_for("the Role to be in force", WITHIN, || async {
            traffic
                .watched
                .cluster
                .object(&object(&nobody))
                .await
                .map_err(|error| error.to_string())
        })
        .await;
        traffic
    }

    /// A Deployment of these labels, and once its pods are ready.
    async fn pods(&self, name: &str, labels: &[(&str, &str)], replicas: u32) {
        let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
        let mut deployment = manifests::deployment(name, "v1", replicas);
        deployment["spec"]["selector"]["matchLabels"] = json!(labels);
        deployment["spec"]["template"]["metadata"]["labels"] = json!(labels);
        self.ns.apply(&deployment).await;
        self.wait_ready(name, replicas).await;
    }

    async fn wait_ready(&self, name: &str, replicas: u32) {
        let api = self.ns.api::<Deployment>();
        wait_for(&format!("{replicas} pods of {name}"), WITHIN, || async {
            let found = api.get(name).await.map_err(|error| error.to_string())?;
            let status = found.status.unwrap_or_default();
            let ready = status.ready_replicas.unwrap_or(0);
            let all = status.replicas.unwrap_or(0);
            if i64::from(ready) == i64::from(replicas) && all == ready {
                Ok(())
            } else {
                Err(format!("{ready} of {all} are ready"))
            }
        })
        .await;
        if replicas == 0 {
            // The Deployment counts no pod that is being deleted, and the fence must not, either.
            let pods = ["get", "pods", "-o", "name"];
            wait_for("no pod to be left", WITHIN, || async {
                let left = self.ns.kubectl(&pods).await;
                let left = left.lines().filter(|pod| pod.contains(&format!("{name}-")));
                match left.count() {
                    0 => Ok(()),
                    left => Err(format!("{left} pods are left")),
                }
            })
            .await;
        }
    }

    async fn scale(&self, name: &str, replicas: u32) {
        let patch = json!({"spec": {"replicas": replicas}});
        let api = self.ns.api::<Deployment>();
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .expect("patched");
        self.wait_ready(name, replicas).await;
    }

    async fn service(&self, name: &str, selector: &Value) {
        self.ns
            .apply(&json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": 8080}]},
            }))
            .await;
    }

    fn route(&self, kind: RouteKind, name: &str, canary: Option<&str>) -> Route {
        Route {
            namespace: self.ns.name().to_owned(),
            kind,
            name: name.to_owned(),
            rule: None,
            canary: canary.map(ToOwned::to_owned),
            stable: None,
        }
    }

    fn named(&self, api_version: &str, kind: &str, name: &str) -> ObjectRef {
        ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: self.ns.name().to_owned(),
            name: name.to_owned(),
        }
    }

    async fn read(&self, object: &ObjectRef) -> ObjectState {
        let read = self.watched.cluster.object(object).await;
        read.unwrap_or_else(|error| panic!("{error}"))
            .unwrap_or_else(|| panic!("{object} is not there"))
    }

    /// What gives the canary that share, decided from what is there now.
    async fn shift(&self, route: &Route, percent: u32) -> Change {
        let object = object(route);
        let state = self.read(&object).await;
        let edit = match route.shift(percent, &state.object) {
            Ok(Shift::Weights(edit)) => Edit::Weights(edit),
            Ok(Shift::CanaryWeight(edit)) => Edit::CanaryWeight(edit),
            other => panic!("{route}: {other:?}"),
        };
        self.change(object, &state, edit)
    }

    #[expect(clippy::unused_self, reason = "it reads better beside the others")]
    fn change(&self, object: ObjectRef, state: &ObjectState, edit: Edit) -> Change {
        Change {
            uid: state.uid().to_owned(),
            object,
            edit,
        }
    }

    async fn execute(&self, plan: &str, change: &Change) -> StepResult {
        self.watched.execute_settled(&command(plan, change)).await
    }

    /// Steps the canary and takes it back; the `spec` after each.
    async fn steps(&self, route: &Route, percents: &[u32]) -> Vec<Value> {
        let mut specs = Vec::new();
        for (index, percent) in percents.iter().enumerate() {
            let change = self.shift(route, *percent).await;
            let plan = format!("p{index}");
            assert_eq!(self.execute(&plan, &change).await, StepResult::Done);
            // As after a crash between the write and its record.
            assert_eq!(self.execute(&plan, &change).await, StepResult::AlreadyDone);
            let after = self.read(&object(route)).await;
            let share = route.percent(&after.object).expect("it splits");
            assert!((share - f64::from(*percent)).abs() < 0.01, "{share}");
            specs.push(after.object["spec"].clone());
        }
        specs
    }
}

fn object(route: &Route) -> ObjectRef {
    ObjectRef {
        api_version: route.kind.api_version().to_owned(),
        kind: route.kind.to_string(),
        namespace: route.namespace.clone(),
        name: route.name.clone(),
    }
}

fn command(plan: &str, change: &Change) -> StepCommand {
    StepCommand {
        plan: plan.into(),
        index: 0,
        action: Action::Change(Box::new(change.clone())),
        deadline: jiff::Timestamp::now() + Duration::from_mins(1),
        again: false,
    }
}

/// A users' file with its smallest repair, for a namespace.
async fn repaired(file: &str, patch: &str, name: &str, ns: &Namespace) -> String {
    let folder = ns.bed().folder("repair");
    std::fs::write(folder.join(name), file).expect("the bed's folder is writable");
    let mut git = Command::new("git")
        .args(["apply", "--whitespace=nowarn", "-"])
        .current_dir(&folder)
        .env("GIT_CEILING_DIRECTORIES", &folder)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("git runs");
    let mut input = git.stdin.take().expect("its input is piped");
    input.write_all(patch.as_bytes()).await.expect("git reads");
    drop(input);
    let done = tokio::time::timeout(WITHIN, git.wait()).await;
    assert!(done.expect("git ends").expect("git ran").success());
    let text = std::fs::read_to_string(folder.join(name)).expect("it was repaired");
    text.replace(USERS_NAMESPACE, ns.name())
}

async fn apply_text(ns: &Namespace, text: &str) {
    let arguments = ["-n", ns.name(), "apply", "-f", "-"];
    ns.bed()
        .kubectl_as(ns.bed().admin(), &arguments, text)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_users_istio_canary_is_stepped_and_taken_back_and_its_header_route_stays() {
    run(async {
        let traffic = Traffic::of("istio").await;
        let file = repaired(ISTIO, ISTIO_REPAIR, "istio-canary.yaml", &traffic.ns).await;
        apply_text(&traffic.ns, &file).await;
        let app = "claude-orchestrator";
        traffic.service(app, &json!({"app": app})).await;
        traffic
            .pods("stable", &[("app", app), ("version", "stable")], 1)
            .await;
        traffic
            .pods("canary", &[("app", app), ("version", "canary")], 1)
            .await;
        let name = "claude-orchestrator-virtual-service";
        let route = traffic.route(RouteKind::VirtualService, name, Some("canary"));
        let before = traffic.read(&object(&route)).await.object["spec"].clone();
        let specs = traffic.steps(&route, &[50, 100, 0, 10]).await;
        for (spec, percent) in specs.iter().zip([50, 100, 0, 10]) {
            assert_eq!(
                spec["http"][0].to_string(),
                before["http"][0].to_string(),
                "the header route, byte for byte"
            );
            let mut expected = before.clone();
            expected["http"][1]["route"][0]["weight"] = json!(100 - percent);
            expected["http"][1]["route"][1]["weight"] = json!(percent);
            assert_eq!(*spec, expected);
        }
        assert_eq!(*specs.last().expect("some"), before, "and all as it was");

        // The canary goes between the decision and the write.
        let up = traffic.shift(&route, 50).await;
        traffic.scale("canary", 0).await;
        let held = reason(traffic.execute("late", &up).await);
        assert!(
            held.contains("no pod with `app=claude-orchestrator,version=canary` is ready"),
            "{held}"
        );
        // And back goes always, as long as the stable ones are there.
        let back = traffic.shift(&route, 0).await;
        assert_eq!(traffic.execute("back", &back).await, StepResult::Done);
        // A subset that nobody defines leads nowhere.
        let rule = "claude-orchestrator-destination";
        traffic
            .ns
            .kubectl(&["delete", "destinationrule", rule])
            .await;
        let held = reason(
            traffic
                .execute("later", &traffic.shift(&route, 50).await)
                .await,
        );
        assert!(held.contains("no DestinationRule"), "{held}");
    });
}

#[test]
fn the_users_canary_ingress_is_stepped_by_its_weight_and_taken_back() {
    run(async {
        let traffic = Traffic::of("nginx").await;
        apply_text(&traffic.ns, INGRESS).await;
        traffic
            .service("api-service-green", &json!({"app": "green"}))
            .await;
        let route = traffic.route(RouteKind::Ingress, "api-ingress", None);
        let before = traffic.read(&object(&route)).await.object;
        // Nobody answers there yet.
        let held = reason(
            traffic
                .execute("early", &traffic.shift(&route, 10).await)
                .await,
        );
        assert!(held.contains("no pod with `app=green` is ready"), "{held}");
        traffic.pods("green", &[("app", "green")], 1).await;
        for spec in traffic.steps(&route, &[10, 50, 100, 0]).await {
            assert_eq!(spec, before["spec"]);
        }
        let after = traffic.read(&object(&route)).await.object;
        let mut annotations = after["metadata"]["annotations"].clone();
        annotations
            .as_object_mut()
            .expect("some")
            .remove("recant.dev/change");
        assert_eq!(annotations, before["metadata"]["annotations"]);
        // Blue-green by the backend of the same Ingress: the port stays.
        let state = traffic.read(&object(&route)).await;
        let edit = IngressBackend::decide(None, None, "api-service-blue", &state.object);
        let edit = Edit::IngressBackend(edit.expect("one path").expect("a change"));
        let change = traffic.change(object(&route), &state, edit);
        let held = reason(traffic.execute("blue", &change).await);
        assert!(held.contains("api-service-blue does not exist"), "{held}");
        traffic
            .service("api-service-blue", &json!({"app": "green"}))
            .await;
        assert_eq!(traffic.execute("blue", &change).await, StepResult::Done);
        let backend = traffic.read(&object(&route)).await.object;
        let backend = &backend["spec"]["rules"][0]["http"]["paths"][0]["backend"];
        assert_eq!(
            *backend,
            json!({"service": {"name": "api-service-blue", "port": {"number": 80}}})
        );
    });
}

#[test]
fn weights_of_http_and_grpc_routes_change_in_one_rule_alone() {
    run(async {
        let traffic = Traffic::of("gateway").await;
        for colour in ["stable", "canary"] {
            traffic.service(colour, &json!({"app": colour})).await;
            traffic.pods(colour, &[("app", colour)], 1).await;
        }
        for (kind, matches) in [
            (
                RouteKind::HttpRoute,
                json!([{"headers": [{"name": "canary", "value": "true"}]}]),
            ),
            (
                RouteKind::GrpcRoute,
                json!([{"headers": [{"name": "canary", "value": "true"}]}]),
            ),
        ] {
            traffic
                .ns
                .apply(&json!({
                    "apiVersion": kind.api_version(),
                    "kind": kind.as_str(),
                    "metadata": {"name": "checkout"},
                    "spec": {"rules": [
                        {"matches": matches, "backendRefs": [{"name": "canary", "port": 80}]},
                        {"backendRefs": [
                            {"name": "stable", "port": 80, "weight": 1000},
                            {"name": "canary", "port": 80, "weight": 0},
                        ]},
                    ]},
                }))
                .await;
            let route = traffic.route(kind, "checkout", Some("canary"));
            let before = traffic.read(&object(&route)).await.object["spec"].clone();
            let specs = traffic.steps(&route, &[10, 50, 100, 0]).await;
            for (spec, percent) in specs.iter().zip([10, 50, 100, 0]) {
                let mut expected = before.clone();
                expected["rules"][1]["backendRefs"][0]["weight"] = json!(1000 - 10 * percent);
                expected["rules"][1]["backendRefs"][1]["weight"] = json!(10 * percent);
                assert_eq!(*spec, expected, "{kind}");
            }
        }
    });
}

#[test]
fn a_service_is_switched_to_another_colour_and_never_to_an_empty_one() {
    run(async {
        let traffic = Traffic::of("blue-green").await;
        for (colour, replicas) in [("green", 1), ("blue", 1)] {
            let labels = [("app", "checkout"), ("color", colour)];
            traffic.pods(colour, &labels, replicas).await;
        }
        traffic
            .service("checkout", &json!({"app": "checkout", "color": "green"}))
            .await;
        let object = traffic.named("v1", "Service", "checkout");
        let to = BTreeMap::from([("color".to_owned(), "blue".to_owned())]);
        let state = traffic.read(&object).await;
        let edit = Selector::decide(&to, &state.object);
        let edit = Edit::Selector(edit.expect("possible").expect("a change"));
        let change = traffic.change(object.clone(), &state, edit);
        // Emptied between the decision and the write.
        traffic.scale("blue", 0).await;
        let held = reason(traffic.execute("early", &change).await);
        assert!(
            held.contains("no pod with `app=checkout,color=blue` is ready"),
            "{held}"
        );
        let selects = async || traffic.read(&object).await.object["spec"]["selector"].clone();
        assert_eq!(
            selects().await,
            json!({"app": "checkout", "color": "green"})
        );
        traffic.scale("blue", 1).await;
        assert_eq!(traffic.execute("switch", &change).await, StepResult::Done);
        assert_eq!(selects().await, json!({"app": "checkout", "color": "blue"}));
        // And back, on request, but not to a colour that has gone meanwhile.
        let back = change.undo();
        traffic.scale("green", 0).await;
        let held = reason(traffic.execute("back", &back).await);
        assert!(held.contains("color=green` is ready"), "{held}");
        traffic.scale("green", 1).await;
        assert_eq!(traffic.execute("back", &back).await, StepResult::Done);
        assert_eq!(
            selects().await,
            json!({"app": "checkout", "color": "green"})
        );

        // Without the Role for traffic the right that is missing is named.
        let plain = traffic.ns.bed().namespace("no-traffic").await;
        let client = client_of(plain.bed(), "system:serviceaccount:recant:nobody").await;
        let poor = Watched::start(client, target(&plain, TargetKind::Deployment));
        let there = ObjectRef {
            namespace: plain.name().to_owned(),
            ..object.clone()
        };
        let error = poor.cluster.object(&there).await.expect_err("no right");
        assert!(matches!(error, ClusterError::Forbidden { .. }), "{error}");
        assert!(error.to_string().contains("not allowed to get"), "{error}");
    });
}
