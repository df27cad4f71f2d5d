//! What a machine does to an agent: signals, and a disk without space.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use recant::journal::read::read;
use recant_core::record::Record;
use tokio::time::{Instant, sleep};

use super::Agent;
use crate::wait::wait_for;

/// Its log goes through a pipe, so that a limit on the size of files is felt by the journal only.
const PIPED: &str = r#"rm -f "$0"; mkfifo "$0"; cat "$0" & exec "$@" >"$0" 2>&1"#;

impl Agent {
    /// Starts the process, as [`Agent::launch`] does, so that [`Agent::limit_files`] leaves its log alone.
    pub(crate) fn launch_piped(&self) {
        let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let pipe = text(&self.folder.join("log.pipe"));
        let settings = text(&self.folder.join("settings.yaml"));
        let recant = env!("CARGO_BIN_EXE_recant");
        self.spawn(
            Path::new("/bin/sh"),
            &["-c", PIPED, &pipe, recant, "run", "--config", &settings],
        );
    }

    /// Waits until readiness says why it is not ready.
    pub(crate) async fn wait_unready(&self, says: &str, within: Duration) {
        wait_for(&format!("readiness to say `{says}`"), within, || async {
            self.must_run();
            match self.get("/readyz").await {
                Err(said) if said.contains(says) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Sends a signal by name, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        match self.process().as_mut() {
            Some(process) => process.signal(signal),
            None => panic!("`{}` was not started", self.name),
        }
    }

    /// No file of the process may grow beyond so many bytes, as on a full disk; `None`: space is there again.
    pub(crate) async fn limit_files(&self, bytes: Option<u64>) {
        let id = match self.process().as_ref() {
            Some(process) => process.id().to_string(),
            None => panic!("`{}` was not started", self.name),
        };
        // Before, it is a shell, which would hand the limit on to its pipe.
        wait_for(
            "the process to be the agent",
            Duration::from_secs(10),
            || async {
                match std::fs::read_to_string(format!("/proc/{id}/comm")) {
                    Ok(name) if name.trim() == "recant" => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            },
        )
        .await;
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        // Only the soft limit: it can be lifted again.
        let limited = Command::new("prlimit")
            .args(["--pid", &id, &format!("--fsize={limit}:unlimited")])
            .status()
            .expect("`prlimit` can be run");
        assert!(limited.success(), "`prlimit` on `{}` failed", self.name);
    }

    /// Waits for a record that `sign` takes, and returns within milliseconds of its being durable.
    pub(crate) async fn catch_record(
        &self,
        what: &str,
        within: Duration,
        mut sign: impl FnMut(&Record) -> bool,
    ) {
        let deadline = Instant::now() + within;
        let mut entries = read::<Record>(&self.journal_file())
            .unwrap_or_else(|error| panic!("waiting for {what}: {error}"));
        let mut last = "nothing".to_owned();
        loop {
            for entry in entries.by_ref() {
                let entry = entry.unwrap_or_else(|error| panic!("waiting for {what}: {error}"));
                if sign(&entry.record) {
                    return;
                }
                last = super::describe(&entry);
            }
            self.must_run();
            assert!(
                Instant::now() < deadline,
                "`{}` waited {within:?} for {what}; the last record: {last}",
                self.name
            );
            sleep(Duration::from_millis(5)).await;
        }
    }
}
