//! Real members of etcd on the loopback, each with a directory of its own; they end with the test, however it ends.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambo_store::Store;
use ambo_store_etcd::{EtcdSettings, EtcdStore};
use tempfile::TempDir;

/// How long a member may take to answer.
const START_DURATION_MAX: Duration = Duration::from_secs(20);

/// Some members of one etcd.
pub(crate) struct Etcd {
    members: Vec<Member>,
    directory: TempDir,
    /// What members are started with besides their names and addresses.
    flags: Vec<String>,
    scheme: &'static str,
}

struct Member {
    child: Option<Child>,
    client: u16,
    peer: u16,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Etcd {
    /// One that is made of so many members, which have found each other.
    pub(crate) fn of(count: usize) -> Self {
        Self::with(count, "http", &[])
    }

    pub(crate) fn with(count: usize, scheme: &'static str, flags: &[String]) -> Self {
        let members = (0..count).map(|_| Member { child: None, client: free_port(), peer: free_port() }).collect();
        let mut etcd = Self { members, directory: tempfile::tempdir().unwrap(), flags: flags.to_vec(), scheme };
        for index in 0..count {
            etcd.start(index);
        }
        if scheme == "http" {
            for index in 0..count {
                etcd.wait_until_healthy(index);
            }
        }
        etcd
    }

    /// Starts a member, for the first time or again.
    pub(crate) fn start(&mut self, index: usize) {
        self.start_in(index, "new");
    }

    /// A member more, which is let in first: with its URL.
    pub(crate) async fn join(&mut self, let_in: impl AsyncFnOnce(String)) -> usize {
        self.members.push(Member { child: None, client: free_port(), peer: free_port() });
        let index = self.members.len() - 1;
        let_in(self.peer_url(index)).await;
        self.start_in(index, "existing");
        index
    }

    /// The member that was killed is there no more.
    pub(crate) fn forget(&mut self, index: usize) {
        assert!(self.members.remove(index).child.is_none());
    }

    /// Where other members reach this one.
    pub(crate) fn peer_url(&self, index: usize) -> String {
        format!("http://127.0.0.1:{}", self.members[index].peer)
    }

    fn start_in(&mut self, index: usize, state: &str) {
        let cluster: Vec<String> =
            self.members.iter().map(|member| format!("m{}=http://127.0.0.1:{}", member.peer, member.peer)).collect();
        let (client, peer) = (self.members[index].client, self.members[index].peer);
        let url = format!("{}://127.0.0.1:{client}", self.scheme);
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "etcd", "--log-level", "error"])
            .args(["--name", &format!("m{peer}"), "--heartbeat-interval", "20", "--election-timeout", "200"])
            .arg("--data-dir")
            .arg(self.directory.path().join(peer.to_string()))
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
            .args(["--listen-peer-urls", &format!("http://127.0.0.1:{peer}")])
            .args(["--initial-advertise-peer-urls", &format!("http://127.0.0.1:{peer}")])
            .args(["--initial-cluster", &cluster.join(","), "--initial-cluster-state", state])
            .args(&self.flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`setpriv` and `etcd` are there: install packages `util-linux` and `etcd-server`");
        self.members[index].child = Some(child);
    }

    #[allow(clippy::disallowed_methods, reason = "a look at another program, again and again until a deadline")]
    fn wait_until_healthy(&self, index: usize) {
        let deadline = Instant::now() + START_DURATION_MAX;
        while !self.etcdctl(&["endpoint", "health"], index).1 {
            assert!(Instant::now() < deadline, "member {index} does not answer");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// What `etcdctl` says on this member, and whether it succeeds.
    pub(crate) fn etcdctl(&self, words: &[&str], index: usize) -> (String, bool) {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &format!("127.0.0.1:{}", self.members[index].client), "--dial-timeout", "1s"])
            .args(words)
            .output()
            .expect("`etcdctl` is there: install package `etcd-client`");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
    }

    /// The member that leads.
    pub(crate) fn leader(&self) -> usize {
        let deadline = Instant::now() + START_DURATION_MAX;
        loop {
            for index in (0..self.members.len()).filter(|index| self.members[*index].child.is_some()) {
                // The fifth column of `endpoint status`.
                let (status, _) = self.etcdctl(&["endpoint", "status"], index);
                if status.split(',').nth(4).is_some_and(|is_leader| is_leader.trim() == "true") {
                    return index;
                }
            }
            assert!(Instant::now() < deadline, "no member leads");
        }
    }

    /// No goodbye.
    pub(crate) fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.members[index].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The member hangs: its connections stay open, and nothing comes.
    pub(crate) fn pause(&self, index: usize) {
        self.signal(index, "STOP");
    }

    pub(crate) fn resume(&self, index: usize) {
        self.signal(index, "CONT");
    }

    fn signal(&self, index: usize, signal: &str) {
        let pid = self.members[index].child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// Its members, this one first.
    pub(crate) fn settings(&self, first: usize) -> EtcdSettings {
        let count = self.members.len();
        let members = (0..count).map(|index| format!("127.0.0.1:{}", self.members[(first + index) % count].client));
        format!("etcd://{}", members.collect::<Vec<_>>().join(",")).parse().unwrap()
    }

    /// A store that knows this member alone, as one that is cut off from the others does.
    pub(crate) fn alone(&self, index: usize) -> Arc<dyn Store> {
        let mut settings = self.settings(index);
        settings.members.truncate(1);
        Arc::new(EtcdStore::new(settings))
    }

    /// A store on it that asks this member first.
    pub(crate) fn store(&self, first: usize) -> Arc<dyn Store> {
        Arc::new(EtcdStore::new(self.settings(first)))
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for index in 0..self.members.len() {
            self.kill(index);
        }
    }
}
