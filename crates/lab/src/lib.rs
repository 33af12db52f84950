//! Several machines on this one, for tests of a cluster: each a network namespace with a Docker Engine of its own, joined by a
//! bridge. They can be killed, paused and cut off from one another. Needs root, `iproute2`, `iptables` and `docker.io`, and no
//! kernel module beyond VXLAN, veth and bridges.
//!
//! What they are made of is written down as it is made, so that whoever comes next removes what a crash has left.

mod belongings;
mod command;
mod disk;
mod engine;
mod etcd;
mod images;
mod lab;
mod network;
mod node;
pub mod platform;
mod processes;
mod record;
mod remains;

pub use belongings::Belongings;
pub use engine::{dockerd, image_load};
pub use lab::{Lab, LabSettings};
pub use node::Node;
pub use processes::Process;
