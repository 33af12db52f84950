//! The components of a node: which, and how each is run. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::bundle::{Bundle, Keys, Spec};
use crate::etcd::Beginning;

/// Where components keep what outlives them, on every node.
pub const DATA: &str = "/var/lib/ambo";
/// Where the components of a node meet. Not in `/run`, which is empty after a power cut: the engine would start none of them.
pub const RUN: &str = "/var/lib/ambo/run";
/// The engine's socket.
pub const ENGINE: &str = "/var/run/docker.sock";
/// The ports of etcd: of clients, and of members among themselves.
pub const ETCD_PORTS: (u16, u16) = (2379, 2380);
/// The port of controllers' links.
pub const LINK_PORT: u16 = 7052;
/// How long history is kept: a watch that lost its member goes on within that.
const ETCD_HISTORY: &str = "10m";
/// etcd counts it as full at this size, in bytes.
const ETCD_BYTES_MAX: u64 = 8 << 30;

/// What is known of the node that a keeper is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its id in the swarm.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its address in the swarm.
    pub address: IpAddr,
    /// Whether it is a manager.
    pub is_manager: bool,
    /// The addresses of the swarm's managers.
    pub managers: Vec<IpAddr>,
    /// How the member of etcd on it began, if it has one.
    pub etcd: Option<Beginning>,
    /// The addresses of the members of etcd that vote.
    pub voters: Vec<IpAddr>,
}

/// A component of a node: a container to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// `etcd`, `controller`, `agent`, `router` or `dns`.
    pub name: &'static str,
    /// The image.
    pub image: String,
    /// The words that it is started with.
    pub command: Vec<String>,
    /// Its variables.
    pub env: BTreeMap<String, String>,
    /// Directories and files of the node that it sees under the same names; whether it may only read them.
    pub mounts: Vec<(String, bool)>,
    /// Whether it shares the node's network, or has its own.
    pub is_on_host: bool,
    /// What it keeps of root's rights.
    pub capabilities: Vec<&'static str>,
    /// How its successor takes over.
    pub handover: Handover,
    /// How long it may take to stop, in seconds.
    pub grace_seconds: u32,
    /// Of the certificates that it reads when it starts: with others it is another component.
    pub certificates: String,
}

/// How a component's successor takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// The successor starts when it has ended.
    After,
    /// The successor starts beside it, and it ends when the successor serves.
    Beside,
}

/// The components of a node, made of our image, in the order in which they are started.
#[must_use]
pub fn components(bundle: &Bundle, node: &NodeFacts, image: &str) -> Vec<Component> {
    let spec = bundle.spec();
    let mut components = Vec::new();
    if let Bundle::Manager { keys, .. } = bundle {
        components.extend(node.etcd.as_ref().map(|beginning| etcd(spec, node, beginning)));
        components.push(agent(spec, node));
        components.push(router(spec, node));
        components.push(controller(spec, keys, node));
    } else {
        components.push(agent(spec, node));
        components.push(router(spec, node));
    }
    if spec.dns {
        components.push(dns(spec, node));
    }
    components.iter_mut().for_each(|component| component.image = image.to_owned());
    components
}

fn etcd(spec: &Spec, node: &NodeFacts, beginning: &Beginning) -> Component {
    let (client, peer) = ETCD_PORTS;
    let (address, dir) = (node.address, format!("{DATA}/etcd"));
    let mut words = vec!["etcd".to_owned()];
    for (flag, value) in [
        ("name", node.id.clone()),
        ("data-dir", format!("{dir}/data")),
        ("listen-client-urls", format!("https://{address}:{client},https://127.0.0.1:{client}")),
        ("advertise-client-urls", format!("https://{address}:{client}")),
        ("listen-peer-urls", format!("https://{address}:{peer}")),
        ("initial-advertise-peer-urls", format!("https://{address}:{peer}")),
        ("initial-cluster", beginning.cluster.clone()),
        ("initial-cluster-token", spec.platform.clone()),
        ("initial-cluster-state", beginning.state.clone()),
        ("auto-compaction-mode", "periodic".to_owned()),
        ("auto-compaction-retention", ETCD_HISTORY.to_owned()),
        ("quota-backend-bytes", ETCD_BYTES_MAX.to_string()),
        // An election takes a second at most: less than a controller leads without being heard of.
        ("heartbeat-interval", "100".to_owned()),
        ("election-timeout", "600".to_owned()),
        ("log-level", "warn".to_owned()),
        ("cert-file", format!("{dir}/node.crt")),
        ("key-file", format!("{dir}/node.key")),
        ("trusted-ca-file", format!("{dir}/ca.crt")),
        ("peer-cert-file", format!("{dir}/node.crt")),
        ("peer-key-file", format!("{dir}/node.key")),
        ("peer-trusted-ca-file", format!("{dir}/ca.crt")),
    ] {
        words.push(format!("--{flag}={value}"));
    }
    words.extend(["--client-cert-auth".to_owned(), "--peer-client-cert-auth".to_owned()]);
    Component { command: words, mounts: vec![(dir, false)], is_on_host: true, grace_seconds: 10, ..blank("etcd") }
}

