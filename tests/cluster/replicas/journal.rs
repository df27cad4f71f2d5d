//! A shard's journal on the real API server: what was appended is there, it stays small, and of two writers one is out.

use jiff::Timestamp;
use recant::cluster::kubernetes::config_map::ConfigMapObject;
use recant::journal::shard::{ShardError, ShardJournal, ShardPlace, look};
use recant::journal::{Journal as _, JournalError};
use recant_core::record::Record;
use recant_core::rule::SourceKind;

use crate::bed::Bed;
use crate::case::run;

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
        let (_, held) = ShardJournal::open(&client, &place).await.expect("ours");
        assert_eq!(held.records, 41);

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
