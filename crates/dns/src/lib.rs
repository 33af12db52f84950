//! Takes the list of routers and a question about the platform's domain, gives the addresses of those that are well.
//!
//! The tree follows an answer: [`router`] is what is known of each, [`probe`] asks one whether it is well, [`health`] keeps score
//! and says which addresses are to be told, [`zone`] is what the domain holds (pure), [`server`] speaks the protocol.
//!
//! The domain and every name below it have the addresses of all routers that are well, with a short life: a router that dies is
//! out of the answers after two checks, and out of resolvers a life later. When none is well, all are told: then the fault is
//! more likely the checks' own.
//!
//! What is absent here: no recursion, no transfers, no updates, no other zone; no list of nodes of its own and no disk, those
//! are the caller's.

mod health;
pub mod probe;
pub mod router;
mod server;
mod zone;

pub use health::{FAILURES_MAX, PROBE_DURATION_MAX, PROBE_INTERVAL};
pub use probe::{HttpProbe, Probe};
pub use router::ListedRouter;
pub use server::{DnsError, DnsServer, DnsSettings};
pub use zone::{ADDRESS_TTL, NAME_SERVER_TTL};
