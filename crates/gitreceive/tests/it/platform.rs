//! The platform that the tests play, and the client's side.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use ambo_gitreceive::{
    AccessDenied, Caller, Gate, GitAction, GitServer, GitSettings, LoginRefused, Push, PushOutput, PushReceiver,
    PushRejected, Repository, SshServer, SshSettings, dead_peer,
};
use ambo_model::{AccountId, AppId, AppName, Secret};
use async_trait::async_trait;
use axum::serve::ListenerExt;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for a state.
pub(crate) async fn wait_until<F: Future<Output = bool>>(what: &str, mut reached: impl FnMut() -> F) {
    let wait = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// What the receiver does with a push.
#[derive(Debug, Clone, Default)]
pub(crate) enum Script {
    /// Says a line and accepts.
    #[default]
    Accept,
    /// Says lines, each after a permit of `steps`, and accepts.
    Steps(Vec<String>),
    /// Says a line and rejects.
    Reject(String),
    /// Says a line and waits for ever.
    Hang,
}

/// What the receiver got.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) app: AppId,
    pub(crate) by: AccountId,
    pub(crate) commit: String,
    /// The archive's files with their contents' lengths.
    pub(crate) files: Vec<(String, u64)>,
    pub(crate) archive: PathBuf,
}

/// Gate and receiver.
pub(crate) struct Fake {
    /// Name, password.
    accounts: Vec<(AccountId, &'static str, &'static str)>,
    keys: Mutex<HashMap<String, AccountId>>,
    apps: HashMap<&'static str, (AppId, AccountId)>,
    pub(crate) script: Mutex<Script>,
    pub(crate) steps: Semaphore,
    pub(crate) received: Mutex<Vec<Received>>,
    /// How many pushes are with the receiver.
    pub(crate) busy: watch::Sender<usize>,
    /// How many were dropped before their end.
    pub(crate) dropped: watch::Sender<usize>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let (ann, bob) = (AccountId::new(), AccountId::new());
        Self {
            accounts: vec![(ann, "ann@example.com", "ann-secret"), (bob, "bob@example.com", "bob-secret")],
            keys: Mutex::default(),
            apps: HashMap::from([("shop", (AppId::new(), ann)), ("blog", (AppId::new(), bob))]),
            script: Mutex::default(),
            steps: Semaphore::new(0),
            received: Mutex::default(),
            busy: watch::Sender::new(0),
            dropped: watch::Sender::new(0),
        }
    }

    pub(crate) fn ann(&self) -> AccountId {
        self.accounts[0].0
    }
    pub(crate) fn bob(&self) -> AccountId {
        self.accounts[1].0
    }
    pub(crate) fn app(&self, name: &str) -> AppId {
        self.apps[name].0
    }
    pub(crate) fn play(&self, script: Script) {
        *self.script.lock() = script;
    }
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().clone()
    }
}

#[async_trait]
impl Gate for Fake {
    async fn account_by_password(
        &self,
        username: &str,
        password: &Secret,
        _peer: Option<IpAddr>,
    ) -> Result<Caller, LoginRefused> {
        let found = self.accounts.iter().find(|(_, name, secret)| {
            (*name == username && *secret == password.reveal()) || format!("token-of-{name}") == password.reveal()
        });
        found.map(|(account, ..)| Caller { account: *account, only: None }).ok_or(LoginRefused::Wrong)
    }
    async fn account_by_key(&self, public_key: &str) -> Option<Caller> {
        self.keys.lock().get(public_key).map(|account| Caller { account: *account, only: None })
    }
    async fn account_name(&self, account: AccountId) -> Option<String> {
        self.accounts.iter().find(|(id, ..)| *id == account).map(|(_, name, _)| (*name).to_owned())
    }
    async fn authorize(&self, caller: Caller, app: &str, _action: GitAction) -> Result<Repository, AccessDenied> {
        match self.apps.get(app) {
            Some((id, owner)) if *owner == caller.account => {
                Ok(Repository { app: *id, app_name: AppName::parse(app).unwrap() })
            }
            _ => Err(AccessDenied::NotFound(app.to_owned())),
        }
    }
}

/// Counts a push in and out.
struct Busy<'a> {
    fake: &'a Fake,
    finished: bool,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.fake.busy.send_modify(|count| *count -= 1);
        if !self.finished {
            self.fake.dropped.send_modify(|count| *count += 1);
        }
    }
}

