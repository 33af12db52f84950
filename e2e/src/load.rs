//! Load on an app while something happens to it, by wrk.

use std::process::{Child, Command, Stdio};

use crate::platform::Platform;

/// Requests that go on until they are told to stop.
#[derive(Debug)]
pub struct Load {
    child: Child,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadReport {
    /// Requests answered.
    pub requests: u64,
    /// Requests answered with another status than 2xx or 3xx.
    pub bad_status: u64,
    /// Connections refused, cut or timed out.
    pub socket_errors: u64,
    /// wrk's own words.
    pub text: String,
}

impl LoadReport {
    /// Requests that did not get what they should have.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.bad_status + self.socket_errors
    }
}

impl Load {
    /// Starts eight connections' load on an app.
    ///
    /// # Panics
    /// When wrk is missing.
    #[must_use]
    pub fn start(platform: &Platform, app: &str) -> Self {
        Self::on(&format!("http://127.0.0.1:{}/", platform.http_port()), &format!("{app}.localhost"))
    }

    /// Starts eight connections' load on a router, for a host.
    ///
    /// # Panics
    /// When wrk is missing.
    #[must_use]
    pub fn on(url: &str, host: &str) -> Self {
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", "-c8", "-d600s", "--timeout", "20s", "-H", &format!("Host: {host}"), url]);
        wrk.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child =
            wrk.spawn().unwrap_or_else(|error| panic!("cannot run wrk: {error}; install it: apt-get install wrk"));
        Self { child }
    }

    /// Ends the load and reads wrk's report.
    ///
    /// # Panics
    /// When wrk said nothing that can be read.
    #[must_use]
    pub fn stop(self) -> LoadReport {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("wrk runs");
        let output = self.child.wait_with_output().expect("wrk ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let requests = text.split(" requests in ").next().and_then(|head| head.split_whitespace().last()?.parse().ok());
        Self::report(requests.unwrap_or_else(|| panic!("wrk said: {text}")), text)
    }

    fn report(requests: u64, text: String) -> LoadReport {
        let errors = text.lines().find(|line| line.contains("Socket errors:")).map_or(0, |line| {
            line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u64>().ok()).sum()
        });
        let bad = text.lines().find(|line| line.contains("Non-2xx or 3xx responses:"));
        let bad_status = bad.and_then(|line| line.split(':').nth(1)?.trim().parse().ok()).unwrap_or(0);
        LoadReport { requests, bad_status, socket_errors: errors, text }
    }
}
