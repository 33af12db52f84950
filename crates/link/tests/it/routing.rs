use std::sync::Arc;

use ambo_link::routing::{Backlog, Hub, LinesSink, Routed, RoutedCertificate, follow};
use ambo_model::{AppId, AppName, InstanceId, LogLine, LogSource, Route, RouteTable};
use parking_lot::Mutex;
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

#[derive(Default)]
struct Kept(Mutex<Vec<String>>, Notify);

#[async_trait::async_trait]
impl LinesSink for Kept {
    async fn keep(&self, lines: Vec<LogLine>) {
        self.0.lock().extend(lines.into_iter().map(|line| line.text));
        self.1.notify_one();
    }
}

#[derive(Default)]
struct FakeRouter {
    table: Mutex<RouteTable>,
    certificates: Mutex<Vec<RoutedCertificate>>,
    draining: Notify,
    idle: Notify,
}

#[async_trait::async_trait]
impl Routed for FakeRouter {
    fn table_set(&self, table: RouteTable) {
        *self.table.lock() = table;
    }
    fn certificates_set(&self, certificates: Vec<RoutedCertificate>) {
        *self.certificates.lock() = certificates;
    }
    async fn drained(&self, _: &[InstanceId], grace: Duration) {
        self.draining.notify_one();
        let _ = tokio::time::timeout(grace, self.idle.notified()).await;
    }
}

impl FakeRouter {
    fn apps(&self) -> Vec<String> {
        self.table.lock().routes.iter().map(|route| route.app_name.to_string()).collect()
    }
}

struct Platform {
    hub: Arc<Hub>,
    kept: Arc<Kept>,
}

impl Platform {
    fn new() -> Self {
        Self { hub: Arc::default(), kept: Arc::default() }
    }

    /// Links a router; the leader's end of the stream breaks when the task is aborted.
    async fn link(&self, router: &Arc<FakeRouter>, backlog: &Arc<Backlog>) -> JoinHandle<()> {
        let (theirs, ours): (DuplexStream, DuplexStream) = tokio::io::duplex(1 << 16);
        let (router, backlog) = (router.clone(), backlog.clone());
        tokio::task::spawn(async move { follow(theirs, router, &backlog).await });
        let (hub, kept) = (self.hub.clone(), self.kept.clone());
        let before = hub.routers().len();
        let serving = tokio::task::spawn(async move {
            let _ = hub.serve("n1", ours, &*kept).await;
        });
        within(async {
            while self.hub.routers().len() == before {
                tokio::task::yield_now().await;
            }
        })
        .await;
        serving
    }
}

fn route(name: &str) -> Route {
    Route {
        app: AppId::new(),
        app_name: AppName::parse(name).unwrap(),
        hosts: Vec::new(),
        targets: Vec::new(),
        maintenance: false,
        crashed: false,
    }
}

#[tokio::test]
async fn when_a_publication_returns_every_router_goes_by_it() {
    let platform = Platform::new();
    let (early, late) = (Arc::<FakeRouter>::default(), Arc::<FakeRouter>::default());
    let _early = platform.link(&early, &Arc::default()).await;
    let (a, b) = (route("a-a"), route("b-b"));
    within(platform.hub.routes_publish(RouteTable { routes: vec![a.clone()] })).await;
    assert_eq!(early.apps(), ["a-a"]);
    let _late = platform.link(&late, &Arc::default()).await;
    within(platform.hub.routes_publish(RouteTable { routes: vec![a, b.clone()] })).await;
    assert_eq!((early.apps().len(), late.apps().len()), (2, 2));
    let maintained = Route { maintenance: true, ..b };
    within(platform.hub.routes_publish(RouteTable { routes: vec![maintained] })).await;
    for router in [&early, &late] {
        assert_eq!(router.apps(), ["b-b"]);
        assert!(router.table.lock().routes[0].maintenance);
    }
    let certificate = RoutedCertificate { hosts: Vec::new(), chain: "chain".into(), key: "key".into() };
    within(platform.hub.certificates_publish(vec![certificate.clone()])).await;
    assert_eq!(*late.certificates.lock(), [certificate]);
}

