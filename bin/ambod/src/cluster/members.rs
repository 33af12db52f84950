//! etcd's members, as the swarm's machines that they are on.

use std::net::{IpAddr, SocketAddr};

use ambo_operator::membership::Member;
use ambo_store::StoreError;
use ambo_store_etcd::{EtcdMembership, EtcdPeer};

/// Asks etcd.
pub(crate) async fn members(membership: &EtcdMembership) -> Result<Vec<Member>, StoreError> {
    Ok(membership.list().await?.iter().filter_map(member).collect())
}

/// `None` when it has no address, as none of ours is.
fn member(peer: &EtcdPeer) -> Option<Member> {
    let address = peer.url.split_once("://").map_or(peer.url.as_str(), |(_, address)| address);
    let address: IpAddr = address.parse::<SocketAddr>().ok()?.ip();
    Some(Member { id: peer.id, address, is_started: peer.name.is_some(), is_learner: peer.is_learner })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_on_the_machine_of_its_url() {
        let peer = |url: &str| EtcdPeer { id: 1, name: None, url: url.to_owned(), is_learner: true };
        let found = member(&peer("https://10.0.0.1:2380")).unwrap();
        assert_eq!((found.address, found.is_started), (IpAddr::from([10, 0, 0, 1]), false));
        assert!(member(&peer("https://[fd00::1]:2380")).unwrap().address.is_ipv6());
        assert_eq!(member(&peer("")), None);
    }
}