fn controller(spec: &Spec, keys: &Keys, node: &NodeFacts) -> Component {
    let mut env = ambod(spec, node, "controller");
    env.extend(keys.credentials.clone());
    env.insert("AMBO_DATA".to_owned(), format!("{DATA}/controller"));
    env.insert("AMBO_IDENTITY".to_owned(), format!("{DATA}/controller/identity"));
    env.insert("AMBO_STORE".to_owned(), store(spec, node));
    if spec.store.is_none() {
        env.insert("AMBO_STORE_MEMBERS".to_owned(), "true".to_owned());
        for (variable, file) in
            [("AMBO_STORE_CA", "ca.crt"), ("AMBO_STORE_CERTIFICATE", "node.crt"), ("AMBO_STORE_KEY", "node.key")]
        {
            env.insert(variable.to_owned(), format!("{DATA}/controller/etcd/{file}"));
        }
    }
    Component {
        env,
        mounts: vec![(format!("{DATA}/controller"), false), (RUN.to_owned(), false), (ENGINE.to_owned(), false)],
        is_on_host: true,
        // What git and builds write belongs to whom their archives say.
        capabilities: vec!["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL"],
        grace_seconds: 40,
        ..blank("controller")
    }
}

/// The members, this node's own first.
fn store(spec: &Spec, node: &NodeFacts) -> String {
    if let Some(store) = &spec.store {
        return store.clone();
    }
    let (near, far): (Vec<IpAddr>, Vec<IpAddr>) = node.voters.iter().partition(|address| **address == node.address);
    let members = near.into_iter().chain(far).map(|address| SocketAddr::new(address, ETCD_PORTS.0).to_string());
    format!("etcd://{}", members.collect::<Vec<_>>().join(","))
}

fn agent(spec: &Spec, node: &NodeFacts) -> Component {
    let mut env = ambod(spec, node, "agent");
    env.insert("AMBO_DATA".to_owned(), format!("{DATA}/agent"));
    env.insert("AMBO_IDENTITY".to_owned(), format!("{DATA}/agent/identity"));
    env.insert("AMBO_CONTROLLERS".to_owned(), controllers(node));
    Component {
        env,
        mounts: vec![(format!("{DATA}/agent"), false), (RUN.to_owned(), false), (ENGINE.to_owned(), false)],
        is_on_host: true,
        capabilities: vec!["NET_BIND_SERVICE"],
        // A push that is under way ends.
        grace_seconds: 40,
        ..blank("agent")
    }
}

fn controllers(node: &NodeFacts) -> String {
    let mut managers: Vec<String> = node.managers.iter().map(|address| format!("{address}:{LINK_PORT}")).collect();
    managers.sort();
    managers.join(",")
}

fn router(spec: &Spec, node: &NodeFacts) -> Component {
    let mut env = ambod(spec, node, "router");
    env.insert("AMBO_DATA".to_owned(), format!("{DATA}/router"));
    Component {
        env,
        mounts: vec![(format!("{DATA}/router"), false), (RUN.to_owned(), false)],
        is_on_host: false,
        handover: Handover::Beside,
        grace_seconds: 40,
        ..blank("router")
    }
}

