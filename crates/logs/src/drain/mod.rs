//! Drains: an app's log, sent elsewhere as it comes.
//!
//! [`DrainDelivery::run`] follows one app's log from a cursor on. What the receiver does not take in time waits in a buffer,
//! whose oldest lines go when it is full; how many went is said in the app's log and to the receiver (L10). The app's own
//! log is followed, never held up: a drain that is slow or dead costs its own lines and nothing else.
//!
//! What is absent here: no list of drains (that is the control plane's), no fsync, no memory of what was sent but the
//! cursor, which the owner keeps. After a crash lines since the last kept cursor are sent again: twice rather than never.

mod buffer;
mod delivery;
mod frame;
mod http;
mod syslog;
mod target;

pub use buffer::DrainTotal;
pub use delivery::{DrainDelivery, DrainProgress};
pub use target::{AddressGuard, DrainUrl, DrainUrlError};
