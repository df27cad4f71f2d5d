//! Child processes that cannot outlive the test process, however it ends.
//!
//! A pipe does it: each child is started by a shell that leaves a small reader of its standard input behind. When the
//! test process goes, even by SIGKILL, the pipe closes, the reader wakes and kills the child.
//! (`PR_SET_PDEATHSIG` would need unsafe code, and fires when the *thread* that forked ends.)

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::wait::wait_for;

/// `$$` is the shell's own process, which `exec` turns into the child. A line on the pipe dismisses the reader without
/// a kill: by then the child's number may belong to somebody else.
const WATCHED: &str = r#"exec 3<&0; { read -r _ <&3 || kill -9 $$; } & exec "$@" </dev/null 3<&-"#;

/// Gives killed children a second to let go of their files.
const REMOVE: &str = r#"read -r _; sleep 1; rm -rf "$1""#;

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `binary`; what it prints is appended to `NAME.log` in the folder `logs`.
    pub(crate) fn start<A: AsRef<OsStr>>(
        name: &str,
        binary: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
        logs: &Path,
    ) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening `{}`", log.display()))?;
        let child = Command::new("sh")
            .args(["-c", WATCHED, name])
            .arg(binary)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(file.try_clone().context("sharing the log file")?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting `{}`", binary.display()))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
            ended: None,
        })
    }

    /// Says how it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
            if self.ended.is_some() {
                self.dismiss();
            }
        }
        self.ended
    }

    /// What it printed so far.
    pub(crate) fn printed(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// An error that names the process and the end of its log when it has ended.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        match self.ended() {
            Some(status) => Err(format!(
                "`{}` ended with {status}; it said:\n{}",
                self.name,
                tail(&self.log, 20)
            )),
            None => Ok(()),
        }
    }

    /// The number that the system knows it by.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&mut self, signal: &str) {
        assert!(self.ended().is_none(), "`{}` has ended already", self.name);
        let sent = Command::new("kill")
            .args(["-s", signal, &self.child.id().to_string()])
            .status()
            .expect("`kill` can be run");
        assert!(
            sent.success(),
            "`kill -s {signal}` on `{}` failed",
            self.name
        );
    }

    /// Waits until it ends by itself.
    pub(crate) async fn wait(&mut self, within: Duration) -> ExitStatus {
        let what = format!("`{}` to end", self.name);
        let cell = std::cell::RefCell::new(self);
        wait_for(&what, within, || {
            let status = cell.borrow_mut().ended();
            async move { status.ok_or_else(|| "it runs".to_owned()) }
        })
        .await
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.child.kill().expect("our own child can be killed");
        // Before the wait: until then the number is the child's, so the reader cannot hit anybody else.
        self.dismiss();
        self.ended = Some(self.child.wait().expect("our own child can be waited for"));
    }

    fn dismiss(&mut self) {
        if let Some(mut pipe) = self.child.stdin.take() {
            // It fails when the reader was killed too, which is as good.
            drop(pipe.write_all(b"\n"));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Removes a folder when the test process has gone, or this was dropped.
#[derive(Debug)]
pub(crate) struct Sweeper {
    shell: Child,
}

impl Sweeper {
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", REMOVE, "sweeper"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting the shell that cleans up")?;
        Ok(Self { shell })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        drop(self.shell.wait());
    }
}

/// The last lines of a file, or why there are none.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    match std::fs::read(file) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            let (_, last) = all.split_at(all.len().saturating_sub(lines));
            last.join("\n")
        }
        Err(error) => format!("(`{}`: {error})", file.display()),
    }
}
