//! The route table, compiled for look-up.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use ambo_model::{AppId, RouteTable, Target};

use crate::host::NormalHost;
use crate::settings::PlatformHost;
use crate::target::TargetState;

/// Hosts and where they lead. Never changed, only replaced.
#[derive(Debug, Default)]
pub(crate) struct CompiledTable {
    exact: HashMap<Box<str>, Arc<CompiledRoute>>,
    /// By what follows `*.`.
    wildcard: HashMap<Box<str>, Arc<CompiledRoute>>,
}

/// Where a host leads.
#[derive(Debug)]
pub(crate) struct CompiledRoute {
    /// `None` for hosts of the platform itself.
    pub(crate) app: Option<AppId>,
    pub(crate) maintenance: bool,
    pub(crate) crashed: bool,
    pub(crate) targets: Box<[Arc<TargetState>]>,
    /// Where the next search for a target begins.
    pub(crate) turn: AtomicUsize,
}

impl CompiledTable {
    /// Compiles a table. `target` gives the state of an instance, the one in use where there is one.
    pub(crate) fn compile(
        table: &RouteTable,
        platform: &[PlatformHost],
        mut target: impl FnMut(&Target) -> Arc<TargetState>,
    ) -> Self {
        let mut compiled = Self::default();
        for route in &table.routes {
            let entry = Arc::new(CompiledRoute {
                app: Some(route.app),
                maintenance: route.maintenance,
                crashed: route.crashed,
                targets: route.targets.iter().map(&mut target).collect(),
                turn: AtomicUsize::new(0),
            });
            for host in &route.hosts {
                match host.as_str().strip_prefix("*.") {
                    Some(parent) => compiled.wildcard.insert(parent.into(), Arc::clone(&entry)),
                    None => compiled.exact.insert(host.as_str().into(), Arc::clone(&entry)),
                };
            }
        }
        for entry in platform {
            let route = CompiledRoute {
                app: None,
                maintenance: false,
                crashed: false,
                targets: Box::new([target(&platform_target(entry))]),
                turn: AtomicUsize::new(0),
            };
            compiled.exact.insert(entry.host.as_str().into(), Arc::new(route));
        }
        compiled
    }

    /// The route of a host: its own before a wildcard's.
    pub(crate) fn route_lookup(&self, host: &NormalHost) -> Option<&Arc<CompiledRoute>> {
        self.exact.get(host.as_str()).or_else(|| self.wildcard.get(host.parent()?))
    }
}

fn platform_target(entry: &PlatformHost) -> Target {
    Target {
        instance: ambo_model::InstanceId::new(format!("platform/{}", entry.host)),
        name: "platform".to_owned(),
        endpoint: entry.endpoint,
    }
}

#[cfg(test)]
mod tests {
    use ambo_model::{AppName, Hostname, Route};

    use super::*;

    fn route(name: &str, hosts: &[&str]) -> Route {
        Route {
            app: AppId::new(),
            app_name: AppName::parse(name).unwrap(),
            hosts: hosts.iter().map(|host| Hostname::parse(host).unwrap()).collect(),
            targets: Vec::new(),
            maintenance: false,
            crashed: false,
        }
    }

    #[test]
    fn the_own_host_comes_before_a_wildcard_which_stands_for_one_label() {
        let (own, wild) = (route("own", &["www.example.com"]), route("wild", &["*.example.com"]));
        let (own_id, wild_id) = (own.app, wild.app);
        let table = RouteTable { routes: vec![own, wild] };
        let compiled = CompiledTable::compile(&table, &[], |_| unreachable!("no targets"));
        let found = |host: &str| {
            compiled.route_lookup(&NormalHost::parse(host.as_bytes()).unwrap()).and_then(|route| route.app)
        };
        assert_eq!(found("WWW.example.com:80"), Some(own_id));
        assert_eq!(found("api.example.com"), Some(wild_id));
        assert_eq!(found("a.b.example.com"), None);
        assert_eq!(found("example.com"), None);
    }
}
