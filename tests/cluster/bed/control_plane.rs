//! etcd, kube-apiserver, and the controllers of kube-controller-manager that the tests need.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::binaries::Binaries;
use super::certificates::{Authority, Identity};
use super::loopback::Loopback;
use super::process::Process;
use crate::wait::wait_for;

/// Members of this group may do everything.
const ADMINISTRATORS: &str = "system:masters";

/// Deployments, `StatefulSets`, `DaemonSets`, Jobs and what they own, the status of disruption budgets, and cleaning up after
/// a test. Nothing else writes to objects.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,\
    job-controller,cronjob-controller,disruption-controller,garbage-collector-controller,namespace-controller";

/// A command that was started, to be started again.
#[derive(Debug)]
struct Again {
    binary: PathBuf,
    arguments: Vec<String>,
    logs: PathBuf,
}

/// A running control plane.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    server: String,
    folder: PathBuf,
    authority: Authority,
    etcd: Mutex<Process>,
    api_server: Mutex<Process>,
    /// How the API server is started again.
    again: Again,
    _controllers: Process,
}

impl ControlPlane {
    /// Starts everything and waits until the API server is ready.
    pub(crate) async fn start(
        binaries: &Binaries,
        loopback: &Loopback,
        folder: &Path,
        logs: &Path,
    ) -> Result<Self> {
        let authority = Authority::new()?;
        let (etcd, etcd_url) = start_etcd(binaries, loopback, folder, logs)?;
        let (mut api_server, server, again) =
            start_api_server(binaries, loopback, folder, logs, &authority, &etcd_url)?;
        let kubeconfig = |user: &str| -> Result<PathBuf> {
            let identity = authority.client(user, Some(ADMINISTRATORS))?;
            write_kubeconfig(folder, user, &identity, &server, &authority)
        };
        wait_until_ready(&mut api_server, &kubeconfig("admin")?).await?;
        let controllers = Process::start(
            "kube-controller-manager",
            &binaries.path("kube-controller-manager")?,
            [
                format!(
                    "--kubeconfig={}",
                    kubeconfig("kube-controller-manager")?.display()
                ),
                format!("--controllers={CONTROLLERS}"),
                "--leader-elect=false".to_owned(),
                "--secure-port=0".to_owned(),
                "--kube-api-qps=200".to_owned(),
                "--kube-api-burst=400".to_owned(),
            ],
            &[],
            logs,
        )?;
        Ok(Self {
            server,
            folder: folder.to_owned(),
            authority,
            etcd: Mutex::new(etcd),
            api_server: Mutex::new(api_server),
            again,
            _controllers: controllers,
        })
    }

    /// etcd answers nothing for this long.
    pub(crate) async fn stop_etcd(&self, time: Duration) {
        let signal = |name| {
            let mut etcd = self.etcd.lock().unwrap_or_else(PoisonError::into_inner);
            etcd.signal(name);
        };
        signal("STOP");
        tokio::time::sleep(time).await;
        signal("CONT");
    }