#[tokio::test]
async fn a_router_that_comes_back_learns_what_it_missed() {
    let platform = Platform::new();
    let router = Arc::<FakeRouter>::default();
    let first = platform.link(&router, &Arc::default()).await;
    within(platform.hub.routes_publish(RouteTable { routes: vec![route("old")] })).await;
    first.abort();
    let _ = first.await;
    assert_eq!(platform.hub.routers(), []);
    within(platform.hub.routes_publish(RouteTable { routes: vec![route("new")] })).await;
    assert_eq!(router.apps(), ["old"], "it goes on by what it knows");
    let _second = platform.link(&router, &Arc::default()).await;
    within(async {
        while platform.hub.routers() != [("n1".to_owned(), true)] {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(router.apps(), ["new"]);
}

#[tokio::test(start_paused = true)]
async fn a_router_that_still_takes_its_first_table_is_waited_for_longer_than_the_others() {
    let platform = Platform::new();
    let (leader, router) = tokio::io::duplex(64);
    let (hub, kept) = (platform.hub.clone(), platform.kept.clone());
    let serving = tokio::task::spawn(async move { hub.serve("slow", leader, &*kept).await });
    while platform.hub.routers().is_empty() {
        tokio::task::yield_now().await;
    }
    platform.hub.routes_publish(RouteTable { routes: vec![route("first")] }).await;
    platform.hub.routes_publish(RouteTable { routes: vec![route("second")] }).await;
    assert_eq!(platform.hub.routers(), [("slow".to_owned(), false)], "it is not cut off");
    tokio::time::sleep(Duration::from_secs(120)).await;
    platform.hub.routes_publish(RouteTable { routes: vec![route("third")] }).await;
    assert_eq!(serving.await.unwrap().unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    drop(router);
}

#[tokio::test]
async fn a_drain_is_over_when_the_last_router_has_drained() {
    let platform = Platform::new();
    let (one, two) = (Arc::<FakeRouter>::default(), Arc::<FakeRouter>::default());
    let _one = platform.link(&one, &Arc::default()).await;
    let _two = platform.link(&two, &Arc::default()).await;
    let hub = platform.hub.clone();
    let drain = tokio::task::spawn(async move {
        hub.instances_drained(&[InstanceId::new("i")], Duration::from_secs(600)).await;
    });
    within(one.draining.notified()).await;
    within(two.draining.notified()).await;
    one.idle.notify_one();
    assert!(!drain.is_finished());
    two.idle.notify_one();
    within(drain).await.unwrap();
}

fn line(text: &str) -> LogLine {
    let (source, name) = (LogSource::Ambo, "router".into());
    LogLine { app: AppId::new(), at: Timestamp::now(), source, name, text: text.into() }
}

#[tokio::test]
async fn a_router_is_heard_while_its_lines_are_kept() {
    struct Slow(Notify);
    #[async_trait::async_trait]
    impl LinesSink for Slow {
        async fn keep(&self, _: Vec<LogLine>) {
            self.0.notify_one();
            std::future::pending::<()>().await;
        }
    }
    let (hub, backlog, slow) = (Arc::<Hub>::default(), Arc::<Backlog>::default(), Arc::new(Slow(Notify::new())));
    (0..5_000).for_each(|number| backlog.add(line(&number.to_string())));
    let (theirs, ours) = tokio::io::duplex(1 << 16);
    let (router, lines) = (Arc::<FakeRouter>::default(), backlog.clone());
    let (follower, serving, sink) = (router.clone(), hub.clone(), slow.clone());
    tokio::task::spawn(async move { follow(theirs, follower, &lines).await });
    tokio::task::spawn(async move { serving.serve("n1", ours, &*sink).await });
    within(slow.0.notified()).await;
    within(hub.routes_publish(RouteTable { routes: vec![route("a-a")] })).await;
    assert_eq!(router.apps(), ["a-a"]);
    assert_eq!(hub.routers(), [("n1".to_owned(), true)], "it was not cut off");
}

#[tokio::test]
async fn lines_wait_for_a_leader_that_keeps_them() {
    let platform = Platform::new();
    let (router, backlog) = (Arc::<FakeRouter>::default(), Arc::<Backlog>::default());
    backlog.add(line("before"));
    let first = platform.link(&router, &backlog).await;
    within(platform.kept.1.notified()).await;
    first.abort();
    let _ = first.await;
    backlog.add(line("between"));
    let _second = platform.link(&router, &backlog).await;
    within(platform.kept.1.notified()).await;
    backlog.add(line("after"));
    within(async {
        while !platform.kept.0.lock().iter().any(|text| text == "after") {
            platform.kept.1.notified().await;
        }
    })
    .await;
    let kept = platform.kept.0.lock().clone();
    let mut once = kept.clone();
    once.dedup();
    // A line whose keeping was not confirmed before the stream broke comes again, never out of order.
    assert_eq!(once.iter().filter(|text| *text != "before").collect::<Vec<_>>(), ["between", "after"]);
    assert_eq!(once[0], "before");
    assert_eq!(backlog.dropped(), 0);
}
