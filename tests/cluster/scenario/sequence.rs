//! Releases that meet: one during the analysis of another, our own undo coming back, and a failed one shipped again.

use recant_core::analysis::Ending;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::notice::NoticeKind;
use recant_core::record::{Record, Standing};
use recant_core::verify::VerificationEnd;
use serde_json::json;

use super::{WITHIN, rules, target};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;

#[test]
fn releases_that_meet_end_at_the_last_known_good_one() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("sequence").await;
        ns.deployment("checkout", "v1", 2).await;
        let target = target(&ns, TargetKind::Deployment, "checkout");
        let options = Options {
            // So that the cool-down is not what leaves the failed one alone.
            settings: vec![("guards.coolDown", json!("0s"))],
            ..Options::default()
        };
        let rules = rules([(&target, "scrape")], "release: {watch: 10m}");
        let agent = Agent::start(&[&ns], &rules, options).await;
        let traffic = ns.traffic("checkout", 20.0);
        traffic.next(60, WITHIN).await;
        let good = hash(&ns, "v1");

        // A second release during the analysis of the first.
        ns.set_image("checkout", "v3").await;
        ns.wait_serving("checkout", "v3").await;
        let first = hash(&ns, "v3");
        agent
            .wait_target("traffic of the first", &target, WITHIN, |known| {
                let analysis = known.analysis.as_ref();
                analysis.is_some_and(|analysis| {
                    analysis.canary.as_str() == first && analysis.first_traffic.is_some()
                })
            })
            .await;
        ns.set_image("checkout", "v2").await;
        ns.wait_template("checkout", "v2", WITHIN).await;
        ns.wait_template("checkout", "v1", WITHIN).await;
        let second = hash(&ns, "v2");
        let ending = ending(&agent, &first).expect("the first analysis has ended");
        assert!(matches!(ending, Ending::Superseded { .. }), "{ending:?}");
        let baselines: Vec<_> = analyses(&agent)
            .into_iter()
            .filter(|(canary, _)| *canary == second)
            .map(|(_, baseline)| baseline)
            .collect();
        assert_eq!(baselines, [Some(good.clone())], "not the superseded one");

        // Our own undo coming back is verified, not analysed.
        let end = agent
            .wait_record("the verification to end", WITHIN, |entry| {
                match &entry.record {
                    Record::VerificationEnded { end, .. } => Some(end.clone()),
                    _ => None,
                }
            })
            .await;
        assert_eq!(end, VerificationEnd::Gone);
        let canaries: Vec<String> = analyses(&agent).into_iter().map(|(hash, _)| hash).collect();
        assert_eq!(canaries, [first.clone(), second.clone()]);
        ns.wait_complete("checkout", "v1").await;

        // The failed one is shipped again: told, and left alone.
        ns.set_image("checkout", "v2").await;
        let told = agent
            .wait_notice(NoticeKind::FailedRevisionBack, Some(&target), WITHIN)
            .await;
        assert!(told.headline.contains(&second), "{}", told.headline);
        agent.wait_slack(&told.headline, WITHIN).await;
        ns.wait_complete("checkout", "v2").await;
        // Three times as many answers as the decision on it took.
        let bad = traffic.next(200, WITHIN).await;
        assert!(bad.error_rate() > 0.15, "{bad:?}");
        assert_eq!(hash(&ns, "v2"), second, "it is the same template");
        ns.wait_complete("checkout", "v2").await;
        left_alone(&agent, &target, &good, &second);

        // `recant journal` tells all of it beside the running agent.
        let story = story(&agent).await;
        for part in [
            "superseded",
            "decided: act",
            "the symptom is gone",
            "which failed before, is back",
        ] {
            assert!(story.contains(part), "`{part}` is not in {story}");
        }

        // A restart changes nothing, and tells nothing twice.
        let ended = agent.terminate(WITHIN).await;
        assert!(ended.success(), "{ended}");
        agent.start_again().await;
        traffic.next(100, WITHIN).await;
        ns.wait_complete("checkout", "v2").await;
        left_alone(&agent, &target, &good, &second);
        let notices = agent.notices();
        let kinds: Vec<NoticeKind> = notices.iter().map(|notice| notice.kind).collect();
        let told = [
            NoticeKind::RollingBack,
            NoticeKind::Restored,
            NoticeKind::FailedRevisionBack,
        ];
        assert_eq!(kinds, told, "{notices:#?}");
        assert_eq!(agent.slack().received().len(), told.len());
    });
}

/// The failed revision is in the spec and nothing is done about it.
fn left_alone(agent: &Agent, target: &TargetId, good: &str, failed: &str) {
    let plans = agent
        .journal()
        .iter()
        .filter(|entry| matches!(entry.record, Record::PlanBegan { .. }))
        .count();
    assert_eq!(plans, 1);
    let ledger = agent.ledger();
    let known = &ledger.targets[target];
    assert_eq!(known.current.as_str(), failed);
    assert_eq!(known.stable.as_str(), good);
    let standing = known.standings.get(&known.current);
    assert!(
        matches!(standing, Some(Standing::Failed { .. })),
        "{standing:?}"
    );
}

/// What `recant journal` prints.
async fn story(agent: &Agent) -> String {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_recant"));
    command
        .args(["journal", "--journal"])
        .arg(agent.journal_file())
        .kill_on_drop(true);
    let output = tokio::time::timeout(WITHIN, command.output())
        .await
        .expect("it ends")
        .expect("it can be run");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The pod-template hash of the latest pod of a version.
fn hash(ns: &Namespace, tag: &str) -> String {
    let services = ns.services();
    let of_tag = services.iter().rfind(|service| service.tag == tag);
    of_tag.expect("the version had a pod").hash.clone()
}

/// Canary and baseline of every analysis that began.
fn analyses(agent: &Agent) -> Vec<(String, Option<String>)> {
    let records = agent.journal().into_iter().map(|entry| entry.record);
    records
        .filter_map(|record| match record {
            Record::AnalysisBegan { analysis } => Some((
                analysis.canary.0,
                analysis.baseline.map(|baseline| baseline.0),
            )),
            _ => None,
        })
        .collect()
}

fn ending(agent: &Agent, hash: &str) -> Option<Ending> {
    let mut records = agent.journal().into_iter().map(|entry| entry.record);
    records.find_map(|record| match record {
        Record::AnalysisEnded {
            revision, ending, ..
        } if revision.as_str() == hash => Some(ending),
        _ => None,
    })
}
