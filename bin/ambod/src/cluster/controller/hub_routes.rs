//! All routers of the cluster, as the control plane steers them.

use std::sync::Arc;
use std::time::Duration;

use ambo_controller::ports::{Routes, ServedCertificate};
use ambo_link::routing::{Hub, RoutedCertificate};
use ambo_model::{InstanceId, RouteTable};
use async_trait::async_trait;
use parking_lot::Mutex;

use crate::certificate::Pem;

/// Tables and certificates for the hub.
#[derive(Debug, Clone)]
pub(super) struct HubRoutes {
    hub: Arc<Hub>,
    certificates: Arc<Mutex<Certificates>>,
}

#[derive(Debug)]
struct Certificates {
    platform: RoutedCertificate,
    apps: Vec<RoutedCertificate>,
}

impl HubRoutes {
    pub(super) fn new(hub: Arc<Hub>, platform: &Pem) -> Self {
        let certificates = Certificates { platform: platform_certificate(platform), apps: Vec::new() };
        Self { hub, certificates: Arc::new(Mutex::new(certificates)) }
    }

    /// Shows this one where no app's fits.
    pub(super) fn platform_certificate_publish(&self, platform: &Pem) {
        self.certificates.lock().platform = platform_certificate(platform);
        let routes = self.clone();
        // The certificate that it takes the place of is good for weeks.
        tokio::spawn(async move { routes.certificates_send().await });
    }

    async fn certificates_send(&self) {
        let all = {
            let certificates = self.certificates.lock();
            let mut all = vec![certificates.platform.clone()];
            all.extend(certificates.apps.iter().cloned());
            all
        };
        self.hub.certificates_publish(all).await;
    }
}

fn platform_certificate(pem: &Pem) -> RoutedCertificate {
    RoutedCertificate { hosts: Vec::new(), chain: pem.chain.clone(), key: pem.key.reveal().to_owned() }
}

#[async_trait]
impl Routes for HubRoutes {
    async fn routes_publish(&self, table: RouteTable) {
        self.hub.routes_publish(table).await;
    }

    async fn certificates_publish(&self, certificates: Vec<ServedCertificate>) {
        let routed = |served: ServedCertificate| RoutedCertificate {
            hosts: served.hosts,
            chain: served.chain,
            key: served.key.reveal().to_owned(),
        };
        self.certificates.lock().apps = certificates.into_iter().map(routed).collect();
        self.certificates_send().await;
    }

    async fn instances_drained(&self, instances: &[InstanceId], deadline: Duration) {
        self.hub.instances_drained(instances, deadline).await;
    }
}
