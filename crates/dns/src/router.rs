//! A router as the list has it.

use std::net::{IpAddr, SocketAddr};

/// A router that users may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRouter {
    /// Names its node in the zone, as a DNS label: its name server is `<label>.ns.<domain>`.
    pub label: String,
    /// Where it is asked whether it is well: from inside, where its public addresses may not lead back in.
    pub probe: SocketAddr,
    /// Where users reach it.
    pub addresses: Vec<IpAddr>,
    /// Whether its node is named as a server of the zone.
    pub is_name_server: bool,
    /// Whether it is about to go: users are sent there only when nobody else is well.
    pub is_leaving: bool,
}
