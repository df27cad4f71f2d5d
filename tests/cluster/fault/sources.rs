//! A Prometheus that cannot be asked, or whose answers cannot be trusted: nothing is rolled back, people are told once,
//! and when it is well again the bad release is taken back without anybody's doing.

use std::io::Write as _;
use std::time::Duration;

use futures::future::join;
use jiff::Timestamp;
use serde_json::json;

use super::{TEN_LOOKS, WITHIN, messages, plans, target, template, wait_message, watch};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run_waiting;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::namespace::Namespace;
use crate::prometheus::Prometheus;
use crate::traffic::Traffic;

const NAME: &str = "checkout";
/// Servers whose times went back are trusted again after a minute.
const RESUMED: Duration = Duration::from_secs(90);

/// A Deployment with traffic, an agent that watches it, and a Prometheus behind a proxy.
struct Scene {
    ns: Namespace,
    prometheus: Prometheus,
    /// Before one of the two servers of a pair.
    second: FaultProxy,
    proxy: FaultProxy,
    agent: Agent,
    traffic: Traffic,
    releases: u32,
}

/// One question, so that a balancer's turns do not give each question a server of its own.
fn rules(ns: &Namespace) -> String {
    let errors = "---\napiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: errors}\nrules:\n\
                  - {name: rate, ratio: {bad: 'http_requests_total{status=~\"5..\"}', total: http_requests_total}, max: 5%}\n";
    watch(ns, NAME, "team").replace("[http]", "[errors]") + errors
}

/// What breaks.
enum Break {
    Answers(Fault),
    /// Every second answer.
    OneOfTwo(Fault),
    Process,
}

impl Scene {
    async fn begin(name: &str) -> Self {
        let bed = Bed::get().await;
        let ns = bed.namespace(name).await;
        ns.deployment(NAME, "v1", 2).await;
        let traffic = ns.traffic(NAME, 20.0);
        let prometheus = ns.prometheus().await;
        let second = FaultProxy::start(bed, &[prometheus.url()]).await;
        let pair = [prometheus.url(), second.url().to_owned()];
        let proxy = FaultProxy::start(bed, &pair).await;
        let options = Options {
            name: "",
            prometheus: Some(proxy.url().to_owned()),
            settings: vec![
                ("prometheus.timeout", json!("2s")),
                ("guards.coolDown", json!("0s")),
                ("guards.actionsPerHour", json!(100)),
            ],
        };
        let agent = Agent::start(&[&ns], &rules(&ns), options).await;
        traffic.next(60, WITHIN).await;
        Self {
            ns,
            prometheus,
            second,
            proxy,
            agent,
            traffic,
            releases: 0,
        }
    }

    async fn set(&mut self, breaks: &Break, on: bool) {
        let fault = |fault: Fault| if on { fault } else { Fault::None };
        match breaks {
            Break::Answers(broken) => self.proxy.set(fault(*broken)),
            Break::OneOfTwo(broken) => {
                self.proxy.set(Fault::None);
                self.second.set(fault(*broken));
            }
            Break::Process if on => self.prometheus.stop(),
            Break::Process => self.prometheus.start_again().await,
        }
    }

    /// Ships a bad version while the fault is on; `told` is what the one message says.
    async fn check(&mut self, case: &str, breaks: Break, told: &str) {
        let (bed_target, name) = (target(&self.ns, NAME), NAME);
        self.releases += 1;
        let tag = format!("bad{}", self.releases);
        let before = self.agent.slack().received().len();
        let plans_before = plans(&self.agent, &bed_target);

        self.set(&breaks, true).await;
        if let Break::OneOfTwo(_) = breaks {
            // The one that is behind does not know new pods: until it does, the other alone is heard, and is right.
            wait_message(&self.agent, before, told).await;
        }
        self.ns.set_image(name, &tag).await;
        self.ns.wait_complete(name, &tag).await;
        join(
            wait_message(&self.agent, before, told),
            self.traffic.next(TEN_LOOKS, WITHIN),
        )
        .await;
        if let Break::Answers(_) = breaks {
            assert!(self.proxy.questions() > 3, "{case}: nobody met the fault");
        }
        let image = template(&self.ns, name).await;
        assert!(image.ends_with(&tag), "{case}: {image}");
        assert_eq!(plans(&self.agent, &bed_target), plans_before, "{case}");
        let bodies: Vec<String> = self
            .agent
            .slack()
            .received()
            .split_off(before)
            .into_iter()
            .map(|message| message.body)
            .collect();
        assert_eq!(
            bodies.len(),
            1,
            "{case}: one message for one outage: {bodies:#?}"
        );

        let mended = Timestamp::now();
        self.set(&breaks, false).await;
        let restored = self.ns.wait_template(name, "v1", RESUMED).await;
        wait_message(&self.agent, before, "symptom is gone").await;
        self.ns.wait_complete(name, "v1").await;
        assert_eq!(plans(&self.agent, &bed_target), plans_before + 1, "{case}");
        if told != NO_NUMBERS {
            // After ten good seconds: an outage that begins sooner is the same piece of news.
            wait_message(&self.agent, before, "can look again").await;
            assert_eq!(messages(&self.agent, before, "can look again"), 1, "{case}");
        }
        assert_eq!(messages(&self.agent, before, told), 1, "{case}");
        assert_eq!(messages(&self.agent, before, "Rolling back"), 1, "{case}");
        let line = format!(
            "TIMING outage {case}: taken back {:.1} s after it ended\n",
            restored.duration_since(mended).as_secs_f64()
        );
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("a line can be printed");
    }
}

#[test]
fn a_prometheus_that_is_down_rolls_nothing_back() {
    run_waiting(async {
        let mut scene = Scene::begin("outage").await;
        let lost = "cannot look";
        scene
            .check("503", Break::Answers(Fault::Unavailable), lost)
            .await;
        scene.check("stopped", Break::Process, lost).await;
        scene
            .check("garbage", Break::Answers(Fault::Garbage), lost)
            .await;
    });
}

#[test]
fn answers_that_are_late_or_not_whole_roll_nothing_back() {
    run_waiting(async {
        let mut scene = Scene::begin("partial").await;
        scene
            .check("hanging", Break::Answers(Fault::Hang), "cannot look")
            .await;
        let partial = Break::Answers(Fault::Partial);
        scene.check("partial", partial, "partial response").await;
        let ahead = Break::Answers(Fault::Ahead);
        scene.check("a clock ahead", ahead, "ahead of ours").await;
    });
}

/// No outage: Prometheus answers, and has nothing that could be counted. It is told when the watch should have seen
/// something.
const NO_NUMBERS: &str = "watched without data";

#[test]
fn answers_of_nan_roll_nothing_back() {
    run_waiting(async {
        let mut scene = Scene::begin("nan").await;
        let nan = Break::Answers(Fault::NotANumber);
        scene.check("NaN", nan, NO_NUMBERS).await;
    });
}

#[test]
fn empty_answers_roll_nothing_back() {
    run_waiting(async {
        let mut scene = Scene::begin("empty").await;
        let empty = Break::Answers(Fault::Empty);
        scene.check("empty", empty, NO_NUMBERS).await;
    });
}

#[test]
fn a_pair_of_servers_with_two_times_rolls_nothing_back() {
    run_waiting(async {
        let mut scene = Scene::begin("pair").await;
        scene
            .check("a pair", Break::OneOfTwo(Fault::Behind), "went back")
            .await;
    });
}
