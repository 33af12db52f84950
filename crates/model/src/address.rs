//! Addresses that the platform does not connect to for its users.
//!
//! Whoever may deploy can make the platform connect to what a URL names, from where it stands. What is refused, and why:
//! - loopback and unspecified addresses: there the platform's own private ports answer, and those of its machine;
//! - link-local addresses (169.254.0.0/16, `fe80::/10`), where clouds hand out credentials of the machine to whoever asks,
//!   and the two addresses outside them at which some clouds do the same;
//! - multicast and broadcast: that is no single receiver.
//!
//! Private networks (10.0.0.0/8 and the like) are allowed: a self-hosted service is usually in one. Judge addresses after
//! names are resolved, and connect to the one that was judged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused; `None` when it is not.
#[must_use]
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    let address = address.to_canonical();
    if address.is_loopback() || address.is_unspecified() {
        return Some("this is the platform's own machine");
    }
    refusal_beyond_this_machine(address)
}

/// The same, for platforms whose administrator lets users reach services on its own machine.
#[must_use]
pub fn refusal_beyond_this_machine(address: IpAddr) -> Option<&'static str> {
    // Clouds that hand out the machine's credentials beyond the link-local networks.
    const METADATA: [IpAddr; 2] =
        [IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254))];
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    if link_local || METADATA.contains(&address) {
        Some("this is where clouds keep the machine's credentials")
    } else if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some("this is no single machine")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_reached_and_metadata_never_is() {
        let refused = |address: &str| refusal(address.parse().unwrap()).is_some();
        let refused_beyond = |address: &str| refusal_beyond_this_machine(address.parse().unwrap()).is_some();
        for address in ["127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1"] {
            assert!(refused(address) && !refused_beyond(address), "{address}");
        }
        for address in
            ["169.254.169.254", "fe80::1", "::ffff:169.254.1.1", "100.100.100.200", "fd00:ec2::254", "224.0.0.1"]
        {
            assert!(refused(address) && refused_beyond(address), "{address}");
        }
        for address in ["10.0.0.7", "192.168.1.1", "203.0.113.7", "2001:db8::1"] {
            assert!(!refused(address) && !refused_beyond(address), "{address}");
        }
    }
}
