//! The source that reads `/metrics` of the targets' own pods: for clusters without a Prometheus, and for reactions
//! faster than its scrape interval.
//!
//! Each pod is asked once per look, however many questions there are, and nothing of one pod stops another.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Url, redirect};
use tokio::time::{Instant, timeout_at};

use recant_core::ids::TargetId;
use recant_core::observation::{
    Cause, Cumulative, Levels, Observation, Reading, SeriesKey, SeriesReading,
};
use recant_core::rule::Question;
use recant_core::target::Pod;

use super::exposition::Format;
use super::http::{Fault, fault_of, read_body, redirect_fault};
use super::{Query, QueryTarget, Source};
use crate::clock::Clock;

pub(super) mod matching;
mod page;
pub mod recorded;
#[cfg(test)]
mod tests;

use matching::{Asked, PodLabels};
use page::Told;

/// Pages longer than this are not read to their end.
const LONGEST_PAGE: usize = 5 * 1024 * 1024;
/// Questions whose compiled form is kept.
const MOST_KEPT: usize = 1000;
const FORMATS: &str =
    "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Settings of the scrape source.
#[derive(Debug, Clone)]
pub struct ScrapeOptions {
    /// By when one pod has answered.
    pub pod_timeout: Duration,
    /// By when all pods were asked; those that were not by then are missing from this look.
    pub timeout: Duration,
    /// Pods asked at once.
    pub concurrency: usize,
}

impl Default for ScrapeOptions {
    fn default() -> Self {
        Self {
            pod_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            concurrency: 32,
        }
    }
}

/// The HTTP client for pods cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for scraping pods cannot be built")]
pub struct ScrapeError(#[from] reqwest::Error);

/// Reads the pages of pods.
pub struct Scrape {
    client: reqwest::Client,
    options: ScrapeOptions,
    clock: Clock,
    /// Patterns are compiled once, not at every look.
    compiled: Mutex<BTreeMap<Question, Result<Arc<Asked>, String>>>,
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrape")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// One pod with the questions that its page shall answer.
struct Visit<'a> {
    target: &'a QueryTarget,
    pod: &'a Pod,
    asked: Vec<Arc<Asked>>,
}

/// What each question got from a pod's page, or why there is nothing.
type Visited = Result<Vec<Told>, Fault>;

/// The questions that one target asks, each once.
struct Plan<'a> {
    target: &'a QueryTarget,
    asked: Vec<Arc<Asked>>,
    places: BTreeMap<&'a Question, usize>,
}

impl Scrape {
    /// A source over its own HTTP client. The TLS provider must be installed, see [`crate::tls::install`].
    pub fn new(options: ScrapeOptions, clock: Clock) -> Result<Self, ScrapeError> {
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .user_agent(concat!("recant/", env!("CARGO_PKG_VERSION")))
            // Pods are reached directly, and only over plain HTTP.
            .no_proxy()
            .tls_certs_only([])
            // An address is given to another pod as soon as its own is gone, and a kept connection would still lead
            // to the old one.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self {
            client,
            options,
            clock,
            compiled: Mutex::new(BTreeMap::new()),
        })
    }

    fn compiled(&self, question: &Question) -> Result<Arc<Asked>, String> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = compiled.get(question) {
            return known.clone();
        }
        if compiled.len() >= MOST_KEPT {
            compiled.clear();
        }
        let asked = Asked::new(question).map(Arc::new);
        compiled.insert(question.clone(), asked.clone());
        asked
    }

    /// Each target once, with the questions that can be asked.
    fn plans<'a>(&self, queries: &'a [Query]) -> BTreeMap<&'a TargetId, Plan<'a>> {
        let mut plans: BTreeMap<&TargetId, Plan<'_>> = BTreeMap::new();
        for query in queries {
            let Ok(asked) = self.compiled(&query.question) else {
                continue;
            };
            for target in &query.targets {
                let plan = plans.entry(&target.id).or_insert_with(|| Plan {
                    target,
                    asked: Vec::new(),
                    places: BTreeMap::new(),
                });
                if !plan.places.contains_key(&query.question) {
                    plan.places.insert(&query.question, plan.asked.len());
                    plan.asked.push(Arc::clone(&asked));
                }
            }
        }
        plans
    }

    async fn visit(&self, visit: &Visit<'_>, by: Instant) -> Visited {
        let now = Instant::now();
        if now >= by {
            return Err(Fault::down(
                "was not asked: the other pods took all the time",
            ));
        }
        let by = by.min(now + self.options.pod_timeout);
        timeout_at(by, self.fetch(visit)).await.unwrap_or_else(|_| {
            Err(Fault::down(format!(
                "did not answer within {:?}",
                self.options.pod_timeout
            )))
        })
    }

    async fn fetch(&self, visit: &Visit<'_>) -> Visited {
        let url = page_url(visit.target, visit.pod)?;
        let response = self
            .client
            .get(url)
            .header(ACCEPT, FORMATS)
            .send()
            .await
            .map_err(|error| fault_of(&error))?;
        let at = (self.clock)();
        if let Some(fault) = redirect_fault(&response) {
            return Err(fault);
        }
        if !response.status().is_success() {
            return Err(Fault::down(format!(
                "answered {}",
                response.status().as_u16()
            )));
        }
        let format = Format::of(
            response
                .headers()
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok()),
        );
        let body = read_body(response, LONGEST_PAGE).await?;
        let text = std::str::from_utf8(&body).map_err(|error| {
            Fault::malformed(format!(
                "exposes something that is no text (byte {})",
                error.valid_up_to()
            ))
        })?;
        let pod = PodLabels {
            namespace: &visit.target.id.namespace,
            pod: visit.pod.name.as_str(),
        };
        page::read(text, format, pod, at, &visit.asked).map_err(|reason| {
            Fault::malformed(format!("exposes something that is no exposition: {reason}"))
        })
    }
}

