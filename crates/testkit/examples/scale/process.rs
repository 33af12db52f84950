//! This process: its memory, and what it has worked.

use std::time::Duration;

use ambo_testkit::simulation::scale::process_cpu;

/// Resident memory now and at its highest, in MiB; zero where the kernel does not say.
pub(crate) fn resident_mib() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or_default() / 1024
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// CPU time of some work.
pub(crate) struct Stopwatch(Duration);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(process_cpu())
    }

    pub(crate) fn cpu(&self) -> Duration {
        process_cpu().saturating_sub(self.0)
    }
}
