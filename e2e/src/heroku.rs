//! The unmodified Heroku CLI as a user's client.
//!
//! How a group of commands is tested (one file per group in `tests/e2e/heroku/`, listed in its `mod.rs`):
//!
//! ```ignore
//! pub(super) const CASES: &[HerokuCase] = &[
//!     works("domains:add"),
//!     limited("apps:open", "prints the URL when no browser can be started"),
//!     cannot("pipelines:diff", "asks kolkrabbi.heroku.com, whatever `HEROKU_HOST` says"),
//! ];
//!
//! #[test]
//! fn domains() {
//!     let platform = Platform::start();
//!     let ann = platform.user("ann");
//!     ann.ambo(&["create", "shop"]).ok();
//!     let heroku = Heroku::new(&ann, CASES);
//!     heroku.run(&["domains:add", "www.example.com", "-a", "shop"]).ok().says("www.example.com");
//!     heroku.every_case_ran();
//! }
//! ```
//!
//! A case is named by its command, or by command and flags (`run --exit-code`); a run counts for every case whose words
//! it holds. Every answer that the CLI is given is checked against Heroku's published schema. `docs/heroku-cli.md` is made
//! of all cases: after a change run the tests of `heroku::table` with `AMBO_REWRITE=1`. Each start of the CLI costs about
//! a second of CPU: use one platform for a whole group.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::heroku_install::heroku_bin;
use crate::http::get_with;
use crate::program::{Ran, run};
use crate::relay::Relay;
use crate::terminal::Terminal;
use crate::user::User;

/// What a command of the CLI does against Ambo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HerokuState {
    /// All that it does against Heroku.
    Works,
    /// Works, with this limit.
    Limited(&'static str),
    /// Cannot work, for this reason; the test shows that it says so.
    Cannot(&'static str),
}

/// A command of the CLI with its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HerokuCase {
    /// The command, with flags where they make a case of their own.
    pub command: &'static str,
    /// Its state.
    pub state: HerokuState,
}

/// A command that works.
#[must_use]
pub const fn works(command: &'static str) -> HerokuCase {
    HerokuCase { command, state: HerokuState::Works }
}

/// A command that works with a limit.
#[must_use]
pub const fn limited(command: &'static str, limit: &'static str) -> HerokuCase {
    HerokuCase { command, state: HerokuState::Limited(limit) }
}

/// A command that cannot work.
#[must_use]
pub const fn cannot(command: &'static str, reason: &'static str) -> HerokuCase {
    HerokuCase { command, state: HerokuState::Cannot(reason) }
}

impl HerokuCase {
    fn is_met_by(&self, arguments: &[&str]) -> bool {
        let mut words = self.command.split(' ');
        words.next() == arguments.first().copied() && words.all(|word| arguments.contains(&word))
    }
}

/// The CLI in the hands of a user, with a home of its own.
#[derive(Debug)]
pub struct Heroku<'u, 'p> {
    user: &'u User<'p>,
    bin: PathBuf,
    relay: Relay,
    host: String,
    token: Option<String>,
    cases: &'static [HerokuCase],
    ran: RefCell<BTreeSet<&'static str>>,
}

impl<'u, 'p> Heroku<'u, 'p> {
    /// The CLI with a token of this user in `HEROKU_API_KEY`.
    ///
    /// # Panics
    /// When it cannot be installed, or the user can have no token.
    #[must_use]
    pub fn new(user: &'u User<'p>, cases: &'static [HerokuCase]) -> Self {
        let token = token(user);
        Self { token: Some(token), ..Self::logged_out(user, cases) }
    }

    /// The CLI without a token: it asks for one, or keeps what `login` gives it in `~/.netrc`.
    ///
    /// # Panics
    /// When it cannot be installed.
    #[must_use]
    pub fn logged_out(user: &'u User<'p>, cases: &'static [HerokuCase]) -> Self {
        let relay = Relay::to(&user.platform.api());
        let host = relay.url();
        Self { user, bin: heroku_bin(), relay, host, token: None, cases, ran: RefCell::default() }
    }

