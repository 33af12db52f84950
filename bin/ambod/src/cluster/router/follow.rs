//! What the leader says, done.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ambo_link::routing::{Backlog, Routed, RoutedCertificate, follow};
use ambo_model::{InstanceId, RouteTable};
use ambo_router::{Certificate, RouterHandle};
use async_trait::async_trait;
use tokio::net::UnixStream;

use super::certificates;

/// Pause before the leader is asked for again.
const PAUSE: Duration = Duration::from_millis(200);

/// This node's router, as the leader steers it.
#[derive(Debug)]
pub(super) struct Followed {
    router: RouterHandle,
    /// Where certificates are kept.
    path: PathBuf,
}

impl Followed {
    pub(super) fn new(router: RouterHandle, path: PathBuf) -> Self {
        Self { router, path }
    }

    /// Shows the certificates of the last run.
    pub(super) fn certificates_load(&self) {
        self.show(&certificates::load(&self.path));
    }

    fn show(&self, certificates: &[RoutedCertificate]) {
        let (mut of_hosts, mut default) = (Vec::new(), None);
        for routed in certificates {
            match Certificate::from_pem(routed.hosts.clone(), routed.chain.as_bytes(), routed.key.as_bytes()) {
                Ok(certificate) if routed.hosts.is_empty() => default = Some(certificate),
                Ok(certificate) => of_hosts.push(certificate),
                Err(error) => {
                    let hosts = &routed.hosts;
                    tracing::error!(?hosts, error = &error as &dyn std::error::Error, "a certificate is not shown");
                }
            }
        }
        self.router.certificates_publish(of_hosts);
        if let Some(default) = default {
            self.router.default_certificate_publish(default);
        }
    }
}

#[async_trait]
impl Routed for Followed {
    fn table_set(&self, table: RouteTable) {
        self.router.publish(table);
    }

    fn certificates_set(&self, certificates: Vec<RoutedCertificate>) {
        self.show(&certificates);
        if let Err(error) = certificates::save(&self.path, &certificates) {
            tracing::error!(error = %crate::message(&error), "the certificates would be lost by a restart");
        }
    }

    async fn drained(&self, instances: &[InstanceId], grace: Duration) {
        self.router.drained(instances, grace).await;
    }
}

/// Does what the leader says, whoever it is at the time. Runs for as long as it is polled.
pub(super) async fn follow_leader(socket: PathBuf, routed: Arc<dyn Routed>, backlog: Arc<Backlog>) {
    loop {
        let followed = async { follow(UnixStream::connect(&socket).await?, routed.clone(), &backlog).await };
        match followed.await {
            Ok(()) => tracing::info!("the leader has gone: serving by its last table"),
            Err(error) => tracing::info!(%error, "no leader: serving by the last table"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
