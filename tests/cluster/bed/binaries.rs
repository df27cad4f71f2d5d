//! Where the real parts are: the cache that `tests/testbed/build` fills.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The folder with `bin/` and `crds/`.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    cache: PathBuf,
}

impl Binaries {
    /// Asks the build script, so that there is one place that knows the folder (and `RECANT_TESTBED`).
    pub(crate) fn locate() -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/build");
        let answer = Command::new(&script)
            .arg("--path")
            .output()
            .with_context(|| format!("running `{} --path`", script.display()))?;
        ensure!(
            answer.status.success(),
            "`{} --path` failed: {}",
            script.display(),
            String::from_utf8_lossy(&answer.stderr)
        );
        let cache = String::from_utf8(answer.stdout).context("the cache folder's name")?;
        Ok(Self {
            cache: PathBuf::from(cache.trim_end()),
        })
    }

    /// The path of a binary; an error that says what to run when it is not there.
    pub(crate) fn path(&self, name: &str) -> Result<PathBuf> {
        self.existing(&Path::new("bin").join(name))
    }

    /// The folder of a controller's custom resource definitions.
    pub(crate) fn definitions(&self, name: &str) -> Result<PathBuf> {
        self.existing(&Path::new("crds").join(name))
    }

    fn existing(&self, inside: &Path) -> Result<PathBuf> {
        let path = self.cache.join(inside);
        ensure!(
            path.exists(),
            "`{}` is not there. These tests run against real parts: build them with `tests/testbed/build` \
             (it takes 15 minutes the first time), then try again",
            path.display()
        );
        Ok(path)
    }
}
