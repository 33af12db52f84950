//! The access log: one record per request, off the request's path.
//!
//! Workers push records into a ring of their own; one thread empties the rings every few milliseconds, makes lines of the
//! records and hands them to the sink. A ring that is full drops and counts: a slow log never slows a request.

mod format;
mod record;
mod ring;

pub use record::{AccessRecord, AccessSink, LogLines};
pub(crate) use ring::{AccessRing, AccessThread};
