//! Whether this node has a member of etcd, and how that member began. Pure.
//!
//! What a member is started with the first time it is started with for as long as its data is there, whoever joins or leaves
//! later (etcd: Clustering guide): it is written down beside the data.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::bundle::Spec;
use crate::component::{ETCD_PORTS, NodeFacts};
use crate::membership::Member;

/// How a member began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// Its id, if it joined an etcd that was there.
    pub member: Option<u64>,
    /// The members at that time: `--initial-cluster`.
    pub cluster: String,
    /// `new` or `existing`: `--initial-cluster-state`.
    pub state: String,
}

/// What a keeper is to do about the member of its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// There is none.
    Absent,
    /// It goes on as it began.
    Goes(Beginning),
    /// It begins; data that is there belongs to a member that is none any more.
    Begins(Beginning),
}

/// This node's part, from what etcd says of its members, if it says anything, and how the node's member began.
#[must_use]
pub fn part(spec: &Spec, node: &NodeFacts, listed: Option<&[Member]>, began: Option<&Beginning>) -> Part {
    if spec.store.is_some() {
        return Part::Absent;
    }
    let is_first = spec.etcd.iter().any(|member| member.node == node.id);
    match (listed, began) {
        (None, Some(began)) => Part::Goes(began.clone()),
        (None, None) if is_first => Part::Begins(first(spec)),
        (None, None) => Part::Absent,
        (Some(members), began) => match members.iter().find(|member| member.address == node.address) {
            None => Part::Absent,
            Some(own) => listed_part(spec, node, members, own, began.filter(|began| is_of(began, own)), is_first),
        },
    }
}

fn listed_part(
    spec: &Spec,
    node: &NodeFacts,
    members: &[Member],
    own: &Member,
    began: Option<&Beginning>,
    is_first: bool,
) -> Part {
    match began {
        Some(began) => Part::Goes(began.clone()),
        // The first members list each other before all of them have come.
        None if own.is_started && is_first => Part::Begins(first(spec)),
        None => Part::Begins(later(node, members, own)),
    }
}

/// Whether the member that is listed is the one that began so.
fn is_of(began: &Beginning, own: &Member) -> bool {
    began.member.map_or(own.is_started, |id| id == own.id)
}

/// One of those that an installation begins with.
fn first(spec: &Spec) -> Beginning {
    let cluster = spec.etcd.iter().map(|member| entry(&member.node, member.address)).collect::<Vec<_>>();
    Beginning { member: None, cluster: cluster.join(","), state: "new".to_owned() }
}

/// One that was let in later. The names of the others do not count.
fn later(node: &NodeFacts, members: &[Member], own: &Member) -> Beginning {
    let name = |member: &Member| if member.id == own.id { node.id.clone() } else { format!("member-{:x}", member.id) };
    let cluster = members.iter().map(|member| entry(&name(member), member.address)).collect::<Vec<_>>();
    Beginning { member: Some(own.id), cluster: cluster.join(","), state: "existing".to_owned() }
}

fn entry(name: &str, address: IpAddr) -> String {
    format!("{name}={}", peer_url(address))
}

/// Where other members reach the one on this machine.
#[must_use]
pub fn peer_url(address: IpAddr) -> String {
    format!("https://{}", std::net::SocketAddr::new(address, ETCD_PORTS.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::EtcdMember;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    fn spec() -> Spec {
        let etcd = (1..=3).map(|number| EtcdMember { node: format!("n{number}"), address: address(number) }).collect();
        Spec { etcd, ..Spec::default() }
    }

    fn node(number: u8) -> NodeFacts {
        let (id, name, address) = (format!("n{number}"), String::new(), address(number));
        NodeFacts { id, name, address, is_manager: true, managers: Vec::new(), etcd: None, voters: Vec::new() }
    }

    fn member(number: u8, id: u64, is_started: bool) -> Member {
        Member { id, address: address(number), is_started, is_learner: !is_started }
    }

    #[test]
    fn the_first_members_begin_together_and_go_on() {
        let Part::Begins(began) = part(&spec(), &node(1), None, None) else { panic!("it begins") };
        assert_eq!(began.cluster, "n1=https://10.0.0.1:2380,n2=https://10.0.0.2:2380,n3=https://10.0.0.3:2380");
        assert_eq!(began.state, "new");
        let listed = [member(1, 11, true), member(2, 12, true), member(3, 13, true)];
        assert_eq!(part(&spec(), &node(3), Some(&listed), None), Part::Begins(began.clone()), "the last to come");
        assert_eq!(part(&spec(), &node(1), Some(&listed), Some(&began)), Part::Goes(began.clone()));
        assert_eq!(part(&spec(), &node(1), None, Some(&began)), Part::Goes(began), "after a power cut");
    }

    #[test]
    fn one_that_was_let_in_begins_in_what_is_there() {
        let listed = [member(1, 11, true), member(2, 12, true), member(4, 14, false)];
        let Part::Begins(began) = part(&spec(), &node(4), Some(&listed), None) else { panic!("it begins") };
        assert_eq!((began.member, began.state.as_str()), (Some(14), "existing"));
        assert!(began.cluster.ends_with("n4=https://10.0.0.4:2380"), "{}", began.cluster);
        assert_eq!(part(&spec(), &node(4), Some(&listed), Some(&began)), Part::Goes(began), "before it is started");
    }

    #[test]
    fn one_that_was_taken_out_goes_and_begins_anew_when_let_in_again() {
        let Part::Begins(began) = part(&spec(), &node(3), None, None) else { panic!("it begins") };
        let without = [member(1, 11, true), member(2, 12, true)];
        assert_eq!(part(&spec(), &node(3), Some(&without), Some(&began)), Part::Absent);
        let again = [without[0].clone(), without[1].clone(), member(3, 33, false)];
        let Part::Begins(anew) = part(&spec(), &node(3), Some(&again), Some(&began)) else { panic!("it begins") };
        assert_eq!((anew.member, anew.state.as_str()), (Some(33), "existing"));
    }

    #[test]
    fn who_is_no_member_has_none() {
        assert_eq!(part(&spec(), &node(4), None, None), Part::Absent);
        let given = Spec { store: Some("etcd://elsewhere:2379".to_owned()), ..spec() };
        assert_eq!(part(&given, &node(1), None, None), Part::Absent);
    }
}
