//! What goes wrong around the agent: sources that fail or lie, guards that hold, rights that are missing, channels that
//! do not take their messages. None of it rolls anything back, and none of it is silent.

mod channels;
mod held;
mod rights;
mod scrapes;
mod sources;

use std::time::Duration;

use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;

use crate::agent::Agent;
use crate::namespace::Namespace;
use crate::wait::wait_for;

/// Nothing that is waited for takes longer, on a busy machine.
const WITHIN: Duration = Duration::from_mins(1);
/// Answers to wait for so that ten looks have passed: at 20 requests a second.
const TEN_LOOKS: u64 = 200;

fn target(ns: &Namespace, name: &str) -> TargetId {
    TargetId {
        namespace: ns.name().to_owned(),
        kind: TargetKind::Deployment,
        name: name.to_owned(),
    }
}

/// A watch of a Deployment by the shipped rules.
fn watch(ns: &Namespace, name: &str, notify: &str) -> String {
    let namespace = ns.name();
    format!(
        "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         target: {{kind: Deployment, name: {name}}}\nrules: [http]\nrelease: {{watch: 10m}}\n\
         onFail: [{{rollback: {{}}}}, {{notify: [{notify}]}}]\n"
    )
}

/// How many plans the journal holds for a target.
fn plans(agent: &Agent, target: &TargetId) -> usize {
    let journal = agent.journal();
    let plans = journal.iter().filter(
        |entry| matches!(&entry.record, Record::PlanBegan { plan } if plan.fence.target == *target),
    );
    plans.count()
}

/// The messages that Slack took after the first `before`, by what their texts contain.
fn messages(agent: &Agent, before: usize, text: &str) -> usize {
    let received = agent.slack().received();
    let new = received.iter().skip(before);
    new.filter(|message| message.body.contains(text)).count()
}

/// The version in a Deployment's template now.
async fn template(ns: &Namespace, name: &str) -> String {
    let image = "jsonpath={.spec.template.spec.containers[0].image}";
    ns.kubectl(&["get", "deployment", name, "-o", image]).await
}

/// Waits until a new message with this text came.
async fn wait_message(agent: &Agent, before: usize, text: &str) {
    wait_for(&format!("a new message with `{text}`"), WITHIN, || async {
        if messages(agent, before, text) > 0 {
            return Ok(());
        }
        let received = agent.slack().received();
        let bodies: Vec<String> = received
            .iter()
            .skip(before)
            .map(|message| message.body.clone())
            .collect();
        Err(format!("{bodies:#?}"))
    })
    .await;
}
