//! Which routers are told to users: every one is asked again and again, and who fails twice in a row is left out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::probe::Probe;
use crate::router::ListedRouter;

/// Between two rounds of questions.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a router may take to answer one.
pub const PROBE_DURATION_MAX: Duration = Duration::from_secs(1);
/// A router that fails so often in a row is left out; one good answer brings it back.
pub const FAILURES_MAX: u32 = 2;

/// What is told, as of now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Of routers, for the domain and all names below it.
    pub(crate) v4: Vec<Ipv4Addr>,
    pub(crate) v6: Vec<Ipv6Addr>,
    /// The zone's name servers: labels with addresses, well or not, since whoever asks has their addresses from above.
    pub(crate) name_servers: Vec<(String, Vec<IpAddr>)>,
}

/// Asks all listed routers in rounds, and tells the outcome, for as long as it is polled.
pub(crate) async fn check(
    mut routers: watch::Receiver<Vec<ListedRouter>>,
    probe: Arc<dyn Probe>,
    told: watch::Sender<Arc<Told>>,
) {
    let mut health = Health::default();
    let mut ticks = interval(PROBE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut list_may_change = true;
    loop {
        let listed = routers.borrow_and_update().clone();
        tell(&told, health.told(&listed));
        tokio::select! {
            _ = ticks.tick() => {
                let answers = join_all(listed.iter().map(|router| ask(&*probe, router))).await;
                health.note(&listed, &answers);
                tell(&told, health.told(&listed));
            }
            changed = routers.changed(), if list_may_change => list_may_change = changed.is_ok(),
        }
    }
}

async fn ask(probe: &dyn Probe, router: &ListedRouter) -> bool {
    timeout(PROBE_DURATION_MAX, probe.is_well(router.probe)).await.unwrap_or(false)
}

fn tell(told: &watch::Sender<Arc<Told>>, new: Told) {
    told.send_if_modified(|known| {
        let is_new = **known != new;
        if is_new {
            *known = Arc::new(new);
        }
        is_new
    });
}

/// The score of each router, by where it is asked. Pure.
#[derive(Debug, Default)]
struct Health {
    /// How often in a row each has failed.
    failures: HashMap<SocketAddr, u32>,
}

impl Health {
    /// Takes the answers of one round; whoever is not listed any more is forgotten.
    fn note(&mut self, listed: &[ListedRouter], answers: &[bool]) {
        let mut failures = HashMap::new();
        for (router, is_well) in listed.iter().zip(answers) {
            let before = self.failures.get(&router.probe).copied().unwrap_or(0);
            let now = if *is_well { 0 } else { before.saturating_add(1) };
            if before < FAILURES_MAX && now >= FAILURES_MAX {
                tracing::warn!(router = router.label, probe = %router.probe, "a router does not answer: it leaves the answers");
            } else if before >= FAILURES_MAX && now == 0 {
                tracing::info!(router = router.label, "a router answers again: it is back");
            }
            failures.insert(router.probe, now);
        }
        self.failures = failures;
    }

    fn is_well(&self, router: &ListedRouter) -> bool {
        self.failures.get(&router.probe).is_none_or(|failures| *failures < FAILURES_MAX)
    }

    /// What is told: who is well and stays, else who is well, else everybody.
    fn told(&self, listed: &[ListedRouter]) -> Told {
        let well: Vec<&ListedRouter> = listed.iter().filter(|router| self.is_well(router)).collect();
        let staying: Vec<&ListedRouter> = well.iter().copied().filter(|router| !router.is_leaving).collect();
        let chosen = [staying, well].into_iter().find(|some| some.iter().any(|router| !router.addresses.is_empty()));
        let chosen = chosen.unwrap_or_else(|| listed.iter().collect());
        let mut told = Told::default();
        for address in chosen.iter().flat_map(|router| &router.addresses) {
            match address {
                IpAddr::V4(address) if !told.v4.contains(address) => told.v4.push(*address),
                IpAddr::V6(address) if !told.v6.contains(address) => told.v6.push(*address),
                _ => {}
            }
        }
        let servers = listed.iter().filter(|router| router.is_name_server);
        told.name_servers = servers.map(|router| (router.label.clone(), router.addresses.clone())).collect();
        told
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use async_trait::async_trait;
    use tokio::time::Instant;

    use super::*;

    fn router(number: u8) -> ListedRouter {
        let ip = IpAddr::from([203, 0, 113, number]);
        ListedRouter {
            label: format!("n{number}"),
            probe: SocketAddr::from(([10, 0, 0, number], 80)),
            addresses: vec![ip],
            is_name_server: true,
            is_leaving: false,
        }
    }

    fn leaving(number: u8) -> ListedRouter {
        ListedRouter { is_leaving: true, ..router(number) }
    }

    fn after(listed: &[ListedRouter], rounds: &[&[bool]]) -> Vec<u8> {
        let mut health = Health::default();
        rounds.iter().for_each(|answers| health.note(listed, answers));
        health.told(listed).v4.iter().map(|address| address.octets()[3]).collect()
    }

    #[test]
    fn two_failures_in_a_row_take_a_router_out_and_one_answer_brings_it_back() {
        let listed = [router(1), router(2)];
        assert_eq!(after(&listed, &[]), [1, 2], "who was never asked is told");
        assert_eq!(after(&listed, &[&[true, false]]), [1, 2]);
        assert_eq!(after(&listed, &[&[true, false], &[true, true], &[true, false]]), [1, 2]);
        assert_eq!(after(&listed, &[&[true, false], &[true, false]]), [1]);
        assert_eq!(after(&listed, &[&[true, false], &[true, false], &[true, true]]), [1, 2]);
    }

    #[test]
    fn all_are_told_when_none_is_well() {
        let listed = [router(1), router(2)];
        assert_eq!(after(&listed, &[&[false, false], &[false, false]]), [1, 2]);
    }

    #[test]
    fn a_node_that_is_leaving_is_told_only_when_nobody_else_is_well() {
        let listed = [leaving(1), router(2)];
        assert_eq!(after(&listed, &[&[true, true]]), [2]);
        assert_eq!(after(&listed, &[&[true, false], &[true, false]]), [1]);
    }

    #[test]
    fn name_servers_stay_when_their_routers_do_not_answer() {
        let listed = [router(1), router(2)];
        let mut health = Health::default();
        health.note(&listed, &[true, false]);
        health.note(&listed, &[true, false]);
        assert_eq!(health.told(&listed).name_servers.len(), 2);
    }

    /// Bit `n` is set when router `n` is dead; such a one never answers.
    #[derive(Debug, Default)]
    struct Fates(AtomicU64);

    #[async_trait]
    impl Probe for Fates {
        async fn is_well(&self, router: SocketAddr) -> bool {
            let IpAddr::V4(ip) = router.ip() else { return true };
            if self.0.load(Ordering::SeqCst) & (1 << ip.octets()[3]) == 0 {
                return true;
            }
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_router_that_falls_silent_is_out_within_four_seconds_and_back_within_one() {
        let fates = Arc::new(Fates::default());
        let (list, listed) = watch::channel(vec![router(1), router(2)]);
        let (sender, mut told) = watch::channel(Arc::default());
        let checks = tokio::spawn(check(listed, fates.clone(), sender));
        told.wait_for(|told| told.v4.len() == 2).await.unwrap();
        fates.0.store(1 << 2, Ordering::SeqCst);
        let since = Instant::now();
        told.wait_for(|told| told.v4.len() == 1).await.unwrap();
        assert!(since.elapsed() <= Duration::from_secs(4), "{:?}", since.elapsed());
        fates.0.store(0, Ordering::SeqCst);
        let since = Instant::now();
        told.wait_for(|told| told.v4.len() == 2).await.unwrap();
        assert!(since.elapsed() <= PROBE_INTERVAL + PROBE_DURATION_MAX, "{:?}", since.elapsed());
        list.send_modify(|routers| routers.push(router(3)));
        let since = Instant::now();
        told.wait_for(|told| told.v4.len() == 3).await.unwrap();
        assert!(since.elapsed() <= PROBE_DURATION_MAX, "{:?}", since.elapsed());
        checks.abort();
    }
}
