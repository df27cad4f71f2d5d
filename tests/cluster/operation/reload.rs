//! A hundred reloads while a release is watched under load, ten of them broken: nothing is lost, and nothing is left over.

use std::time::{Duration, Instant};

use recant_core::notice::NoticeKind;
use recant_core::record::Record;
use serde_json::json;

use super::watch;
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::figure;
use crate::case::run;
use crate::namespace::Namespace;
use crate::wait::wait_for;

const RELOADS: usize = 100;
const WITHIN: Duration = Duration::from_mins(1);

/// Rules that differ from round to round: the limit of a rule that nothing breaks; in every tenth it is misspelt.
fn rules(ns: &Namespace, round: usize, more: &str) -> String {
    let limit = if round % 10 == 9 { "maxx" } else { "max" };
    let seconds = 20 + round;
    format!(
        "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {{name: changing}}\nrules:\n\
         - name: slow\n  histogram: http_request_duration_seconds\n  quantile: 95%\n  {limit}: {seconds}s\n{}{more}",
        watch(ns, "checkout", "http, changing")
    )
}

#[test]
fn a_hundred_reloads_under_load_lose_nothing() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("reload").await;
        ns.deployment("checkout", "v1", 2).await;
        ns.deployment("payments", "v1", 1).await;
        let templates = bed.folder("reload-templates");
        let options = Options {
            settings: vec![("templates", json!(templates))],
            ..Options::default()
        };
        let agent = Agent::prepare(&[&ns], &rules(&ns, 0, ""), options).await;
        // Before the first request there would be nothing to evaluate.
        let traffic = ns.traffic("checkout", 20.0);
        traffic.next(40, WITHIN).await;
        first_evaluation(&agent).await;
        agent.wait_ready().await;
        // A good release: it is under watch all the time.
        ns.set_image("checkout", "v1-1").await;
        agent
            .wait_record("the first traffic", WITHIN, |entry| {
                matches!(entry.record, Record::FirstTraffic { .. }).then_some(())
            })
            .await;

        let before = Figures::of(&agent).await;
        let begun = Instant::now();
        for round in 1..=RELOADS {
            agent.change_rules(&rules(&ns, round, ""));
            agent.hang_up();
            wait_for("the reload", WITHIN, || async {
                let (loaded, refused) = reloads(&agent);
                // Files that were just looked at anyway are read once more by the signal, and refused once more.
                let broken = (round + 1) / 10;
                if loaded >= round - broken && refused >= broken {
                    return Ok(());
                }
                Err(format!("{loaded} loaded and {refused} refused of {round}"))
            })
            .await;
        }
        let took = begun.elapsed();
        let after = Figures::of(&agent).await;
        let (loaded, refused) = reloads(&agent);
        figure(&format!(
            "RELOAD {loaded} loaded and {refused} refused in {:.1} s; ticks {}, rounds of questions missed {}; open files {} \
             before and {} after, threads {} and {}, resident {} and {} KiB",
            took.as_secs_f64(),
            after.ticks - before.ticks,
            after.missed - before.missed,
            before.files,
            after.files,
            before.threads,
            after.threads,
            before.resident,
            after.resident,
        ));
        assert_eq!(loaded, 90);
        assert!((10..=20).contains(&refused), "{refused} refused");
        assert_eq!(after.missed, before.missed, "{before:?} {after:?}");
        // One a second, and one for each answer and each reload.
        assert!(
            after.ticks - before.ticks >= took.as_secs().saturating_sub(1),
            "ticks were lost: {before:?} {after:?} in {took:?}"
        );
        assert!(after.files <= before.files + 8, "{before:?} {after:?}");
        assert!(after.threads <= before.threads + 4, "{before:?} {after:?}");
        assert!(
            after.resident <= before.resident + 30_000,
            "{before:?} {after:?}"
        );
        let journal = agent.journal();
        let count =
            |is: fn(&Record) -> bool| journal.iter().filter(|entry| is(&entry.record)).count();
        assert_eq!(
            count(|record| matches!(record, Record::AnalysisBegan { .. })),
            1
        );
        assert_eq!(
            count(|record| matches!(record, Record::AnalysisEnded { .. })),
            0
        );
        let told = |kind| {
            let notices = agent.notices();
            notices.iter().filter(|notice| notice.kind == kind).count()
        };
        assert!((10..=refused).contains(&told(NoticeKind::ReloadFailed)));
        // Each was mended by the next; the last round of a hundred is a good one.
        assert!((10..=refused).contains(&told(NoticeKind::Reloaded)));
        let message = agent.wait_slack("maxx", WITHIN).await;
        assert!(message.body.contains("rules.yaml:"), "{}", message.body);
        let metrics = agent.get("/metrics").await.expect("metrics");
        assert!(
            metrics.contains("recant_config_last_reload_successful 1"),
            "{metrics}"
        );

        // Without any signal: the files are looked at. A new target is followed, and a broken file is said.
        let more = watch(&ns, "payments", "http");
        agent.change_rules(&rules(&ns, RELOADS, &more));
        wait_for("the new target to be seen", WITHIN, || async {
            let seen = agent
                .ledger()
                .targets
                .keys()
                .any(|id| id.name == "payments");
            seen.then_some(()).ok_or("not yet".to_owned())
        })
        .await;
        agent.get("/readyz").await.expect("it stays ready");
        agent.change_rules("kind: Nothing\n");
        wait_for("the metric", WITHIN, || async {
            let metrics = agent.get("/metrics").await?;
            let failed = metrics.contains("recant_config_last_reload_successful 0");
            failed.then_some(()).ok_or(metrics)
        })
        .await;
        agent.get("/readyz").await.expect("it stays ready");

        // Templates are followed, too: a bad one changes nothing, and it is said where it is bad.
        agent.change_rules(&rules(&ns, RELOADS, &more));
        let shipped = include_str!("../../../alerts/messages/slack.jinja");
        let template = templates.join("slack.jinja");
        let bad = shipped.replace("{{ headline }}", "{{ headlein }}");
        std::fs::write(&template, bad).expect("is written");
        agent.wait_slack("slack.jinja:", WITHIN).await;
        let ours = shipped.replace("{{ headline }}", "Attention: {{ headline }}");
        std::fs::write(&template, ours).expect("is written");
        agent
            .wait_slack("Attention: Recant uses the changed rules", WITHIN)
            .await;

        // And a bad release is still taken back, by the rules that were loaded last.
        ns.set_image("checkout", "v2").await;
        agent
            .wait_notice(NoticeKind::RollingBack, None, WITHIN)
            .await;
        let message = agent.wait_slack("Attention: Rolling back", WITHIN).await;
        assert!(!message.body.contains("Recant uses"), "{}", message.body);
        traffic.stop().await;
    });
}

