//! Asking etcd's members who they are.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use ambo_model::Secret;
use ambo_operator::component::ETCD_PORTS;
use ambo_operator::keeper;
use ambo_operator::membership::Member;
use ambo_store_etcd::{EtcdMembership, EtcdSettings, EtcdTls};
use anyhow::Context;
use async_trait::async_trait;

use crate::cluster::members::members;

/// Asks as a member does: with a member's certificate.
#[derive(Debug)]
pub(super) struct OfEtcd;

#[async_trait]
impl keeper::Membership for OfEtcd {
    async fn list(&self, at: &[IpAddr], certificate: &Path) -> Option<Vec<Member>> {
        let listed = async { Ok::<_, anyhow::Error>(members(&membership(at, certificate)?).await?) };
        match listed.await {
            Ok(members) => Some(members),
            Err(error) => {
                tracing::warn!(error = %crate::message(&error), "nobody says who etcd's members are: what was known holds");
                None
            }
        }
    }
}

fn membership(at: &[IpAddr], certificate: &Path) -> anyhow::Result<EtcdMembership> {
    let read = |name: &str| {
        let path = certificate.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    };
    let members: Vec<String> = at.iter().map(|address| SocketAddr::new(*address, ETCD_PORTS.0).to_string()).collect();
    let mut settings: EtcdSettings = format!("etcd://{}", members.join(",")).parse()?;
    settings.tls =
        Some(EtcdTls { root: read("ca.crt")?, identity: Some((read("node.crt")?, Secret::new(read("node.key")?))) });
    Ok(EtcdMembership::new(settings))
}
