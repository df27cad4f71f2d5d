//! Loads rule files, with the rule sets that Recant ships.

use std::path::PathBuf;

use recant_core::spec::{
    self, Checked, Knowledge, LastGood, Loaded, Merged, Options, Resource, SourceFile,
};

use super::checks::checks;
use super::files;

/// The rule sets that every watch can name: file name and text.
const SHIPPED: [(&str, &str); 11] = [
    (
        "rules/envoy-gateway.yaml",
        include_str!("../../rules/envoy-gateway.yaml"),
    ),
    ("rules/go.yaml", include_str!("../../rules/go.yaml")),
    ("rules/grpc.yaml", include_str!("../../rules/grpc.yaml")),
    ("rules/http.yaml", include_str!("../../rules/http.yaml")),
    ("rules/istio.yaml", include_str!("../../rules/istio.yaml")),
    ("rules/jvm.yaml", include_str!("../../rules/jvm.yaml")),
    (
        "rules/kubernetes-saturation.yaml",
        include_str!("../../rules/kubernetes-saturation.yaml"),
    ),
    (
        "rules/kubernetes.yaml",
        include_str!("../../rules/kubernetes.yaml"),
    ),
    (
        "rules/linkerd.yaml",
        include_str!("../../rules/linkerd.yaml"),
    ),
    ("rules/nginx.yaml", include_str!("../../rules/nginx.yaml")),
    ("rules/queue.yaml", include_str!("../../rules/queue.yaml")),
];

/// The files of the rule sets that Recant ships.
pub fn shipped() -> Vec<SourceFile> {
    SHIPPED
        .iter()
        .map(|(name, text)| SourceFile {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
        })
        .collect()
}

/// Loads the rule files under `paths`; what cannot be read is among the diagnostics.
pub fn load(paths: &[PathBuf]) -> Loaded {
    load_files(paths).1
}

/// Loads rule files that are already read.
pub fn load_texts(files: &[SourceFile]) -> Loaded {
    let options = Options {
        partly: false,
        checks: checks(),
    };
    spec::load_with(files, &shipped(), options)
}

/// Puts documents of a cluster beside files without errors.
pub fn merge(files: &[SourceFile], resources: &[Resource], last: &mut LastGood) -> Merged {
    spec::merge(files, &shipped(), resources, last, checks())
}

/// Like [`load`]; also the files, as places in them are told.
pub fn load_files(paths: &[PathBuf]) -> (Vec<SourceFile>, Loaded) {
    let files::Collected { files, problems } = files::collect(paths);
    let options = Options {
        partly: !problems.is_empty(),
        checks: checks(),
    };
    let mut loaded = spec::load_with(&files, &shipped(), options);
    if !problems.is_empty() {
        loaded.book = None;
        loaded.diagnostics.splice(0..0, problems);
    }
    (files, loaded)
}

/// Checks files under `paths`, Kubernetes objects and Prometheus rules among them; what cannot be read is among the
/// diagnostics. Call it again with what a cluster said about the first answer.
pub fn check(collected: &files::Collected, knowledge: &Knowledge) -> Checked {
    let files::Collected { files, problems } = collected;
    let options = Options {
        partly: !problems.is_empty(),
        checks: checks(),
    };
    let mut checked = spec::check(files, &shipped(), options, knowledge);
    if !problems.is_empty() {
        checked.loaded.book = None;
        let found = &mut checked.loaded.diagnostics;
        found.splice(0..0, problems.iter().cloned());
    }
    checked
}
