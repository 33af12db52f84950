//! Several machines: what each of a node's components is (ARCHITECTURE.md, section 6a).

pub(crate) mod agent;
pub(crate) mod controller;
pub(crate) mod dns;
pub(crate) mod enrolment;
pub(crate) mod identity;
pub(crate) mod join;
pub(crate) mod keeper;
mod measuring;
pub(crate) mod meeting;
pub(crate) mod members;
pub(crate) mod router;
pub(crate) mod sockets;
