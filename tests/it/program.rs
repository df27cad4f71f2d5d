//! Runs the program as a user does: a process with arguments, an environment and a folder; bounded in time.

use std::path::Path;
use std::time::Duration;

/// No command that ends by itself takes longer.
const DEADLINE: Duration = Duration::from_secs(70);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `recant` in `folder`, with nothing of this process' environment but these variables.
pub(crate) fn recant(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_recant"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .timeout(DEADLINE)
        .output()
        .expect("the program can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    };
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran
}
