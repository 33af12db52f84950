//! The container that an instance is: its command, its limits, what it must not do. Pure.

use std::collections::BTreeMap;

use ambo_engine_docker::EngineInfo;
use ambo_engine_docker::bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, RestartPolicy, RestartPolicyNameEnum,
};
use ambo_model::{Command, ImageReference, Limits, Secret};
use ambo_scheduler::TerminalSize;

use crate::labels::{Identity, Kind};
use crate::settings::DockerSchedulerSettings;
use crate::shape;

/// A container to make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewContainer<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) image: &'a ImageReference,
    pub(crate) command: &'a Command,
    pub(crate) env: &'a BTreeMap<String, Secret>,
    pub(crate) limits: Limits,
    pub(crate) streams: Streams,
}

/// Where a container's output goes, and its input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// To the log.
    Logged,
    /// To and from whoever is attached.
    Attached {
        /// Through a terminal of this size.
        terminal: Option<TerminalSize>,
    },
}

/// Describes the container to the engine.
pub(crate) fn body(
    new: &NewContainer<'_>,
    network: &str,
    engine: &EngineInfo,
    settings: &DockerSchedulerSettings,
) -> ContainerCreateBody {
    let (is_attached, terminal) = match new.streams {
        Streams::Logged => (false, None),
        Streams::Attached { terminal } => (true, terminal),
    };
    let (entrypoint, cmd) = shape::words(new.command, terminal);
    let mut env = shape::env(new.env, new.command);
    env.push(format!("DYNO={}", new.identity.name()));
    ContainerCreateBody {
        image: Some(new.image.to_string()),
        entrypoint,
        cmd,
        env: Some(env),
        labels: Some(new.identity.labels(&settings.platform)),
        tty: Some(terminal.is_some()),
        open_stdin: Some(is_attached),
        stdin_once: Some(is_attached),
        attach_stdin: Some(is_attached),
        attach_stdout: Some(is_attached),
        attach_stderr: Some(is_attached),
        healthcheck: Some(shape::health()),
        host_config: Some(host(new, network, engine, settings)),
        ..Default::default()
    }
}

fn host(new: &NewContainer<'_>, network: &str, engine: &EngineInfo, settings: &DockerSchedulerSettings) -> HostConfig {
    let restart = match new.identity.kind {
        // So that a reboot of the machine brings instances back without us.
        Kind::Instance => RestartPolicyNameEnum::UNLESS_STOPPED,
        Kind::Run => RestartPolicyNameEnum::NO,
    };
    let memory = new.limits.memory.or(settings.limits_default.memory);
    let memory = memory.map(|size| i64::try_from(size.as_u64()).unwrap_or(i64::MAX));
    let cpu = new.limits.cpu.or(settings.limits_default.cpu);
    HostConfig {
        network_mode: Some(network.to_owned()),
        restart_policy: Some(RestartPolicy { name: Some(restart), maximum_retry_count: None }),
        init: engine.has_init.then_some(true),
        memory,
        // Memory and swap together: no swap.
        memory_swap: memory,
        nano_cpus: cpu.map(|cpu| shape::nano_cpus(cpu, engine.cpu_count)),
        pids_limit: Some(i64::from(settings.pids_max)),
        ulimits: Some(shape::ulimits()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(shape::capabilities()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        log_config: Some(log(new.streams, engine, settings)),
        ..Default::default()
    }
}

fn log(streams: Streams, engine: &EngineInfo, settings: &DockerSchedulerSettings) -> HostConfigLogConfig {
    match streams {
        // What a user reads on a terminal is not the app's log.
        Streams::Attached { .. } => HostConfigLogConfig { typ: Some("none".to_owned()), config: None },
        Streams::Logged => {
            let (driver, options) = shape::log(engine, settings);
            HostConfigLogConfig { typ: driver, config: Some(options) }
        }
    }
}

#[cfg(test)]
mod tests {
    use ambo_model::{AppId, AppName, ByteSize, CpuShare, ProcessType, ReleaseVersion, WorkloadId};

    use super::*;

    fn engine() -> EngineInfo {
        EngineInfo {
            node: "node".to_owned(),
            version: "20".to_owned(),
            memory_bytes: 1 << 33,
            cpu_count: 2,
            log_drivers: vec!["json-file".to_owned(), "local".to_owned()],
            has_init: true,
        }
    }

    fn made(command: &Command, limits: Limits, streams: Streams, kind: Kind) -> ContainerCreateBody {
        let workload =
            WorkloadId { app: AppId::new(), release: ReleaseVersion(7), process: ProcessType::web(), generation: 2 };
        let app_name = AppName::parse("myapp").unwrap();
        let identity = Identity { kind, workload, app_name, index: 3, port: Some(8080) };
        let env = BTreeMap::from([("KEY".to_owned(), Secret::new("a\nb"))]);
        let image = ImageReference::parse("image").unwrap();
        let new = NewContainer { identity: &identity, image: &image, command, env: &env, limits, streams };
        body(&new, "net", &engine(), &DockerSchedulerSettings::new("p"))
    }

    #[test]
    fn an_instance_is_bounded_and_has_few_rights() {
        let limits = Limits { memory: Some(ByteSize::mib(64)), cpu: Some(CpuShare::millis(9000)) };
        let body = made(&Command::Image, limits, Streams::Logged, Kind::Instance);
        assert_eq!((body.entrypoint, body.cmd, body.tty), (None, None, Some(false)));
        assert_eq!(body.env.unwrap(), ["KEY=a\nb", "DYNO=web.3"]);
        let host = body.host_config.unwrap();
        assert_eq!((host.memory, host.memory_swap), (Some(64 << 20), Some(64 << 20)));
        assert_eq!(host.nano_cpus, Some(2_000_000_000), "no more than the machine has");
        assert_eq!(host.pids_limit, Some(4096));
        assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(host.security_opt, Some(vec!["no-new-privileges".to_owned()]));
        assert_eq!((host.binds, host.privileged, host.init), (None, None, Some(true)));
        let log = host.log_config.unwrap();
        assert_eq!(log.typ.as_deref(), Some("local"));
        assert_eq!(log.config.unwrap()["max-file"], "3");
        assert_eq!(host.restart_policy.unwrap().name, Some(RestartPolicyNameEnum::UNLESS_STOPPED));
    }

    #[test]
    fn a_run_is_not_restarted_and_its_output_is_not_logged() {
        let words = Command::Argv(vec!["ls".to_owned(), "-l".to_owned()]);
        let terminal = Some(TerminalSize { columns: 80, rows: 24 });
        let body = made(&words, Limits::default(), Streams::Attached { terminal }, Kind::Run);
        assert_eq!((body.entrypoint, body.cmd), (Some(vec!["ls".to_owned()]), Some(vec!["-l".to_owned()])));
        assert_eq!((body.tty, body.open_stdin, body.stdin_once), (Some(true), Some(true), Some(true)));
        let host = body.host_config.unwrap();
        assert_eq!((host.memory, host.nano_cpus), (None, None));
        assert_eq!(host.restart_policy.unwrap().name, Some(RestartPolicyNameEnum::NO));
        assert_eq!(host.log_config.unwrap().typ.as_deref(), Some("none"));
    }
}
