//! Keeps an odd number of managers, each with a member of etcd, on live machines: the leader looks, and does the next step.
//! Tokens of joining machines end with their time, too.

use std::collections::HashMap;
use std::time::Duration;

use ambo_model::Timestamp;
use ambo_operator::etcd::peer_url;
use ambo_operator::joining;
use ambo_operator::membership::{Life, Machine, Member, Step, next_step};
use ambo_operator::nodes::{self, Change};
use ambo_operator::swarm::{Swarm, SwarmNode};
use ambo_store_etcd::EtcdMembership;
use anyhow::Context;
use tokio::time::Instant;

use crate::cluster::members::members;
use crate::settings::Settings;
use crate::state;

/// Between two looks. What one step has changed is to be seen by the next.
const INTERVAL: Duration = Duration::from_secs(3);

/// The managers and members, as they are to be.
#[derive(Debug)]
pub(super) struct Membership {
    swarm: Swarm,
    /// Absent when etcd is somebody else's.
    etcd: Option<EtcdMembership>,
    /// How many managers there are to be.
    wanted: usize,
    /// After so long a machine that is down is lost.
    patience: Duration,
    /// Since when machines are down, as far as this leader has seen.
    down: HashMap<String, Instant>,
}

impl Membership {
    pub(super) fn new(settings: &Settings, swarm: Swarm) -> anyhow::Result<Self> {
        let etcd = if settings.store_members { state::etcd(settings)? } else { None };
        Ok(Self {
            swarm,
            etcd: etcd.map(EtcdMembership::new),
            wanted: usize::try_from(settings.managers.max(1)).unwrap_or(usize::MAX),
            patience: Duration::from_secs(u64::from(settings.node_lost_seconds)),
            down: HashMap::new(),
        })
    }

    /// Looks again and again, for as long as it is polled.
    pub(super) async fn keep(mut self) {
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(error = %crate::message(&error), "managers and members of etcd stay as they are for now");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn round(&mut self) -> anyhow::Result<()> {
        if joining::token_retire(&self.swarm, Timestamp::now())
            .await
            .context("replace the token of joining machines")?
        {
            tracing::info!("the token with which machines joined is good no more");
        }
        let nodes = self.swarm.nodes().await.context("list the nodes")?;
        let machines = self.machines(&nodes, Instant::now());
        let members = self.members().await?;
        match next_step(self.wanted, &machines, members.as_deref()) {
            Some(step) => self.step(&step).await.with_context(|| format!("do the next step, {step:?}")),
            None => Ok(()),
        }
    }

    async fn members(&self) -> anyhow::Result<Option<Vec<Member>>> {
        let Some(etcd) = &self.etcd else { return Ok(None) };
        Ok(Some(members(etcd).await?))
    }

    /// The machines whose address is known, with how long they were away.
    fn machines(&mut self, nodes: &[SwarmNode], now: Instant) -> Vec<Machine> {
        self.down.retain(|id, _| nodes.iter().any(|node| node.id == *id && !is_up(node)));
        let machine = |node: &SwarmNode| {
            let life = if is_up(node) {
                Life::Up
            } else if now - *self.down.entry(node.id.clone()).or_insert(now) < self.patience {
                Life::Away
            } else {
                Life::Lost
            };
            Some(Machine {
                id: node.id.clone(),
                address: node.address()?,
                is_manager: node.spec.role == "manager",
                life,
                is_active: node.spec.availability == "active",
            })
        };
        nodes.iter().filter_map(machine).collect()
    }

    async fn step(&self, step: &Step) -> anyhow::Result<()> {
        tracing::info!(?step, "changing who manages and who keeps the state");
        match (step, &self.etcd) {
            (Step::ManagerMake(id), _) => nodes::change(&self.swarm, id, &[Change::Role("manager")]).await?,
            (Step::ManagerUnmake(id), _) => nodes::change(&self.swarm, id, &[Change::Role("worker")]).await?,
            (Step::MemberAdd(address), Some(etcd)) => etcd.add(&peer_url(*address)).await?,
            (Step::MemberPromote(id), Some(etcd)) => drop(etcd.promote(*id).await?),
            (Step::MemberRemove(id), Some(etcd)) => etcd.remove(*id).await?,
            (_, None) => {}
        }
        Ok(())
    }
}

fn is_up(node: &SwarmNode) -> bool {
    node.status.state == "ready"
}
