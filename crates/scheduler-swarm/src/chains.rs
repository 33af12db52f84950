//! An instance keeps its id and its count of restarts while Swarm starts it again and again and remembers only the last few.
//!
//! What is kept here is lost with the process, and costs no more than new ids for what crashes at that moment.

use std::collections::{HashMap, HashSet};

use ambo_model::Timestamp;
use parking_lot::Mutex;

use crate::slots::{Slot, SlotName};
use crate::task::{Task, TaskState};

/// What is known of the instances in slots, by slot.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    known: Mutex<HashMap<SlotName, Chain>>,
}

/// The starts of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Its first start, whose id is the instance's.
    pub(crate) head: String,
    /// How often it was started again.
    pub(crate) restarts: u32,
    /// When what runs began: its start, and when that was first said. Nodes say it anew to every new leader.
    running: Option<(String, Timestamp)>,
    /// The starts that were seen last.
    starts: HashSet<String>,
    /// Those of them that had ended.
    crashed: HashSet<String>,
}

impl Chain {
    /// When what runs began.
    pub(crate) fn started_at(&self) -> Option<Timestamp> {
        self.running.as_ref().map(|(_, at)| *at)
    }
}

impl Chains {
    /// Adds what is seen of a slot to what is known of it.
    pub(crate) fn follow(&self, slot: &Slot) -> Option<Chain> {
        let head = slot.starts().next()?.id.clone();
        let ids = |tasks: &mut dyn Iterator<Item = &Task>| tasks.map(|task| task.id.clone()).collect::<HashSet<_>>();
        let (starts, crashed) = (ids(&mut slot.starts()), ids(&mut slot.crashed.iter()));
        let running = slot.current.as_ref().filter(|task| task.state == TaskState::Running);
        let running = running.and_then(|task| Some((task.id.clone(), task.since?)));
        let mut known = self.known.lock();
        let before = known.get(&slot.name).filter(|chain| !chain.starts.is_disjoint(&starts));
        let chain = match before {
            Some(chain) => {
                let news = crashed.difference(&chain.crashed).count();
                let restarts = chain.restarts.saturating_add(u32::try_from(news).unwrap_or(u32::MAX));
                let said = chain.running.clone().filter(|(id, _)| running.as_ref().is_some_and(|(now, _)| now == id));
                Chain { head: chain.head.clone(), restarts, running: said.or(running), starts, crashed }
            }
            None => {
                let restarts = u32::try_from(crashed.len()).unwrap_or(u32::MAX);
                Chain { head, restarts, running, starts, crashed }
            }
        };
        known.insert(slot.name.clone(), chain.clone());
        Some(chain)
    }

    /// Forgets all slots but these.
    pub(crate) fn forget_all_but(&self, slots: &[Slot]) {
        let names: HashSet<&SlotName> = slots.iter().map(|slot| &slot.name).collect();
        self.known.lock().retain(|name, _| names.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::tests::{seen, task};
    use crate::task::TaskState::{Failed, Ready, Running, Shutdown};

    fn slot(tasks: Vec<Task>) -> Slot {
        seen(tasks).slots().pop().unwrap()
    }

    #[test]
    fn an_instance_stays_the_same_while_swarm_forgets_its_first_starts() {
        let chains = Chains::default();
        let crash = |id, second| task(id, second, Some("n1"), Failed, Shutdown);
        let first = chains.follow(&slot(vec![task("a", 1, Some("n1"), Running, Running)])).unwrap();
        assert_eq!((first.head.as_str(), first.restarts), ("a", 0));
        let second = chains.follow(&slot(vec![crash("a", 1), task("b", 2, Some("n1"), Ready, Ready)])).unwrap();
        assert_eq!((second.head.as_str(), second.restarts), ("a", 1));
        let later =
            chains.follow(&slot(vec![crash("b", 2), crash("c", 3), task("d", 4, Some("n1"), Running, Running)]));
        let later = later.unwrap();
        assert_eq!((later.head.as_str(), later.restarts), ("a", 3), "`a` is forgotten, and is still its name");
        let moved = chains.follow(&slot(vec![task("e", 5, Some("n2"), Running, Running)])).unwrap();
        assert_eq!((moved.head.as_str(), moved.restarts), ("e", 0));
    }

    #[test]
    fn a_start_is_when_it_was_first_said_to_be() {
        let chains = Chains::default();
        let mut running = task("a", 1, Some("n1"), Running, Running);
        let first = chains.follow(&slot(vec![running.clone()])).unwrap().started_at();
        assert_eq!(first, Timestamp::from_second(1).ok());
        running.since = Timestamp::from_second(9).ok();
        assert_eq!(chains.follow(&slot(vec![running])).unwrap().started_at(), first, "said again to a new leader");
        let other = task("b", 3, Some("n1"), Running, Running);
        assert_eq!(chains.follow(&slot(vec![other])).unwrap().started_at(), Timestamp::from_second(3).ok());
    }
}
