//! The platform on several machines: real engines in network namespaces, one swarm, installed as a user would.

mod cluster;
mod faults;
mod operations;
