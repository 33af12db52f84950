//! A platform for one test.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ambo_api::{Api, ApiSettings, RendezvousAddress};
use ambo_builder::{BuildError, BuildLimits, BuildOutput, BuildRequest, ImageBuilder, ImageImport, RegistryLogin};
use ambo_controller::accounts::{Accounts, Caller, TokenRequest, TokenScope};
use ambo_controller::ports::{Artifacts, CollectedImages, KeptImagesSource, NodeLabels, Routes, ServedCertificate};
use ambo_controller::vault::Vault;
use ambo_controller::{Controller, ControllerSettings, Stations};
use ambo_heroku_schema::HerokuSchema;
use ambo_logs::{LogSettings, LogStore};
use ambo_model::{
    AppId, Artifact, ByteSize, Command, Email, Hostname, ImageDigest, InstanceId, Process, ProcessTable, ProcessType,
    RouteTable, Secret,
};
use ambo_scheduler::SchedulerError;
use ambo_scheduler::fake::FakeEngine;
use ambo_store::SqliteStore;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The longest that anything may take in a test.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";

/// What the builder does with the next builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Building {
    Succeeds,
    Fails,
    /// Until it is cancelled.
    Hangs,
}

/// A builder that builds nothing, and says how many builds are going on.
#[derive(Debug)]
pub(crate) struct FakeBuilder {
    pub(crate) building: Mutex<Building>,
    pub(crate) running: watch::Sender<usize>,
    /// The last source's first bytes.
    pub(crate) received: Mutex<Vec<u8>>,
}

struct Running<'a>(&'a watch::Sender<usize>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

fn artifact() -> Artifact {
    let worker = Process::from(Command::Shell("echo hello && sleep infinity".to_owned()));
    Artifact {
        image: ImageDigest::parse(&format!("sha256:{}", "a1".repeat(32))).unwrap(),
        processes: ProcessTable::from_iter([(ProcessType::parse("worker").unwrap(), worker)]),
        exposed_port: None,
        kind: "Dockerfile".to_owned(),
    }
}

impl FakeBuilder {
    async fn run(&self, output: &BuildOutput) -> Result<Artifact, BuildError> {
        self.running.send_modify(|count| *count += 1);
        let _running = Running(&self.running);
        let building = *self.building.lock();
        output.send("-----> Building with a\0 test".to_owned()).await.ok();
        match building {
            Building::Succeeds => Ok(artifact()),
            Building::Fails => Err(BuildError::Step("`RUN make` failed with exit code 2".to_owned())),
            Building::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl ImageBuilder for FakeBuilder {
    async fn build(&self, request: BuildRequest, output: BuildOutput) -> Result<Artifact, BuildError> {
        *self.received.lock() = std::fs::read(&request.archive).unwrap();
        self.run(&output).await
    }

    async fn import(&self, _: ImageImport, output: BuildOutput) -> Result<Artifact, BuildError> {
        self.run(&output).await
    }
}

#[derive(Debug)]
struct NoRouter;

#[async_trait]
impl Routes for NoRouter {
    async fn routes_publish(&self, _: RouteTable) {}
    async fn certificates_publish(&self, _: Vec<ServedCertificate>) {}
    async fn instances_drained(&self, _: &[InstanceId], _: Duration) {}
}

#[derive(Debug)]
struct NoArtifacts;

#[async_trait]
impl Artifacts for NoArtifacts {
    async fn app_remove(&self, _: AppId) -> Result<(), String> {
        Ok(())
    }
    async fn image_hold(&self, _: AppId, _: &ImageDigest) -> Result<bool, String> {
        Ok(true)
    }
    async fn image_mount(&self, _: AppId, _: AppId, _: &ImageDigest) -> Result<bool, String> {
        Ok(true)
    }
    async fn image_find(&self, _: AppId, _: &str, digest: &ImageDigest) -> Result<Option<ImageDigest>, String> {
        Ok(Some(digest.clone()))
    }
    async fn images_collect(&self, _: &dyn KeptImagesSource) -> Result<CollectedImages, String> {
        Ok(CollectedImages::default())
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// The JSON of an answer with this status.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) caller: Caller,
    pub(crate) token: String,
}

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) controller: Arc<Controller>,
    pub(crate) engine: FakeEngine,
    pub(crate) builder: Arc<FakeBuilder>,
    pub(crate) shutdown: CancellationToken,
    control: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.controller.stop();
        self.control.abort();
    }
}

fn settings() -> ControllerSettings {
    ControllerSettings {
        domain: Hostname::parse("localhost").unwrap(),
        platform_hosts: vec![Hostname::parse("api.example.org").unwrap()],
        web_scheme: "http".to_owned(),
        web_port: 7000,
        registry: "127.0.0.1:7050".to_owned(),
        registry_login: RegistryLogin { username: "platform".to_owned(), password: Secret::new("x") },
        builds_max: 4,
        build_limits: BuildLimits {
            duration: Duration::from_secs(60),
            memory: None,
            output_bytes: 1 << 20,
            source: ByteSize::mib(10),
        },
        grace: Duration::from_millis(100),
        release_phase_max: Duration::from_secs(60),
        deploy_wait: Duration::from_millis(500),
        releases_kept: 10,
        drain_guard: ambo_model::address::refusal,
    }
}

/// Two nodes in different regions.
struct TwoNodes;

#[async_trait]
impl NodeLabels for TwoNodes {
    async fn labels_list(&self) -> Result<Vec<BTreeMap<String, String>>, SchedulerError> {
        let label = |region: &str| [("region".to_owned(), region.to_owned())].into();
        Ok(vec![label("eu"), label("us")])
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_requests(0)
    }

