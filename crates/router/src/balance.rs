//! Which instance gets the request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::table::CompiledRoute;
use crate::target::TargetState;

/// Most instances that one request is tried on.
pub const CONNECT_ATTEMPTS_MAX: usize = 3;

/// The instances that a request was tried on in vain.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    targets: [Option<Arc<TargetState>>; CONNECT_ATTEMPTS_MAX],
    len: usize,
}

impl Tried {
    /// Notes one. False when the request has had its attempts.
    pub(crate) fn push(&mut self, target: Arc<TargetState>) -> bool {
        self.targets[self.len] = Some(target);
        self.len += 1;
        self.len < CONNECT_ATTEMPTS_MAX
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn contains(&self, target: &Arc<TargetState>) -> bool {
        self.targets[..self.len].iter().flatten().any(|tried| Arc::ptr_eq(tried, target))
    }
}

/// The least loaded instance in rotation that was not tried yet; between equals they take turns. When all that are left are
/// ejected, the least loaded of those: a doubtful instance is better than none.
pub(crate) fn target_pick<'a>(route: &'a CompiledRoute, tried: &Tried, now: Instant) -> Option<&'a Arc<TargetState>> {
    let targets = &route.targets;
    if let [only] = &targets[..] {
        return (!tried.contains(only)).then_some(only);
    }
    let start = route.turn.fetch_add(1, Ordering::Relaxed);
    let in_turn = || (0..targets.len()).map(|step| &targets[(start + step) % targets.len()]);
    let untried = || in_turn().filter(|target| tried.len == 0 || !tried.contains(target));
    if let Some(probe) = untried().find(|target| target.is_ejected() && target.admits(now)) {
        return Some(probe);
    }
    let healthy = untried().filter(|target| !target.is_ejected()).min_by_key(|target| target.in_flight());
    healthy.or_else(|| untried().min_by_key(|target| target.in_flight()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::SocketAddr;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use ambo_model::{InstanceId, Target};

    use super::*;
    use crate::target::Lease;

    fn route(count: usize) -> CompiledRoute {
        let target = |n: usize| {
            let endpoint = SocketAddr::from(([127, 0, 0, 1], 1));
            Arc::new(TargetState::new(
                &Target { instance: InstanceId::new(format!("i{n}")), name: format!("web.{n}"), endpoint },
                1,
            ))
        };
        CompiledRoute {
            app: None,
            maintenance: false,
            crashed: false,
            targets: (0..count).map(target).collect(),
            turn: AtomicUsize::new(0),
        }
    }

    #[test]
    fn idle_targets_take_turns() {
        let route = route(3);
        let mut counts = HashMap::<String, usize>::new();
        for _ in 0..30 {
            let target = target_pick(&route, &Tried::default(), Instant::now()).unwrap();
            *counts.entry(target.name.clone()).or_default() += 1;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [10, 10, 10]);
    }

    #[test]
    fn the_least_loaded_target_is_picked_whoever_has_the_turn() {
        let route = route(3);
        let _busy: Vec<_> = [0, 0, 1].iter().map(|n| Lease::take(&route.targets[*n]).unwrap()).collect();
        for _ in 0..10 {
            assert_eq!(target_pick(&route, &Tried::default(), Instant::now()).unwrap().name, "web.2");
        }
    }

    #[test]
    fn ejected_targets_are_passed_over_until_their_probe_and_used_when_nothing_else_is_left() {
        let route = route(2);
        let now = Instant::now();
        route.targets[0].connect_failed(now);
        for _ in 0..5 {
            assert_eq!(target_pick(&route, &Tried::default(), now).unwrap().name, "web.1");
        }
        let mut tried = Tried::default();
        assert!(tried.push(Arc::clone(&route.targets[1])));
        assert_eq!(target_pick(&route, &tried, now).unwrap().name, "web.0");
        assert!(tried.push(Arc::clone(&route.targets[0])));
        assert!(target_pick(&route, &tried, now).is_none());
        let later = now + Duration::from_secs(2);
        let picked: Vec<_> =
            (0..4).map(|_| target_pick(&route, &Tried::default(), later).unwrap().name.clone()).collect();
        assert_eq!(picked.iter().filter(|name| *name == "web.0").count(), 1, "{picked:?}");
    }
}
