//! What every driver does, as tests: run over the fake and over each real engine.
//!
//! A bug that is found in one driver becomes a function here. Each function is one claim; [`contract_suite!`](crate::contract_suite)
//! makes a test of each. Scripts keep to the words that the fake understands.

#![expect(clippy::unwrap_used, reason = "this is test code that lives in a library so that several crates can run it")]

mod attached;
mod output;
mod workloads;

pub use attached::*;
pub use output::*;
pub use workloads::*;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use ambo_model::{
    AppId, AppName, Command, ImageReference, Instance, InstanceId, InstanceState, Limits, ProcessType, ReleaseVersion,
    RunId, Secret, Tags, WorkloadId,
};
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use crate::port::{RunSpec, Scheduler};
use crate::workload::WorkloadSpec;

/// How often a test looks whether a state is reached.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// The grace period of instances that obey at once.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// Runs until it is told to stop.
pub(crate) const FOREVER: &str = "sleep infinity";

/// A driver under test.
#[async_trait]
pub trait ContractFixture: Send + Sync {
    /// The driver. It sees no instance but those of this test.
    fn scheduler(&self) -> &dyn Scheduler;
    /// An image with a `/bin/sh`.
    fn image(&self) -> ImageReference;
    /// An image that is nowhere.
    fn image_missing(&self) -> ImageReference;
    /// The longest that a state may take to be reached.
    fn deadline(&self) -> Duration;
    /// Kills an instance behind the driver's back.
    async fn instance_kill(&self, instance: &InstanceId);
    /// Removes an instance behind the driver's back.
    async fn instance_vanish(&self, instance: &InstanceId);
}

