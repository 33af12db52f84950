//! Which machines manage the swarm and keep the state: an odd number of live ones. Pure: what is seen, and the next step.
//!
//! A step at a time, since each changes what a majority is. A machine that is away is waited for; one that is lost is replaced
//! when there is another to take its place, and stays a member otherwise: taking it out would not let one more fail.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// A machine of the swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its id in the swarm.
    pub id: String,
    /// Its address.
    pub address: IpAddr,
    /// Whether it is a manager.
    pub is_manager: bool,
    /// How it is.
    pub life: Life,
    /// Whether it takes work: a drained machine becomes no manager.
    pub is_active: bool,
}

/// How a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It answers.
    Up,
    /// It does not, and is waited for.
    Away,
    /// It was away for too long.
    Lost,
}

/// A member of etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// The address of its machine.
    pub address: IpAddr,
    /// Whether it was started.
    pub is_started: bool,
    /// Whether it only listens so far.
    pub is_learner: bool,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes a worker a manager.
    ManagerMake(String),
    /// Makes a manager a worker.
    ManagerUnmake(String),
    /// Lets the machine at this address join etcd, as a learner.
    MemberAdd(IpAddr),
    /// Gives a learner its vote.
    MemberPromote(u64),
    /// Takes a member out.
    MemberRemove(u64),
}

/// The next step towards so many managers, each with a member of etcd; `None` when all is as it should be, or nothing can be
/// done. Without members etcd is somebody else's.
#[must_use]
pub fn next_step(wanted: usize, machines: &[Machine], members: Option<&[Member]>) -> Option<Step> {
    manager_step(wanted, machines, members).or_else(|| member_step(wanted, machines, members?))
}

fn manager_step(wanted: usize, machines: &[Machine], members: Option<&[Member]>) -> Option<Step> {
    let managers = || machines.iter().filter(|machine| machine.is_manager);
    let alive = managers().filter(|machine| machine.life != Life::Lost).count();
    let mut spares: Vec<&Machine> = machines.iter().filter(|machine| is_spare(machine)).collect();
    spares.sort_by(|one, other| one.id.cmp(&other.id));
    if let Some(lost) = managers().find(|machine| machine.life == Life::Lost)
        && (!spares.is_empty() || is_odd(alive))
    {
        return Some(Step::ManagerUnmake(lost.id.clone()));
    }
    if alive < odd_within(wanted.min(alive + spares.len())) {
        return spares.first().map(|spare| Step::ManagerMake(spare.id.clone()));
    }
    let is_surplus = |machine: &&Machine| !is_member(machine, members.unwrap_or_default());
    if alive > wanted && !is_odd(alive) {
        return managers().find(is_surplus).map(|machine| Step::ManagerUnmake(machine.id.clone()));
    }
    None
}

fn member_step(wanted: usize, machines: &[Machine], members: &[Member]) -> Option<Step> {
    let managers: Vec<&Machine> =
        machines.iter().filter(|machine| machine.is_manager && machine.life != Life::Lost).collect();
    let addresses: BTreeSet<IpAddr> = managers.iter().map(|machine| machine.address).collect();
    let known: BTreeSet<IpAddr> = machines.iter().filter(|machine| machine.is_manager).map(|m| m.address).collect();
    if let Some(gone) = members.iter().find(|member| !known.contains(&member.address)) {
        return Some(Step::MemberRemove(gone.id));
    }
    if let Some(learner) = members.iter().find(|member| member.is_learner) {
        // One that is not started yet is about to be.
        return learner.is_started.then_some(Step::MemberPromote(learner.id));
    }
    let target = odd_within(wanted.min(addresses.len()));
    let newcomer = managers.iter().find(|machine| machine.life == Life::Up && !is_member(machine, members))?;
    (members.len() < target).then_some(Step::MemberAdd(newcomer.address))
}

fn is_spare(machine: &Machine) -> bool {
    !machine.is_manager && machine.is_active && machine.life == Life::Up
}

fn is_member(machine: &Machine, members: &[Member]) -> bool {
    members.iter().any(|member| member.address == machine.address)
}

fn is_odd(count: usize) -> bool {
    !count.is_multiple_of(2)
}

