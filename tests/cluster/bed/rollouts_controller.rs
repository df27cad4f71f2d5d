//! The Argo Rollouts controller, started by the first test that wants a Rollout.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::Bed;
use super::process::Process;
use crate::wait::wait_for;

/// Applies the controller's definitions, starts it and waits until it works.
pub(crate) async fn start(bed: &Bed, kubeconfig: &Path) -> Result<Process> {
    let definitions = bed.binaries.definitions("rollouts")?;
    let folder = definitions.to_string_lossy();
    // The Rollout's definition is too large for the annotation that a client-side apply would keep.
    bed.kubectl(&["apply", "--server-side", "-f", &folder])
        .await;
    bed.kubectl(&[
        "wait",
        "--for=condition=Established",
        "--timeout=30s",
        "-f",
        &folder,
    ])
    .await;
    let health = bed.loopback.free_port()?;
    let controller = Process::start(
        "rollouts-controller",
        &bed.binaries.path("rollouts-controller")?,
        [
            format!("--kubeconfig={}", kubeconfig.display()),
            "--leader-elect=false".to_owned(),
            format!("--healthzPort={health}"),
            format!("--metricsPort={}", bed.loopback.free_port()?),
            "--qps=200".to_owned(),
            "--burst=400".to_owned(),
            "--loglevel=info".to_owned(),
        ],
        &[],
        &bed.logs,
    )?;
    let controller = std::cell::RefCell::new(controller);
    let url = format!("http://127.0.0.1:{health}/healthz");
    wait_for(
        "the Rollouts controller to be healthy",
        Duration::from_secs(30),
        || {
            let alive = controller.borrow_mut().check();
            let asked = bed.http.get(&url).send();
            async move {
                if let Err(end) = alive {
                    panic!("{end}");
                }
                let answer = asked.await.map_err(|error| error.to_string())?;
                if answer.status().is_success() {
                    Ok(())
                } else {
                    Err(format!("status {}", answer.status()))
                }
            }
        },
    )
    .await;
    Ok(controller.into_inner())
}
