//! What the control plane stands on in a cluster: the shared state and blobs, Swarm, and every node's router.

use std::sync::Arc;

use ambo_api::Clients;
use ambo_builder::RegistryLogin;
use ambo_link::routing::Hub;
use ambo_logs::LogStore;
use ambo_model::Secret;
use ambo_registry::PLATFORM_USERNAME;
use ambo_store::{FencedStore, Precondition};

use super::Grounds;
use super::builders::BuilderNodes;
use super::dialer::RouterDialer;
use super::hub_routes::HubRoutes;
use super::joiners::RouterJoiners;
use super::membership::Membership;
use super::nodes::{SwarmLabels, SwarmNodes};
use super::samples::ClusterSamples;
use crate::certificate::PlatformCertificate;
use crate::cluster::enrolment;
use crate::cluster::meeting::Meeting;
use crate::platform::{Foundation, vault};

/// A leadership: what holds as long as it does, a number that is higher with each, and the logs that it goes on with.
pub(super) struct Led {
    pub(super) fence: Precondition,
    pub(super) term: u64,
    pub(super) logs: Arc<LogStore>,
}

/// The foundation, and what else a leader has.
pub(super) struct Laid {
    pub(super) foundation: Foundation,
    /// Through which routers are steered.
    pub(super) hub: Arc<Hub>,
    pub(super) joiners: RouterJoiners,
    /// To whom users may be sent.
    pub(super) nodes: SwarmNodes,
    pub(super) membership: Membership,
}

/// Lays it for a leader.
pub(super) async fn lay(grounds: &Grounds, led: Led) -> anyhow::Result<Laid> {
    let Grounds { settings, data, store, engines, .. } = grounds;
    let path = data.path();
    let certificate = PlatformCertificate::open(settings, data)?;
    let hub = Arc::new(Hub::default());
    let routes = HubRoutes::new(hub.clone(), certificate.pem());
    let shown = routes.clone();
    let vault = vault(path)?;
    let registry_login = registry_login(&vault);
    let routes_besides = enrolment::routes(data.authority()?, data.agent_token()?, engines.swarm());
    let nodes = SwarmNodes::new(engines.swarm());
    let membership = Membership::new(settings, engines.swarm())?;
    let joiners = RouterJoiners::new(engines.clone(), data.platform_id()?);
    let scheduler =
        super::swarm::scheduler(settings, data, engines, joiners.clone(), &registry_login, led.term).await?;
    let scheduler = Arc::new(scheduler);
    let samples = ClusterSamples {
        client: engines.client().clone(),
        agent_port: settings.listen_agent.port(),
        platform: data.platform_id()?,
        nodes: nodes.subscribe(),
    };
    let foundation = Foundation {
        store: Arc::new(FencedStore::new(store.clone(), led.fence)),
        scheduler: scheduler.clone(),
        build_engines: Arc::new(BuilderNodes::new(engines.clone())),
        routes: Arc::new(routes),
        dialer: Arc::new(RouterDialer(Meeting::at(&settings.run).dial())),
        blobs: crate::blobs::open(settings, path)?,
        logs: led.logs,
        node_samples: Arc::new(samples),
        node_labels: Some(Arc::new(SwarmLabels(scheduler))),
        registry_login,
        certificate,
        certificate_shown: Box::new(move |certificate| shown.platform_certificate_publish(certificate.pem())),
        clients: Clients::Proxied,
        routes_besides,
    };
    Ok(Laid { foundation, hub, joiners, nodes, membership })
}

/// The same in every controller, and for as long as the platform has its key: an engine that pulls in an hour still has what a
/// leader of today gave it.
fn registry_login(vault: &ambo_controller::vault::Vault) -> RegistryLogin {
    let password: String = vault.derive_key("registry login").iter().map(|byte| format!("{byte:02x}")).collect();
    RegistryLogin { username: PLATFORM_USERNAME.to_owned(), password: Secret::new(password) }
}
