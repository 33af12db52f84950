//! For whom, where and on which app a command works.

mod target;

use ambo_client::types::Secret;
use ambo_client::{Client, Credentials, Host};

use self::target::Wish;
pub(crate) use self::target::{Target, TargetError};
use crate::args::Global;
use crate::credentials::{CredentialsFile, Login, Logins};
use crate::exit::{Exit, Failure, Outcome};
use crate::git::{Remote, Repository};
use crate::printer::Printer;

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Context {
    /// The way out.
    pub(crate) printer: Printer,
    /// The stored logins.
    pub(crate) file: CredentialsFile,
    host: Option<String>,
    app: Option<String>,
    remote: Option<String>,
    api_key: Option<Secret>,
}

impl Context {
    /// From options and environment.
    pub(crate) fn new(global: Global, printer: Printer) -> Outcome<Self> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let api_key = given(std::env::var("AMBO_API_KEY").ok()).map(|key| Secret::new(key.trim()));
        Ok(Self {
            printer,
            file: CredentialsFile::from_environment()?,
            host: given(global.host),
            app: given(global.app),
            remote: given(global.remote),
            api_key,
        })
    }

    /// The git remote that was named.
    pub(crate) fn remote(&self) -> Option<&str> {
        self.remote.as_deref()
    }

    /// The same, with another git remote named.
    pub(crate) fn with_remote(&self, remote: &str) -> Self {
        Self {
            printer: self.printer,
            file: self.file.clone(),
            host: self.host.clone(),
            app: self.app.clone(),
            remote: Some(remote.to_owned()),
            api_key: self.api_key.clone(),
        }
    }

    /// The app that was named, without looking at git.
    pub(crate) fn app_named(&self) -> Option<&str> {
        self.app.as_deref()
    }

    /// Whether the token comes from the environment.
    pub(crate) fn has_api_key(&self) -> bool {
        self.api_key.is_some()
    }

    /// The server for a login: `url`, else what options, environment or an earlier login say.
    pub(crate) fn host_for_login(&self, url: Option<&str>) -> Outcome<Host> {
        let known = || self.file.read().ok().and_then(|logins| logins.default_host);
        match url.map(str::to_owned).or_else(|| self.host.clone()).or_else(known) {
            Some(text) => parse_host(&text),
            None => Err(Failure::usage("which server?").hint("give its address, as in `https://ambo.example.com`")),
        }
    }

    /// A client for commands that are about no app.
    pub(crate) fn client(&self) -> Outcome<Client> {
        let logins = self.file.read()?;
        let host = self.host(&logins)?;
        self.client_for(host, &logins)
    }

    /// A client and the app that the command is about.
    pub(crate) fn app(&self) -> Outcome<(Client, String)> {
        self.app_or(None)
    }

    /// As [`Context::app`]; `name` is what was typed as the command's own argument.
    pub(crate) fn app_or(&self, name: Option<&str>) -> Outcome<(Client, String)> {
        let logins = self.file.read()?;
        if let Some(app) = name.or(self.app.as_deref()) {
            return Ok((self.client_for(self.host(&logins)?, &logins)?, app.to_owned()));
        }
        let hosts = self.hosts(&logins)?;
        let remotes = Repository::around_here().map(|repository| repository.remotes()).unwrap_or_default();
        let default = logins.default_host.as_deref().and_then(|text| text.parse().ok());
        let wish = Wish { hosts: &hosts, default: default.as_ref(), remote: self.remote.as_deref() };
        let Target { host, app } = target::resolve(&remotes, &wish).map_err(Failure::from)?;
        Ok((self.client_for(host, &logins)?, app))
    }

    /// A client without credentials.
    pub(crate) fn anonymous(&self, host: Host) -> Outcome<Client> {
        Ok(Client::new(host, Credentials::None)?)
    }

    /// The token for a server that somebody names: only its own.
    pub(crate) fn login_on(&self, host: &Host) -> Outcome<Option<Login>> {
        let logins = self.file.read()?;
        let own = logins.hosts.get(&host.to_string()).cloned();
        match &self.api_key {
            Some(key) if self.host(&logins).is_ok_and(|meant| meant == *host) => {
                let email = own.map_or_else(|| "ambo".to_owned(), |login| login.email);
                Ok(Some(Login { email, token: key.clone() }))
            }
            _ => Ok(own),
        }
    }

    fn host(&self, logins: &Logins) -> Outcome<Host> {
        match self.host.as_deref().or(logins.default_host.as_deref()) {
            Some(text) => parse_host(text),
            None if self.api_key.is_some() => {
                Err(Failure::usage("AMBO_API_KEY is set, but which server is it for?").hint("set AMBO_HOST"))
            }
            None => Err(not_logged_in(None)),
        }
    }

    /// The servers whose remotes count. A token from the environment is for one server, and goes to no other.
    fn hosts(&self, logins: &Logins) -> Outcome<Vec<Host>> {
        if self.host.is_some() || self.api_key.is_some() || logins.hosts.is_empty() {
            return self.host(logins).map(|host| vec![host]);
        }
        Ok(logins.hosts.keys().filter_map(|text| text.parse().ok()).collect())
    }

    fn client_for(&self, host: Host, logins: &Logins) -> Outcome<Client> {
        let token = match &self.api_key {
            Some(key) => key.clone(),
            None => match logins.hosts.get(&host.to_string()) {
                Some(login) => login.token.clone(),
                None => return Err(not_logged_in(Some(&host))),
            },
        };
        Ok(Client::new(host, Credentials::Token(token))?)
    }

    /// The remotes of this repository that lead to an app on a server.
    pub(crate) fn remotes_of(&self, host: &Host, app: &str) -> Vec<(Repository, Remote)> {
        let Some(repository) = Repository::around_here() else { return Vec::new() };
        let remotes =
            repository.remotes().into_iter().filter(|remote| remote.url.is_on(host) && remote.url.app() == app);
        remotes.map(|remote| (repository.clone(), remote)).collect()
    }
}

fn parse_host(text: &str) -> Outcome<Host> {
    text.parse().map_err(|error: ambo_client::HostError| Failure::usage(error.to_string()))
}

fn not_logged_in(host: Option<&Host>) -> Failure {
    let (place, url) = match host {
        Some(host) => (format!(" to {host}"), host.to_string()),
        None => (String::new(), "URL".to_owned()),
    };
    Failure::with(Exit::Forbidden, format!("not logged in{place}"))
        .hint(format!("`ambo login {url}`, or `ambo register {url}` for a new account"))
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        let hint = match &error {
            TargetError::None => "name it with `-a NAME`, or point this repository at it: `ambo git:remote -a NAME`",
            TargetError::Remote(_) => "`git remote -v` lists this repository's remotes",
            TargetError::Several(_) => "name it with `-a NAME`, or its remote with `-r REMOTE`",
        };
        Failure::usage(error.to_string()).hint(hint)
    }
}
