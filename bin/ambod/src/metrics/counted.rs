//! A router's access records: each a line in its app's log, and counted.

use std::sync::Arc;

use ambo_metrics::{Request, RequestCounts};
use ambo_router::{AccessRecord, AccessSink, LogLines};

/// Counts what goes into the logs.
#[derive(Debug)]
pub(crate) struct CountedLines {
    pub(crate) lines: LogLines,
    pub(crate) counts: Arc<RequestCounts>,
}

impl AccessSink for CountedLines {
    fn record(&self, record: AccessRecord) {
        self.counts.add(Request {
            app: record.app,
            status: record.status,
            error: record.fault.and_then(|fault| fault.code()),
            duration: record.service,
            bytes: record.bytes,
        });
        self.lines.record(record);
    }
}
