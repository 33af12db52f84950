//! The network of a lab: a bridge on the host, a namespace for each machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{run, words};

/// The network that a lab's machines share, 198.19.<number>.0/24 (addresses for benchmarks, RFC 2544).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    pub(crate) number: u8,
}

impl Network {
    /// The bridge's name; what is a machine's own begins with it.
    pub(crate) fn bridge(self) -> String {
        format!("amlab{}", self.number)
    }

    fn subnet(self) -> String {
        format!("198.19.{}.0/24", self.number)
    }

    fn gateway(self) -> String {
        format!("198.19.{}.1", self.number)
    }

    /// A machine's address.
    pub(crate) fn address(self, index: usize) -> String {
        format!("198.19.{}.{}", self.number, 10 + index)
    }

    /// A machine's namespace, and the host's end of its cable.
    pub(crate) fn namespace(self, index: usize) -> String {
        format!("{}n{index}", self.bridge())
    }

    /// Takes a number that no other lab has, by making its bridge.
    pub(crate) fn claim() -> anyhow::Result<Self> {
        let mut refused = None;
        for number in 0..=u8::MAX {
            let network = Self { number };
            match words("ip", &format!("link add {} type bridge", network.bridge())) {
                Ok(_) => return Ok(network),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| anyhow::anyhow!("no number is free")))
    }

    /// Opens the host's packet filter for the bridge, and the way out of it.
    pub(crate) fn up(self) -> anyhow::Result<()> {
        let (bridge, gateway, subnet) = (self.bridge(), self.gateway(), self.subnet());
        words("ip", &format!("address add {gateway}/24 dev {bridge}"))?;
        words("ip", &format!("link set {bridge} up"))?;
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        for rule in self.rules() {
            words("iptables", &format!("-w {rule}").replace("APPEND", "-I"))?;
        }
        words("iptables", &format!("-w -t nat -A POSTROUTING -s {subnet} ! -o {bridge} -j MASQUERADE"))?;
        Ok(())
    }

    fn rules(self) -> [String; 2] {
        let bridge = self.bridge();
        [format!("APPEND FORWARD -i {bridge} -j ACCEPT"), format!("APPEND FORWARD -o {bridge} -j ACCEPT")]
    }

    /// Removes all of it; what is not there is no error.
    pub(crate) fn down(self) {
        let (bridge, subnet) = (self.bridge(), self.subnet());
        for rule in self.rules() {
            let _ = words("iptables", &format!("-w {rule}").replace("APPEND", "-D"));
        }
        let _ = words("iptables", &format!("-w -t nat -D POSTROUTING -s {subnet} ! -o {bridge} -j MASQUERADE"));
        let _ = words("ip", &format!("link delete {bridge}"));
    }

    /// Makes a machine's namespace, and plugs it in.
    pub(crate) fn plug(self, index: usize) -> anyhow::Result<()> {
        let (bridge, namespace) = (self.bridge(), self.namespace(index));
        words("ip", &format!("netns add {namespace}"))?;
        words("ip", &format!("link add {namespace} type veth peer name eth0 netns {namespace}"))?;
        words("ip", &format!("link set {namespace} master {bridge} up"))?;
        for rest in [
            "link set lo up".to_owned(),
            format!("address add {}/24 dev eth0", self.address(index)),
            "link set eth0 up".to_owned(),
            format!("route add default via {}", self.gateway()),
        ] {
            words("ip", &format!("-n {namespace} {rest}"))?;
        }
        Ok(())
    }

    /// Takes a machine's namespace away; what is not there is no error.
    pub(crate) fn unplug(self, index: usize) {
        let namespace = self.namespace(index);
        let _ = words("ip", &format!("link delete {namespace}"));
        let _ = words("ip", &format!("netns delete {namespace}"));
    }

    /// Pulls a machine's cable, or plugs it in again.
    pub(crate) fn cable(self, index: usize, is_in: bool) -> anyhow::Result<()> {
        let state = if is_in { "up" } else { "down" };
        words("ip", &format!("link set {} {state}", self.namespace(index))).map(drop)
    }

    /// Lets two machines hear nothing of each other.
    pub(crate) fn cut(self, one: usize, other: usize) -> anyhow::Result<()> {
        let other = self.address(other);
        self.filter(one, &format!("-I INPUT -s {other} -j DROP"))?;
        self.filter(one, &format!("-I OUTPUT -d {other} -j DROP"))
    }

    /// Ends what [`Network::cut`] has begun; what was not cut is no error.
    pub(crate) fn heal(self, one: usize, other: usize) {
        let other = self.address(other);
        while self.filter(one, &format!("-D INPUT -s {other} -j DROP")).is_ok() {}
        while self.filter(one, &format!("-D OUTPUT -d {other} -j DROP")).is_ok() {}
    }

    fn filter(self, index: usize, rule: &str) -> anyhow::Result<()> {
        let mut command = inside(&self.namespace(index));
        run(command.args(["iptables", "-w"]).args(rule.split(' '))).map(drop)
    }
}

/// A namespace's file.
pub(crate) fn file(namespace: &str) -> PathBuf {
    Path::new("/run/netns").join(namespace)
}

/// A command that runs in a namespace's network, and in the host's everything else: `ip netns exec` would hide the cgroups.
pub(crate) fn inside(namespace: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", file(namespace).display())).arg("--");
    command
}
