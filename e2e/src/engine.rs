//! A Docker Engine of a test's own, beside the machine's: for what would disturb everybody else, such as a power cut.
//!
//! It shares nothing with the machine's engine but the kernel: directories, socket, bridges, addresses and cgroup are its
//! own, and it leaves the packet filter alone, whose chains two engines would take from one another. An engine that is
//! told to have no bridge, or is given address pools, removes `docker0`, which is the other's: so this one has a bridge of
//! its own, made before it starts, and takes addresses for networks wherever there is no route yet.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use crate::disk::SmallDisk;
use crate::program::{Ran, run};
use crate::wait::wait_until;
use ambo_lab::{Belongings, dockerd, image_load};
use rustix::process::{Pid, Signal, geteuid, kill_process};

/// Room for its images, layers and containers.
const DISK_MIB: usize = 2048;

/// An engine that belongs to one test. Everything of it goes when it is dropped.
#[derive(Debug)]
pub struct OwnEngine {
    /// In memory, which is faster, and which the power cut spares as if it were a disk.
    disk: SmallDisk,
    /// Tells engines of tests that run at the same time apart: the third number of its bridge's addresses.
    number: u8,
    child: Mutex<Option<Child>>,
}

impl OwnEngine {
    /// Starts an engine without images.
    ///
    /// # Panics
    /// When it does not come up, or this is not root.
    #[must_use]
    pub fn start() -> Self {
        assert!(geteuid().is_root(), "an engine of a test's own needs root: `sudo -E make test`");
        let number = u8::try_from(std::process::id() % 256).expect("less than 256");
        let engine = Self { disk: SmallDisk::mount(DISK_MIB), number, child: Mutex::new(None) };
        engine.launch();
        engine
    }

    /// Starts it, at first or again.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn launch(&self) {
        let of_the_other = default_bridge();
        self.bridge_ensure();
        let log = File::options().create(true).append(true).open(self.path("log")).expect("the log file");
        let mut command = Command::new(dockerd());
        command
            .args(["--host", &self.address(), "--bridge", &self.bridge()])
            .arg("--data-root")
            .arg(self.path("data"))
            .arg("--exec-root")
            .arg(self.path("run"))
            .arg("--pidfile")
            .arg(self.path("pid"))
            .args(["--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"])
            .args(["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", &format!("/{}", self.bridge())])
            .args(["--shutdown-timeout", "5"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log file"))
            .stderr(log);
        let child = command.spawn().expect("dockerd starts: `dev/engine.sh` installs it");
        *self.child.lock().expect("no test panicked here") = Some(child);
        wait_until("the test's own engine answers", || {
            let mut child = self.child.lock().expect("no test panicked here");
            let ended = child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "dockerd ended with {ended:?}:\n{}", self.log_text());
            (self.docker(&["version"]).code == 0).then_some(())
        });
        assert_eq!(default_bridge(), of_the_other, "the machine's own engine has lost its bridge");
    }

    /// Copies an image of the machine's engine into this one.
    ///
    /// # Panics
    /// When the machine's engine does not have it.
    pub fn load(&self, image: &str) {
        image_load(&self.address(), image).expect("the image is copied");
    }

    /// Stops it as a service manager does: it stops its containers first.
    ///
    /// # Panics
    /// When it was not running.
    pub fn terminate(&self) {
        let mut child = self.child.lock().expect("no test panicked here").take().expect("the engine runs");
        kill_process(pid(child.id()).expect("a process id"), Signal::TERM).expect("the engine runs");
        wait_until("the engine has ended", || child.try_wait().ok().flatten());
    }

    /// Ends everything of it at once, as a power cut does, containers included; what a machine forgets with its memory is
    /// gone: `/run`, mounts, bridges, cgroups.
    pub fn cut_power(&self) {
        self.belongings().end();
        if let Some(mut child) = self.child.lock().ok().and_then(|mut child| child.take()) {
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(self.path("run"));
        let _ = fs::remove_file(self.path("pid"));
        for bridge in self.bridges() {
            let _ = Command::new("ip").args(["link", "delete", &bridge]).output();
        }
    }

    /// Its address, as `ambod` takes it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix://{}", self.path("docker.sock").display())
    }

    /// Runs `docker` on it.
    #[must_use]
    pub fn docker(&self, arguments: &[&str]) -> Ran {
        run(Command::new("docker").args(["--host", &self.address()]).args(arguments))
    }

    /// What it has logged.
    #[must_use]
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A path on its disk, which outlives a power cut.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.disk.path().join(name)
    }

    /// The engine, its containerd and shims, which all name our directory, and whatever they have started.
    fn belongings(&self) -> Belongings {
        Belongings { directory: self.disk.path().to_owned(), cgroup: self.bridge(), namespace: None }
    }

    /// Also the name of its cgroup.
    fn bridge(&self) -> String {
        format!("ambo-e2e-{}", self.number)
    }

    fn bridge_ensure(&self) {
        let (name, address) = (self.bridge(), format!("198.18.{}.1/24", self.number));
        if Path::new("/sys/class/net").join(&name).exists() {
            return;
        }
        let ip = |arguments: &[&str]| run(Command::new("ip").args(arguments)).ok();
        ip(&["link", "add", &name, "type", "bridge"]);
        ip(&["address", "add", &address, "dev", &name]);
        ip(&["link", "set", &name, "up"]);
    }

    /// Its default one, and those of its networks, which are named by ids that it has written down.
    fn bridges(&self) -> Vec<String> {
        let written = fs::read(self.path("data/network/files/local-kv.db")).unwrap_or_default();
        let written = String::from_utf8_lossy(&written);
        let is_ours = |name: &str| match name.strip_prefix("br-") {
            Some(id) => !id.is_empty() && written.contains(id),
            None => name == self.bridge(),
        };
        let links = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
        links.filter_map(|link| link.file_name().into_string().ok()).filter(|name| is_ours(name)).collect()
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.cut_power();
    }
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id).ok()?)
}

/// Which link `docker0` is now.
fn default_bridge() -> Option<String> {
    fs::read_to_string("/sys/class/net/docker0/ifindex").ok()
}
