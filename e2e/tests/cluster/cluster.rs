//! A cluster of a test's own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ambo_e2e::wait_until;
use ambo_e2e::{Load, LoadReport};
use ambo_e2e::{Ran, run};
use ambo_lab::platform::{self, Access, DOMAIN, Programs};
use ambo_lab::{Lab, LabSettings, Node};
use serde_json::Value;

/// Machines with the platform on them. Everything of it goes when it is dropped.
pub(crate) struct Cluster {
    lab: Lab,
    access: Access,
    programs: Programs,
    home: tempfile::TempDir,
    /// One cluster at a time is all that two cores can bear.
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl Cluster {
    /// Three machines, all of them managers.
    pub(crate) fn up(name: &str) -> Self {
        Self::of(name, 3, &[])
    }

    /// So many machines, the first three of them managers, with these settings of the platform.
    pub(crate) fn of(name: &str, nodes: usize, settings: &[&str]) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let programs = Programs { project: platform::project(env!("CARGO_MANIFEST_DIR")), profile: "debug".to_owned() };
        let lab = Lab::up(LabSettings { name: name.to_owned(), nodes, ..LabSettings::default() }).unwrap();
        lab.swarm(3).unwrap();
        let access = platform::install(&lab, &programs, settings).unwrap();
        Self { lab, access, programs, home: tempfile::tempdir().unwrap(), _alone: alone }
    }

