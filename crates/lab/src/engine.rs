//! A machine's engine.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::command::{run, wait_until};
use crate::images;

/// Makes a machine of namespaces: its name, what its memory holds, what its disk holds for the platform, which may be a disk of
/// its own; then its engine.
const MACHINE: &str = "hostname \"$0\" && mkdir -p /var/lib/ambo && mount --bind \"$1\" /run && \
                       { [ ! -f \"$2.img\" ] || mount -o loop \"$2.img\" \"$2\"; } && \
                       mount --bind \"$2\" /var/lib/ambo && shift 2 && exec \"$@\"";

/// What its disk holds for the platform. Beside it is an image, if that is a disk of its own.
pub(crate) const PLATFORM: &str = "lib";

/// How much of a log says why an engine did not come up.
const LAST_LINES: usize = 5;

/// Where an engine has its things: everything lies in one directory.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(crate) directory: PathBuf,
    pub(crate) namespace: String,
    /// The machine's name.
    pub(crate) hostname: String,
}

impl Engine {
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("docker.sock")
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start(&self, flags: &[String]) -> anyhow::Result<()> {
        let (memory, lib) = (self.directory.join("memory"), self.directory.join(PLATFORM));
        std::fs::create_dir_all(&memory)?;
        std::fs::create_dir_all(&lib)?;
        let log = File::options().create(true).append(true).open(self.directory.join("log"))?;
        let mut command = crate::network::inside(&self.namespace);
        // The machine has a name, a `/run` and a `/var/lib/ambo` of its own; they go with its last process.
        command
            .args(["unshare", "--uts", "--mount", "--propagation", "slave", "--", "sh", "-c", MACHINE])
            .arg(&self.hostname)
            .arg(memory)
            .arg(lib)
            .arg(dockerd())
            .args(["--host", "unix:///run/docker.sock", "--host"])
            .arg(self.address())
            .arg("--data-root")
            .arg(self.directory.join("data"))
            .arg("--exec-root")
            .arg(self.directory.join("run"))
            .arg("--pidfile")
            .arg(self.directory.join("pid"))
            .args(["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", &format!("/{}", self.namespace)])
            .args(["--shutdown-timeout", "5"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut child = command.spawn().context("start dockerd: `dev/engine.sh` installs it")?;
        let mut ended = None;
        let answered = wait_until(&format!("the engine of {} answers", self.hostname), || {
            ended = child.try_wait().ok().flatten();
            (ended.is_some() || self.docker(&["version"]).is_ok()).then_some(())
        });
        match ended {
            None => answered,
            Some(status) => anyhow::bail!("dockerd of {} ended with {status}: {}", self.hostname, self.last_words()),
        }
    }

    /// The end of its log, which goes with the machine.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(LAST_LINES).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Runs `docker` on it.
    pub(crate) fn docker(&self, words: &[&str]) -> anyhow::Result<String> {
        run(Command::new("docker").args(["--host", &self.address()]).args(words))
    }

    /// As `DOCKER_HOST` names it.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Copies images of the host's engine into this one.
    pub(crate) fn load(&self, images: &[&str]) -> anyhow::Result<()> {
        images.iter().try_for_each(|image| image_load(&self.address(), image))
    }
}

/// Copies an image of the host's engine to the engine at `docker_host`.
///
/// # Errors
/// When the host's engine does not have it, or the other does not take it.
pub fn image_load(docker_host: &str, image: &str) -> anyhow::Result<()> {
    let archive = images::archive(image)?;
    let loaded = Command::new("docker").args(["--host", docker_host, "load", "-q"]).stdin(archive).output()?;
    let said = String::from_utf8_lossy(&loaded.stderr);
    ensure!(loaded.status.success(), "{docker_host} does not take `{image}`: {}", said.trim());
    Ok(())
}

/// The engine's program, which is not in everybody's `PATH`.
#[must_use]
pub fn dockerd() -> &'static str {
    if Path::new("/usr/sbin/dockerd").exists() { "/usr/sbin/dockerd" } else { "dockerd" }
}
