//! Takes what nodes, routers, engines and the control plane count, gives a page in Prometheus' form.
//!
//! [`sample`] is what one node says of itself: its machine ([`machine`]), its router's requests ([`requests`]), its instances.
//! Counts are kept where they arise and only ever grow, so that whoever asks later, or asks another controller, has missed
//! nothing. [`page`] is all nodes' samples and the control plane's own counts as one text.
//!
//! What is absent here: no network and no engine: who asks the nodes, and who asks an engine, brings what it was told.

pub mod machine;
pub mod page;
pub mod requests;
pub mod sample;

pub use machine::{CpuTimes, MachineError, MachineSample};
pub use page::{CONTENT_TYPE, NodeReport, Page};
pub use requests::{AppRequests, DURATION_BUCKETS, Request, RequestCounts};
pub use sample::{NodeSample, RouterSample};
