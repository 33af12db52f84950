//! Who this node's component is to the others, from files.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use ambo_link::Identity;
use ambo_model::Secret;
use anyhow::{Context, bail};

use crate::settings::Settings;

/// Reads the certificate, its key and the authority's root.
pub(crate) fn identity(settings: &Settings) -> anyhow::Result<Identity> {
    if settings.identity.is_empty() {
        bail!("the setting `identity` is missing: name the directory with node.crt, node.key and ca.crt");
    }
    let directory = Path::new(&settings.identity);
    let read = |name: &str| {
        let path = directory.join(name);
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    };
    let key = Secret::new(read("node.key")?);
    Identity::from_pem(&read("node.crt")?, &key, &read("ca.crt")?)
        .with_context(|| format!("use the identity in {}", directory.display()))
}

/// The controllers' links.
pub(crate) fn controllers(settings: &Settings) -> anyhow::Result<Vec<SocketAddr>> {
    let controllers = settings.controllers.split(',').map(str::trim).filter(|address| !address.is_empty());
    let parsed = controllers.map(|address| {
        address.parse().with_context(|| {
            format!(
                "the setting `controllers` has `{address}`: give addresses and ports, as in 10.0.0.1:7052,10.0.0.2:7052"
            )
        })
    });
    let controllers = parsed.collect::<anyhow::Result<Vec<SocketAddr>>>()?;
    if controllers.is_empty() {
        bail!("the setting `controllers` is missing: give the addresses of the controllers' links");
    }
    Ok(controllers)
}
