//! What benches on real parts have in common: their flags, and the program that they measure.

use std::path::Path;

use crate::agent::Agent;
use crate::bed::Process;
use crate::counted::samples;
use crate::namespace::Namespace;

/// The whole number behind a flag; panics when it is none, or zero.
pub(crate) fn number(flag: &str, otherwise: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != flag);
    if arguments.next().is_none() {
        return otherwise;
    }
    let text = arguments.next().unwrap_or_default();
    let number = text.parse().unwrap_or(0);
    assert!(number > 0, "{flag} takes a number from 1 on, not `{text}`");
    number
}

/// As a pod starts it, with the log that it has by default.
pub(crate) fn launch(ns: &Namespace, agent: &Agent) -> Process {
    let (settings, kubeconfig) = (agent.settings_file(), agent.kubeconfig());
    let settings = settings.to_str().expect("UTF-8");
    ns.bed().process(
        "recant",
        Path::new(env!("CARGO_BIN_EXE_recant")),
        &["run", "--config", settings],
        &[
            ("KUBECONFIG", kubeconfig.to_str().expect("UTF-8")),
            ("TEAM_SLACK", &format!("{}/services", agent.slack().url())),
            ("POD_NAME", "recant-0"),
        ],
    )
}

/// How many metrics of targets were measured with this result; 0 as long as nobody says.
pub(crate) async fn observed(agent: &Agent, result: &str) -> f64 {
    let page = agent.get("/metrics").await.unwrap_or_default();
    let wanted = format!(r#"result="{result}""#);
    samples(&page, "recant_observations_total")
        .filter(|(labels, _)| labels.contains(&wanted) && labels.contains("prometheus"))
        .map(|(_, value)| value)
        .sum()
}
