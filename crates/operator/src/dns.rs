//! The nodes as DNS tells them to users: who has a router, under which name and at which addresses. Pure.

use std::net::IpAddr;

pub use ambo_link::routing::RoutedNode;

use crate::swarm::SwarmNode;

/// The node's label with the addresses at which users reach it, when they are others than those of the swarm:
/// `203.0.113.7,2001:db8::7`, or `none` for a node that they shall not be sent to.
pub const PUBLIC_ADDRESS_LABEL: &str = "public-address";
/// Most name servers of the platform's zone: as many as fit into an answer of 512 bytes, which the root's do.
pub const NAME_SERVERS_MAX: usize = 13;
/// Longest DNS label, in characters.
const LABEL_CHARS_MAX: usize = 63;

/// All nodes that have an address, managers first: they are the ones that stay.
#[must_use]
pub fn routed_nodes(known: &[SwarmNode]) -> Vec<RoutedNode> {
    let mut nodes: Vec<&SwarmNode> = known.iter().collect();
    nodes.sort_by_key(|node| (node.spec.role != "manager", &node.description.hostname, &node.id));
    let routed = |node: &&SwarmNode| {
        let address = node.address().filter(|address| !address.is_unspecified())?;
        Some(RoutedNode {
            label: label(node, known),
            address,
            public: public(node).unwrap_or_else(|| vec![address]),
            is_name_server: false,
            is_leaving: node.spec.availability == "drain",
        })
    };
    let mut nodes: Vec<RoutedNode> = nodes.iter().filter_map(routed).collect();
    let reached = nodes.iter_mut().filter(|node| !node.public.is_empty());
    reached.take(NAME_SERVERS_MAX).for_each(|node| node.is_name_server = true);
    nodes
}

/// The machine's name when it can be a label and is nobody else's, else the node's id, which always is.
fn label(node: &SwarmNode, known: &[SwarmNode]) -> String {
    let own = host_label(node);
    let is_shared = known.iter().any(|other| other.id != node.id && host_label(other) == own);
    own.filter(|_| !is_shared).unwrap_or_else(|| node.id.clone())
}

/// The first label of the machine's name.
fn host_label(node: &SwarmNode) -> Option<String> {
    let label = node.description.hostname.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_good = (1..=LABEL_CHARS_MAX).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-');
    is_good.then_some(label)
}

/// What the node's label says; what is no address in it counts for nothing.
fn public(node: &SwarmNode) -> Option<Vec<IpAddr>> {
    let told = node.spec.labels.get(PUBLIC_ADDRESS_LABEL)?;
    Some(told.split(',').filter_map(|address| address.trim().parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(id: &str, host: &str, role: &str, address: &str, label: Option<&str>) -> SwarmNode {
        let labels = label.map_or_else(|| json!({}), |label| json!({ PUBLIC_ADDRESS_LABEL: label }));
        let node = json!({
            "ID": id,
            "Spec": { "Role": role, "Availability": "active", "Labels": labels },
            "Description": { "Hostname": host },
            "Status": { "State": "ready", "Addr": address },
        });
        serde_json::from_value(node).unwrap()
    }

    #[test]
    fn users_are_sent_to_the_public_addresses_where_there_are_some() {
        let known = [
            node("w", "worker", "worker", "10.0.0.2", Some("203.0.113.2, 2001:db8::2")),
            node("h", "hidden", "worker", "10.0.0.3", Some("none")),
            node("m", "manager", "manager", "10.0.0.1", None),
            node("u", "unknown", "worker", "0.0.0.0", None),
        ];
        let told: Vec<(String, Vec<String>)> = routed_nodes(&known)
            .into_iter()
            .map(|node| (node.label, node.public.iter().map(ToString::to_string).collect()))
            .collect();
        let of = |label: &str, public: &[&str]| (label.to_owned(), public.iter().map(ToString::to_string).collect());
        assert_eq!(
            told,
            [of("manager", &["10.0.0.1"]), of("hidden", &[]), of("worker", &["203.0.113.2", "2001:db8::2"])]
        );
    }

    #[test]
    fn the_first_thirteen_that_users_reach_are_name_servers() {
        let node = |number: u8| {
            let (name, label) = (format!("n{number:02}"), (number == 1).then_some("none"));
            node(&name, &name, "worker", &format!("10.0.0.{number}"), label)
        };
        let known: Vec<SwarmNode> = (1..=20).map(node).collect();
        let servers: Vec<RoutedNode> = routed_nodes(&known).into_iter().filter(|node| node.is_name_server).collect();
        assert_eq!((servers.len(), servers[0].label.as_str()), (NAME_SERVERS_MAX, "n02"));
    }

    #[test]
    fn machines_of_one_name_are_told_apart_by_their_ids() {
        let known = [
            node("a1", "web.one.example.com", "worker", "10.0.0.1", None),
            node("b2", "WEB", "worker", "10.0.0.2", None),
            node("c3", "under_score", "worker", "10.0.0.3", None),
            node("d4", "db", "worker", "10.0.0.4", None),
        ];
        let mut labels: Vec<String> = routed_nodes(&known).into_iter().map(|node| node.label).collect();
        labels.sort();
        assert_eq!(labels, ["a1", "b2", "c3", "db"]);
    }
}
