//! How the controller that leads steers every router: tables and certificates down, their word that they go by them up, and the
//! routers' log lines with it.
//!
//! A router is sent what has changed since what it was sent last; a new one, everything. A publication is over when each router
//! that is linked has said that it goes by it; one that does not say so in time is cut off and starts anew.

mod follower;
mod hub;
mod message;
mod nodes;
mod tables;

pub use follower::{Backlog, Routed, follow};
pub use hub::{Hub, LinesSink};
pub use message::RoutedCertificate;
pub use nodes::{RoutedNode, nodes_hear, nodes_tell};
