//! DNS of the platform's domain, answered by the nodes themselves.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use ambo_e2e::wait_until;
use ambo_lab::Node;
use ambo_lab::platform::DOMAIN;

use crate::cluster::Cluster;

/// How long one answer may take.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(2);

#[test]
fn a_dead_node_leaves_the_answers_within_seconds_and_they_go_on_without_a_controller() {
    let cluster = Cluster::up("e2e-dns");
    let (asked, dead) = (cluster.node("n1"), cluster.node("n3"));
    let all: BTreeSet<Ipv4Addr> = cluster.nodes().iter().map(address).collect();
    for node in cluster.nodes() {
        wait_until("every node tells all nodes", || (addresses(node) == all).then_some(()));
    }
    cluster.platform(asked, &["dns"]).ok().says(&format!("n3.ns.{DOMAIN}.")).says(&dead.address());

    dead.kill();
    let rest: BTreeSet<Ipv4Addr> = all.iter().copied().filter(|known| *known != address(dead)).collect();
    wait_until("the dead node is told no more", || (addresses(asked) == rest).then_some(()));

    // Without a majority of etcd nobody leads, and DNS itself begins anew: the list is on disk.
    component(cluster.node("n2"), "etcd", "pause");
    component(asked, "dns", "restart");
    wait_until("answers go on", || (addresses(asked) == rest).then_some(()));
}

fn address(node: &Node) -> Ipv4Addr {
    node.address().parse().unwrap()
}

fn component(node: &Node, name: &str, act: &str) {
    let filter = format!("label=ambo.component={name}");
    let id = node.docker(&["ps", "-q", "--filter", &filter]).unwrap();
    node.docker(&[act, id.trim()]).unwrap();
}

/// What a node answers for an app's host; nothing when it does not.
fn addresses(node: &Node) -> BTreeSet<Ipv4Addr> {
    answer(node).map(|answer| parse(&answer)).unwrap_or_default()
}

fn answer(node: &Node) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(ANSWER_DURATION_MAX))?;
    socket.connect((node.address(), 53))?;
    socket.send(&question())?;
    let mut bytes = vec![0; 512];
    let length = socket.recv(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// `shop.<domain>`, type A (RFC 1035, section 4).
fn question() -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in format!("shop.{DOMAIN}").split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    bytes
}

/// Nothing follows the records, and each ends with its address and is no shorter than 16 bytes; all but the first are no longer.
fn parse(answer: &[u8]) -> BTreeSet<Ipv4Addr> {
    let count = usize::from(u16::from_be_bytes([answer[6], answer[7]]));
    let records = answer.rchunks_exact(16).take(count);
    records.map(|record| Ipv4Addr::from(<[u8; 4]>::try_from(&record[12..]).unwrap())).collect()
}
