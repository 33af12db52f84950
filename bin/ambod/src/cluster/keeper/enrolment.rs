//! Asking the managers for the certificate of a worker's agent.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ambo_link::authority::Issued;
use ambo_model::Secret;
use ambo_operator::{Bundle, NodeFacts, keeper};
use async_trait::async_trait;
use reqwest::{Certificate, Client};

use crate::cluster::enrolment::{AskedWire, IssuedWire, path};

/// Longest wait for one manager.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks each manager's agent, which passes it to whoever leads.
#[derive(Debug)]
pub(super) struct ByManagers {
    /// The name that the platform's certificate is for.
    host: String,
    port: u16,
}

impl ByManagers {
    pub(super) fn of(bundle: &Bundle) -> Self {
        let setting = |name: &str| bundle.spec().settings.get(name);
        let port = setting("AMBO_LISTEN_API").and_then(|address| address.parse::<std::net::SocketAddr>().ok());
        Self {
            host: setting("AMBO_DOMAIN").cloned().unwrap_or_else(|| "localhost".to_owned()),
            port: port.map_or(7080, |address| address.port()),
        }
    }

    async fn ask(
        &self,
        manager: IpAddr,
        node: &str,
        asked: &AskedWire,
        root: &str,
        token: &Secret,
    ) -> Result<Issued, String> {
        let failed = |error: reqwest::Error| format!("{manager}: {error}");
        // Fails only when a provider is installed already, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let root = Certificate::from_pem(root.as_bytes()).map_err(failed)?;
        let client = Client::builder()
            .tls_certs_only([root])
            .resolve(&self.host, (manager, self.port).into())
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .map_err(failed)?;
        let url = format!("https://{}:{}{}", self.host, self.port, path(node));
        let answer = client.post(url).bearer_auth(token.reveal()).json(asked).send().await.map_err(failed)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("{manager}: {status} {}", answer.text().await.unwrap_or_default()));
        }
        Ok(answer.json::<IssuedWire>().await.map_err(failed)?.into())
    }
}

#[async_trait]
impl keeper::Enrolment for ByManagers {
    async fn enrol(
        &self,
        node: &NodeFacts,
        labels: &BTreeMap<String, String>,
        root: &str,
        token: &Secret,
    ) -> Result<Issued, String> {
        let asked = AskedWire { labels: labels.clone() };
        let mut last = "no manager is known".to_owned();
        for manager in &node.managers {
            match self.ask(*manager, &node.id, &asked, root, token).await {
                Ok(issued) => return Ok(issued),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
