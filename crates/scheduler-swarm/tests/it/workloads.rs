//! What an instance is given, and what goes with the last.

use ambo_model::{ByteSize, CpuShare, Limits, Secret};
use ambo_scheduler::Scheduler;

use crate::fixture::{FOREVER, GRACE, Platform};

pub(crate) async fn variables_are_no_templates(platform: &Platform) {
    let mut spec = platform.spec(FOREVER, 1);
    let hostile = "{{.Node.Hostname}} {{{ }} {{\"x\"}} {{";
    spec.env.insert("HOSTILE".to_owned(), Secret::new(hostile));
    let instance = platform.started(&spec).await.remove(0);
    let (said, _) = platform.exec(&instance, "printf %s \"$HOSTILE/$DYNO\"").await;
    assert_eq!(said, format!("{hostile}/web.1"));
}

pub(crate) async fn limits_and_rights_are_as_promised(platform: &Platform) {
    let mut spec = platform.spec(FOREVER, 1);
    spec.limits = Limits { memory: Some(ByteSize::mib(64)), cpu: Some(CpuShare::millis(500)) };
    let instance = platform.started(&spec).await.remove(0);
    let (said, _) = platform.exec(&instance, "cat /proc/self/status; ulimit -c; cat /proc/1/comm").await;
    let capabilities = said.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    // The eight that are left, each a bit.
    assert_eq!(u64::from_str_radix(capabilities, 16).unwrap(), 0b100_1111_1011, "{said}");
    assert!(said.ends_with("\n0\ndocker-init\n"), "core files are off, and somebody reaps: {said}");
    let (said, _) = platform
        .exec(&instance, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null")
        .await;
    assert!(said.contains(&(64 << 20).to_string()), "{said}");
}

pub(crate) async fn a_network_goes_with_the_last_workload_of_its_app(platform: &Platform) {
    let web = platform.spec(FOREVER, 1);
    let mut next = web.clone();
    next.id.generation += 1;
    platform.started(&web).await;
    platform.started(&next).await;
    let networks = async || {
        let filter = format!("label=ambo.platform={}", platform.id);
        platform.docker(&["network", "ls", "-q", "--filter", &filter]).await.lines().count()
    };
    platform.scheduler.workload_remove(&web.id, GRACE).await.unwrap();
    assert_eq!((networks().await, platform.routers.0.lock().is_empty()), (1, false), "one workload is left");
    platform.scheduler.workload_remove(&next.id, GRACE).await.unwrap();
    platform
        .wait_until("the network is gone", async || {
            platform.scheduler.workload_remove(&next.id, GRACE).await.unwrap();
            (networks().await == 0 && platform.routers.0.lock().is_empty()).then_some(())
        })
        .await;
}