/// The largest odd number that is not above.
fn odd_within(count: usize) -> usize {
    if is_odd(count) { count } else { count.saturating_sub(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    /// Machines as letters: `M`anager or `W`orker that is up, `m` or `w` away, `L`ost manager, `D`rained worker.
    fn machines(text: &str) -> Vec<Machine> {
        let machine = |(index, letter): (usize, char)| Machine {
            id: format!("{index}"),
            address: address(u8::try_from(index).unwrap()),
            is_manager: "MmL".contains(letter),
            life: match letter {
                'm' | 'w' => Life::Away,
                'L' => Life::Lost,
                _ => Life::Up,
            },
            is_active: letter != 'D',
        };
        text.chars().enumerate().map(machine).collect()
    }

    fn members(of: &[u8]) -> Vec<Member> {
        let member = |number: &u8| Member {
            id: u64::from(*number),
            address: address(*number),
            is_started: true,
            is_learner: false,
        };
        of.iter().map(member).collect()
    }

    /// Does step after step as swarm and etcd would, until nothing is to be done.
    fn settle(wanted: usize, mut machines: Vec<Machine>, mut members: Vec<Member>) -> (String, Vec<u64>, usize) {
        let mut steps = 0;
        while let Some(step) = next_step(wanted, &machines, Some(&members)) {
            steps += 1;
            assert!(steps < 50, "it never ends: {step:?}");
            match step {
                Step::ManagerMake(id) => machines.iter_mut().find(|m| m.id == id).unwrap().is_manager = true,
                Step::ManagerUnmake(id) => machines.iter_mut().find(|m| m.id == id).unwrap().is_manager = false,
                Step::MemberAdd(address) => {
                    let IpAddr::V4(v4) = address else { unreachable!() };
                    members.push(Member { is_learner: true, ..self::members(&[v4.octets()[3]])[0].clone() });
                }
                Step::MemberPromote(id) => members.iter_mut().find(|m| m.id == id).unwrap().is_learner = false,
                Step::MemberRemove(id) => members.retain(|member| member.id != id),
            }
        }
        let ranks = machines.iter().map(|machine| if machine.is_manager { 'M' } else { 'W' }).collect();
        let mut ids: Vec<u64> = members.iter().map(|member| member.id).collect();
        ids.sort_unstable();
        (ranks, ids, steps)
    }

    #[test]
    fn what_is_as_it_should_be_stays() {
        assert_eq!(settle(3, machines("MMM"), members(&[0, 1, 2])).2, 0);
        assert_eq!(settle(3, machines("MMMWWD"), members(&[0, 1, 2])).2, 0);
        assert_eq!(settle(3, machines("M"), members(&[0])).2, 0);
        assert_eq!(settle(3, machines("MW"), members(&[0])).2, 0, "two managers are worse than one");
    }

    #[test]
    fn a_machine_that_is_away_is_waited_for() {
        assert_eq!(settle(3, machines("MMmW"), members(&[0, 1, 2])).2, 0);
    }

    #[test]
    fn one_that_is_lost_is_replaced_in_both() {
        assert_eq!(settle(3, machines("MMLW"), members(&[0, 1, 2])), ("MMWM".to_owned(), vec![0, 1, 3], 5));
        assert_eq!(settle(3, machines("MLMwDW"), members(&[0, 1, 2])).0, "MWMWWM", "by one that is up and takes work");
    }

    #[test]
    fn one_that_is_lost_stays_when_nobody_can_take_its_place() {
        assert_eq!(settle(3, machines("MML"), members(&[0, 1, 2])).2, 0);
        let (ranks, ids, _) = settle(5, machines("MMMLL"), members(&[0, 1, 2, 3, 4]));
        assert_eq!((ranks.as_str(), ids), ("MMMWW", vec![0, 1, 2]), "three of three bear a loss, three of five do not");
    }

    #[test]
    fn a_cluster_that_grows_gets_more_managers_once_they_help() {
        assert_eq!(settle(3, machines("MWW"), members(&[0])), ("MMM".to_owned(), vec![0, 1, 2], 6));
    }

    #[test]
    fn an_even_number_is_made_odd() {
        assert_eq!(settle(3, machines("MMMM"), members(&[0, 1, 2])).0, "MMMW");
    }

    #[test]
    fn members_whose_machine_is_forgotten_go() {
        let mut few = machines("MMMW");
        few.remove(2);
        assert_eq!(settle(3, few, members(&[0, 1, 2])).1, [0, 1, 3]);
    }

    #[test]
    fn an_etcd_of_others_is_left_alone() {
        assert_eq!(next_step(3, &machines("MMM"), None), None);
    }
}