#[async_trait]
impl Source for Scrape {
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
        let by = Instant::now() + self.options.timeout;
        let plans = self.plans(queries);
        let visits: Vec<Visit<'_>> = plans
            .values()
            .flat_map(|plan| {
                plan.target
                    .pods
                    .iter()
                    .filter(|pod| is_asked(pod))
                    .map(|pod| Visit {
                        target: plan.target,
                        pod,
                        asked: plan.asked.clone(),
                    })
            })
            .collect();
        // In whatever order they answer: pods that hang must not keep the others from being asked.
        let asked: Vec<_> = visits
            .iter()
            .map(|visit| async move { (visit, self.visit(visit, by).await) }.boxed())
            .collect();
        let answers: Vec<(&Visit<'_>, Visited)> = futures::stream::iter(asked)
            .buffer_unordered(self.options.concurrency.max(1))
            .collect()
            .await;
        let mut by_target: BTreeMap<&TargetId, Vec<(&Pod, Visited)>> = BTreeMap::new();
        for (visit, answer) in answers {
            if let Err(fault) = &answer {
                tracing::debug!(
                    target.name = %visit.target.id,
                    pod.name = %visit.pod.name,
                    "pod `{}` {}",
                    visit.pod.name,
                    fault.reason
                );
            }
            by_target
                .entry(&visit.target.id)
                .or_default()
                .push((visit.pod, answer));
        }
        for answers in by_target.values_mut() {
            answers.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        }
        let now = (self.clock)();
        queries
            .iter()
            .map(|query| {
                let compiled = self.compiled(&query.question);
                query
                    .targets
                    .iter()
                    .map(|target| {
                        if let Err(reason) = &compiled {
                            return Observation::Unavailable {
                                cause: Cause::Malformed,
                                reason: format!("the question cannot be asked: {reason}"),
                            };
                        }
                        let place = plans
                            .get(&target.id)
                            .and_then(|plan| plan.places.get(&query.question));
                        let answers = by_target.get(&target.id).map_or(&[][..], Vec::as_slice);
                        observation(target, answers, place.copied().unwrap_or(usize::MAX), now)
                    })
                    .collect()
            })
            .collect()
    }
}

/// Pods that are going are not asked: their address may be another pod's by now, and what they would still count is
/// little. A pod that is not ready is asked, since it may have counted before.
fn is_asked(pod: &Pod) -> bool {
    pod.ip.is_some() && !pod.terminating
}