    /// Where an account may send so many requests a minute; any number when 0.
    pub(crate) fn with_requests(requests_per_minute_max: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("state.db")).unwrap());
        let engine = FakeEngine::new();
        let builder = Arc::new(FakeBuilder {
            building: Mutex::new(Building::Succeeds),
            running: watch::Sender::new(0),
            received: Mutex::default(),
        });
        let stations = Stations {
            store: store.clone(),
            scheduler: Arc::new(engine.clone()),
            builder: builder.clone(),
            routes: Arc::new(NoRouter),
            dialer: Arc::new(ambo_controller::ports::DirectDialer),
            artifacts: Arc::new(NoArtifacts),
            logs: Arc::new(LogStore::open(&dir.path().join("logs"), LogSettings::default()).unwrap()),
            nodes: Some(Arc::new(TwoNodes)),
        };
        let vault = Vault::with_key_file(&dir.path().join("master.key")).unwrap();
        let controller = Controller::new(stations, Accounts::new(store), vault, settings());
        let control = tokio::spawn(Arc::clone(&controller).run());
        let uploads = dir.path().join("uploads");
        std::fs::create_dir(&uploads).unwrap();
        let api = ApiSettings {
            version: "0.0.0".to_owned(),
            url: None,
            ssh: None,
            rendezvous: Some(RendezvousAddress { host: None, port: 7051 }),
            authority: None,
            uploads,
            upload_bytes_max: 1 << 20,
            requests_per_minute_max,
        };
        let shutdown = CancellationToken::new();
        let router = ambo_api::router(Api::new(controller.clone(), api, shutdown.clone()));
        Self { router, controller, engine, builder, shutdown, control, _dir: dir }
    }

    /// Somebody new. The first one is the administrator.
    pub(crate) async fn person(&self, email: &str) -> Person {
        let now = self.controller.now();
        let accounts = &self.controller.accounts;
        let administrator = accounts.account_by_email(&Email::parse("ann@example.com").unwrap()).await.unwrap();
        let invitation = match administrator {
            Some(account) => Some(accounts.invitation_create(&Caller::of(&account), None, now).await.unwrap().1),
            None => None,
        };
        let email = Email::parse(email).unwrap();
        let registration =
            ambo_controller::accounts::Registration { email, password: Secret::new(PASSWORD), invitation };
        let (account, _, token) = accounts.account_register(registration, now).await.unwrap();
        Person { caller: Caller::of(&account), token: token.reveal().to_owned() }
    }

    pub(crate) async fn administrator(&self) -> Person {
        self.person("ann@example.com").await
    }

    /// A further token of somebody.
    pub(crate) async fn token(&self, person: &Person, scope: TokenScope) -> String {
        let request = TokenRequest { description: "test".to_owned(), scope, expires_in: None };
        let now = self.controller.now();
        self.controller.accounts.token_create(&person.caller, request, now).await.unwrap().1.reveal().to_owned()
    }

    /// A token of somebody that was good until an hour ago.
    pub(crate) async fn expired_token(&self, person: &Person) -> String {
        let request = TokenRequest { description: "old".to_owned(), scope: TokenScope::Global, expires_in: Some(3600) };
        let then = self.controller.now() - Duration::from_secs(7200);
        self.controller.accounts.token_create(&person.caller, request, then).await.unwrap().1.reveal().to_owned()
    }

    pub(crate) async fn app(&self, owner: &Person, name: &str) -> ambo_model::App {
        self.controller.app_create(&owner.caller, Some(name.parse().unwrap()), self.controller.now()).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let answer = async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            Answer { status: head.status, headers: head.headers, text }
        };
        tokio::time::timeout(DEADLINE, answer).await.expect("an answer in time")
    }

    /// A request with a token and, unless it is null, a JSON body. What succeeds must be as Heroku's schema has it.
    pub(crate) async fn call(&self, token: &str, method: Method, path: &str, body: &Value) -> Answer {
        let answer = self.call_unchecked(token, &method, path, body).await;
        if answer.status.is_success() {
            let complaints =
                schema().complaints(method.as_str(), path, &serde_json::from_str(&answer.text).unwrap_or_default());
            let complaints = complaints.unwrap_or_default();
            assert!(complaints.is_empty(), "{method} {path}: {complaints:#?}\n{}", answer.text);
        }
        answer
    }

    async fn call_unchecked(&self, token: &str, method: &Method, path: &str, body: &Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.call(token, Method::GET, path, &Value::Null).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.call(token, Method::POST, path, &body).await
    }

    pub(crate) async fn patch(&self, token: &str, path: &str, body: Value) -> Answer {
        self.call(token, Method::PATCH, path, &body).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Answer {
        self.call(token, Method::DELETE, path, &Value::Null).await
    }

    /// Deploys something with one process, `worker`.
    pub(crate) async fn deploy(&self, token: &str, app: &str) -> Value {
        let path = format!("/ambo/apps/{app}/builds");
        let answer = self.post(token, &path, serde_json::json!({ "image": "nginx:1.27" })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let (_, trailer) = answer.text.split_once('\0').expect("a trailer");
        let trailer: Value = serde_json::from_str(trailer).unwrap();
        assert_eq!(trailer["status"], "succeeded", "{}", answer.text);
        trailer
    }

    /// Waits until an answer is as it should be.
    pub(crate) async fn until(&self, token: &str, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = tokio::time::timeout(DEADLINE, async {
            loop {
                last = self.get(token, path).await.json();
                if wanted(&last) {
                    return last.clone();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => panic!("{path} never became what was waited for: {last}"),
        }
    }
}

fn schema() -> &'static HerokuSchema {
    static SCHEMA: OnceLock<HerokuSchema> = OnceLock::new();
    SCHEMA.get_or_init(HerokuSchema::new)
}

/// The paths' parameters, filled in.
pub(crate) fn filled(path: &str, values: &BTreeMap<&str, String>) -> String {
    let mut filled = path.to_owned();
    for (name, value) in values {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    assert!(!filled.contains('{'), "{path} has a parameter without a value");
    filled
}
