//! Exec and one-off runs.

use futures::StreamExt;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::attached::{Attached, AttachedOutput, TerminalSize};
use crate::port::{ExecSpec, SchedulerError};

/// What a program wrote, and how it ended.
struct Ended {
    stdout: String,
    stderr: String,
    exit_code: i32,
}

/// Reads a program's output to its end.
async fn finish(fixture: &dyn ContractFixture, attached: Attached) -> Ended {
    let Attached { input, mut output, control } = attached;
    let reading = async {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while let Some(piece) = output.next().await {
            match piece.unwrap() {
                AttachedOutput::Stdout(bytes) => stdout.extend_from_slice(&bytes),
                AttachedOutput::Stderr(bytes) => stderr.extend_from_slice(&bytes),
            }
        }
        let exit_code = control.exit_code().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { stdout: text(stdout), stderr: text(stderr), exit_code }
    };
    let ended = tokio::time::timeout(fixture.deadline(), reading).await.expect("an end in time");
    drop(input);
    ended
}

/// Writes all of the input, and ends it.
async fn feed(attached: &mut Attached, text: &str) {
    attached.input.write_all(text.as_bytes()).await.unwrap();
    attached.input.shutdown().await.unwrap();
}

fn exec(script: &str) -> ExecSpec {
    let env = BTreeMap::from([("EXTRA".to_owned(), "more".to_owned())]);
    ExecSpec { command: Command::Shell(script.to_owned()), env, terminal: None }
}

/// Without a terminal the two outputs stay apart; the exit code is the program's.
pub async fn exec_splits_its_output_and_passes_its_exit_code_on(fixture: &dyn ContractFixture) {
    let (_, instances) = started(fixture, FOREVER, 1).await;
    let script = "echo out; echo err >&2; exit 3";
    let ended = finish(fixture, fixture.scheduler().instance_exec(&instances[0].id, exec(script)).await.unwrap()).await;
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str(), ended.exit_code), ("out\n", "err\n", 3));
}

/// The caller's variables join those of the instance.
pub async fn exec_sees_the_variables_of_instance_and_caller(fixture: &dyn ContractFixture) {
    let (_, instances) = started(fixture, FOREVER, 1).await;
    let script = exec("echo \"$DYNO $PORT $EXTRA $COLOUR\"");
    let ended = finish(fixture, fixture.scheduler().instance_exec(&instances[0].id, script).await.unwrap()).await;
    assert_eq!((ended.stdout.as_str(), ended.exit_code), ("web.1 8080 more grün\n€\n", 0));
}

/// The end of the input reaches the program.
pub async fn exec_reads_its_input_to_the_end(fixture: &dyn ContractFixture) {
    let (_, instances) = started(fixture, FOREVER, 1).await;
    let mut attached = fixture.scheduler().instance_exec(&instances[0].id, exec("cat; echo done")).await.unwrap();
    feed(&mut attached, "a\nb\n").await;
    let ended = finish(fixture, attached).await;
    assert_eq!((ended.stdout.as_str(), ended.exit_code), ("a\nb\ndone\n", 0));
}

/// There is no exec in an instance that has gone.
pub async fn exec_in_what_is_gone_is_refused(fixture: &dyn ContractFixture) {
    let (_, instances) = started(fixture, FOREVER, 1).await;
    fixture.scheduler().instance_stop(&instances[0].id, GRACE).await.unwrap();
    let refused = fixture.scheduler().instance_exec(&instances[0].id, exec("true")).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::InstanceGone(_)), "{refused:?}");
}

/// Output, variables and exit code of a one-off run are those of its program.
pub async fn run_passes_output_and_exit_code_on(fixture: &dyn ContractFixture) {
    let run = one_off(fixture, "echo \"$DYNO is $COLOUR\"; echo err >&2; exit 7");
    let ended = finish(fixture, fixture.scheduler().run(run).await.unwrap()).await;
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str(), ended.exit_code), ("run.4711 is red\n", "err\n", 7));
}

/// A program that a signal ends has exited with 128 and the signal.
pub async fn run_passes_a_signal_on_as_exit_code(fixture: &dyn ContractFixture) {
    let run = one_off(fixture, "kill -9 $$");
    assert_eq!(finish(fixture, fixture.scheduler().run(run).await.unwrap()).await.exit_code, 137);
}

