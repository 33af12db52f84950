//! A server that answers as it was told, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ambo_api_types::{AttachInput, AttachOutput};
use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use serde_json::Value;
use tokio::runtime::Runtime;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

#[derive(Debug, Default)]
struct Plan {
    answers: HashMap<String, Vec<Answer>>,
    asked: Vec<Asked>,
}

type Shared = Arc<Mutex<Plan>>;

/// Runs until dropped.
#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) host: String,
    plan: Shared,
    _runtime: Runtime,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        let plan = Shared::default();
        let router = Router::new()
            .route("/ambo/attach/echo", get(echo))
            .route("/ambo/attach/gone", get(gone))
            .fallback(any(answer))
            .with_state(Arc::clone(&plan));
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { host, plan, _runtime: runtime }
    }

    /// Answers `GET /apps` and the like. Several answers are given one after another; the last one stays.
    pub(crate) fn on(&self, call: &str, status: u16, body: Value) -> &Self {
        self.on_raw(call, status, &[("content-type", "application/json")], body.to_string().into_bytes())
    }

    pub(crate) fn on_raw(&self, call: &str, status: u16, headers: &[(&'static str, &str)], body: Vec<u8>) -> &Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut plan = self.plan.lock().unwrap();
        plan.answers.entry(call.to_owned()).or_default().push(Answer { status, headers, body });
        self
    }

    /// All that was asked by this method on this path.
    pub(crate) fn asked(&self, call: &str) -> Vec<Asked> {
        let asked = self.plan.lock().unwrap().asked.clone();
        asked.into_iter().filter(|asked| format!("{} {}", asked.method, asked.path) == call).collect()
    }

    /// The one that was asked.
    pub(crate) fn asked_once(&self, call: &str) -> Asked {
        let mut asked = self.asked(call);
        assert_eq!(asked.len(), 1, "{call} was to be asked once");
        asked.remove(0)
    }

    /// How often anything was asked.
    pub(crate) fn asked_count(&self) -> usize {
        self.plan.lock().unwrap().asked.len()
    }
}

async fn answer(State(plan): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    let call = format!("{} {}", parts.method, parts.uri.path());
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let asked = Asked { query, method: parts.method, path: parts.uri.path().to_owned(), headers: parts.headers, body };
    let mut plan = plan.lock().unwrap();
    plan.asked.push(asked);
    let Some(answers) = plan.answers.get_mut(&call) else {
        let body = serde_json::json!({"id": "not_found", "message": format!("the fake knows no {call}")});
        return (StatusCode::NOT_FOUND, body.to_string()).into_response();
    };
    let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
    drop(plan);
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(axum::body::Body::from(answer.body)).unwrap()
}

/// A command that says its input again, tells of new sizes on its error output, and ends with 7 at the end of input or
/// at a `q`.
async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            let Message::Binary(frame) = message else { continue };
            match AttachInput::decode(&frame).unwrap() {
                AttachInput::Data(b"q") | AttachInput::End => return end(socket).await,
                AttachInput::Data(data) => say(&mut socket, AttachOutput::Stdout(data)).await,
                AttachInput::Resize(size) => {
                    let text = format!("size {}x{}\n", size.columns, size.rows);
                    say(&mut socket, AttachOutput::Stderr(text.as_bytes())).await;
                }
            }
        }
    })
}

async fn say(socket: &mut WebSocket, output: AttachOutput<'_>) {
    socket.send(Message::Binary(output.encode().into())).await.unwrap();
}

async fn end(mut socket: WebSocket) {
    say(&mut socket, AttachOutput::Exit(7)).await;
    let _ = socket.send(Message::Close(None)).await;
    // A connection that is closed with something unread is reset.
    while let Some(Ok(_)) = socket.recv().await {}
}

/// A session that breaks off.
async fn gone(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        say(&mut socket, AttachOutput::Stdout(b"half a ")).await;
    })
}
