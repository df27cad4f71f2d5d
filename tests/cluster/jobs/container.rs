//! What a container's process gets: its program, arguments and environment, and its volumes as files.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret, Volume};
use kube::Api;

use super::kubelet::{Kubelet, account};

/// Where a container's image would have its programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything that a process is started with.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// All of it: nothing of the test process' own environment is passed on.
    pub(super) environment: BTreeMap<String, String>,
}

impl Prepared {
    /// Resolves everything that the container refers to. An error is what a kubelet would say while it waits for it.
    pub(super) async fn new(
        kubelet: &Kubelet,
        pod: &Pod,
        container: &Container,
        kubeconfig: &Path,
        folder: &Path,
    ) -> Result<Self, String> {
        let references = References { kubelet, pod };
        let mounts = references.mount(container, folder).await?;
        let mut environment = BTreeMap::new();
        for from in container.env_from.iter().flatten() {
            let data = match (&from.config_map_ref, &from.secret_ref) {
                (Some(map), None) => references.config_map(&map.name).await?,
                (None, Some(secret)) => references.secret(&secret.name).await?,
                _ => return Err("an `envFrom` needs one of configMapRef and secretRef".to_owned()),
            };
            environment.extend(data);
        }
        for variable in container.env.iter().flatten() {
            if let Some(value) = references.value(variable).await? {
                let value = expanded(&value, &environment);
                environment.insert(variable.name.clone(), inside(&mounts, &value));
            }
        }
        let tools = kubelet.tools.as_deref();
        let path = tools.map_or(PATH.to_owned(), |tools| {
            format!("{}:{PATH}", tools.display())
        });
        environment.insert("PATH".to_owned(), path);
        environment.insert("HOME".to_owned(), folder.display().to_string());
        let hostname = pod.metadata.name.clone().unwrap_or_default();
        environment.insert("HOSTNAME".to_owned(), hostname);
        // In a cluster a service account's token, CA and namespace lie at a fixed path. Here this file has all three.
        environment.insert("KUBECONFIG".to_owned(), kubeconfig.display().to_string());
        let words = words(container)?;
        let mut words = words
            .iter()
            .map(|word| inside(&mounts, &expanded(word, &environment)));
        let program = words.next().unwrap_or_default();
        Ok(Self {
            program: look_up(&program, environment.get("PATH").map_or("", String::as_str))?,
            arguments: words.collect(),
            environment,
        })
    }
}

/// Command and arguments. Only of our own image is it known what runs without a command: see the Dockerfile.
fn words(container: &Container) -> Result<Vec<String>, String> {
    let image = container.image.as_deref().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    let ours = last == "recant" || last.starts_with("recant:");
    let command = match container.command.clone().unwrap_or_default() {
        command if !command.is_empty() => command,
        _ if ours => vec!["recant".to_owned()],
        _ => {
            return Err(format!(
                "nobody knows here what image `{image}` runs: give a command"
            ));
        }
    };
    let arguments = container.args.clone().unwrap_or_default();
    Ok([command, arguments].concat())
}

/// The program's file: this build's `recant`, a path as it is, or the first one on the path.
fn look_up(program: &str, path: &str) -> Result<PathBuf, String> {
    if ["recant", "/usr/local/bin/recant"].contains(&program) {
        return Ok(PathBuf::from(env!("CARGO_BIN_EXE_recant")));
    }
    let found = if program.contains('/') {
        Some(PathBuf::from(program)).filter(|file| file.exists())
    } else {
        let mut folders = std::env::split_paths(path).map(|folder| folder.join(program));
        folders.find(|file| file.exists())
    };
    found.ok_or_else(|| format!("exec: `{program}`: no such file or directory"))
}

/// `$(NAME)` of a variable that is known, as kubelets replace it; the others stay as they are.
fn expanded(text: &str, environment: &BTreeMap<String, String>) -> String {
    environment
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("$({name})"), value)
        })
}

/// The same word with a path below a mount point, alone or behind a `=`, made one of this machine.
fn inside(mounts: &[(String, PathBuf)], word: &str) -> String {
    let (before, path) = match word.split_once('=') {
        Some((flag, path)) if flag.starts_with('-') => (format!("{flag}="), path),
        _ => (String::new(), word),
    };
    for (mount, folder) in mounts {
        if let Some(rest) = path.strip_prefix(mount.as_str())
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return format!("{before}{}{rest}", folder.display());
        }
    }
    word.to_owned()
}

/// What a pod may refer to in its namespace.
struct References<'a> {
    kubelet: &'a Kubelet,
    pod: &'a Pod,
}

