//! The books of one request, from its head to the last byte of its response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ambo_model::Timestamp;
use http::request::Parts;
use http::{HeaderValue, Method, Uri};

use crate::access::AccessRecord;
use crate::client::Client;
use crate::fault::Fault;
use crate::request::forwarded::Introduction;
use crate::target::{Lease, TargetState};
use crate::worker::Worker;

/// A request under way. When dropped it is over, however it ended, and goes to the access log.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) worker: Arc<Worker>,
    pub(crate) client: Arc<Client>,
    pub(crate) started: Instant,
    pub(crate) started_at: Timestamp,
    pub(crate) app: Option<ambo_model::AppId>,
    pub(crate) host: HeaderValue,
    pub(crate) intro: Introduction,
    pub(crate) connect: Option<Duration>,
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    pub(crate) fault: Option<Fault>,
    method: Method,
    uri: Uri,
    /// Set when the client got all there was to get.
    completed: Option<Instant>,
    lease: Option<Lease>,
    target: Option<Arc<TargetState>>,
}

impl Exchange {
    pub(crate) fn begin(worker: &Arc<Worker>, client: &Arc<Client>, parts: &Parts, intro: Introduction) -> Box<Self> {
        client.request_begins();
        Box::new(Self {
            worker: Arc::clone(worker),
            client: Arc::clone(client),
            started: Instant::now(),
            started_at: Timestamp::now(),
            app: None,
            host: HeaderValue::from_static(""),
            intro,
            connect: None,
            status: 0,
            bytes: 0,
            fault: None,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            completed: None,
            lease: None,
            target: None,
        })
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// Counts the request at an instance, and at no other any more.
    pub(crate) fn lease_hold(&mut self, lease: Lease) {
        self.target = Some(Arc::clone(lease.target()));
        self.lease = Some(lease);
    }

    pub(crate) fn target(&self) -> Option<&Arc<TargetState>> {
        self.target.as_ref()
    }

    /// Notes that the client got all there was to get.
    pub(crate) fn complete(&mut self, now: Instant) {
        self.completed = Some(now);
    }

    /// Notes what went wrong; the first fault is the one that counts.
    pub(crate) fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// What an unfinished end means when nobody has said.
    fn abandoned(&self) -> Fault {
        if self.client.is_given_up() {
            Fault::ClientIdle
        } else if self.worker.is_aborting() {
            Fault::ForcedClose
        } else {
            Fault::ClientInterrupted
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.completed.is_none() && self.fault.is_none() {
            self.fault = Some(self.abandoned());
        }
        let logged = matches!(self.fault, Some(Fault::ClientInterrupted | Fault::ClientIdle)) || self.status == 0;
        if let (Some(fault), true) = (self.fault, logged) {
            self.status = fault.status().as_u16();
        }
        self.lease = None;
        let now = self.completed.unwrap_or_else(Instant::now);
        let service = now.saturating_duration_since(self.started);
        self.client.request_ends(now);
        self.worker.ring.push(AccessRecord {
            at: self.started_at + service,
            app: self.app,
            method: std::mem::take(&mut self.method),
            uri: std::mem::take(&mut self.uri),
            host: taken(&mut self.host),
            request_id: taken(&mut self.intro.request_id),
            forwarded_for: taken(&mut self.intro.forwarded_for),
            connect: self.connect,
            service,
            status: self.status,
            bytes: self.bytes,
            scheme: self.client.scheme,
            fault: self.fault,
            target: self.target.take(),
        });
    }
}

fn taken(value: &mut HeaderValue) -> HeaderValue {
    std::mem::replace(value, HeaderValue::from_static(""))
}