/// How long a start takes, to the first answers that were judged by.
async fn first_evaluation(agent: &Agent) {
    let begun = Instant::now();
    agent.launch();
    loop {
        let metrics = agent.get("/metrics").await.unwrap_or_default();
        let reading = |line: &&str| {
            line.starts_with("recant_observations_total{") && line.contains("\"reading\"")
        };
        if metrics
            .lines()
            .find(reading)
            .is_some_and(|line| !line.ends_with(" 0"))
        {
            break;
        }
        let took = begun.elapsed();
        assert!(took < WITHIN, "nothing was evaluated: {metrics}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = begun.elapsed();
    let figures = Figures::of(agent).await;
    figure(&format!(
        "START first evaluation {:.2} s after the start of the process, its Lease and its watches included; resident {} KiB",
        took.as_secs_f64(),
        figures.resident
    ));
    // Half of a second on a machine of its own.
    assert!(took < Duration::from_secs(10), "{took:?}");
}

fn reloads(agent: &Agent) -> (usize, usize) {
    let journal = agent.journal();
    let count = |is: fn(&Record) -> bool| journal.iter().filter(|entry| is(&entry.record)).count();
    (
        count(|record| matches!(record, Record::Reloaded { .. })),
        count(|record| matches!(record, Record::ReloadRefused { .. })),
    )
}

/// What the agent has done and holds.
#[derive(Debug)]
struct Figures {
    ticks: u64,
    missed: u64,
    files: usize,
    threads: u64,
    /// KiB.
    resident: u64,
}

impl Figures {
    async fn of(agent: &Agent) -> Self {
        let metrics = agent.get("/metrics").await.expect("metrics");
        let counter = |name: &str| -> u64 {
            let line = metrics.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
                .unwrap_or_else(|| panic!("no `{name}` in {metrics}"))
        };
        let process = format!("/proc/{}", agent.id());
        let status = std::fs::read_to_string(format!("{process}/status")).expect("it runs");
        let of_status = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
                .expect("its line")
        };
        Self {
            ticks: counter("recant_ticks_total "),
            missed: counter("recant_ticks_missed_total "),
            files: std::fs::read_dir(format!("{process}/fd"))
                .expect("it runs")
                .count(),
            threads: of_status("Threads:"),
            resident: of_status("VmRSS:"),
        }
    }
}