#[async_trait]
impl PushReceiver for Fake {
    async fn push_receive(&self, push: Push, output: PushOutput) -> Result<(), PushRejected> {
        let files = files_of(&push.archive).await;
        self.received.lock().push(Received {
            app: push.app,
            by: push.by,
            commit: push.commit.to_string(),
            files,
            archive: push.archive.clone(),
        });
        self.busy.send_modify(|count| *count += 1);
        let mut busy = Busy { fake: self, finished: false };
        let say = async |line: String| output.send(line).await.unwrap();
        say(format!("-----> Building {}", push.commit.short())).await;
        let script = self.script.lock().clone();
        let result = match script {
            Script::Accept => Ok(()),
            Script::Steps(lines) => {
                for line in lines {
                    self.steps.acquire().await.unwrap().forget();
                    say(line).await;
                }
                Ok(())
            }
            Script::Reject(reason) => Err(PushRejected(reason)),
            Script::Hang => std::future::pending().await,
        };
        busy.finished = true;
        result
    }
}

/// What `tar` says is in the archive.
async fn files_of(archive: &Path) -> Vec<(String, u64)> {
    let listed = Command::new("tar").arg("-tvf").arg(archive).output().await.unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let text = String::from_utf8(listed.stdout).unwrap();
    let file = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields[5].to_owned(), fields[2].parse().unwrap())
    };
    text.lines().filter(|line| line.starts_with('-')).map(file).collect()
}

/// How a client comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Http,
    Ssh,
}

pub(crate) const BOTH: [Transport; 2] = [Transport::Http, Transport::Ssh];

