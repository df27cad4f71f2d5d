//! The field lists that Recant ships, held against the schemas of a real API server: neither too narrow nor too wide.

use std::collections::BTreeSet;

use recant::cluster::kubernetes::shapes;
use recant_core::spec::{ObjectKind, Shape, Shapes, ValueType, shipped_shapes};

use crate::bed::Bed;
use crate::case::run;

/// The definition of Rollouts holds the pods of an older Kubernetes: what was added since is no fault of the list.
const NEWER_THAN_ITS_DEFINITION: &str = "argoproj.io/v1alpha1 Rollout.spec.template";
/// Jobs of analyses likewise.
const JOBS: &str = ".provider.job";

/// Compares two shapes field by field.
struct Comparison<'s> {
    ours: &'s Shapes,
    theirs: &'s Shapes,
    /// Pairs of named shapes that were compared already.
    seen: BTreeSet<(String, String)>,
    wrong: Vec<String>,
    compared: usize,
}

impl Comparison<'_> {
    fn compare(&mut self, path: &str, ours: &Shape, theirs: &Shape) {
        if let (Shape::Named(ours), Shape::Named(theirs)) = (ours, theirs)
            && !self.seen.insert((ours.clone(), theirs.clone()))
        {
            return;
        }
        let (our_shapes, their_shapes) = (self.ours, self.theirs);
        match (our_shapes.resolve(ours), their_shapes.resolve(theirs)) {
            // We do not look into it, so we cannot be wrong about it.
            (Shape::Any, _) => {}
            (Shape::Value(ours), Shape::Value(theirs)) if ours == theirs => self.compared += 1,
            // The words of a pod's fields are written down in newer definitions only.
            (Shape::Value(ValueType::OneOf(_)), Shape::Value(ValueType::Text))
                if is_of_a_pod(path) => {}
            (Shape::Fields(ours), Shape::Fields(theirs)) => {
                self.compared += 1;
                for (name, theirs) in theirs {
                    match ours.get(name) {
                        Some(ours) => self.compare(&format!("{path}.{name}"), ours, theirs),
                        None => self
                            .wrong
                            .push(format!("{path}.{name} is missing from our list")),
                    }
                }
                let newer = is_of_a_pod(path);
                for name in ours
                    .keys()
                    .filter(|name| !theirs.contains_key(*name) && !newer)
                {
                    self.wrong
                        .push(format!("{path}.{name} is not a field of the API"));
                }
            }
            (Shape::List(ours), Shape::List(theirs)) => {
                self.compare(&format!("{path}[]"), ours, theirs);
            }
            (Shape::Map(ours), Shape::Map(theirs)) => {
                self.compare(&format!("{path}{{}}"), ours, theirs);
            }
            // The definition leaves metadata to the API server, which knows it for every object.
            (_, Shape::Any) if path.ends_with(".metadata") => {}
            // What the definition leaves open in a pod is what the API says of a pod.
            (_, Shape::Any)
                if path.starts_with(NEWER_THAN_ITS_DEFINITION) || path.contains(JOBS) => {}
            (ours, theirs) => self.wrong.push(format!(
                "{path} is {ours:?} in our list, and {theirs:?} in the API"
            )),
        }
    }
}

fn is_of_a_pod(path: &str) -> bool {
    path.starts_with(NEWER_THAN_ITS_DEFINITION) || path.contains(JOBS)
}

#[test]
fn the_shipped_fields_are_those_of_the_api_server() {
    run(async {
        let bed = Bed::get().await;
        let rollouts = bed.definitions("rollouts");
        let istio = bed.definitions("istio");
        for folder in [&rollouts, &istio] {
            let folder = folder.to_str().expect("a path in UTF-8");
            bed.kubectl(&["apply", "--server-side", "-f", folder]).await;
            let established = "--for=condition=Established";
            bed.kubectl(&["wait", established, "--timeout=30s", "-f", folder])
                .await;
        }
        let ours = shipped_shapes();
        let kinds: BTreeSet<ObjectKind> = ours.kinds().cloned().collect();
        // The schemas of a definition are published a moment after it is established.
        let (theirs, unserved) = crate::wait::wait_for(
            "the schemas of all kinds",
            std::time::Duration::from_secs(30),
            || async {
                let (shapes, unserved) = shapes(&bed.client(), &kinds)
                    .await
                    .map_err(|error| error.to_string())?;
                if unserved.is_empty() {
                    Ok((shapes, unserved))
                } else {
                    Err(format!("not served: {unserved:?}"))
                }
            },
        )
        .await;
        assert!(unserved.is_empty(), "{unserved:?}");
        let mut comparison = Comparison {
            ours,
            theirs: &theirs,
            seen: BTreeSet::new(),
            wrong: Vec::new(),
            compared: 0,
        };
        for kind in &kinds {
            let (Some(our), Some(their)) = (ours.of(kind), theirs.of(kind)) else {
                panic!("{kind} has no shape");
            };
            comparison.compare(&kind.to_string(), our, their);
        }
        assert!(
            comparison.wrong.is_empty(),
            "{}",
            comparison.wrong.join("\n")
        );
        assert!(
            comparison.compared > 1000,
            "{} mappings and values",
            comparison.compared
        );
    });
}