impl References<'_> {
    async fn config_map(&self, name: &str) -> Result<BTreeMap<String, String>, String> {
        let api: Api<ConfigMap> = self.kubelet.api();
        let map = api.get(name).await;
        let map = map.map_err(|error| format!("configmap `{name}`: {error}"))?;
        Ok(map.data.unwrap_or_default())
    }

    async fn secret(&self, name: &str) -> Result<BTreeMap<String, String>, String> {
        let api: Api<Secret> = self.kubelet.api();
        let secret = api.get(name).await;
        let secret = secret.map_err(|error| format!("secret `{name}`: {error}"))?;
        let data = secret.data.unwrap_or_default().into_iter();
        data.map(|(key, value)| {
            let text = String::from_utf8(value.0);
            let text = text.map_err(|_| format!("secret `{name}`: `{key}` is no text"))?;
            Ok((key, text))
        })
        .collect()
    }

    /// None: an optional reference that leads nowhere.
    async fn value(&self, variable: &EnvVar) -> Result<Option<String>, String> {
        let Some(from) = &variable.value_from else {
            return Ok(Some(variable.value.clone().unwrap_or_default()));
        };
        let EnvVarSource {
            config_map_key_ref,
            secret_key_ref,
            field_ref,
            ..
        } = from;
        if let Some(field) = field_ref {
            return self.field(&field.field_path).map(Some);
        }
        let (data, key, optional) = if let Some(of) = config_map_key_ref {
            (self.config_map(&of.name).await, &of.key, of.optional)
        } else if let Some(of) = secret_key_ref {
            (self.secret(&of.name).await, &of.key, of.optional)
        } else {
            return Err(format!(
                "`{}`: this source is not built here",
                variable.name
            ));
        };
        let found = data.and_then(|mut data| {
            let value = data.remove(key);
            value.ok_or_else(|| format!("couldn't find key `{key}` for `{}`", variable.name))
        });
        match found {
            Err(_) if optional == Some(true) => Ok(None),
            other => other.map(Some),
        }
    }

    fn field(&self, path: &str) -> Result<String, String> {
        let metadata = &self.pod.metadata;
        match path {
            "metadata.name" => Ok(metadata.name.clone().unwrap_or_default()),
            "metadata.namespace" => Ok(self.kubelet.namespace.clone()),
            "metadata.uid" => Ok(metadata.uid.clone().unwrap_or_default()),
            "spec.serviceAccountName" => Ok(account(self.pod).to_owned()),
            other => Err(format!("fieldPath `{other}` is not built here")),
        }
    }

    /// Writes the volumes of the container's mounts out, and says which folder stands for which path.
    async fn mount(
        &self,
        container: &Container,
        folder: &Path,
    ) -> Result<Vec<(String, PathBuf)>, String> {
        let volumes = self
            .pod
            .spec
            .iter()
            .flat_map(|spec| &spec.volumes)
            .flatten();
        let volumes: BTreeMap<&str, &Volume> = volumes
            .map(|volume| (volume.name.as_str(), volume))
            .collect();
        let mut mounts = Vec::new();
        for mount in container.volume_mounts.iter().flatten() {
            let volume = volumes.get(mount.name.as_str());
            let volume = volume.ok_or_else(|| format!("no volume `{}`", mount.name))?;
            let inside = folder.join(&mount.name);
            std::fs::create_dir_all(&inside).map_err(|error| error.to_string())?;
            let (files, mode) = self.files(volume).await?;
            for (name, text) in files {
                let file = inside.join(name);
                std::fs::write(&file, text).map_err(|error| error.to_string())?;
                let mode = std::fs::Permissions::from_mode(mode);
                std::fs::set_permissions(&file, mode).map_err(|error| error.to_string())?;
            }
            mounts.push((mount.mount_path.trim_end_matches('/').to_owned(), inside));
        }
        Ok(mounts)
    }

    async fn files(&self, volume: &Volume) -> Result<(BTreeMap<String, String>, u32), String> {
        let mode = |mode: Option<i32>| mode.and_then(|mode| mode.try_into().ok()).unwrap_or(0o644);
        if let Some(map) = &volume.config_map {
            Ok((self.config_map(&map.name).await?, mode(map.default_mode)))
        } else if let Some(secret) = &volume.secret {
            let name = secret.secret_name.as_deref().unwrap_or_default();
            Ok((self.secret(name).await?, mode(secret.default_mode)))
        } else if volume.empty_dir.is_some() {
            Ok((BTreeMap::new(), 0o644))
        } else {
            Err(format!(
                "volume `{}`: this kind is not built here",
                volume.name
            ))
        }
    }
}
