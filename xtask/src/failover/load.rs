//! Requests for all apps, through one machine's router.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use ambo_lab::Node;
use anyhow::Context;

use crate::trial::done;

/// Each asks for one app after the other.
const CONNECTIONS: &str = "-c20";
/// What wrk does: each request is for the next host, after a pause (load, not a race for the processors); in the end a line of
/// figures.
const SCRIPT: &str = r#"
local last = 0
request = function()
  last = last % #hosts + 1
  return wrk.format("GET", "/", {Host = hosts[last]})
end
delay = function() return 20 end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("\nfigures %d %d %d %d %d %d\n",
    summary.requests, e.status, e.connect, e.read + e.write, e.timeout, latency.max))
end
"#;

/// Requests that go on until they are told to stop.
pub(super) struct Load {
    wrk: Child,
    script: PathBuf,
}

/// What became of them.
pub(super) struct Report {
    requests: u64,
    bad_status: u64,
    refused: u64,
    broken: u64,
    late: u64,
    longest_ms: u64,
}

impl Load {
    pub(super) fn start(node: &Node, hosts: &[String]) -> anyhow::Result<Self> {
        let script = std::env::temp_dir().join(format!("ambo-failover-{}-{}.lua", node.name(), std::process::id()));
        let hosts: Vec<String> = hosts.iter().map(|host| format!("'{host}'")).collect();
        fs::write(&script, format!("hosts = {{{}}}\n{SCRIPT}", hosts.join(", ")))?;
        let url = format!("http://{}/", node.address());
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", CONNECTIONS, "-d86400s", "--timeout", "10s", "-s"]).arg(&script).arg(url);
        let wrk = wrk.stdout(Stdio::piped()).spawn().context("start wrk")?;
        Ok(Self { wrk, script })
    }

    /// Ends the load and reads wrk's figures.
    pub(super) fn stop(mut self) -> anyhow::Result<Report> {
        done(Command::new("kill").args(["-s", "INT", &self.wrk.id().to_string()]))?;
        let mut said = String::new();
        if let Some(mut out) = self.wrk.stdout.take() {
            std::io::Read::read_to_string(&mut out, &mut said)?;
        }
        let figures = said.lines().find_map(|line| line.strip_prefix("figures ")).context("wrk gave no figures")?;
        let figures: Vec<u64> = figures.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [requests, bad_status, refused, broken, late, longest_us] = figures[..] else {
            anyhow::bail!("wrk wrote {said}")
        };
        Ok(Report { requests, bad_status, refused, broken, late, longest_ms: longest_us / 1000 })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.wrk.kill();
        let _ = self.wrk.wait();
        let _ = fs::remove_file(&self.script);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, bad_status, refused, broken, late, longest_ms } = self;
        write!(
            formatter,
            "{requests} requests, {bad_status} bad answers, {broken} broken off, {refused} not connected, {late} not answered in \
             10 s; longest answer {longest_ms} ms"
        )
    }
}
