//! `ambod join`: makes this machine a node, by hand.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use ambo_engine_docker::Engine;
use ambo_model::Secret;
use ambo_operator::component::DATA;
use ambo_operator::files::Files;
use ambo_operator::joining::{self, SWARM_PORT};
use anyhow::{Context, bail};

use crate::one_machine::engine_settings;
use crate::settings::Settings;

/// Joins the swarm that the manager is of. The labels are brought to the platform by this machine's keeper.
pub(crate) async fn join(
    settings: &Settings,
    manager: &str,
    token: &Secret,
    labels: &BTreeMap<String, String>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let address = manager_address(manager)?;
    if !labels.is_empty() {
        Files::at(DATA).labels_lay(labels).context("keep the labels")?;
    }
    let engine = Engine::connect(engine_settings(settings)?)?;
    joining::join(&engine, address, token).await.with_context(|| format!("join the swarm of {address}"))?;
    writeln!(out, "Joined. `ambo nodes` on a manager shows this machine; its components come by themselves.")?;
    Ok(())
}

fn manager_address(text: &str) -> anyhow::Result<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    match text.parse::<IpAddr>() {
        Ok(ip) => Ok(SocketAddr::new(ip, SWARM_PORT)),
        Err(_) => bail!("`{text}` is no address of a manager: write it as 10.0.0.1, or 10.0.0.1:2377"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_has_the_port_of_swarms_unless_another_is_named() {
        assert_eq!(manager_address("10.0.0.1").unwrap().port(), 2377);
        assert_eq!(manager_address("[fd00::1]:9000").unwrap().port(), 9000);
        assert!(manager_address("node one").unwrap_err().to_string().contains("10.0.0.1:2377"));
    }
}