    /// One machine, on which `install` puts the platform.
    pub(crate) fn of_one(name: &str, install: impl FnOnce(&Lab, &Programs) -> Access) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let programs = Programs { project: platform::project(env!("CARGO_MANIFEST_DIR")), profile: "debug".to_owned() };
        let lab = Lab::up(LabSettings { name: name.to_owned(), nodes: 1, ..LabSettings::default() }).unwrap();
        lab.swarm(1).unwrap();
        let access = install(&lab, &programs);
        Self { lab, access, programs, home: tempfile::tempdir().unwrap(), _alone: alone }
    }

    pub(crate) fn node(&self, name: &str) -> &Node {
        self.lab.node(name).unwrap()
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        self.lab.nodes()
    }

    /// A command with the credentials of the administrator.
    fn command(&self, program: impl Into<PathBuf>) -> Command {
        let mut command = Command::new(program.into());
        command
            .env("HOME", self.home.path())
            .env("AMBO_CONFIG_DIR", self.home.path())
            .env("AMBO_HOST", &self.access.host)
            .env("AMBO_API_KEY", &self.access.key);
        for (name, value) in [("NAME", "Tester"), ("EMAIL", "tester@example.com")] {
            command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
        }
        command
    }

    /// Runs `ambo`, through the first machine.
    pub(crate) fn ambo(&self, words: &[&str]) -> Ran {
        run(self.command(self.programs.ambo()).args(words))
    }

    /// Runs `ambo`, through another machine.
    pub(crate) fn ambo_at(&self, node: &Node, words: &[&str]) -> Ran {
        let host = format!("http://{}:7080", node.address());
        run(self.command(self.programs.ambo()).env("AMBO_HOST", host).args(words))
    }

    /// The working copy of an app, the example at first.
    pub(crate) fn working_copy(&self, app: &str) -> PathBuf {
        let work = self.home.path().join(app);
        if !work.exists() {
            let example = self.programs.project.join("examples/hello-python");
            run(Command::new("cp").arg("-r").arg(example).arg(&work)).ok();
            self.git(&work, &["init", "-q", "-b", "main"]).ok();
        }
        work
    }

    /// Pushes the working copy of an app, through this machine.
    pub(crate) fn push(&self, app: &str, node: &Node, text: &str) -> Ran {
        run(&mut self.push_command(app, node, text))
    }

    /// Commits to the working copy of an app; the command pushes it, through this machine.
    pub(crate) fn push_command(&self, app: &str, node: &Node, text: &str) -> Command {
        let work = self.working_copy(app);
        std::fs::write(work.join("VERSION"), text).unwrap();
        self.git(&work, &["add", "-A"]).ok();
        self.git(&work, &["commit", "-q", "-m", text]).ok();
        let remote = format!("http://ambo:{}@{}:7080/{app}.git", self.access.key, node.address());
        let mut git = self.command("git");
        git.current_dir(work).args(["push", &remote, "main"]);
        git
    }

    /// The rows of a list, the newest first, asked through this machine.
    pub(crate) fn rows(&self, words: &[&str], node: &Node) -> Vec<Value> {
        let answer = self.ambo_at(node, &[words, &["--json"]].concat()).ok();
        serde_json::from_str(&answer.stdout).unwrap()
    }

    /// What is in an app's repository, through this machine.
    pub(crate) fn refs(&self, app: &str, node: &Node) -> Ran {
        let remote = format!("http://ambo:{}@{}:7080/{app}.git", self.access.key, node.address());
        self.git(self.home.path(), &["ls-remote", &remote])
    }

    fn git(&self, work: &Path, words: &[&str]) -> Ran {
        run(self.command("git").current_dir(work).args(words))
    }

    /// An app of the example, with so many instances, all up.
    pub(crate) fn app(&self, name: &str, count: usize) {
        self.ambo(&["create", name, "--no-remote"]).ok();
        self.push(name, self.node("n1"), "first").ok();
        self.ambo(&["ps", "scale", &format!("web={count}"), "-a", name]).ok();
        self.wait_for(name, count, |_| true);
    }

    /// Waits until so many instances are up, all on nodes that will do; gives the nodes.
    pub(crate) fn wait_for(&self, app: &str, count: usize, on: impl Fn(&str) -> bool) -> BTreeSet<String> {
        wait_until(&format!("{app} has {count} instances up"), || {
            let up = self.nodes_of(app).into_iter().filter(|node| on(node)).collect::<Vec<_>>();
            (up.len() == count).then(|| up.into_iter().collect())
        })
    }

    /// The node of every instance that is up, asked wherever somebody answers.
    fn nodes_of(&self, app: &str) -> Vec<String> {
        let answers = self.nodes().iter().map(|node| self.ambo_at(node, &["ps", "-a", app, "--json"]));
        let Some(answer) = answers.into_iter().find(|answer| answer.code == 0) else { return Vec::new() };
        let rows: Vec<Value> = serde_json::from_str(&answer.stdout).unwrap();
        let up = rows.iter().filter(|row| row["state"] == "up");
        up.filter_map(|row| row["node"].as_str().map(str::to_owned)).collect()
    }

    /// Load on an app through a machine's router.
    pub(crate) fn load(&self, app: &str, node: &Node) -> Load {
        Load::on(&format!("http://{}/", node.address()), &format!("{app}.{DOMAIN}"))
    }

    /// What an app answers through a machine's router: status and body.
    pub(crate) fn get(&self, app: &str, node: &Node) -> (String, String) {
        self.get_path(app, node, "/")
    }

    /// What an app answers to a request for this path.
    pub(crate) fn get_path(&self, app: &str, node: &Node, path: &str) -> (String, String) {
        let host = format!("Host: {app}.{DOMAIN}");
        let url = format!("http://{}{path}", node.address());
        let answer = run(Command::new("curl").args(["-s", "-m", "30", "-w", "\n%{http_code}", "-H", &host, &url]));
        let (body, status) = answer.stdout.rsplit_once('\n').unwrap_or(("", "000"));
        (status.to_owned(), body.to_owned())
    }

    /// What is measured, asked through a machine; none while nobody answers.
    pub(crate) fn metrics(&self, node: &Node) -> Option<String> {
        let key = format!("Authorization: Bearer {}", self.access.key);
        let url = format!("http://{}:7080/metrics", node.address());
        let answer = run(Command::new("curl").args(["-s", "-f", "-m", "30", "-H", &key, &url]));
        (answer.code == 0).then_some(answer.stdout)
    }

    /// The machine whose controller leads.
    pub(crate) fn leader(&self) -> &Node {
        wait_until("a controller leads", || self.nodes().iter().find(|node| self.leads(node)))
    }

    /// The machine whose controller leads after this one's.
    pub(crate) fn leader_after(&self, past: &Node) -> &Node {
        let others = self.nodes().iter().filter(|node| node.name() != past.name());
        wait_until("another controller leads", || others.clone().find(|node| self.leads(node)))
    }

    /// Waits until every other controller keeps a copy of the logs of the one that leads.
    pub(crate) fn wait_for_copies(&self, leader: &Node) {
        wait_until("the others keep copies of the logs", || {
            let log = leader.docker_said(&["logs", &controller(leader)?]).ok()?;
            let since = log.rsplit("this controller leads").next()?;
            (since.matches("keeps a copy of the logs").count() + 1 >= self.nodes().len()).then_some(())
        })
    }

    fn leads(&self, node: &Node) -> bool {
        let Some(log) = controller(node).and_then(|id| node.docker_said(&["logs", &id]).ok()) else { return false };
        let mut told = log.lines().filter(|line| line.contains("stands by") || line.contains("leads"));
        told.next_back().is_some_and(|line| line.contains("this controller leads"))
    }

    /// Kills the process of a machine's controller; its engine starts it again.
    pub(crate) fn controller_kill(&self, node: &Node) {
        let id = controller(node).expect("a manager has a controller");
        node.docker(&["kill", "--signal", "KILL", &id]).unwrap();
    }

    /// Stops a machine's controller in its tracks, until it is thawed.
    pub(crate) fn controller_freeze(&self, node: &Node) -> Frozen<'_> {
        let id = controller(node).expect("a manager has a controller");
        node.docker(&["pause", &id]).unwrap();
        Frozen { node: self.node(node.name()), id }
    }

    /// The operator's tool, through this machine.
    pub(crate) fn platform(&self, node: &Node, words: &[&str]) -> Ran {
        self.tool("platform", node, words)
    }

    /// The operator's tool for nodes, through this machine.
    pub(crate) fn nodes_tool(&self, node: &Node, words: &[&str]) -> Ran {
        self.tool("nodes", node, words)
    }

    fn tool(&self, group: &str, node: &Node, words: &[&str]) -> Ran {
        let engine = node.docker_host();
        run(self.command(self.programs.ambo()).arg(group).args(words).args(["--engine", &engine]))
    }
}

/// A controller that stands still.
pub(crate) struct Frozen<'a> {
    node: &'a Node,
    id: String,
}

impl Frozen<'_> {
    /// Lets it go on.
    pub(crate) fn thaw(self) {
        self.node.docker(&["unpause", &self.id]).unwrap();
    }
}

fn controller(node: &Node) -> Option<String> {
    component(node, "controller")
}

/// The container of a machine's component, while it runs.
pub(crate) fn component(node: &Node, name: &str) -> Option<String> {
    let listed = node.docker(&["ps", "-q", "--filter", &format!("label=ambo.component={name}")]).ok()?;
    listed.lines().next().map(str::to_owned)
}

/// Asserts that a load got what it should have, but for what was in flight when something died.
pub(crate) fn assert_served(report: &LoadReport, in_flight: u64) {
    assert!(report.requests > 0, "{}", report.text);
    assert!(report.failed() <= in_flight, "{}", report.text);
}
