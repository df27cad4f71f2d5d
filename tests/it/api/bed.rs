//! An API port on loopback that answers from snapshots that a test makes up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use recant::http::Ops;
use recant::http::api::kayenta::Kayenta;
use recant::http::api::prometheus::History;
use recant::http::api::{self, Access, Api, Token};
use recant::http::approval::Links;
use recant::http::health::{Health, Readiness};
use recant::http::metrics::Metrics;
use recant::http::orders::{self, Order};
use recant::http::reports::{Reported, queue};
use recant::http::serve::Server;
use recant::http::snapshot::SnapshotCell;
use recant_core::hook::Alert;
use recant_core::ids::{AnalysisId, TargetId, TargetKind, WatchName};
use recant_core::judge::Phase;
use recant_core::snapshot::{AnalysisSnapshot, RequestSnapshot, Room, Snapshot, TargetSnapshot};
use serde_json::Value;
use tokio::sync::mpsc;

/// A running port.
pub(super) struct Bed {
    pub(super) ops: Ops,
    pub(super) metrics: Metrics,
    pub(super) history: History,
    pub(super) server: Server,
    pub(super) http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A Kayenta without a Prometheus, and without a folder.
pub(super) fn kayenta() -> Kayenta {
    Kayenta::new(None, None).expect("there is no folder to read")
}

pub(super) fn client() -> reqwest::Client {
    recant::tls::install();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a client")
}

impl Bed {
    pub(super) async fn start(access: Access) -> Self {
        Self::start_with(access, None).await.0
    }

    /// The same with a key for markers, and the end of the queue that the agent would hold.
    pub(super) async fn start_with(
        access: Access,
        marker_key: Option<Arc<Token>>,
    ) -> (Self, mpsc::Receiver<Reported>) {
        let (bed, taken, _) = Self::start_whole(access, marker_key, kayenta(), None).await;
        (bed, taken)
    }

    /// The same with the end of the queue of people's orders.
    pub(super) async fn start_ordering(access: Access) -> (Self, mpsc::Receiver<Order>) {
        let (bed, _, orders) = Self::start_whole(access, None, kayenta(), None).await;
        (bed, orders)
    }

    /// The same with links that approve.
    pub(super) async fn start_linked(links: Links) -> (Self, mpsc::Receiver<Order>) {
        let access = Access::default();
        let (bed, _, orders) = Self::start_whole(access, None, kayenta(), Some(links)).await;
        (bed, orders)
    }

    pub(super) async fn start_with_kayenta(access: Access, kayenta: Kayenta) -> Self {
        Self::start_whole(access, None, kayenta, None).await.0
    }

    async fn start_whole(
        access: Access,
        marker_key: Option<Arc<Token>>,
        kayenta: Kayenta,
        links: Option<Links>,
    ) -> (Self, mpsc::Receiver<Reported>, mpsc::Receiver<Order>) {
        let (reports, taken) = queue();
        let (orders_in, orders) = orders::queue();
        let metrics = Metrics::default();
        let ops = Ops {
            health: Arc::new(Health::new(Duration::from_mins(1))),
            readiness: Arc::new(Readiness::default()),
            registry: Arc::new(metrics.registry()),
            snapshot: Arc::new(SnapshotCell::default()),
            finder: Arc::default(),
            view: Arc::default(),
        };
        let api = Api::new(&ops, reports, marker_key, kayenta)
            .taking(orders_in)
            .linked(links);
        let history = api.history();
        let router = api.router(&access, &metrics.api);
        let server = Server::start(loopback(), router, api::limits())
            .await
            .expect("loopback has a free port");
        let bed = Self {
            ops,
            metrics,
            history,
            server,
            http: client(),
        };
        (bed, taken, orders)
    }

    /// What the engine would show from now on.
    pub(super) fn show(&self, targets: Vec<TargetSnapshot>) {
        self.store(snapshot(targets, Vec::new()));
    }

    /// The same with a watch on request.
    pub(super) fn show_on_request(
        &self,
        targets: Vec<TargetSnapshot>,
        asked: RequestSnapshot,
        room: Room,
    ) {
        self.store(Snapshot {
            on_request: vec![asked],
            room,
            ..snapshot(targets, Vec::new())
        });
    }

    pub(super) fn store(&self, snapshot: Snapshot) {
        self.ops.readiness.started();
        self.ops.view.store(Arc::new(snapshot));
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        read(self.http.get(self.url(path))).await
    }
}

pub(super) fn snapshot(mut targets: Vec<TargetSnapshot>, alerts: Vec<Alert>) -> Snapshot {
    targets.sort_by(|one, other| one.target.cmp(&other.target));
    Snapshot {
        on_request: Vec::new(),
        room: Room::default(),
        at: Timestamp::UNIX_EPOCH,
        targets,
        lost_sources: Vec::new(),
        pending_notices: 0,
        silences: Vec::new(),
        held_notices: Vec::new(),
        approvals: Vec::new(),
        alerts,
    }
}

/// Sends it, and reads the whole answer.
pub(super) async fn read(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.expect("the port answers");
    let kind = answer.headers().get("content-type");
    let kind = kind.map_or("", |kind| kind.to_str().expect("text"));
    Answer {
        status: answer.status().as_u16(),
        kind: kind.to_owned(),
        text: answer.text().await.expect("the whole answer"),
    }
}

/// A Rollout `shop/NAME` at revision `new`, whose analysis has found nothing yet.
pub(super) fn judged(name: &str) -> TargetSnapshot {
    TargetSnapshot {
        on_request: false,
        watch: WatchName {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        },
        target: TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Rollout,
            name: name.to_owned(),
        },
        seen: true,
        current: Some("new".into()),
        standing: None,
        failed: None,
        blind: None,
        analysis: Some(AnalysisSnapshot {
            id: AnalysisId("one".to_owned()),
            canary: "new".into(),
            baseline: Some("old".into()),
            phase: Phase::Beside,
            began: Timestamp::UNIX_EPOCH,
            ends: Timestamp::UNIX_EPOCH,
            failed: false,
            passing: false,
            score: Some(61.25),
            findings: Vec::new(),
            way_back: None,
        }),
        plan: None,
        verifying: false,
        holds: Vec::new(),
        traffic: None,
        rules_without_data: Vec::new(),
        markers: Vec::new(),
        always: Vec::new(),
    }
}

/// The same, with another state of its analysis.
pub(super) fn with(name: &str, change: impl FnOnce(&mut AnalysisSnapshot)) -> TargetSnapshot {
    let mut target = judged(name);
    change(target.analysis.as_mut().expect("it is judged"));
    target
}
