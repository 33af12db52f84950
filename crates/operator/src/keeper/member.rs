//! The member of etcd on a keeper's node: there or not, and how it began.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::{Keeper, KeeperError};
use crate::bundle::Spec;
use crate::component::NodeFacts;
use crate::etcd::{Part, part};

/// How long a member whose data goes may take to stop.
const GRACE: Duration = Duration::from_secs(10);

impl Keeper {
    /// Finds out who votes, and whether this node has a member; prepares the place of one that begins.
    pub(super) async fn member_settle(&self, spec: &Spec, node: &mut NodeFacts) -> Result<(), KeeperError> {
        if spec.store.is_some() {
            return Ok(());
        }
        let files = &self.0.files;
        let (began, known) = (files.member_began()?, files.voters()?);
        let first: Vec<IpAddr> = spec.etcd.iter().map(|member| member.address).collect();
        let is_first_round = began.is_none() && known.is_none();
        // In one order always: another one would be another component, to be started anew.
        node.voters = known.unwrap_or_else(|| first.clone());
        node.voters.sort();
        // Before any member has begun there is nobody to ask.
        let listed = match is_first_round && first.contains(&node.address) {
            true => None,
            false => {
                let at: BTreeSet<IpAddr> = node.voters.iter().chain(&node.managers).copied().collect();
                let at: Vec<IpAddr> = at.into_iter().collect();
                self.0.membership.list(&at, &files.member_certificate()).await
            }
        };
        if let Some(members) = &listed {
            node.voters = members.iter().filter(|member| !member.is_learner).map(|member| member.address).collect();
            node.voters.sort();
            files.voters_lay(&node.voters)?;
        }
        node.etcd = match part(spec, node, listed.as_deref(), began.as_ref()) {
            Part::Absent => None,
            Part::Goes(began) => Some(began),
            Part::Begins(beginning) => {
                tracing::info!(cluster = beginning.cluster, "this node's member of etcd begins");
                for container in self.containers("etcd").await? {
                    self.remove(super::id(&container), GRACE).await?;
                }
                files.member_begin(&beginning)?;
                Some(beginning)
            }
        };
        Ok(())
    }
}