/// A running git server with its clients' home.
pub(crate) struct Platform {
    pub(crate) fake: Arc<Fake>,
    pub(crate) git: GitServer,
    pub(crate) http: std::net::SocketAddr,
    pub(crate) ssh: std::net::SocketAddr,
    pub(crate) home: TempDir,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: JoinSet<&'static str>,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut GitSettings)) -> Self {
        Self::start_beside(Arc::new(Fake::new()), change).await
    }

    /// One more that serves the apps of `fake`.
    pub(crate) async fn start_beside(fake: Arc<Fake>, change: impl FnOnce(&mut GitSettings)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let mut settings = GitSettings::new(&data, env!("CARGO_BIN_EXE_ambo-pre-receive").into());
        settings.keep_alive = Duration::from_secs(1);
        settings.bucket = crate::bucket();
        change(&mut settings);
        let git = GitServer::open(settings, fake.clone(), fake.clone()).await.unwrap();
        let ssh_settings = SshSettings { listen: ([127, 0, 0, 1], 0).into(), ..SshSettings::new(&data) };
        let ssh = SshServer::bind(git.clone(), ssh_settings).await.unwrap();
        let ssh_address = ssh.local_addr().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = listener.local_addr().unwrap();
        let listener = listener.tap_io(|socket| dead_peer::socket_watch(socket).unwrap());
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let (git, shutdown) = (git.clone(), shutdown.clone());
            async move {
                git.run(shutdown).await;
                "git"
            }
        });
        tasks.spawn({
            let shutdown = shutdown.clone();
            async move {
                ssh.run(shutdown).await;
                "ssh"
            }
        });
        let router = git.http_router();
        tasks.spawn(async move {
            axum::serve(listener, router).await.unwrap();
            "http"
        });
        let platform = Self { fake, git, http, ssh: ssh_address, home, shutdown, tasks };
        platform.key_add("ann", "ed25519", platform.fake.ann()).await;
        platform.key_add("bob", "ed25519", platform.fake.bob()).await;
        platform
    }

    /// Makes a key and, unless it is a stranger's, tells the platform.
    pub(crate) async fn key_make(&self, name: &str, kind: &str) -> String {
        let path = self.home.path().join(format!("{name}.key"));
        let made = Command::new("ssh-keygen")
            .args(["-q", "-N", "", "-C", "somebody@somewhere", "-t", kind, "-f"])
            .arg(&path)
            .status()
            .await;
        assert!(made.expect("install openssh-client: apt-get install openssh-client").success());
        let line = std::fs::read_to_string(path.with_extension("key.pub")).unwrap();
        line.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    pub(crate) async fn key_add(&self, name: &str, kind: &str, account: AccountId) {
        let line = self.key_make(name, kind).await;
        self.fake.keys.lock().insert(line, account);
    }

    /// An app's address for somebody.
    pub(crate) fn url(&self, transport: Transport, who: &str, app: &str) -> String {
        match transport {
            Transport::Http => format!("http://{who}%40example.com:{who}-secret@{}/{app}.git", self.http),
            Transport::Ssh => format!("ssh://git@{}/{app}.git", self.ssh),
        }
    }

    /// The path of an app's repository on the server.
    pub(crate) fn repository(&self, app: &str) -> PathBuf {
        self.home.path().join(format!("data/repos/{}.git", self.fake.app(app)))
    }

    /// A ref on the server, if it is there.
    pub(crate) async fn server_ref(&self, app: &str, name: &str) -> Option<String> {
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(self.repository(app))
            .args(["rev-parse", "--verify", "--quiet", name])
            .output()
            .await
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// The program that git uses as `ssh` for somebody.
    pub(crate) fn ssh_command(&self, who: &str) -> String {
        let key = self.home.path().join(format!("{who}.key"));
        format!(
            "ssh -F /dev/null -i {} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
             -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
            key.display()
        )
    }

    /// Git as somebody's client, in a directory.
    pub(crate) fn git_command(&self, who: &str, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(directory).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.home.path()).env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        command.env("GIT_SSH_COMMAND", self.ssh_command(who));
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), who).env(format!("GIT_{role}_EMAIL"), format!("{who}@example.com"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs git to its end.
    pub(crate) async fn git(&self, who: &str, directory: &Path, arguments: &[&str]) -> Answer {
        let run = self.git_command(who, directory, arguments).output();
        let output = tokio::time::timeout(DEADLINE, run).await.expect("git takes too long").unwrap();
        Answer {
            ok: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            text: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts a push in a process group of its own and gives its lines as they come.
    pub(crate) fn push_start(&self, who: &str, source: &Path, arguments: &[&str]) -> Pushing {
        let mut command = self.git_command(who, source, &["push"]);
        let mut child = command.args(arguments).process_group(0).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Pushing { child, lines, seen: String::new() }
    }

    /// A working tree with one commit on `main`.
    pub(crate) async fn source(&self, name: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        assert!(self.git("ann", &path, &["init", "-q", "-b", "main"]).await.ok);
        self.commit(&path, "index.html", b"hello\n").await;
        path
    }

    /// Adds a file and commits; gives the commit.
    pub(crate) async fn commit(&self, source: &Path, file: &str, content: &[u8]) -> String {
        std::fs::write(source.join(file), content).unwrap();
        assert!(self.git("ann", source, &["add", "-A"]).await.ok);
        assert!(self.git("ann", source, &["commit", "-q", "-m", file]).await.ok);
        self.git("ann", source, &["rev-parse", "HEAD"]).await.out
    }

    /// Waits until the receiver's future of one push was dropped.
    pub(crate) async fn wait_until_dropped(&self) {
        wait_until("a cancelled push", async || *self.fake.dropped.borrow() == 1).await;
    }

    /// Waits until nobody pushes and nothing is left of those who did.
    pub(crate) async fn wait_until_clean(&self, app: &str) {
        wait_until("a clean repository", async || self.leftovers(app).is_empty()).await;
        let archives = self.home.path().join("data/git/archives");
        wait_until("no archive left", async || std::fs::read_dir(&archives).unwrap().next().is_none()).await;
    }

    /// What a push left behind on the disk.
    pub(crate) fn leftovers(&self, app: &str) -> Vec<PathBuf> {
        let repository = self.repository(app);
        let mut found = Vec::new();
        for directory in ["", "objects", "objects/pack", "refs/heads"] {
            for entry in std::fs::read_dir(repository.join(directory)).into_iter().flatten() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if name.starts_with("tmp_") || name.ends_with(".lock") {
                    found.push(path);
                }
            }
        }
        found
    }
}

/// How a git command ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) text: String,
}

/// A push under way.
pub(crate) struct Pushing {
    pub(crate) child: Child,
    lines: BufReader<ChildStderr>,
    pub(crate) seen: String,
}

impl Pushing {
    /// Reads until a line holds `text`.
    pub(crate) async fn wait_for_line(&mut self, text: &str) {
        let wait = async {
            loop {
                let mut line = Vec::new();
                let count = self.lines.read_until(b'\n', &mut line).await.unwrap();
                let line = String::from_utf8_lossy(&line).into_owned();
                self.seen.push_str(&line);
                if line.contains(text) {
                    return;
                }
                assert!(count > 0, "the push ended without `{text}`:\n{}", self.seen);
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("no line with `{text}`"));
    }

    /// Reads to the end.
    pub(crate) async fn end(mut self) -> Answer {
        let end = async {
            let mut line = Vec::new();
            while self.lines.read_until(b'\n', &mut line).await.unwrap() > 0 {}
            self.seen.push_str(&String::from_utf8_lossy(&line));
            self.child.wait().await.unwrap().success()
        };
        let ok = tokio::time::timeout(DEADLINE, end).await.expect("the push does not end");
        Answer { ok, out: String::new(), text: self.seen }
    }

    /// Kills the client and everything that it started, at once.
    pub(crate) async fn kill_all(mut self) {
        let group = rustix::process::Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
        self.child.wait().await.unwrap();
    }
}
