//! What the README shows can be pasted: every document of it is loaded as it stands, its fragments within the smallest
//! document that they belong to.

use recant::config::rules;

/// The texts of the fenced blocks of a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect()
}

#[test]
fn every_document_in_the_readme_loads() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("there is a README");
    let folder = tempfile::tempdir().expect("a folder");
    let blocks = blocks(&readme, "yaml");
    assert!(blocks.len() >= 4, "the README shows documents");
    for (index, block) in blocks.iter().enumerate() {
        let header = |kind: &str, metadata: &str| {
            format!("apiVersion: recant.dev/v1alpha1\nkind: {kind}\nmetadata: {metadata}\n")
        };
        let document = if block.starts_with("apiVersion") {
            (*block).to_owned()
        } else if block.starts_with("- name") {
            header("RuleSet", &format!("{{name: readme-{index}}}")) + "rules:\n" + block
        } else if block.starts_with("release") {
            let target = "target: {kind: Deployment, name: released}\nrules: [http]\n";
            header("Watch", "{name: released, namespace: shop}") + target + block
        } else {
            let target = "target: {kind: Deployment, name: other}\n";
            header("Watch", "{name: other, namespace: shop}") + target + block
        };
        std::fs::write(folder.path().join(format!("{index}.yaml")), document)
            .expect("the folder is writable");
    }
    let loaded = rules::load(&[folder.path().to_owned()]);
    assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
}
