//! A request to an instance and its response head back, on another instance or connection where that is safe.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;

use crate::balance::{Tried, target_pick};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::host::NormalHost;
use crate::pool::{IDLE_AGE_MAX, IDLE_AGE_UNREPEATABLE_MAX};
use crate::publish::RouterEvent;
use crate::request::body::{RequestBody, Upload};
use crate::settings::RouterSettings;
use crate::table::CompiledRoute;
use crate::target::{Lease, TargetState};
use crate::upstream::{ConnectError, InstanceConnection, SendError};
use crate::worker::Worker;

/// How long an instance may take to accept a connection where another one is left.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
/// How often a request looks again because the table changed under it.
const TABLE_CHANGES_MAX: usize = 16;

/// A request as the instance gets it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) request: Request<RequestBody>,
    /// Set when there is a body.
    pub(crate) upload: Option<Arc<Upload>>,
}

/// An instance's response head, with the connection that the rest comes over.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    pub(crate) connection: Box<InstanceConnection>,
    pub(crate) upload: Option<Arc<Upload>>,
}

/// Which connections a request may go over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reuse {
    Allowed,
    /// One has failed it already.
    Refused,
}

/// Sends a request to an instance of the route.
///
/// A failed connect is tried on another instance, whatever the request: nothing was sent. A kept connection that turns out
/// to be closed is replaced by a new one if nothing was sent, or if the request has no body and is idempotent; and such a
/// request goes to another instance when the machine of its first one has died under it.
pub(crate) async fn forward(
    exchange: &mut Exchange,
    mut route: Arc<CompiledRoute>,
    message: Message,
) -> Result<Answer, Fault> {
    let Message { mut request, upload } = message;
    let worker = Arc::clone(&exchange.worker);
    let repeatable = upload.is_none() && request.method().is_idempotent();
    let (mut tried, mut reuse, mut fault) = (Tried::default(), Reuse::Allowed, None);
    // The clock is read again only after something has taken time.
    let mut now = exchange.started;
    loop {
        let target = match target_lease(exchange, &mut route, &tried, now) {
            Ok(target) => target,
            Err(none_left) => return Err(fault.unwrap_or(none_left)),
        };
        let kept = kept_connection(&worker, &target, repeatable, reuse, now);
        let is_kept = kept.is_some();
        let connected = match kept {
            Some(connection) => Ok(connection),
            None => {
                let patience = connect_patience(&route, &tried, &worker.shared.settings);
                let connected = connect(&worker, &target, patience, exchange).await;
                now = Instant::now();
                connected
            }
        };
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(connect_fault) => {
                fault = Some(connect_fault);
                if tried.push(target) {
                    continue;
                }
                return Err(connect_fault);
            }
        };
        exchange.connect.get_or_insert_default();
        let copy = repeatable.then(|| request_copy(&request));
        let send = connection.send(request);
        match first_byte_wait(send, now, &worker.shared.settings, upload.as_deref()).await? {
            Ok(response) => return Ok(Answer { response, connection, upload }),
            Err(error) => {
                now = Instant::now();
                reuse = Reuse::Refused;
                let is_silent = matches!(error, SendError::Silent);
                if is_silent {
                    out_of_rotation(&worker, &target, now);
                }
                request = request_again(error, copy.filter(|_| is_kept || is_silent))?;
                if !is_kept || is_silent {
                    fault = Some(Fault::ClosedWithoutResponse);
                    if !tried.push(target) {
                        return Err(Fault::ClosedWithoutResponse);
                    }
                }
            }
        }
    }
}

/// The request to send once more, if it may be.
fn request_again(error: SendError, copy: Option<Request<RequestBody>>) -> Result<Request<RequestBody>, Fault> {
    match (error, copy) {
        (SendError::Unsent(request), _) => Ok(*request),
        (SendError::Closed | SendError::Silent, Some(copy)) => Ok(copy),
        (SendError::Closed | SendError::Silent, None) => Err(Fault::ClosedWithoutResponse),
        (SendError::Malformed, _) => Err(Fault::PoorResponse),
        (SendError::Body, _) => Err(Fault::ClientInterrupted),
    }
}