fn page_url(target: &QueryTarget, pod: &Pod) -> Result<Url, Fault> {
    let place = target
        .scrape
        .as_ref()
        .map(|scrape| (scrape.port, scrape.path.as_str()))
        .or_else(|| {
            pod.metrics
                .as_ref()
                .map(|(port, path)| (*port, path.as_str()))
        });
    let (Some((port, path)), Some(ip)) = (place, pod.ip) else {
        return Err(Fault::down(
            "says nowhere where its metrics are: set `scrape: {port: …, path: …}` in the Watch, annotate the pod \
             with `prometheus.io/port`, or name its port `metrics`",
        ));
    };
    let host = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let impossible = |_| Fault::down(format!("has an impossible metrics address: port {port}"));
    let mut url: Url = format!("http://{host}:{port}/")
        .parse()
        .map_err(impossible)?;
    // Setting the parts one by one: no path can change the host.
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    url.set_path(path);
    url.set_query(query);
    Ok(url)
}

/// Puts together what the pods of a target said to one question.
fn observation(
    target: &QueryTarget,
    answers: &[(&Pod, Visited)],
    place: usize,
    now: Timestamp,
) -> Observation {
    let mut series = Vec::new();
    let mut levels = Levels::default();
    let mut faults: Vec<(&Pod, &Fault)> = Vec::new();
    let mut answered = 0usize;
    for (pod, answer) in answers {
        match answer {
            Ok(pages) => {
                answered += 1;
                if let Some(told) = pages.get(place) {
                    series.extend(told.series.iter().cloned());
                    levels.readings.extend(told.levels.readings.iter().cloned());
                    levels.unusable.extend(told.levels.unusable.iter().cloned());
                }
            }
            Err(fault) if pod.ready => faults.push((pod, fault)),
            Err(_) => {}
        }
    }
    if answered == 0 {
        return nothing(target, &faults);
    }
    if !(levels.readings.is_empty() && levels.unusable.is_empty()) {
        let failed = faults
            .iter()
            .map(|(pod, fault)| format!("the pod `{}` {}", pod.name, fault.reason));
        levels.unusable.extend(failed);
        return Observation::Levels(one_for_each_arm(levels));
    }
    // The pods that failed are told beside those that did not, so that a person sees which and why.
    series.extend(faults.iter().map(|(pod, fault)| SeriesReading {
        key: SeriesKey::Pod {
            namespace: target.id.namespace.clone(),
            pod: pod.name.clone(),
        },
        member: None,
        at: now,
        value: Cumulative::Unusable {
            reason: format!("the pod {}", fault.reason),
        },
    }));
    if series.is_empty() {
        return Observation::NoData {
            reason: format!("no pod of {} exposes such a metric", target.id),
        };
    }
    Observation::Reading(Reading { series })
}

/// Where a label tells the arms apart there is one value for each of its values, of however many pods.
fn one_for_each_arm(levels: Levels) -> Levels {
    let Levels {
        mut readings,
        mut unusable,
    } = levels;
    let mut times: BTreeMap<SeriesKey, usize> = BTreeMap::new();
    for reading in &readings {
        *times.entry(reading.key.clone()).or_default() += 1;
    }
    for (key, pods) in times.iter().filter(|(_, pods)| **pods > 1) {
        readings.retain(|reading| reading.key != *key);
        let arm = match key {
            SeriesKey::Label(value) => format!("with the value `{value}` of the label of the arms"),
            SeriesKey::Pod { pod, .. } => format!("of pod `{pod}`"),
            SeriesKey::Whole => "without the label of the arms".to_owned(),
        };
        unusable.push(format!(
            "{pods} pods have a series {arm}, and one is expected: leave `arms` out, and pods are told apart by their \
             revision"
        ));
    }
    Levels { readings, unusable }
}

/// Why no pod answered.
fn nothing(target: &QueryTarget, faults: &[(&Pod, &Fault)]) -> Observation {
    let Some((pod, fault)) = faults.first() else {
        let ready = target.pods.iter().any(|pod| pod.ready && !pod.terminating);
        return Observation::NoData {
            reason: if ready {
                format!("no pod of {} has an address yet", target.id)
            } else {
                format!("{} has no pod that is Ready", target.id)
            },
        };
    };
    let all = match faults.len() {
        1 => "the only Ready pod failed".to_owned(),
        count => format!("all {count} Ready pods failed"),
    };
    Observation::Unavailable {
        cause: fault.cause,
        reason: format!("{all} to give its metrics: `{}` {}", pod.name, fault.reason),
    }
}