/// Piped input ends when the caller ends it; a megabyte gets through unharmed.
pub async fn run_reads_its_input_to_the_end(fixture: &dyn ContractFixture) {
    let text = "0123456789abcde\n".repeat(64 * 1024);
    let Attached { mut input, output, control } = fixture.scheduler().run(one_off(fixture, "cat")).await.unwrap();
    let feeding = async {
        input.write_all(text.as_bytes()).await.unwrap();
        input.shutdown().await.unwrap();
    };
    let attached = Attached { input: Box::pin(tokio::io::sink()), output, control };
    let ((), ended) = tokio::join!(feeding, finish(fixture, attached));
    assert_eq!(ended.exit_code, 0);
    assert!(ended.stdout == text, "{} bytes of {} came back", ended.stdout.len(), text.len());
}

/// A terminal has the size that it is given, also later.
pub async fn run_has_a_terminal_that_is_resized(fixture: &dyn ContractFixture) {
    let mut run = one_off(fixture, "read first; stty size; read second; stty size; exit 5");
    run.terminal = Some(TerminalSize { columns: 101, rows: 33 });
    let mut attached = fixture.scheduler().run(run).await.unwrap();
    attached.input.write_all(b"\n").await.unwrap();
    let mut seen = String::new();
    until_seen(fixture, &mut attached, &mut seen, "33 101").await;
    attached.control.resize(TerminalSize { columns: 80, rows: 24 }).await.unwrap();
    attached.input.write_all(b"\n").await.unwrap();
    until_seen(fixture, &mut attached, &mut seen, "24 80").await;
    assert_eq!(finish(fixture, attached).await.exit_code, 5);
}

async fn until_seen(fixture: &dyn ContractFixture, attached: &mut Attached, seen: &mut String, text: &str) {
    let reading = async {
        while !seen.contains(text) {
            match attached.output.next().await {
                Some(Ok(AttachedOutput::Stdout(bytes))) => seen.push_str(&String::from_utf8_lossy(&bytes)),
                other => panic!("{other:?} after {seen:?}"),
            }
        }
    };
    tokio::time::timeout(fixture.deadline(), reading).await.unwrap_or_else(|_| panic!("no {text:?} in time"));
}

/// Nothing is left of a one-off run.
pub async fn run_is_gone_when_it_has_ended(fixture: &dyn ContractFixture) {
    finish(fixture, fixture.scheduler().run(one_off(fixture, "true")).await.unwrap()).await;
    no_runs(fixture).await;
}

/// A one-off run is listed apart from instances, under its name, and can be terminated.
pub async fn run_is_listed_and_terminated(fixture: &dyn ContractFixture) {
    let run = one_off(fixture, FOREVER);
    let app = run.app;
    let attached = fixture.scheduler().run(run).await.unwrap();
    let runs = fixture.scheduler().runs_observe().await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].name().as_str(), runs[0].workload.app), ("run.4711", app));
    assert!(fixture.scheduler().instances_observe().await.unwrap().is_empty());
    attached.control.terminate().await.unwrap();
    let ended = finish(fixture, attached).await;
    assert!(ended.exit_code > 128, "{}", ended.exit_code);
    no_runs(fixture).await;
}

/// A run whose caller has gone away does not go on for ever.
pub async fn run_ends_when_nobody_holds_it(fixture: &dyn ContractFixture) {
    drop(fixture.scheduler().run(one_off(fixture, FOREVER)).await.unwrap());
    no_runs(fixture).await;
}

/// A detached run goes on without its caller, is listed and logged, and can be stopped as an instance can.
pub async fn detached_run_goes_on_and_is_listed(fixture: &dyn ContractFixture) {
    let scheduler = fixture.scheduler();
    let mut run = one_off(fixture, "echo working; sleep infinity");
    run.detach = true;
    drop(scheduler.run(run).await.unwrap());
    let runs = wait_until(fixture, "a running one-off", || async {
        let runs = scheduler.runs_observe().await.unwrap();
        runs.iter().any(Instance::is_running).then_some(runs)
    })
    .await;
    let mut logs = scheduler.instance_logs(&runs[0].id, None).await.unwrap();
    let line = tokio::time::timeout(fixture.deadline(), logs.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(line.text.as_ref(), b"working");
    scheduler.instance_stop(&runs[0].id, GRACE).await.unwrap();
    no_runs(fixture).await;
}

/// A program that is not there is refused before anybody is attached.
pub async fn run_of_a_missing_program_cannot_be_started(fixture: &dyn ContractFixture) {
    let mut run = one_off(fixture, "");
    run.command = Command::Argv(vec!["/no/such/program".to_owned()]);
    let refused = fixture.scheduler().run(run).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::Start { .. }), "{refused:?}");
    no_runs(fixture).await;
}

async fn no_runs(fixture: &dyn ContractFixture) {
    wait_until(fixture, "no one-off instances", || async {
        fixture.scheduler().runs_observe().await.unwrap().is_empty().then_some(())
    })
    .await;
}
