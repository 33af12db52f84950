//! From a request head to a response head: the whole path of a request, as one paragraph.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use crate::client::Client;
use crate::exchange::Exchange;
use crate::fault::{Fault, RequestFault};
use crate::forward::{Answer, Message, forward};
use crate::host::NormalHost;
use crate::pages::{self, Form};
use crate::request::body::{RequestBody, UploadFailure};
use crate::request::forwarded::{self, Framing};
use crate::request::head;
use crate::response::{self, ResponseBody};
use crate::table::CompiledRoute;
use crate::tunnel;
use crate::worker::Worker;

/// Answers a request: with its instance's answer, or with a page that says why there is none.
pub(crate) async fn answer(
    worker: &Arc<Worker>,
    client: &Arc<Client>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let (mut parts, incoming) = request.into_parts();
    let intro = forwarded::introduce(&parts.headers, client, &worker.request_ids);
    let mut exchange = Exchange::begin(worker, client, &parts, intro);
    let accept = parts.headers.get(ACCEPT).cloned();
    let version = parts.version;
    let mut response = match instance_answer(&mut exchange, &mut parts, incoming).await {
        Ok(Answered { answer, upgrade: None }) => response::instance_response(answer, exchange),
        Ok(Answered { answer, upgrade: Some(upgrade) }) => tunnel::tunnel_response(answer, upgrade, exchange),
        Err(fault) => page(exchange, fault, accept),
    };
    if worker.is_closing() && version <= Version::HTTP_11 && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// An instance's response head, and the client's half of a tunnel if that is what it begins.
struct Answered {
    answer: Answer,
    upgrade: Option<OnUpgrade>,
}

async fn instance_answer(exchange: &mut Exchange, parts: &mut Parts, incoming: Incoming) -> Result<Answered, Fault> {
    let worker = Arc::clone(&exchange.worker);
    let host = head::head_check(parts, &exchange.client, worker.shared.settings.request_body_bytes_max);
    let host = host.map_err(|fault| unroutable(exchange, parts, fault))?;
    exchange.host = host.written;
    let route = worker.shared.route_lookup(&host.normal).ok_or(Fault::UnknownHost)?;
    exchange.app = route.app;
    available(&route)?;
    forwarded::host_insert(parts, &exchange.host);
    let upgrade = forwarded::wants_upgrade(parts).then(|| parts.extensions.remove::<OnUpgrade>()).flatten();
    let message = message(exchange, parts, incoming);
    let upload = message.upload.clone();
    let answer =
        forward(exchange, route, message).await.map_err(|fault| match upload.and_then(|upload| upload.failure()) {
            Some(UploadFailure::TooLarge) => Fault::RequestError(RequestFault::BodyTooLarge),
            Some(UploadFailure::Interrupted) => Fault::ClientInterrupted,
            None => fault,
        })?;
    match (answer.response.status(), upgrade) {
        (StatusCode::SWITCHING_PROTOCOLS, Some(upgrade)) => Ok(Answered { answer, upgrade: Some(upgrade) }),
        (StatusCode::SWITCHING_PROTOCOLS, None) => Err(Fault::PoorResponse),
        _ => Ok(Answered { answer, upgrade: None }),
    }
}

/// A request that breaks the rules still goes to the log of the app that it names, if it names one.
fn unroutable(exchange: &mut Exchange, parts: &Parts, fault: RequestFault) -> Fault {
    if let Some(host) = parts.headers.get(http::header::HOST) {
        exchange.host = host.clone();
        let route = NormalHost::parse(host.as_bytes()).and_then(|host| exchange.worker.shared.route_lookup(&host));
        exchange.app = route.and_then(|route| route.app);
    }
    Fault::RequestError(fault)
}

fn available(route: &CompiledRoute) -> Result<(), Fault> {
    if route.maintenance {
        Err(Fault::Maintenance)
    } else if route.targets.is_empty() {
        Err(if route.crashed { Fault::AppCrashed } else { Fault::NoWebProcesses })
    } else {
        Ok(())
    }
}

/// The request as the instance gets it.
fn message(exchange: &Exchange, parts: &mut Parts, incoming: Incoming) -> Message {
    use http_body::Body as _;
    let (body, upload) = RequestBody::new(incoming, exchange.worker.shared.settings.request_body_bytes_max);
    let framing = if body.size_hint().exact().is_some() { Framing::Length } else { Framing::Chunked };
    let start_ms = exchange.started_at.as_millisecond();
    forwarded::head_rewrite(parts, &exchange.client, &exchange.intro, start_ms, framing);
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = std::mem::take(&mut parts.uri);
    *request.headers_mut() = std::mem::take(&mut parts.headers);
    Message { request, upload }
}

fn page(mut exchange: Box<Exchange>, fault: Fault, accept: Option<HeaderValue>) -> Response<ResponseBody> {
    let mut headers = HeaderMap::new();
    if let Some(accept) = accept {
        headers.insert(ACCEPT, accept);
    }
    let page: Response<Bytes> = pages::fault_page(fault, Form::preferred(&headers), &exchange.intro.request_id);
    exchange.fail(fault);
    exchange.status = fault.status().as_u16();
    if exchange.method() != http::Method::HEAD {
        exchange.bytes = page.body().len() as u64;
    }
    if exchange.client.is_http2() {
        let (mut parts, body) = page.into_parts();
        parts.headers.remove(CONNECTION);
        return Response::from_parts(parts, ResponseBody::page(body));
    }
    page.map(ResponseBody::page)
}