/// Picks an instance and counts the request there. When the table changed meanwhile, the new one decides.
fn target_lease(
    exchange: &mut Exchange,
    route: &mut Arc<CompiledRoute>,
    tried: &Tried,
    now: Instant,
) -> Result<Arc<TargetState>, Fault> {
    for _ in 0..TABLE_CHANGES_MAX {
        let Some(target) = target_pick(route, tried, now) else {
            return Err(if route.crashed { Fault::AppCrashed } else { Fault::NoWebProcesses });
        };
        if let Some(lease) = Lease::take(target) {
            let target = Arc::clone(target);
            exchange.lease_hold(lease);
            return Ok(target);
        }
        let host = NormalHost::parse(exchange.host.as_bytes()).ok_or(Fault::Platform)?;
        *route = exchange.worker.shared.route_lookup(&host).ok_or(Fault::UnknownHost)?;
        if route.maintenance {
            return Err(Fault::Maintenance);
        }
    }
    Err(Fault::Platform)
}

fn kept_connection(
    worker: &Worker,
    target: &TargetState,
    repeatable: bool,
    reuse: Reuse,
    now: Instant,
) -> Option<Box<InstanceConnection>> {
    if reuse == Reuse::Refused {
        return None;
    }
    let age_max = if repeatable { IDLE_AGE_MAX } else { IDLE_AGE_UNREPEATABLE_MAX };
    target.idle.take(worker.index, now, age_max)
}

/// How long an instance may take to accept: less where another one is left to be asked. A machine that has died says nothing.
fn connect_patience(route: &CompiledRoute, tried: &Tried, settings: &RouterSettings) -> Duration {
    match tried.len() + 1 < route.targets.len() {
        true => settings.connect_timeout.min(CONNECT_PATIENCE),
        false => settings.connect_timeout,
    }
}

fn out_of_rotation(worker: &Worker, target: &TargetState, now: Instant) {
    if target.connect_failed(now) {
        worker.shared.event(RouterEvent::Ejected { instance: target.instance.clone() });
    }
}

async fn connect(
    worker: &Worker,
    target: &TargetState,
    patience: Duration,
    exchange: &mut Exchange,
) -> Result<Box<InstanceConnection>, Fault> {
    let began = Instant::now();
    match InstanceConnection::connect(target.endpoint, patience).await {
        Ok(connection) => {
            exchange.connect = Some(began.elapsed());
            if target.connect_succeeded() {
                worker.shared.event(RouterEvent::Restored { instance: target.instance.clone() });
            }
            Ok(connection)
        }
        Err(error) => {
            out_of_rotation(worker, target, Instant::now());
            let (fault, cause) = match error {
                ConnectError::TimedOut => (Fault::ConnectTimeout, None),
                ConnectError::Refused(cause) => (Fault::ConnectRefused, Some(cause)),
            };
            tracing::debug!(instance = %target.instance, endpoint = %target.endpoint, ?cause, "connect failed");
            Err(fault)
        }
    }
}

/// A copy of a request without a body.
fn request_copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Waits for a response head within the limits. The clock starts again with every piece of an upload.
async fn first_byte_wait<T>(
    send: impl Future<Output = T>,
    began: Instant,
    settings: &RouterSettings,
    upload: Option<&Upload>,
) -> Result<T, Fault> {
    let mut send = pin!(send);
    let mut timer = pin!(tokio::time::sleep_until((began + settings.first_byte_timeout).into()));
    poll_fn(|cx| {
        if let Poll::Ready(response) = send.as_mut().poll(cx) {
            return Poll::Ready(Ok(response));
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            let (since, limit, fault) = match upload {
                Some(upload) if upload.waits_for_client() => {
                    (upload.moved_at(), settings.stream_idle_timeout, Fault::ClientIdle)
                }
                Some(upload) => (upload.moved_at(), settings.first_byte_timeout, Fault::RequestTimeout),
                None => (began, settings.first_byte_timeout, Fault::RequestTimeout),
            };
            let deadline = since + limit;
            if deadline <= Instant::now() {
                return Poll::Ready(Err(fault));
            }
            timer.as_mut().reset(deadline.into());
        }
    })
    .await
}
