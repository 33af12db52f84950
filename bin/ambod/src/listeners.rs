//! The platform's listening sockets: bound here, inherited from systemd or from the `ambod` before, handed to the next.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, bail};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::settings::Settings;

/// Connections that wait to be accepted, per socket. Restarts live off this queue.
const BACKLOG: i32 = 4096;
/// Silence after which a peer is asked whether it is still there, and pause between two such questions.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);

/// All listening sockets.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) control: ControlListeners,
    /// For users' requests, one of each kind per worker.
    pub(crate) router: ambo_router::Listeners,
}

/// Those of the control plane.
#[derive(Debug)]
pub(crate) struct ControlListeners {
    pub(crate) api: TcpListener,
    pub(crate) ssh: TcpListener,
    pub(crate) registry: TcpListener,
    pub(crate) rendezvous: TcpListener,
}

impl Listeners {
    /// Takes over the sockets that were inherited for our addresses, and binds the rest.
    pub(crate) fn open(settings: &Settings, worker_count: usize) -> anyhow::Result<Self> {
        let mut sockets = Sockets::inherited()?;
        Ok(Self { control: sockets.control(settings)?, router: sockets.router(settings, worker_count)? })
    }

    /// Copies of all sockets, for the successor. The queue of each is shared: nothing that waits in it is refused.
    pub(crate) fn duplicate(&self) -> anyhow::Result<Vec<OwnedFd>> {
        let ControlListeners { api, ssh, registry, rendezvous } = &self.control;
        let all = [api, ssh, registry, rendezvous].into_iter().chain(&self.router.http).chain(&self.router.https);
        all.map(|socket| Ok(OwnedFd::from(socket.try_clone()?))).collect()
    }
}

impl ControlListeners {
    /// Binds the public sockets of the control plane.
    pub(crate) fn open(settings: &Settings) -> anyhow::Result<Self> {
        Sockets::default().control(settings)
    }

    /// Sockets that only this machine's own components find, from [`ControlAddresses`].
    pub(crate) fn hidden() -> anyhow::Result<(Self, ControlAddresses)> {
        let one = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen on the loopback");
        let listeners = Self { api: one()?, ssh: one()?, registry: one()?, rendezvous: one()? };
        let addresses = ControlAddresses {
            api: listeners.api.local_addr()?,
            ssh: listeners.ssh.local_addr()?,
            registry: listeners.registry.local_addr()?,
            rendezvous: listeners.rendezvous.local_addr()?,
        };
        Ok((listeners, addresses))
    }
}

/// Where the control plane listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ControlAddresses {
    pub(crate) api: SocketAddr,
    pub(crate) ssh: SocketAddr,
    pub(crate) registry: SocketAddr,
    pub(crate) rendezvous: SocketAddr,
}

/// Binds the router's sockets, a set for each worker.
pub(crate) fn router(settings: &Settings) -> anyhow::Result<ambo_router::Listeners> {
    Sockets::default().router(settings, worker_count(settings))
}

/// As many as the settings say, or one per core.
pub(crate) fn worker_count(settings: &Settings) -> usize {
    match settings.router_workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count as usize,
    }
}

/// Sockets that somebody before us had, by their addresses.
#[derive(Debug, Default)]
struct Sockets(HashMap<SocketAddr, Vec<TcpListener>>);

impl Sockets {
    fn inherited() -> anyhow::Result<Self> {
        inherited().map(Self)
    }

    fn control(&mut self, settings: &Settings) -> anyhow::Result<ControlListeners> {
        let mut one = |what: &str, address: SocketAddr| -> anyhow::Result<TcpListener> {
            self.open(what, address, 1)?.pop().context("a socket was just opened")
        };
        Ok(ControlListeners {
            api: one("API", settings.listen_api)?,
            ssh: one("SSH server", settings.listen_ssh)?,
            registry: one("registry", settings.listen_registry)?,
            rendezvous: one("door of Heroku's client", settings.listen_rendezvous)?,
        })
    }

    fn router(&mut self, settings: &Settings, worker_count: usize) -> anyhow::Result<ambo_router::Listeners> {
        Ok(ambo_router::Listeners {
            http: self.open("router", settings.listen_http, worker_count)?,
            https: self.open("router's HTTPS", settings.listen_https, worker_count)?,
        })
    }

    fn open(&mut self, what: &str, address: SocketAddr, count: usize) -> anyhow::Result<Vec<TcpListener>> {
        let mut sockets = self.0.remove(&address).unwrap_or_default();
        sockets.truncate(count);
        if sockets.is_empty() {
            refuse_taken(what, address)?;
        }
        let shared = sockets.first().map(TcpListener::try_clone).transpose()?;
        while sockets.len() < count {
            // An inherited socket is shared: one of our own would lose its queue when we end.
            let socket = shared.as_ref().map_or_else(|| bind(address), TcpListener::try_clone);
            sockets.push(socket.with_context(|| format!("listen on {address} for the {what}"))?);
        }
        Ok(sockets)
    }
}

/// For the asynchronous parts.
pub(crate) fn from_std(listener: TcpListener) -> anyhow::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    Ok(tokio::net::TcpListener::from_std(listener)?)
}

fn inherited() -> anyhow::Result<HashMap<SocketAddr, Vec<TcpListener>>> {
    let mut given = listenfd::ListenFd::from_env();
    let mut sockets: HashMap<SocketAddr, Vec<TcpListener>> = HashMap::new();
    for index in 0..given.len() {
        if let Some(socket) = given.take_tcp_listener(index).context("take over an inherited socket")? {
            sockets.entry(socket.local_addr()?).or_default().push(socket);
        }
    }
    Ok(sockets)
}

/// Sockets of ours share their port; a plain bind tells whether anybody else has it.
fn refuse_taken(what: &str, address: SocketAddr) -> anyhow::Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => bail!(
            "{address} is already taken, so the {what} cannot listen there: stop the program that has it \
             (`ss -ltnp 'sport = :{}'` names it), or choose another address (`ambod settings` lists the flags)",
            address.port()
        ),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => bail!(
            "this user may not listen on {address} for the {what}: ports below 1024 take root or CAP_NET_BIND_SERVICE, which \
             `ambod install` sets up; or choose a higher port (`ambod settings` lists the flags)"
        ),
        Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => bail!(
            "no interface of this machine has the address {} for the {what}: `ip address` lists those it has; 0.0.0.0 \
             stands for all of them",
            address.ip()
        ),
        Err(error) => Err(error).with_context(|| format!("listen on {address} for the {what}")),
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Connections inherit these: a peer that has gone without a word is noticed within a minute, also in mid-build.
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_IDLE).with_retries(3),
    )?;
    socket.set_tcp_user_timeout(Some(KEEPALIVE_IDLE * 4))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = refuse_taken("router", taken.local_addr().unwrap()).unwrap_err().to_string();
        assert!(error.contains("already taken") && error.contains("router"), "{error}");
        // An address that is kept for documentation.
        let error = refuse_taken("router", "203.0.113.7:80".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("203.0.113.7") && error.contains("ip address"), "{error}");
    }
}
