//! Many instances: looking at them is cheap, starting them is done side by side.

#![expect(clippy::print_stderr, reason = "figures are for people who run this by itself")]

use ambo_model::Command;
use ambo_scheduler::Scheduler;

use crate::fixture::DockerFixture;

const COUNT: u32 = 12;

#[tokio::test]
async fn many_instances_start_side_by_side_and_are_looked_at_cheaply() {
    let fixture = DockerFixture::new().await;
    let one = fixture.spec(Command::Shell("sleep infinity".to_owned()), 1);
    fixture.started(&one).await;
    let begun = tokio::time::Instant::now();
    let spec = fixture.spec(Command::Shell("sleep infinity".to_owned()), COUNT);
    let instances = fixture.started(&spec).await;
    let started = begun.elapsed();
    assert_eq!(instances.len(), COUNT as usize);
    let begun = tokio::time::Instant::now();
    assert_eq!(fixture.scheduler.instances_observe().await.unwrap().len(), COUNT as usize + 1);
    // Machines differ too much to assert it.
    eprintln!("{COUNT} started in {started:?}, looked at in {:?}", begun.elapsed());
}
