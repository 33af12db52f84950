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

    /// The host's address on it.
    pub(crate) fn gateway(self) -> String {
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

    /// Flags of a machine's engine: its bridge and its networks have addresses that no other machine's have.
    pub(crate) fn pools(self, index: usize) -> [String; 2] {
        // Addresses for the inside of providers, RFC 6598: nobody's own network has them.
        let base = format!("100.{}", 64 + index);
        [format!("--bip={base}.0.1/17"), format!("--default-address-pool=base={base}.128.0/17,size=24")]
    }

    /// Whether something has the name of its bridge.
    pub(crate) fn is_there(self) -> bool {
        Path::new("/sys/class/net").join(self.bridge()).exists()
    }

    /// Makes the bridge, opens the host's packet filter for it, and the way out of it.
    pub(crate) fn up(self) -> anyhow::Result<()> {
        let (bridge, gateway) = (self.bridge(), self.gateway());
        words("ip", &format!("link add {bridge} type bridge"))?;
        words("ip", &format!("address add {gateway}/24 dev {bridge}"))?;
        words("ip", &format!("link set {bridge} up"))?;
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        for (table, rule) in self.rules() {
            words("iptables", &format!("-w -t {table} -I {rule}"))?;
        }
        Ok(())
    }

    /// What is put into the host's packet filter, and in which table.
    fn rules(self) -> [(&'static str, String); 3] {
        let (bridge, subnet) = (self.bridge(), self.subnet());
        [
            ("filter", format!("FORWARD -i {bridge} -j ACCEPT")),
            ("filter", format!("FORWARD -o {bridge} -j ACCEPT")),
            ("nat", format!("POSTROUTING -s {subnet} ! -o {bridge} -j MASQUERADE")),
        ]
    }

    /// Removes all of it; what is not there is no error.
    pub(crate) fn down(self) {
        for (table, rule) in self.rules() {
            let _ = words("iptables", &format!("-w -t {table} -D {rule}"));
        }
        let _ = words("ip", &format!("link delete {}", self.bridge()));
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

    /// Lets two machines hear nothing of each other. Either refuses the other, so that it lasts when one of them dies and comes
    /// back.
    pub(crate) fn cut(self, one: usize, other: usize) -> anyhow::Result<()> {
        for (at, from) in [(one, other), (other, one)] {
            for rule in self.silence(from) {
                self.filter(at, &rule.replace("EDIT", "-I"))?;
            }
        }
        Ok(())
    }

    /// Ends what [`Network::cut`] has begun; what was not cut is no error.
    pub(crate) fn heal(self, one: usize, other: usize) {
        for (at, from) in [(one, other), (other, one)] {
            for rule in self.silence(from) {
                while self.filter(at, &rule.replace("EDIT", "-D")).is_ok() {}
            }
        }
    }

    /// First and last of a packet's way: what containers send and get does not come by `INPUT` and `OUTPUT`.
    fn silence(self, other: usize) -> [String; 2] {
        let other = self.address(other);
        [format!("-t raw EDIT PREROUTING -s {other} -j DROP"), format!("-t mangle EDIT POSTROUTING -d {other} -j DROP")]
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