    /// What stands between the CLI and the platform, to see requests and to lose answers.
    #[must_use]
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    /// The CLI against another address, such as that of `ambo heroku`'s own relay: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn at(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// The user's API token, if the CLI has been given one.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Any program with the environment in which `heroku` talks to this platform, `heroku` on its `PATH`.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.user.command(program);
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap_or_default());
        command.env("PATH", path).env("DISABLE_TELEMETRY", "true").env("HEROKU_NETRC_WRITE", "true");
        for name in ["HEROKU_HOST", "HEROKU_PARTICLEBOARD_URL", "HEROKU_STATUS_HOST", "HEROKU_BUILDPACK_REGISTRY_URL"] {
            command.env(name, &self.host);
        }
        command.env("HEROKU_GIT_HOST", self.user.platform.api().trim_start_matches("http://"));
        // Runs are attached to over TLS, and the client verifies it.
        command.env("NODE_EXTRA_CA_CERTS", self.user.platform.authority());
        command.env("TERM", "xterm").env("HEROKU_SKIP_NEW_VERSION_CHECK", "true").env("HEROKU_DISABLE_AUTOUPDATE", "1");
        if let Some(token) = &self.token {
            command.env("HEROKU_API_KEY", token);
        }
        command
    }

    /// Runs `heroku …` in the home, without a terminal.
    ///
    /// # Panics
    /// When no case of the group is of this command.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in(self.user.home(), arguments)
    }

    /// Runs `heroku …` in a directory.
    ///
    /// # Panics
    /// When no case of the group is of this command.
    #[track_caller]
    pub fn run_in(&self, directory: &Path, arguments: &[&str]) -> Ran {
        self.note(arguments);
        let mut ran = run(self.command("heroku").args(arguments).current_dir(directory));
        ran.stderr = without_noise(&ran.stderr);
        self.relay.assert_no_complaints();
        ran
    }

    /// `heroku …` to be spawned by the test itself, with whatever pipes it needs.
    ///
    /// # Panics
    /// When no case of the group is of this command.
    #[track_caller]
    pub fn prepare(&self, arguments: &[&str]) -> Command {
        self.note(arguments);
        let mut command = self.command("heroku");
        command.args(arguments);
        command
    }

    /// Starts `heroku …` on a terminal of 24 lines and 80 columns, where it asks its questions.
    ///
    /// # Panics
    /// When no case of the group is of this command.
    #[track_caller]
    pub fn terminal(&self, arguments: &[&str]) -> Terminal {
        Terminal::start(self.prepare(arguments))
    }

    #[track_caller]
    fn note(&self, arguments: &[&str]) {
        let met: Vec<&'static str> =
            self.cases.iter().filter(|case| case.is_met_by(arguments)).map(|case| case.command).collect();
        assert!(!met.is_empty(), "`heroku {}` is no case of this group: add it to CASES", arguments.join(" "));
        self.ran.borrow_mut().extend(met);
    }

    /// Says that every case of the group has been run. The last line of a group's test.
    ///
    /// # Panics
    /// When one has not.
    #[track_caller]
    pub fn every_case_ran(&self) {
        let ran = self.ran.borrow();
        let missed: Vec<&str> =
            self.cases.iter().map(|case| case.command).filter(|command| !ran.contains(command)).collect();
        assert!(missed.is_empty(), "these cases have not been run: {missed:?}");
        self.relay.assert_no_complaints();
    }
}

/// What the CLI says of the machine rather than of the command.
fn without_noise(text: &str) -> String {
    let noise = ["Warning: SSL_CERT_", "Our terms of service have changed", "dashboard.heroku.com/terms-of-service"];
    let lines = text.lines().filter(|line| !noise.iter().any(|words| line.contains(words)));
    lines.map(|line| format!("{line}\n")).collect()
}

/// A token of this user, as `login` gets it.
fn token(user: &User<'_>) -> String {
    let url = format!("{}/oauth/authorizations", user.platform.api());
    let password = format!("{}:correct-horse", user.email);
    let answer = get_with(&url, &["-X", "POST", "-u", &password, "-d", r#"{"description":"heroku"}"#]);
    let made: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    made["access_token"]["token"].as_str().unwrap_or_else(|| panic!("no token: {answer:?}")).to_owned()
}