/// On the host's network, whose port 53 it has and from which it asks the routers; strangers talk to it, so it has nothing else.
fn dns(spec: &Spec, node: &NodeFacts) -> Component {
    let mut env = ambod(spec, node, "dns");
    env.insert("AMBO_DATA".to_owned(), format!("{DATA}/dns"));
    Component {
        env,
        mounts: vec![(format!("{DATA}/dns"), false), (RUN.to_owned(), false)],
        is_on_host: true,
        capabilities: vec!["NET_BIND_SERVICE"],
        ..blank("dns")
    }
}

/// What every `ambod` is told.
fn ambod(spec: &Spec, node: &NodeFacts, role: &str) -> BTreeMap<String, String> {
    let mut env = spec.settings.clone();
    env.insert("AMBO_ROLE".to_owned(), role.to_owned());
    env.insert("AMBO_NODE".to_owned(), node.id.clone());
    env.insert("AMBO_RUN".to_owned(), RUN.to_owned());
    env
}

fn blank(name: &'static str) -> Component {
    Component {
        name,
        image: String::new(),
        command: ["ambod", "serve"].map(str::to_owned).to_vec(),
        env: BTreeMap::new(),
        mounts: Vec::new(),
        is_on_host: false,
        certificates: String::new(),
        capabilities: Vec::new(),
        handover: Handover::After,
        grace_seconds: 10,
    }
}

#[cfg(test)]
mod tests {
    use ambo_model::Secret;

    use super::*;

    fn facts() -> NodeFacts {
        let address = |text: &str| text.parse().unwrap();
        NodeFacts {
            id: "two".to_owned(),
            name: "n2".to_owned(),
            address: address("10.0.0.2"),
            is_manager: true,
            managers: vec![address("10.0.0.2"), address("10.0.0.1")],
            etcd: Some(Beginning {
                member: None,
                cluster: "two=https://10.0.0.2:2380".to_owned(),
                state: "new".to_owned(),
            }),
            voters: vec![address("10.0.0.1"), address("10.0.0.2")],
        }
    }

    fn spec() -> Spec {
        Spec {
            platform: "0123456789".to_owned(),
            settings: [("AMBO_DOMAIN".to_owned(), "example.com".to_owned())].into(),
            ..Spec::default()
        }
    }

    fn names(components: &[Component]) -> Vec<&str> {
        components.iter().map(|component| component.name).collect()
    }

    #[test]
    fn a_manager_has_all_components_and_a_worker_what_serves_users() {
        let keys = Keys::generate("0123456789").unwrap();
        let of_manager = components(&Bundle::Manager { spec: spec(), keys }, &facts(), "ambo:1");
        assert_eq!(names(&of_manager), ["etcd", "agent", "router", "controller"]);
        let controller = &of_manager[3];
        assert_eq!(controller.env["AMBO_STORE"], "etcd://10.0.0.2:2379,10.0.0.1:2379", "its own member first");
        assert_eq!(of_manager[1].env["AMBO_CONTROLLERS"], "10.0.0.1:7052,10.0.0.2:7052");
        let worker = Bundle::Worker { spec: spec(), root: String::new(), token: Secret::new("t".to_owned()) };
        assert_eq!(names(&components(&worker, &facts(), "ambo:1")), ["agent", "router"]);
    }

    #[test]
    fn dns_is_answered_where_it_was_asked_for_without_engine_or_keys() {
        let spec = Spec { dns: true, ..spec() };
        let worker = Bundle::Worker { spec, root: String::new(), token: Secret::new("t".to_owned()) };
        let components = components(&worker, &facts(), "ambo:1");
        assert_eq!(names(&components), ["agent", "router", "dns"]);
        let dns = &components[2];
        assert_eq!(dns.capabilities, ["NET_BIND_SERVICE"]);
        assert!(dns.mounts.iter().all(|(path, _)| path != ENGINE && !path.contains("identity")));
    }

    #[test]
    fn a_router_has_neither_engine_nor_keys_nor_rights() {
        let worker = Bundle::Worker { spec: spec(), root: String::new(), token: Secret::new("t".to_owned()) };
        let components = components(&worker, &facts(), "ambo:1");
        let router = components.iter().find(|component| component.name == "router").unwrap();
        assert!(!router.is_on_host && router.capabilities.is_empty());
        assert!(router.mounts.iter().all(|(path, _)| path != ENGINE && !path.contains("identity")));
    }
}
