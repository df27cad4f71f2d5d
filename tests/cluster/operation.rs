//! The agent in operation: rules that change under load, and traces that a collector gets.

mod reload;
mod traces;

use crate::namespace::Namespace;

/// A watch of a Deployment, by rules of the test's own.
fn watch(ns: &Namespace, name: &str, rules: &str) -> String {
    let namespace = ns.name();
    format!(
        "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         target: {{kind: Deployment, name: {name}}}\nrules: [{rules}]\nrelease: {{watch: 10m}}\n\
         onFail: [{{rollback: {{}}}}, {{notify: [team]}}]\n"
    )
}
