//! What every instance is given, whichever of Docker's ways starts it: its words, its variables, its rights, its log. Pure.

use std::collections::{BTreeMap, HashMap};

use ambo_engine_docker::EngineInfo;
use ambo_engine_docker::bollard::models::{HealthConfig, ResourcesUlimits};
use ambo_model::{Command, Secret};
use ambo_scheduler::TerminalSize;

use crate::settings::DockerSchedulerSettings;
use crate::shell::{SIGNAL_ALL, script, sized};

/// What is left of root's rights: what images need to drop them, to own their files and to listen on port 80.
const CAPABILITIES: [&str; 8] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];
/// Least share of CPU that Docker takes, in thousandths of a core.
const CPU_MILLIS_MIN: u32 = 10;
/// Docker's log drivers, in the order in which we like them: both rotate and can be read back.
const LOG_DRIVERS: [&str; 2] = ["local", "json-file"];

/// The rights that are given after all were taken.
#[must_use]
pub fn capabilities() -> Vec<String> {
    CAPABILITIES.iter().map(ToString::to_string).collect()
}

/// No core files.
#[must_use]
pub fn ulimits() -> Vec<ResourcesUlimits> {
    vec![ResourcesUlimits { name: Some("core".to_owned()), soft: Some(0), hard: Some(0) }]
}

/// None: the platform asks after an instance's health itself.
#[must_use]
pub fn health() -> HealthConfig {
    HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }
}

/// A share of CPU as Docker counts it, within what it takes on a machine of `cpu_count` cores.
#[must_use]
pub fn nano_cpus(cpu: ambo_model::CpuShare, cpu_count: u32) -> i64 {
    let most = cpu_count.max(1).saturating_mul(1000);
    i64::from(cpu.as_millis().clamp(CPU_MILLIS_MIN, most)) * 1_000_000
}

/// The driver that keeps an instance's output, and its options.
#[must_use]
pub fn log(engine: &EngineInfo, settings: &DockerSchedulerSettings) -> (Option<String>, HashMap<String, String>) {
    let driver = LOG_DRIVERS.into_iter().find(|driver| engine.log_drivers.iter().any(|has| has == driver));
    let options = HashMap::from([
        ("max-size".to_owned(), settings.log_file_size.as_u64().to_string()),
        ("max-file".to_owned(), settings.log_file_count.max(1).to_string()),
    ]);
    (driver.map(str::to_owned), options)
}

/// Entrypoint and command. `None` is the image's own; an entrypoint of ours leaves nothing of the image's command.
#[must_use]
pub fn words(command: &Command, terminal: Option<TerminalSize>) -> (Option<Vec<String>>, Option<Vec<String>>) {
    match command {
        Command::Image => (None, None),
        Command::Shell(line) => {
            (Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]), Some(vec![sized(script(line), terminal)]))
        }
        Command::Argv(words) => {
            let (program, rest) = words.split_at(1.min(words.len()));
            (Some(program.to_vec()), Some(rest.to_vec()))
        }
    }
}

/// The variables of a workload, without `DYNO`, which is each instance's own.
#[must_use]
pub fn env(env: &BTreeMap<String, Secret>, command: &Command) -> Vec<String> {
    let mut pairs: Vec<String> = env.iter().map(|(key, value)| format!("{key}={}", value.reveal())).collect();
    if matches!(command, Command::Shell(_)) && !env.contains_key(SIGNAL_ALL) {
        pairs.push(format!("{SIGNAL_ALL}=1"));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_procfile_line_is_run_by_the_shell() {
        let (entrypoint, cmd) = words(&Command::Shell("a b".to_owned()), None);
        assert_eq!(entrypoint.unwrap(), ["/bin/sh", "-c"]);
        assert_eq!(cmd.unwrap(), ["exec a b"]);
        let (_, cmd) = words(&Command::Shell("a b".to_owned()), Some(TerminalSize { columns: 80, rows: 24 }));
        assert_eq!(cmd.unwrap(), ["stty columns 80 rows 24 2>/dev/null\nexec a b"]);
    }
}
