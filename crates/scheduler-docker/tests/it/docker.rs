//! What is Docker's own.

use std::net::IpAddr;
use std::time::Duration;

use ambo_engine_docker::bollard::models::NetworkCreateRequest;
use ambo_engine_docker::bollard::query_parameters::{KillContainerOptions, RestartContainerOptions};
use ambo_engine_docker::{DockerSettings, Engine, EngineAddress};
use ambo_model::{ByteSize, Command, CpuShare, Instance, InstanceState, Limits};
use ambo_scheduler::contract::ContractFixture;
use ambo_scheduler::{AttachedOutput, ExecSpec, Scheduler, SchedulerError};
use ambo_scheduler_docker::labels::Identity;
use ambo_scheduler_docker::{DockerScheduler, DockerSchedulerSettings, instances_usage};
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::DockerFixture;

const SERVER: &str = "exec python3 -m http.server 8080 --bind 0.0.0.0";

fn forever() -> Command {
    Command::Shell("sleep infinity".to_owned())
}

/// The address on which the instance takes connections.
async fn reached(fixture: &DockerFixture, workload: &ambo_model::WorkloadId) -> Instance {
    fixture
        .wait_until("an instance that takes connections", async || {
            let instances = fixture.scheduler.instances_observe().await.unwrap();
            let instance = instances.into_iter().find(|instance| instance.workload == *workload)?;
            TcpStream::connect(instance.endpoint?).await.ok()?;
            Some(instance)
        })
        .await
}

async fn exec(fixture: &DockerFixture, instance: &Instance, line: &str) -> (String, i32) {
    let spec = ExecSpec { command: Command::Shell(line.to_owned()), env: Default::default(), terminal: None };
    let attached = fixture.scheduler.instance_exec(&instance.id, spec).await.unwrap();
    let output: Vec<AttachedOutput> = attached.output.map(Result::unwrap).collect().await;
    let pieces = output.into_iter().map(|piece| match piece {
        AttachedOutput::Stdout(bytes) | AttachedOutput::Stderr(bytes) => bytes,
    });
    let text = String::from_utf8_lossy(&pieces.collect::<Vec<_>>().concat()).into_owned();
    (text, attached.control.exit_code().await.unwrap())
}

#[tokio::test]
async fn what_instances_use_is_measured_each_platforms_for_itself() {
    let (ours, theirs) = (DockerFixture::new().await, DockerFixture::new().await);
    let line = "python3 -c 'import time; held = bytearray(40 << 20); time.sleep(1e6)'";
    let mut spec = ours.spec(Command::Shell(line.to_owned()), 1);
    spec.limits = Limits { memory: Some(ByteSize::mib(128)), ..Limits::default() };
    let instance = ours.started(&spec).await.remove(0);
    let engine = Engine::connect(DockerSettings::from_environment().unwrap()).unwrap();
    let measure = async |platform: &str| instances_usage(&engine, platform, Identity::from_labels).await.unwrap();
    let usage = ours
        .wait_until("the memory to be held", async || {
            let mut all = measure(ours.platform()).await;
            assert_eq!(all.len(), 1);
            all.pop().filter(|usage| usage.memory > ByteSize::mib(40))
        })
        .await;
    assert_eq!((&usage.id, &usage.workload, usage.name()), (&instance.id, &spec.id, "web.1".to_owned()));
    assert!(usage.memory < usage.memory_max && usage.memory_max == ByteSize::mib(128), "{usage:?}");
    assert!(usage.cpu > Duration::ZERO, "{usage:?}");
    assert_eq!(measure(theirs.platform()).await, []);
}

