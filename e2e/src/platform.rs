//! A platform of its own for a test: a real `ambod` with its own data, ports and network.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http::{Answer, get, get_with};
use crate::program::{program, run};
use crate::user::User;
use crate::wait::wait_until;

/// A running platform. Everything of it goes when it is dropped.
#[derive(Debug)]
pub struct Platform {
    dir: TempDir,
    ports: Ports,
    settings: Vec<(String, String)>,
    child: Mutex<Option<Child>>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    api: u16,
    http: u16,
    https: u16,
    ssh: u16,
    registry: u16,
    rendezvous: u16,
}

impl Platform {
    /// Starts a platform where anybody may register.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[("AMBO_REGISTRATION", "open")])
    }

    /// Starts a platform with these settings, given as variables.
    ///
    /// # Panics
    /// When there is no engine, or `ambod` does not come up.
    #[must_use]
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::Builder::new().prefix("ambo-e2e-").tempdir().expect("a temporary directory");
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let platform = Self { dir, ports: Ports::free(), settings, child: Mutex::new(None) };
        if platform.setting("AMBO_ENGINE").is_none() {
            engine_required();
        }
        platform.launch();
        platform
    }

    /// Starts `ambod` again after [`Platform::terminate`] or [`Platform::kill`].
    ///
    /// # Panics
    /// When it does not come up.
    pub fn launch(&self) {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("the log file");
        let mut command = Command::new(program("ambod"));
        command.args(["serve", "--data"]).arg(self.data());
        command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
        for (name, port) in [
            ("AMBO_LISTEN_API", self.ports.api),
            ("AMBO_LISTEN_HTTP", self.ports.http),
            ("AMBO_LISTEN_HTTPS", self.ports.https),
            ("AMBO_LISTEN_SSH", self.ports.ssh),
            ("AMBO_LISTEN_REGISTRY", self.ports.registry),
            ("AMBO_LISTEN_RENDEZVOUS", self.ports.rendezvous),
        ] {
            command.env(name, format!("127.0.0.1:{port}"));
        }
        command.env("AMBO_NETWORK", self.network()).env("AMBO_GRACE_SECONDS", "10").env("AMBO_LOG", "info,ambo=debug");
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdout(log.try_clone().expect("the log file")).stderr(log);
        *self.child.lock().expect("no test panicked here") = Some(command.spawn().expect("ambod starts"));
        wait_until("ambod answers", || {
            self.assert_alive();
            (self.api_get("/ambo/info").status == 200).then_some(())
        });
    }

    /// States that the `ambod` which was launched has not ended.
    ///
    /// # Panics
    /// When it has.
    pub fn assert_alive(&self) {
        let mut child = self.child.lock().expect("no test panicked here");
        let ended = child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        assert!(ended.is_none(), "ambod ended with {ended:?}:\n{}", self.log_text());
    }

    /// The process id of `ambod`.
    ///
    /// # Panics
    /// When it is not running.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.lock().expect("no test panicked here").as_ref().expect("ambod runs").id()
    }

    /// The process that serves now: after a SIGHUP the successor of the one that was started.
    #[must_use]
    pub fn serving_pid(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("ambod.pid")).ok()?.trim().parse().ok()
    }

    /// Sends `ambod` a signal.
    ///
    /// # Panics
    /// When it is not running.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a process id")).expect("a process id");
        kill_process(pid, signal).expect("ambod runs");
    }

    /// Stops `ambod` as a service manager does, and waits for its end.
    ///
    /// # Panics
    /// When it was not running.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
        self.reap();
    }

    /// Ends `ambod` without warning.
    ///
    /// # Panics
    /// When it was not running.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        self.reap();
    }

    fn reap(&self) {
        let child = self.child.lock().expect("no test panicked here").take();
        let mut child = child.expect("ambod runs");
        wait_until("ambod has ended", || child.try_wait().ok().flatten());
    }

    /// Registers an account; the first one is the administrator.
    #[must_use]
    pub fn user(&self, name: &str) -> User<'_> {
        User::register(self, name)
    }

    /// Where the API is.
    #[must_use]
    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.api)
    }

    /// The registry's address.
    #[must_use]
    pub fn registry(&self) -> String {
        format!("127.0.0.1:{}", self.ports.registry)
    }

    /// The file with the root of the platform's own certificates.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.data().join("tls/ca.crt")
    }

    /// The port where Heroku's client attaches to runs.
    #[must_use]
    pub fn rendezvous_port(&self) -> u16 {
        self.ports.rendezvous
    }

    /// The port of git over SSH.
    #[must_use]
    pub fn ssh_port(&self) -> u16 {
        self.ports.ssh
    }

    /// The router's port for HTTP.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.ports.http
    }

    /// The router's port for HTTPS.
    #[must_use]
    pub fn https_port(&self) -> u16 {
        self.ports.https
    }

    /// `GET` of a path of the API, unauthenticated.
    #[must_use]
    pub fn api_get(&self, path: &str) -> Answer {
        get(&format!("{}{path}", self.api()))
    }

    /// The URL of a path of an app.
    #[must_use]
    pub fn app_url(&self, app: &str, path: &str) -> String {
        format!("http://{app}.localhost:{}{path}", self.ports.http)
    }

    /// `GET` of a path of an app, through the router.
    #[must_use]
    pub fn app_get(&self, app: &str, path: &str) -> Answer {
        get(&self.app_url(app, path))
    }

    /// `GET` of a path through the router under any host name.
    #[must_use]
    pub fn host_get(&self, host: &str, path: &str) -> Answer {
        get_with(&format!("http://127.0.0.1:{}{path}", self.ports.http), &["-H", &format!("Host: {host}")])
    }

    /// A directory of the test's own.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The platform's data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.setting("AMBO_DATA").map_or_else(|| self.dir.path().join("data"), PathBuf::from)
    }

    /// The engine's network of this platform.
    #[must_use]
    pub fn network(&self) -> String {
        format!("ambo-e2e-{}", self.ports.api)
    }

    /// `docker` on this platform's engine.
    #[must_use]
    pub fn docker(&self) -> Command {
        let mut command = Command::new("docker");
        command.args(self.setting("AMBO_ENGINE").into_iter().flat_map(|address| ["--host", address]));
        command
    }

    fn setting(&self, variable: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == variable).map(|(_, value)| value.as_str())
    }

    /// The id that tells this platform's things on the engine from others'.
    #[must_use]
    pub fn id(&self) -> String {
        fs::read_to_string(self.data().join("platform-id")).unwrap_or_default().trim().to_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("ambod.log")
    }

    /// What `ambod` has logged.
    #[must_use]
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The ids of an app's containers on the engine, by the labels that outsiders script against.
    #[must_use]
    pub fn containers(&self, app: &str, process: &str) -> Vec<String> {
        let (app, process) = (format!("label=ambo.app={app}"), format!("label=ambo.process={process}"));
        let network = format!("network={}", self.network());
        let ran = run(self.docker().args([
            "ps",
            "-q",
            "--no-trunc",
            "--filter",
            &app,
            "--filter",
            &process,
            "--filter",
            &network,
        ]))
        .ok();
        ran.stdout.lines().map(str::to_owned).collect()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.log_text();
            let tail: Vec<&str> = text.lines().rev().take(60).collect();
            eprint_tail(&tail);
        }
        let child = self.child.lock().ok().and_then(|mut child| child.take());
        let successor = self.serving_pid().filter(|pid| child.as_ref().is_some_and(|child| child.id() != *pid));
        if let Some(pid) = successor.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        if let Some(mut child) = child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let network = self.network();
        // By the platform's own label: a container that was only created is on no network yet.
        let filter = format!("label=ambo.platform={}", self.id());
        let docker = |arguments: &[&str]| self.docker().args(arguments).output();
        if let Ok(listed) = docker(&["ps", "-aq", "--filter", &filter]) {
            for id in String::from_utf8_lossy(&listed.stdout).lines() {
                let _ = docker(&["rm", "-f", "-v", id]);
            }
        }
        let _ = docker(&["network", "rm", &network]);
        let registry = format!("{}/*", self.registry());
        // By their names: other tests may have the same image under names of their own.
        let named = ["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", &format!("reference={registry}")];
        if let Ok(images) = docker(&named) {
            for name in String::from_utf8_lossy(&images.stdout).lines() {
                let _ = docker(&["rmi", name]);
            }
        }
    }
}

#[allow(clippy::print_stderr, reason = "a failing test shows what the platform said")]
fn eprint_tail(newest_first: &[&str]) {
    eprintln!("--- the last lines of ambod's log");
    for line in newest_first.iter().rev() {
        eprintln!("{line}");
    }
}

impl Ports {
    /// Ports that are free now, and that other tests of this machine are unlikely to ask for.
    fn free() -> Self {
        let held: Vec<TcpListener> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let port = |index: usize| held[index].local_addr().expect("a bound port").port();
        Self { api: port(0), http: port(1), https: port(2), ssh: port(3), registry: port(4), rendezvous: port(5) }
    }
}

fn engine_required() {
    let ran = run(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]));
    assert_eq!(ran.code, 0, "no Docker Engine answers: `dev/engine.sh up` installs and starts one\n{ran}");
}
