//! Instances and runs, which are dynos on the wire.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{Dyno, DynoCreate, Instance};

/// What is to be restarted or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceTarget<'a> {
    /// One instance: `web.1`.
    Instance(&'a str),
    /// All instances of a process: `web`.
    Process(&'a str),
}

impl<'a> InstanceTarget<'a> {
    /// Reads a name: with a number behind a dot it is an instance.
    #[must_use]
    pub fn parse(name: &'a str) -> Self {
        match name.rsplit_once('.') {
            Some((process, number)) if !process.is_empty() && number.parse::<u64>().is_ok() => Self::Instance(name),
            _ => Self::Process(name),
        }
    }

    fn path(self, app: &str) -> String {
        let app = segment(app);
        match self {
            InstanceTarget::Instance(name) => format!("/apps/{app}/dynos/{}", segment(name)),
            InstanceTarget::Process(name) => format!("/apps/{app}/formations/{}", segment(name)),
        }
    }
}

impl Client {
    /// What runs.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn instance_list(&self, app: &str) -> Result<Vec<Instance>, ClientError> {
        self.list(&format!("/apps/{}/dynos", segment(app))).await
    }

    /// Restarts everything.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn instance_restart_all(&self, app: &str) -> Result<(), ClientError> {
        self.delete(&format!("/apps/{}/dynos", segment(app))).await
    }

    /// Restarts an instance or a process.
    ///
    /// # Errors
    /// When there is no such thing.
    pub async fn instance_restart(&self, app: &str, target: InstanceTarget<'_>) -> Result<(), ClientError> {
        self.delete(&target.path(app)).await
    }

    /// Stops an instance, a run or a process.
    ///
    /// # Errors
    /// When there is no such thing.
    pub async fn instance_stop(&self, app: &str, target: InstanceTarget<'_>) -> Result<(), ClientError> {
        self.act(&format!("{}/actions/stop", target.path(app))).await
    }

    /// Runs a command in an instance of its own. When attached, the answer holds the `attach_url`.
    ///
    /// # Errors
    /// When the app has no release with a build yet.
    pub async fn run_create(&self, app: &str, create: &DynoCreate) -> Result<Dyno, ClientError> {
        self.post(&format!("/apps/{}/dynos", segment(app)), create).await
    }

    /// Runs a command inside a running instance; the answer holds the `attach_url`.
    ///
    /// # Errors
    /// When there is no such instance, or it does not run.
    pub async fn exec_create(&self, app: &str, instance: &str, create: &DynoCreate) -> Result<Dyno, ClientError> {
        self.post(&format!("/apps/{}/dynos/{}", segment(app), segment(instance)), create).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_behind_a_dot_makes_it_an_instance() {
        assert_eq!(InstanceTarget::parse("web.1"), InstanceTarget::Instance("web.1"));
        assert_eq!(InstanceTarget::parse("run.4821"), InstanceTarget::Instance("run.4821"));
        assert_eq!(InstanceTarget::parse("web"), InstanceTarget::Process("web"));
        assert_eq!(InstanceTarget::parse("mail.worker"), InstanceTarget::Process("mail.worker"));
        assert_eq!(InstanceTarget::Process("a/b").path("x"), "/apps/x/formations/a%2Fb");
    }
}
