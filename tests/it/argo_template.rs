//! `recant argo-template`: what it prints, and what it refuses. That Argo's controller does what it should with it is
//! shown in `tests/cluster`.

use std::fs;

use tempfile::TempDir;

use crate::program::{Ran, recant};

const RULES: &str = "\
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: checkout, namespace: shop}
target: {kind: Rollout, name: checkout}
rules: [http]
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: cart, namespace: shop}
target: {kind: Deployment, name: cart}
rules: [http]
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: checkout, namespace: other}
target: {kind: Rollout, name: checkout}
rules: [http]
";

fn print(arguments: &[&str]) -> Ran {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("rules.yaml"), RULES).expect("a file");
    let arguments = [&["argo-template", "--rules", "rules.yaml"], arguments].concat();
    recant(folder.path(), &arguments, &[])
}

#[test]
fn each_provider_has_its_template() {
    for (name, arguments) in [
        ("web", &["shop/checkout"][..]),
        (
            "web_with_all",
            &[
                "shop/checkout",
                "--address=https://recant.example/base/",
                "--secret=recant/key",
                "--wait=1h",
                "--outage=5m",
                "--interval=30s",
            ],
        ),
        (
            "job",
            &[
                "shop/checkout",
                "--provider=job",
                "--image=registry.example/recant:1",
                "--when-unclear=fail",
                "--prometheus=http://prometheus:9090",
            ],
        ),
        (
            "prometheus",
            &["shop/checkout", "--provider=prometheus", "--secret=recant"],
        ),
        (
            "kayenta",
            &[
                "shop/checkout",
                "--provider=kayenta",
                "--secret=recant",
                "--wait=10m",
            ],
        ),
    ] {
        let ran = print(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(format!("argo_template__{name}"), ran.out);
        });
        // Every field is one that Argo has, and of its type.
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("template.yaml"), &ran.out).expect("a file");
        let checked = recant(folder.path(), &["check", "template.yaml"], &[]);
        assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    }
}

#[test]
fn what_cannot_be_a_template_is_refused() {
    for (arguments, says) in [
        (&["checkout"][..], "say which one with NAMESPACE/checkout"),
        (
            &["stranger"],
            "no Watch `stranger`; there is `shop/checkout`",
        ),
        (&["cart"], "Argo's analyses are of Rollouts"),
        (
            &["shop/checkout", "--address=recant"],
            "--address is no URL",
        ),
        (
            &["shop/checkout", "--address=http://me:secret@recant"],
            "use --secret",
        ),
        (&["shop/checkout", "--interval=1ms"], "from 1s to 24h"),
        (&["shop/checkout", "--provider=datadog"], "possible values"),
    ] {
        let ran = print(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.contains("me:secret"), "{}", ran.err);
    }
}