#[tokio::test]
async fn two_platforms_on_one_engine_do_not_see_each_other() {
    let (ours, theirs) = (DockerFixture::new().await, DockerFixture::new().await);
    let spec = ours.spec(forever(), 1);
    let instance = &ours.started(&spec).await[0];
    assert!(theirs.scheduler.instances_observe().await.unwrap().is_empty());
    theirs.scheduler.workload_remove(&spec.id, Duration::ZERO).await.unwrap();
    theirs.scheduler.instance_stop(&instance.id, Duration::ZERO).await.unwrap();
    let refused = theirs.scheduler.instance_last_lines(&instance.id, 1).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::InstanceGone(_)));
    assert_eq!(ours.scheduler.instances_observe().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_machine_reaches_instances_and_they_do_not_reach_one_another() {
    let fixture = DockerFixture::new().await;
    let server = fixture.spec(Command::Shell(SERVER.to_owned()), 1);
    fixture.scheduler.workload_ensure(&server).await.unwrap();
    let server = reached(&fixture, &server.id).await;
    let endpoint = server.endpoint.unwrap();
    let mut stream = TcpStream::connect(endpoint).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");

    let other = fixture.spec(forever(), 1);
    let other = &fixture.started(&other).await[0];
    let connect = format!(
        "python3 -c \"import socket; socket.create_connection(('{}', {}), 3)\"",
        endpoint.ip(),
        endpoint.port()
    );
    let (output, exit_code) = exec(&fixture, other, &connect).await;
    assert_eq!(exit_code, 1, "{output}");
    assert!(output.contains("timed out") || output.contains("unreachable"), "{output}");
}

#[tokio::test]
async fn a_network_that_lets_instances_meet_is_refused() {
    let name = format!("ambo-open-{}", std::process::id());
    let fixture = DockerFixture::with(|settings| settings.network = name.clone()).await;
    fixture.docker.create_network(NetworkCreateRequest { name: name.clone(), ..Default::default() }).await.unwrap();
    let refused = fixture.scheduler.workload_ensure(&fixture.spec(forever(), 1)).await.unwrap_err();
    fixture.docker.remove_network(&name).await.unwrap();
    assert!(matches!(refused, SchedulerError::Engine { .. }), "{refused:?}");
}

#[tokio::test]
async fn labels_limits_and_rights_are_as_promised() {
    let fixture = DockerFixture::new().await;
    let mut spec = fixture.spec(forever(), 1);
    spec.limits = Limits { memory: Some(ByteSize::mib(64)), cpu: Some(CpuShare::millis(500)) };
    let instance = &fixture.started(&spec).await[0];
    let container = fixture.inspect(&instance.id).await;
    let labels = container.config.unwrap().labels.unwrap();
    assert_eq!((&*labels["ambo.app"], &*labels["ambo.process"], &*labels["ambo.release"]), ("myapp", "web", "7"));
    assert!(container.name.unwrap().starts_with("/myapp.web.1.v7."));
    let host = container.host_config.unwrap();
    assert_eq!((host.memory, host.nano_cpus), (Some(64 << 20), Some(500_000_000)));
    assert_eq!((host.pids_limit, host.privileged), (Some(4096), Some(false)));

    let (status, _) = exec(&fixture, instance, "cat /proc/self/status; ulimit -c").await;
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    // The eight that are left, each a bit.
    assert_eq!(u64::from_str_radix(capabilities, 16).unwrap(), 0b100_1111_1011, "{status}");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.ends_with("\n0\n"), "core files are off: {status}");
    let (limit, _) =
        exec(&fixture, instance, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max").await;
    assert!(limit.contains(&(64 << 20).to_string()), "{limit}");
}

#[tokio::test]
async fn an_instance_that_takes_too_much_memory_is_killed_and_started_again() {
    let fixture = DockerFixture::new().await;
    let mut spec = fixture.spec(Command::Shell("exec python3 -c 'x = bytearray(256 << 20)'".to_owned()), 1);
    spec.limits.memory = Some(ByteSize::mib(32));
    fixture.scheduler.workload_ensure(&spec).await.unwrap();
    fixture
        .wait_until("an instance killed for its memory", async || {
            let instances = fixture.scheduler.instances_observe().await.unwrap();
            let killed = InstanceState::Crashed { exit_code: Some(137) };
            instances.iter().any(|instance| instance.state == killed && instance.restarts > 0).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_changed_address_is_observed() {
    let fixture = DockerFixture::new().await;
    let spec = fixture.spec(forever(), 1);
    let before = fixture.started(&spec).await.remove(0);
    let address = |instance: &Instance| instance.endpoint.map(|endpoint| endpoint.ip());
    // Somebody takes the address while the instance is down, as after a restart of the engine.
    fixture.docker.kill_container(before.id.as_str(), None::<KillContainerOptions>).await.unwrap();
    let thief = fixture.spec(forever(), 3);
    let thieves = fixture.started(&thief).await;
    fixture.docker.restart_container(before.id.as_str(), None::<RestartContainerOptions>).await.unwrap();
    let after = fixture
        .wait_until("the restarted instance to run", async || {
            let instances = fixture.scheduler.instances_observe().await.unwrap();
            instances.into_iter().find(|instance| instance.id == before.id && instance.is_running())
        })
        .await;
    let container = fixture.inspect(&before.id).await;
    let real = container.network_settings.unwrap().networks.unwrap().into_values().next().unwrap();
    let real: IpAddr = real.ip_address.unwrap().parse().unwrap();
    assert_eq!(address(&after), Some(real));
    assert!(thieves.iter().all(|thief| address(thief) != address(&after)));
}

#[tokio::test]
async fn a_line_of_ten_megabytes_comes_in_pieces_and_harms_nobody() {
    // Docker repeats pieces of a line in which a log file becomes full.
    let fixture = DockerFixture::with(|settings| settings.log_file_size = ByteSize::mib(64)).await;
    let bytes: usize = 10 << 20;
    let line = format!("head -c {bytes} /dev/zero | tr '\\0' x; echo; echo after; sleep infinity");
    let spec = fixture.spec(Command::Shell(line), 1);
    let instance = &fixture.started(&spec).await[0];
    let mut logs = fixture.scheduler.instance_logs(&instance.id, None).await.unwrap();
    let mut seen = 0;
    let reading = async {
        loop {
            let piece = logs.next().await.unwrap().unwrap();
            assert!(piece.text.len() <= ambo_model::log::LOG_LINE_BYTES_MAX);
            if piece.text.as_ref() == b"after" {
                return;
            }
            assert!(piece.text.iter().all(|byte| *byte == b'x'));
            seen += piece.text.len();
        }
    };
    tokio::time::timeout(fixture.deadline(), reading).await.unwrap();
    assert_eq!(seen, bytes);
}

#[tokio::test]
async fn a_log_goes_on_through_restarts_without_loss_or_repetition() {
    let fixture = DockerFixture::new().await;
    let script = "n=$(cat /n 2>/dev/null || echo 0); n=$((n+1)); echo $n >/n; echo start $n; sleep 0.3; exit 1";
    let spec = fixture.spec(Command::Shell(script.to_owned()), 1);
    fixture.scheduler.workload_ensure(&spec).await.unwrap();
    let instance = fixture.scheduler.instances_observe().await.unwrap().remove(0);
    let logs = fixture.scheduler.instance_logs(&instance.id, None).await.unwrap();
    let lines = logs.take(5).map(|log| String::from_utf8(log.unwrap().text.to_vec()).unwrap());
    let lines: Vec<String> = tokio::time::timeout(fixture.deadline(), lines.collect()).await.unwrap();
    assert_eq!(lines, ["start 1", "start 2", "start 3", "start 4", "start 5"]);
}

#[tokio::test]
async fn a_log_goes_on_through_full_files_without_loss_or_repetition() {
    let fixture = DockerFixture::with(|settings| settings.log_file_size = ByteSize::mib(1)).await;
    let script = "for k in 1 2 3 4 5 6; do seq ${k}00001 ${k}10000; sleep 0.2; done; echo end; sleep infinity";
    let spec = fixture.spec(Command::Shell(script.to_owned()), 1);
    let instance = &fixture.started(&spec).await[0];
    let logs = fixture.scheduler.instance_logs(&instance.id, None).await.unwrap();
    let lines = logs.map(|log| String::from_utf8(log.unwrap().text.to_vec()).unwrap());
    let lines = lines.take_while(|line| std::future::ready(line != "end"));
    let lines: Vec<String> = tokio::time::timeout(fixture.deadline(), lines.collect()).await.unwrap();
    let expected: Vec<String> =
        (1..=6).flat_map(|k| (1..=10_000).map(move |n| (k * 100_000 + n).to_string())).collect();
    assert!(lines == expected, "{} lines of {}", lines.len(), expected.len());
}

/// Says `told` when it gets SIGTERM, after a moment.
const GRACEFUL: &str = "import signal, sys, time\ndef told(*_):\n  time.sleep(0.3)\n  print('told')\n  sys.exit(0)\n\
                        signal.signal(signal.SIGTERM, told)\nprint('ready')\ntime.sleep(600)";

#[tokio::test]
async fn sigterm_reaches_the_programs_of_a_procfile_line() {
    let fixture = DockerFixture::new().await;
    let program = format!("python3 -uc \"{GRACEFUL}\"");
    for line in [
        program.clone(),
        format!("cd /tmp && {program}; sleep infinity"),
        format!("exec {program}"),
        format!("{program} & wait"),
    ] {
        let spec = fixture.spec(Command::Shell(line.clone()), 1);
        let instance = fixture.started(&spec).await.remove(0);
        let mut logs = fixture.scheduler.instance_logs(&instance.id, None).await.unwrap();
        assert_eq!(logs.next().await.unwrap().unwrap().text, "ready");
        let begun = tokio::time::Instant::now();
        let grace = Duration::from_secs(30);
        let (rest, stopped) = tokio::join!(
            logs.map(|log| log.unwrap().text).collect::<Vec<_>>(),
            fixture.scheduler.instance_stop(&instance.id, grace)
        );
        stopped.unwrap();
        assert!(rest.iter().any(|text| text == "told"), "{rest:?}: {line}");
        assert!(begun.elapsed() < grace, "it did not sit its grace period out: {line}");
    }
}

#[tokio::test]
async fn an_instance_that_ignores_sigterm_is_killed_after_its_grace_period() {
    let fixture = DockerFixture::new().await;
    let spec = fixture.spec(Command::Shell("trap '' TERM; while :; do sleep 1; done".to_owned()), 2);
    let instances = fixture.started(&spec).await;
    let grace = Duration::from_secs(2);
    let begun = tokio::time::Instant::now();
    let observing = fixture.wait_until("both instances to be stopping", async || {
        let instances = fixture.scheduler.instances_observe().await.unwrap();
        instances.iter().all(|instance| instance.state == InstanceState::Stopping).then_some(())
    });
    let ids: Vec<_> = instances.into_iter().map(|instance| instance.id).collect();
    let (stopped, ()) = tokio::join!(fixture.scheduler.workload_shrink(&spec.id, 0, &ids, grace), observing);
    stopped.unwrap();
    assert!(begun.elapsed() >= grace, "it had its grace period");
    assert!(fixture.scheduler.instances_observe().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_instance_made_and_never_started_is_replaced() {
    let fixture = DockerFixture::new().await;
    let spec = fixture.spec(forever(), 1);
    let instance = fixture.started(&spec).await.remove(0);
    let container = fixture.inspect(&instance.id).await;
    fixture.instance_vanish(&instance.id).await;
    // As when we were killed between making and starting.
    let config = container.config.unwrap();
    let body = ambo_engine_docker::bollard::models::ContainerCreateBody {
        image: config.image,
        labels: config.labels,
        ..Default::default()
    };
    let options = None::<ambo_engine_docker::bollard::query_parameters::CreateContainerOptions>;
    let orphan = fixture.docker.create_container(options, body).await.unwrap().id;
    let replaced = fixture.started(&spec).await;
    assert!(replaced.iter().all(|instance| instance.id.as_str() != orphan));
    assert_eq!(fixture.scheduler.instances_observe().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_of_an_earlier_process_is_listed_and_its_remains_go() {
    let fixture = DockerFixture::new().await;
    let spec = fixture.spec(forever(), 1);
    let instance = fixture.started(&spec).await.remove(0);
    let config = fixture.inspect(&instance.id).await.config.unwrap();
    let mut labels = config.labels.unwrap();
    labels.insert("ambo.kind".to_owned(), "run".to_owned());
    let body = ambo_engine_docker::bollard::models::ContainerCreateBody {
        image: config.image,
        labels: Some(labels),
        cmd: Some(vec!["sleep".to_owned(), "1".to_owned()]),
        ..Default::default()
    };
    let create = None::<ambo_engine_docker::bollard::query_parameters::CreateContainerOptions>;
    let id = fixture.docker.create_container(create, body).await.unwrap().id;
    let start = None::<ambo_engine_docker::bollard::query_parameters::StartContainerOptions>;
    fixture.docker.start_container(&id, start).await.unwrap();
    assert_eq!(fixture.scheduler.runs_observe().await.unwrap().len(), 1);
    fixture
        .wait_until("the ended run to be removed", async || {
            assert!(fixture.scheduler.runs_observe().await.unwrap().len() <= 1);
            let inspect = None::<ambo_engine_docker::bollard::query_parameters::InspectContainerOptions>;
            fixture.docker.inspect_container(&id, inspect).await.err().map(|_| ())
        })
        .await;
}

#[tokio::test]
async fn an_engine_that_is_down_is_told_and_works_again_by_itself() {
    let path = std::env::temp_dir().join(format!("ambo-engine-{}.sock", std::process::id()));
    let engine = Engine::connect(DockerSettings { socket: EngineAddress::Unix(path.clone()) }).unwrap();
    let scheduler = DockerScheduler::new(engine, DockerSchedulerSettings::new("nobody"));
    assert!(matches!(scheduler.instances_observe().await, Err(SchedulerError::EngineDown { .. })));
    assert!(matches!(scheduler.status().await, Err(SchedulerError::EngineDown { .. })));
    assert!(matches!(scheduler.events().await.err(), Some(SchedulerError::EngineDown { .. })));
    std::os::unix::fs::symlink("/var/run/docker.sock", &path).unwrap();
    assert!(scheduler.instances_observe().await.unwrap().is_empty());
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(scheduler.instances_observe().await, Err(SchedulerError::EngineDown { .. })));
}
