//! The bed: one control plane, with real services behind its pods, for all tests of the process.

mod binaries;
mod certificates;
mod control_plane;
mod kwok;
mod loopback;
mod process;
mod rollouts_controller;

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::Namespace as CoreNamespace;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::OnceCell;

use self::binaries::Binaries;
use self::control_plane::ControlPlane;
pub(crate) use self::kwok::NODE;
use self::loopback::Loopback;
pub(crate) use self::process::Process;
use self::process::{Sweeper, tail};
use crate::case;
use crate::namespace::Namespace;
use crate::services::Services;

static BED: OnceCell<Result<Bed, String>> = OnceCell::const_new();

/// No single command of a test takes longer.
const COMMAND_DEADLINE: Duration = Duration::from_mins(1);

/// The running parts. Everything goes when the process goes.
pub(crate) struct Bed {
    binaries: Binaries,
    control_plane: ControlPlane,
    client: Client,
    admin: PathBuf,
    services: Services,
    loopback: Loopback,
    http: reqwest::Client,
    folder: PathBuf,
    logs: PathBuf,
    rollouts: OnceCell<Mutex<Process>>,
    names: AtomicUsize,
    _kwok: Process,
    _sweeper: Sweeper,
}

impl Bed {
    /// The bed of this process; the first to ask starts it.
    pub(crate) async fn get() -> &'static Self {
        let bed = BED
            .get_or_init(|| async {
                // Caught and kept, so that the other tests fail at once and do not wait for it again.
                match AssertUnwindSafe(Self::start()).catch_unwind().await {
                    Ok(started) => started.map_err(|error| format!("{error:#}")),
                    Err(panic) => Err(match panic.downcast::<String>() {
                        Ok(message) => *message,
                        Err(_) => "see the first test that failed".to_owned(),
                    }),
                }
            })
            .await;
        match bed {
            Ok(bed) => bed,
            Err(error) => panic!("the test-bed did not start: {error}"),
        }
    }

    /// A bed of its own, for a test that stops parts of it.
    pub(crate) async fn own() -> &'static Self {
        let bed = Self::start().await;
        let bed = bed.unwrap_or_else(|error| panic!("the test-bed did not start: {error:#}"));
        // Its parts go with the process, as those of the other do.
        Box::leak(Box::new(bed))
    }

    /// etcd and the API server.
    pub(crate) fn control_plane(&self) -> &ControlPlane {
        &self.control_plane
    }

    /// The bed, if a test has started it.
    pub(crate) fn started() -> Option<&'static Self> {
        BED.get().and_then(|bed| bed.as_ref().ok())
    }

    async fn start() -> Result<Self> {
        let binaries = Binaries::locate()?;
        let folder = tempfile::Builder::new()
            .prefix("recant-testbed-")
            .tempdir()
            .context("making a folder for the control plane")?
            .keep();
        let sweeper = Sweeper::start(&folder)?;
        let logs = folder.join("logs");
        std::fs::create_dir(&logs).context("making a folder for logs")?;
        let loopback = Loopback::claim()?;
        let control_plane = ControlPlane::start(&binaries, &loopback, &folder, &logs).await?;
        let administrator = |name: &str| -> Result<PathBuf> {
            control_plane.kubeconfig(name, &control_plane.administrator(name)?)
        };
        let admin = administrator("admin")?;
        let client = control_plane::client(&admin).await?;
        let kwok = kwok::start(
            &binaries,
            &client,
            &administrator("kwok")?,
            &loopback.pods(),
            &logs,
        )
        .await?;
        let services = Services::start(client.clone());
        Ok(Self {
            binaries,
            control_plane,
            client,
            admin,
            services,
            loopback,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(10))
                .build()
                .context("building a client")?,
            folder,
            logs,
            rollouts: OnceCell::new(),
            names: AtomicUsize::new(0),
            _kwok: kwok,
            _sweeper: sweeper,
        })
    }

    /// A new namespace, which belongs to the running test and is deleted after it.
    pub(crate) async fn namespace(&'static self, name: &str) -> Namespace {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{number}");
        let object: CoreNamespace = serde_json::from_value(json!({"metadata": {"name": name}}))
            .expect("a namespace's manifest");
        Api::<CoreNamespace>::all(self.client.clone())
            .create(&PostParams::default(), &object)
            .await
            .expect("an administrator may create a namespace");
        case::owns(&name);
        Namespace::new(self, name)
    }

    /// A client that may do everything.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The services behind the pods.
    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    /// A client for plain HTTP on loopback.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// A kubeconfig, with nothing outside of it, for a user who has only the rights that RBAC gives.
    ///
    /// A service account is the user `system:serviceaccount:NAMESPACE:NAME`.
    pub(crate) fn kubeconfig_for(&self, user: &str) -> PathBuf {
        // A file for each: another test may just be reading the one before.
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        self.control_plane
            .user(user)
            .and_then(|identity| {
                self.control_plane
                    .kubeconfig(&format!("{user}-{number}"), &identity)
            })
            .expect("a certificate can be signed and written")
    }

    /// The same, for one who is in a namespace, as a pod is. Fit for `KUBECONFIG`, which takes a list parted by colons.
    pub(crate) fn kubeconfig_in(&self, user: &str, namespace: &str) -> PathBuf {
        let path = self.kubeconfig_for(user);
        let text = std::fs::read(&path).expect("it was just written");
        let mut kubeconfig: Value = serde_json::from_slice(&text).expect("we write JSON");
        kubeconfig["contexts"][0]["context"]["namespace"] = namespace.into();
        let path = self.folder("identity").join("kubeconfig");
        std::fs::write(&path, kubeconfig.to_string()).expect("the bed's folder is writable");
        path
    }

    /// Where Prometheus finds the API server: its address, the CA, and a client certificate with its key.
    pub(crate) fn api_server_files(&self) -> (&str, PathBuf, PathBuf, PathBuf) {
        let (certificate, key) = self
            .control_plane
            .administrator("prometheus")
            .and_then(|identity| identity.write(&self.folder, "prometheus"))
            .expect("a certificate can be signed and written");
        let authority = self.control_plane.authority_file();
        (self.control_plane.server(), authority, certificate, key)
    }

    /// The key in PEM with which the API server signs tokens of service accounts.
    pub(crate) fn token_key(&self) -> PathBuf {
        self.folder.join("tokens.key")
    }

    /// A port of 127.0.0.1 on which nobody listens, for a child that wants to be told one.
    pub(crate) fn free_port(&self) -> u16 {
        self.loopback
            .free_port()
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// A new folder that goes with the bed.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("{name}-{number}"));
        std::fs::create_dir(&folder).expect("the bed's folder is writable");
        folder
    }

    /// Starts a binary of the cache, or any other program by its path, as a child that goes with the bed.
    pub(crate) fn process(
        &self,
        name: &str,
        binary: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Process {
        Process::start(name, binary, arguments, environment, &self.logs)
            .expect("the program can be started")
    }

    /// The path of a binary of the cache.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.binaries
            .path(name)
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The folder of a project's custom resource definitions.
    pub(crate) fn definitions(&self, name: &str) -> PathBuf {
        self.binaries
            .definitions(name)
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Runs kubectl as administrator; returns what it printed, panics when it failed.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        self.kubectl_as(&self.admin, arguments, "")
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs kubectl with a kubeconfig and an input; the error is what it said when it failed.
    pub(crate) async fn kubectl_as(
        &self,
        kubeconfig: &Path,
        arguments: &[&str],
        input: &str,
    ) -> Result<String, String> {
        let mut child = Command::new(self.binary("kubectl"))
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("kubectl does not start: {error}"))?;
        let mut pipe = child.stdin.take().expect("its input is piped");
        let run = async {
            // kubectl may end without having read its input; then its own words say why.
            drop(pipe.write_all(input.as_bytes()).await);
            drop(pipe);
            child.wait_with_output().await
        };
        let output = tokio::time::timeout(COMMAND_DEADLINE, run)
            .await
            .map_err(|_| format!("`kubectl {}` hangs", arguments.join(" ")))?
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("`kubectl {}`: {said}", arguments.join(" ")))
        }
    }

    /// The path of the administrator's kubeconfig.
    pub(crate) fn admin(&self) -> &Path {
        &self.admin
    }

    /// Makes sure that the Argo Rollouts controller runs, and says the number of its process.
    pub(crate) async fn rollouts(&self) -> u32 {
        let controller = self
            .rollouts
            .get_or_init(|| async {
                let started = async {
                    let identity = self.control_plane.administrator("rollouts-controller")?;
                    let kubeconfig = self
                        .control_plane
                        .kubeconfig("rollouts-controller", &identity)?;
                    rollouts_controller::start(self, &kubeconfig).await
                };
                Mutex::new(started.await.unwrap_or_else(|error| panic!("{error:#}")))
            })
            .await;
        let mut controller = controller.lock().expect("nobody panics with it");
        controller.check().unwrap_or_else(|error| panic!("{error}"));
        controller.id()
    }

    /// What a person would look at when a test has failed.
    pub(crate) async fn picture(&self, namespaces: &[String]) -> String {
        let mut picture = String::new();
        for namespace in namespaces {
            let mut kinds = "deployments,replicasets,cronjobs,jobs,pods".to_owned();
            if self.rollouts.initialized() {
                kinds.push_str(",rollouts,analysisruns");
            }
            let objects = ["-n", namespace, "get", &kinds, "-o", "wide"];
            let events = ["-n", namespace, "get", "events", "--sort-by=.lastTimestamp"];
            for command in [objects.as_slice(), events.as_slice()] {
                let shown = self.kubectl_as(&self.admin, command, "").await;
                let shown = shown.unwrap_or_else(|error| error);
                write!(picture, "--- kubectl {}\n{shown}\n", command.join(" "))
                    .expect("a String takes everything");
            }
            write!(
                picture,
                "--- services of {namespace}\n{}\n",
                self.services.picture(namespace)
            )
            .expect("a String takes everything");
        }
        let mut logs: Vec<PathBuf> = std::fs::read_dir(&self.logs)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        logs.sort();
        for log in logs {
            let name = log.file_name().unwrap_or_default().to_string_lossy();
            write!(picture, "--- end of {name}\n{}\n", tail(&log, 12))
                .expect("a String takes everything");
        }
        picture
    }

    /// Deletes the namespaces of a test, without waiting until they are gone.
    pub(crate) async fn forget(&self, namespaces: &[String]) {
        let api: Api<CoreNamespace> = Api::all(self.client.clone());
        for namespace in namespaces {
            // The test has its outcome already; what stays behind goes with the control plane.
            drop(api.delete(namespace, &DeleteParams::default()).await);
        }
    }
}
