//! The certificate that the router shows when no other fits: self-signed, made once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ambo_model::Hostname;
use anyhow::Context;

/// A chain and its key, PEM.
#[derive(Debug)]
pub(crate) struct Pem {
    pub(crate) chain: String,
    pub(crate) key: ambo_model::Secret,
}

/// Reads the certificate below `data`, or makes one for the domain and everything one label below it.
pub(crate) fn default_certificate(data: &Path, domain: &Hostname) -> anyhow::Result<Pem> {
    let directory = data.join("tls");
    let (chain_path, key_path) = (directory.join(format!("{domain}.crt")), directory.join(format!("{domain}.key")));
    if let (Ok(chain), Ok(key)) = (fs::read_to_string(&chain_path), fs::read_to_string(&key_path)) {
        return Ok(Pem { chain, key: ambo_model::Secret::new(key) });
    }
    let names = vec![domain.to_string(), format!("*.{domain}")];
    let made = rcgen::generate_simple_self_signed(names).context("make a certificate")?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    fs::create_dir_all(&directory).context("keep the certificate")?;
    fs::write(&key_path, &key).context("keep the certificate's key")?;
    fs::set_permissions(&key_path, fs::Permissions::from_mode(0o600)).context("keep the certificate's key")?;
    fs::write(&chain_path, &chain).context("keep the certificate")?;
    Ok(Pem { chain, key: ambo_model::Secret::new(key) })
}