    /// The API server is killed, and started again as it was; waits until it is ready.
    pub(crate) async fn restart_api_server(&self) {
        let Again {
            binary,
            arguments,
            logs,
        } = &self.again;
        let mut new = {
            let mut old = self
                .api_server
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            old.kill();
            Process::start("kube-apiserver", binary, arguments, &[], logs)
                .expect("it was started before")
        };
        let admin = self.folder.join("admin.kubeconfig");
        wait_until_ready(&mut new, &admin)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"));
        *self
            .api_server
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// The API server's address.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The CA's certificate, as a file.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// A client certificate for a user who has no rights but those that RBAC gives.
    pub(crate) fn user(&self, user: &str) -> Result<Identity> {
        self.authority.client(user, None)
    }

    /// A client certificate for a user who may do everything.
    pub(crate) fn administrator(&self, user: &str) -> Result<Identity> {
        self.authority.client(user, Some(ADMINISTRATORS))
    }

    /// Writes a kubeconfig for an identity and returns its path.
    pub(crate) fn kubeconfig(&self, name: &str, identity: &Identity) -> Result<PathBuf> {
        write_kubeconfig(&self.folder, name, identity, &self.server, &self.authority)
    }
}

/// A client of the API server from a kubeconfig.
pub(crate) async fn client(kubeconfig: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).context("reading our own kubeconfig")?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

fn start_etcd(
    binaries: &Binaries,
    loopback: &Loopback,
    folder: &Path,
    logs: &Path,
) -> Result<(Process, String)> {
    let clients = format!("http://127.0.0.1:{}", loopback.free_port()?);
    let peers = format!("http://127.0.0.1:{}", loopback.free_port()?);
    let etcd = Process::start(
        "etcd",
        &binaries.path("etcd")?,
        [
            "--name=testbed".to_owned(),
            format!("--data-dir={}", folder.join("etcd").display()),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster=testbed={peers}"),
            // Nothing in here has to survive a power cut, and a disk shared with builds makes fsync slow.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ],
        &[],
        logs,
    )?;
    Ok((etcd, clients))
}

fn start_api_server(
    binaries: &Binaries,
    loopback: &Loopback,
    folder: &Path,
    logs: &Path,
    authority: &Authority,
    etcd: &str,
) -> Result<(Process, String, Again)> {
    let ca = folder.join("ca.crt");
    std::fs::write(&ca, authority.certificate()).context("writing the CA's certificate")?;
    let (certificate, key) = authority.server()?.write(folder, "apiserver")?;
    // Any key pair will do.
    let (token_certificate, token_key) = authority.server()?.write(folder, "tokens")?;
    let port = loopback.free_port()?;
    let again = Again {
        binary: binaries.path("kube-apiserver")?,
        logs: logs.to_owned(),
        arguments: vec![
            format!("--etcd-servers={etcd}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--cert-dir={}", folder.display()),
            format!("--tls-cert-file={}", certificate.display()),
            format!("--tls-private-key-file={}", key.display()),
            format!("--client-ca-file={}", ca.display()),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://testbed.invalid".to_owned(),
            format!("--service-account-key-file={}", token_certificate.display()),
            format!("--service-account-signing-key-file={}", token_key.display()),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            // No controller makes service accounts here, and without one no pod would be admitted.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            // Loopback addresses are refused in the EndpointSlice that it would keep of itself.
            "--endpoint-reconciler-type=none".to_owned(),
            "--profiling=false".to_owned(),
        ],
    };
    let Again {
        binary, arguments, ..
    } = &again;
    let api_server = Process::start("kube-apiserver", binary, arguments, &[], logs)?;
    Ok((api_server, format!("https://127.0.0.1:{port}"), again))
}

async fn wait_until_ready(api_server: &mut Process, kubeconfig: &Path) -> Result<()> {
    let client = client(kubeconfig).await?;
    let api_server = std::cell::RefCell::new(api_server);
    wait_for(
        "the API server to be ready",
        Duration::from_secs(90),
        || {
            let alive = api_server.borrow_mut().check();
            let client = client.clone();
            async move {
                // A dead server will not become ready: say why at once.
                if let Err(end) = alive {
                    panic!("{end}");
                }
                let request = Request::get("/readyz")
                    .body(Vec::new())
                    .map_err(|error| error.to_string())?;
                let asked = client.request_text(request);
                let answer = tokio::time::timeout(Duration::from_secs(5), asked)
                    .await
                    .map_err(|_| "no answer in 5 s".to_owned())?;
                answer.map(drop).map_err(|error| error.to_string())
            }
        },
    )
    .await;
    Ok(())
}

fn write_kubeconfig(
    folder: &Path,
    name: &str,
    identity: &Identity,
    server: &str,
    authority: &Authority,
) -> Result<PathBuf> {
    // User names such as `system:serviceaccount:recant:recant` are fine as file names.
    let path = folder.join(format!("{name}.kubeconfig"));
    // Two tests may want the same user at the same moment: neither may read half a file.
    let mut new = tempfile::NamedTempFile::new_in(folder).context("writing a kubeconfig")?;
    new.write_all(identity.kubeconfig(server, authority).as_bytes())
        .context("writing a kubeconfig")?;
    new.persist(&path)
        .with_context(|| format!("writing `{}`", path.display()))?;
    Ok(path)
}