/// A test per claim: `contract_suite!(Fixture::new(); #[tokio::test]);`. The future of a fixture is made anew for each.
///
/// Where fixtures cost more than claims, a list of names and futures, for one test to run side by side:
/// `contract_suite!(list Fixture::new())`.
#[macro_export]
macro_rules! contract_suite {
    ([tests] ($fixture:expr; [#[$attribute:meta]]) $($claim:ident)*) => {
        $($crate::contract_suite! { @one $fixture; [#[$attribute]] $claim })*
    };
    (@one $fixture:expr; [#[$attribute:meta]] $claim:ident) => {
        #[$attribute]
        async fn $claim() {
            let fixture = $fixture.await;
            $crate::contract::$claim(&fixture).await;
        }
    };
    ([list] ($fixture:expr) $($claim:ident)*) => {
        vec![$((stringify!($claim), {
            let fixture = $fixture;
            $crate::contract::claim(async move { $crate::contract::$claim(&fixture.await).await })
        })),*]
    };
    (@claims $use:tt $given:tt) => {
        $crate::contract_suite! { $use $given
            count_is_reached_under_the_lowest_indexes
            ensure_twice_changes_nothing
            ensure_at_once_reaches_the_count_once
            ensure_stops_nothing_beyond_the_count
            killed_instance_is_replaced
            vanished_instance_is_replaced
            shrink_stops_what_it_is_told
            remove_takes_one_workload_only
            stopped_instance_is_replaced_under_its_index
            running_instance_has_an_address_and_a_start
            crashing_instance_is_crashed_and_tells_why
            image_that_is_nowhere_cannot_be_pulled
            program_that_is_not_there_cannot_be_started
            changes_are_told
            engine_says_what_it_is
            logs_hold_every_line_and_end_with_the_instance
            logs_go_on_after_a_given_time
            last_lines_are_the_last
            logs_of_an_unknown_instance_are_gone
            instance_knows_its_variables
            exec_splits_its_output_and_passes_its_exit_code_on
            exec_sees_the_variables_of_instance_and_caller
            exec_reads_its_input_to_the_end
            exec_in_what_is_gone_is_refused
            run_passes_output_and_exit_code_on
            run_passes_a_signal_on_as_exit_code
            run_reads_its_input_to_the_end
            run_has_a_terminal_that_is_resized
            run_is_gone_when_it_has_ended
            run_is_listed_and_terminated
            run_ends_when_nobody_holds_it
            detached_run_goes_on_and_is_listed
            run_of_a_missing_program_cannot_be_started
        }
    };
    (list $fixture:expr) => {
        $crate::contract_suite! { @claims [list] ($fixture) }
    };
    ($fixture:expr; #[$attribute:meta]) => {
        $crate::contract_suite! { @claims [tests] ($fixture; [#[$attribute]]) }
    };
}

/// A claim that is yet to be tried.
pub type Claim = LocalBoxFuture<'static, ()>;

/// Puts a claim into a list.
pub fn claim(trial: impl Future<Output = ()> + 'static) -> Claim {
    trial.boxed_local()
}

/// Waits until `look` gives something; fails when that takes longer than the fixture allows.
pub(crate) async fn wait_until<T, F, L>(fixture: &dyn ContractFixture, what: &str, mut look: L) -> T
where
    F: Future<Output = Option<T>>,
    L: FnMut() -> F,
{
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    match tokio::time::timeout(fixture.deadline(), looking).await {
        Ok(found) => found,
        Err(_) => panic!("waited {:?} for: {what}", fixture.deadline()),
    }
}

/// A workload of an app of its own.
pub(crate) fn workload(fixture: &dyn ContractFixture, script: &str, count: u32) -> WorkloadSpec {
    let app = AppId::new();
    let process = ProcessType::web();
    WorkloadSpec {
        id: WorkloadId { app, release: ReleaseVersion(3), process, generation: 1 },
        app_name: AppName::parse("contract").unwrap(),
        image: fixture.image(),
        command: Command::Shell(script.to_owned()),
        env: BTreeMap::from([("PORT".to_owned(), Secret::new("8080")), ("COLOUR".to_owned(), Secret::new("grün\n€"))]),
        limits: Limits::default(),
        tags: Tags::default(),
        port: 8080,
        count,
    }
}

/// A one-off run of an app of its own.
pub(crate) fn one_off(fixture: &dyn ContractFixture, script: &str) -> RunSpec {
    RunSpec {
        id: RunId::new(),
        name: "run.4711".to_owned(),
        app: AppId::new(),
        app_name: AppName::parse("contract").unwrap(),
        release: ReleaseVersion(3),
        image: fixture.image(),
        command: Command::Shell(script.to_owned()),
        env: BTreeMap::from([("COLOUR".to_owned(), Secret::new("red"))]),
        limits: Limits::default(),
        tags: Tags::default(),
        terminal: None,
        detach: false,
    }
}

/// The workload's instances, by index.
pub(crate) async fn observed(fixture: &dyn ContractFixture, workload: &WorkloadId) -> Vec<Instance> {
    let all = fixture.scheduler().instances_observe().await.unwrap();
    let mut ours: Vec<Instance> = all.into_iter().filter(|instance| instance.workload == *workload).collect();
    ours.sort_by_key(|instance| instance.index);
    ours
}

/// Waits until exactly `count` instances of the workload are there and run.
pub(crate) async fn running(fixture: &dyn ContractFixture, workload: &WorkloadId, count: usize) -> Vec<Instance> {
    wait_until(fixture, &format!("{count} running instances"), || async {
        let ours = observed(fixture, workload).await;
        (ours.len() == count && ours.iter().all(Instance::is_running)).then_some(ours)
    })
    .await
}

/// Makes a workload run.
pub(crate) async fn started(fixture: &dyn ContractFixture, script: &str, count: u32) -> (WorkloadSpec, Vec<Instance>) {
    let spec = workload(fixture, script, count);
    fixture.scheduler().workload_ensure(&spec).await.unwrap();
    let instances = running(fixture, &spec.id, count as usize).await;
    (spec, instances)
}
