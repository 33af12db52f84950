//! What instances say.

use ambo_model::InstanceId;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::*;
use crate::port::{InstanceLog, SchedulerError};

type Logs = BoxStream<'static, Result<InstanceLog, SchedulerError>>;

/// The next `count` lines.
async fn lines(fixture: &dyn ContractFixture, logs: &mut Logs, count: usize) -> Vec<InstanceLog> {
    let taken = logs.take(count).map(Result::unwrap).collect::<Vec<_>>();
    let taken = tokio::time::timeout(fixture.deadline(), taken).await.expect("lines in time");
    assert_eq!(taken.len(), count, "the log ended early");
    taken
}

fn texts(logs: &[InstanceLog]) -> Vec<String> {
    logs.iter().map(|log| String::from_utf8_lossy(&log.text).into_owned()).collect()
}

/// Both outputs are logged, from the first line on, and the log ends when the instance is gone.
pub async fn logs_hold_every_line_and_end_with_the_instance(fixture: &dyn ContractFixture) {
    let (_, instances) =
        started(fixture, "echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three; sleep infinity", 1).await;
    let mut logs = fixture.scheduler().instance_logs(&instances[0].id, None).await.unwrap();
    let said = lines(fixture, &mut logs, 3).await;
    assert_eq!(texts(&said), ["one", "two", "three"]);
    assert!(said.windows(2).all(|pair| pair[0].at < pair[1].at));
    fixture.scheduler().instance_stop(&instances[0].id, GRACE).await.unwrap();
    // A shell may have a word to say about its end.
    let rest = logs.map(Result::unwrap).collect::<Vec<_>>();
    let rest = texts(&tokio::time::timeout(fixture.deadline(), rest).await.expect("an end in time"));
    assert!(["one", "two", "three"].iter().all(|line| !rest.iter().any(|text| text == line)), "{rest:?}");
}

/// A reader that comes back with the last time it saw misses nothing and sees nothing twice.
pub async fn logs_go_on_after_a_given_time(fixture: &dyn ContractFixture) {
    let (_, instances) =
        started(fixture, "echo one; sleep 0.1; echo two; sleep 0.1; echo three; sleep infinity", 1).await;
    let scheduler = fixture.scheduler();
    let mut logs = scheduler.instance_logs(&instances[0].id, None).await.unwrap();
    let first = lines(fixture, &mut logs, 1).await;
    drop(logs);
    let mut logs = scheduler.instance_logs(&instances[0].id, Some(first[0].at)).await.unwrap();
    assert_eq!(texts(&lines(fixture, &mut logs, 2).await), ["two", "three"]);
}

/// The last lines come in order, and no more than were asked for.
pub async fn last_lines_are_the_last(fixture: &dyn ContractFixture) {
    let (_, instances) = started(fixture, "echo one; echo two; echo three; sleep infinity", 1).await;
    let last = async |count| fixture.scheduler().instance_last_lines(&instances[0].id, count).await.unwrap();
    wait_until(fixture, "three lines", || async { (last(10).await.len() == 3).then_some(()) }).await;
    assert_eq!(last(2).await, ["two", "three"]);
    assert!(last(0).await.is_empty());
}

/// What is not there has no log.
pub async fn logs_of_an_unknown_instance_are_gone(fixture: &dyn ContractFixture) {
    let unknown = InstanceId::new("0123456789abcdef");
    let refused = fixture.scheduler().instance_logs(&unknown, None).await.err().unwrap();
    assert!(matches!(refused, SchedulerError::InstanceGone(_)), "{refused:?}");
    let refused = fixture.scheduler().instance_last_lines(&unknown, 1).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::InstanceGone(_)), "{refused:?}");
}

/// Every variable of the workload is set, and `DYNO` beside them.
pub async fn instance_knows_its_variables(fixture: &dyn ContractFixture) {
    let (_, instances) = started(fixture, "echo \"$DYNO listens on $PORT\"; sleep infinity", 2).await;
    for (instance, expected) in instances.iter().zip(["web.1 listens on 8080", "web.2 listens on 8080"]) {
        let mut logs = fixture.scheduler().instance_logs(&instance.id, None).await.unwrap();
        assert_eq!(texts(&lines(fixture, &mut logs, 1).await), [expected]);
    }
}
