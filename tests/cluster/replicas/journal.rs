//! A shard's journal on the real API server: what was appended is there, it stays small, and of two writers one is out.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use recant::cluster::kubernetes::config_map::ConfigMapObject;
use recant::journal::shard::{ShardError, ShardJournal, ShardPlace, look};
use recant::journal::{Journal as _, JournalError};
use recant_core::record::Record;
use recant_core::rule::SourceKind;
use serde_json::json;
use tokio::process::Command;

use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;

fn lost(reason: &str) -> Record {
    Record::SourceLost {
        source: SourceKind::Prometheus,
        reason: reason.to_owned(),
    }
}

fn reason(state: &recant::journal::compact::State) -> Option<&str> {
    let lost = state.ledger.lost_sources.get(&SourceKind::Prometheus);
    lost.map(String::as_str)
}

#[test]
fn a_journal_is_compacted_and_of_two_writers_the_first_is_out() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("journal").await;
        let client = bed.client();
        let place = ShardPlace {
            namespace: ns.name().to_owned(),
            name: "recant-shard-0".to_owned(),
            shards: 1,
        };
        let (mut first, held) = ShardJournal::open(&client, &place).await.expect("new");
        assert_eq!((held.records, held.last), (0, None));
        let long = "x".repeat(10_000);
        for number in 0..20 {
            let record = lost(&format!("{number} {long}"));
            first.append(Timestamp::now(), &[record]).expect("written");
        }
        let log = ConfigMapObject::new(client.clone(), ns.name(), "recant-shard-0-log");
        let log = log.read().await.expect("an answer").expect("it is there");
        let size: usize = log.data().values().map(String::len).sum();
        assert!(size < 70 * 1024, "{size}");

        let (mut second, held) = ShardJournal::open(&client, &place).await.expect("ours");
        assert_eq!(held.records, 20);
        let late = first.append(Timestamp::now(), &[lost("late")]);
        assert!(
            matches!(late, Err(JournalError::Disturbed { .. })),
            "{late:?}"
        );
        // For good, and also where it would write the base.
        let late = first.append(Timestamp::now(), &vec![lost(&long); 20]);
        assert!(
            matches!(late, Err(JournalError::Disturbed { .. })),
            "{late:?}"
        );
        let big = vec![lost(&long); 20];
        second.append(Timestamp::now(), &big).expect("written");
        second
            .append(Timestamp::now(), &[lost("last")])
            .expect("written");
        let state = look(&client, ns.name(), "recant-shard-0").await;
        let state = state.expect("an answer").expect("a journal");
        assert_eq!(reason(&state), Some("last"));
        let (mut third, held) = ShardJournal::open(&client, &place).await.expect("ours");
        assert_eq!(held.records, 41);
        third
            .append(Timestamp::now(), &[lost("the last")])
            .expect("written");

        verified_from_outside(&ns, &mut third).await;

        let other = ShardPlace { shards: 2, ..place };
        let refused = ShardJournal::open(&client, &other).await;
        let Err(error @ ShardError::OtherLayout { .. }) = refused else {
            panic!("it was taken: {refused:?}");
        };
        assert!(
            !error.retry()
                && error
                    .to_string()
                    .contains("set `replicas.shards` to 1 again")
        );
    });
}

/// `recant journal verify` of the `ConfigMap`s: a head that is noted is found again; what is edited is found, too.
async fn verified_from_outside(ns: &Namespace, journal: &mut ShardJournal) {
    let (code, said) = verify(ns, &[]).await;
    assert_eq!(code, Some(0), "{said}");
    let head = said.lines().find_map(|line| line.strip_prefix("head "));
    let head = head.expect("a head").to_owned();
    assert!(head.starts_with("41:"), "{said}");
    let (code, said) = verify(ns, &["--head", &head]).await;
    assert_eq!(code, Some(0), "{said}");
    let forged = format!("41:{}", "0".repeat(64));
    let cut = format!("42:{}", "0".repeat(64));
    for (head, told) in [(forged, "written anew"), (cut, "was cut off")] {
        let (code, said) = verify(ns, &["--head", &head]).await;
        assert_ne!(code, Some(0), "{said}");
        assert!(said.contains(told), "{said}");
    }
    let maps = ns.api::<ConfigMap>();
    let name = "recant-shard-0-log";
    let found = maps.get(name).await.expect("it is there");
    let whole = found.data.clone().expect("texts");
    let log = whole["log"].replace("the last", "the next");
    assert_ne!(log, whole["log"]);
    for (text, good) in [(log, false), (whole["log"].clone(), true)] {
        let data = json!({"data": {"log": text}});
        maps.patch(name, &PatchParams::default(), &Patch::Merge(data))
            .await
            .expect("an administrator may");
        let (code, said) = verify(ns, &[]).await;
        assert_eq!(code == Some(0), good, "{said}");
        assert!(good || said.contains("record 41"), "{said}");
    }
    // Somebody else has written: whoever had the journal is out until it is opened again.
    let late = journal.append(Timestamp::now(), &[lost("late")]);
    assert!(
        matches!(late, Err(JournalError::Disturbed { .. })),
        "{late:?}"
    );
}

async fn verify(ns: &Namespace, arguments: &[&str]) -> (Option<i32>, String) {
    let place = ["--config-map", "recant-shard-0", "--namespace", ns.name()];
    let output = Command::new(env!("CARGO_BIN_EXE_recant"))
        .args(["journal", "verify"])
        .args(place)
        .args(arguments)
        .env("KUBECONFIG", ns.bed().admin())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_mins(1), output)
        .await
        .expect("it ends by itself")
        .expect("the program starts");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}
