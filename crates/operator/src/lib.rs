//! Puts the platform on a swarm, and keeps its components on every node.
//!
//! [`install`] gives the swarm one secret and one service for managers, and one of each for workers. The service runs a
//! *keeper* on every node, which makes the node's [`component`]s as plain containers with a restart policy: after a power cut
//! they are back before Swarm has agreed on anything. A node that joins gets its keeper from Swarm. An upgrade is a change of
//! the services: Swarm goes from node to node, waits until each keeper says that its node's components are healthy, and goes
//! back by itself when one does not.
//!
//! What is absent here: what the components do; that is `ambod`'s.

pub mod bundle;
pub mod change;
pub mod component;
mod container;
pub mod dns;
pub mod engine;
pub mod etcd;
pub mod files;
pub mod install;
pub mod join_config;
pub mod joining;
pub mod keeper;
pub mod membership;
pub mod nodes;
pub mod status;
pub mod swarm;

pub use ambo_engine_docker::EngineError;
pub use bundle::{Bundle, Keys, Spec};
pub use component::{Component, NodeFacts};
pub use keeper::{Keeper, KeeperError, KeeperSettings};
