//! A machine's member of etcd.

use std::fs::File;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::command::{run, wait_until};
use crate::network::{Network, inside};
use crate::node::Node;

/// How a member is started. Its data lies on the machine's disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Etcd {
    network: Network,
    /// How many members there are: those of the first machines.
    members: usize,
}

impl Etcd {
    pub(crate) fn new(network: Network, members: usize) -> Self {
        Self { network, members }
    }

    /// Where clients find a machine's member: an address with its port.
    pub(crate) fn endpoint(self, index: usize) -> String {
        format!("{}:2379", self.network.address(index))
    }

    fn peer(self, index: usize) -> String {
        format!("http://{}:2380", self.network.address(index))
    }

    /// Starts the machine's member. It answers when a majority is there.
    pub(crate) fn start(self, node: &Node) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(node.directory().join("etcd.log"))?;
        let member = |index: usize| format!("m{}={}", index + 1, self.peer(index));
        let cluster: Vec<String> = (0..self.members).map(member).collect();
        let (client, peer) = (format!("http://{}", self.endpoint(node.index)), self.peer(node.index));
        let mut command = inside(&node.namespace());
        command
            .args(["etcd", "--log-level", "warn", "--name", &format!("m{}", node.index + 1), "--data-dir"])
            .arg(node.directory().join("etcd"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &cluster.join(","), "--initial-cluster-state", "new"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        command.spawn().context("start etcd: package `etcd-server` has it")?;
        Ok(())
    }

    /// Waits until the machine's member takes writes.
    pub(crate) fn wait_until_healthy(self, index: usize) -> anyhow::Result<()> {
        let endpoint = self.endpoint(index);
        wait_until(&format!("etcd answers at {endpoint}: package `etcd-client` asks"), || {
            let mut command = Command::new("etcdctl");
            command.env("ETCDCTL_API", "3").args(["--endpoints", &endpoint, "--dial-timeout", "1s"]);
            run(command.args(["endpoint", "health"])).ok()
        })?;
        Ok(())
    }
}
