//! Listening sockets: bound here, or handed over by a predecessor or by systemd.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Connections that wait in the kernel for a worker, per listener. The kernel's own limit (`net.core.somaxconn`) applies too.
pub const BACKLOG: i32 = 4096;

/// Listening sockets. To hand them over, give their descriptors to the successor ([`AsFd`](std::os::fd::AsFd)) and keep this
/// until it runs: as long as one process holds a socket, no client is refused.
#[derive(Debug, Default)]
pub struct Listeners {
    /// For plain HTTP.
    pub http: Vec<TcpListener>,
    /// For HTTPS.
    pub https: Vec<TcpListener>,
}

/// Why the router cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program listens there.
    #[error("another program listens on {address}: stop it, or choose another address for the router")]
    Taken {
        /// Where.
        address: SocketAddr,
    },
    /// The port is one of those that only root may use.
    #[error(
        "not allowed to listen on {address}: choose a port above 1023, or grant the capability `CAP_NET_BIND_SERVICE`"
    )]
    Forbidden {
        /// Where.
        address: SocketAddr,
    },
    /// This machine does not have the address.
    #[error("this machine has no address {}: choose one that it has, or `0.0.0.0` for all", .address.ip())]
    NoSuchAddress {
        /// Which.
        address: SocketAddr,
    },
    /// Something else.
    #[error("listen on {address}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl Listeners {
    /// Binds `count` listeners to each address; the kernel spreads the connections over them.
    ///
    /// # Errors
    /// When an address cannot be had.
    pub fn bind(http: &[SocketAddr], https: &[SocketAddr], count: usize) -> Result<Self, BindError> {
        let all = |addresses: &[SocketAddr]| -> Result<Vec<TcpListener>, BindError> {
            let bound = addresses.iter().map(|address| address_bind(*address, count)).collect::<Result<Vec<_>, _>>()?;
            Ok(bound.into_iter().flatten().collect())
        };
        Ok(Self { http: all(http)?, https: all(https)? })
    }

    /// The same sockets once more.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        let all =
            |listeners: &[TcpListener]| listeners.iter().map(TcpListener::try_clone).collect::<io::Result<Vec<_>>>();
        Ok(Self { http: all(&self.http)?, https: all(&self.https)? })
    }

    /// Where plain HTTP is served; each address once.
    #[must_use]
    pub fn http_addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.http)
    }

    /// Where HTTPS is served; each address once.
    #[must_use]
    pub fn https_addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.https)
    }
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    let mut addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    addresses.dedup();
    addresses
}

fn address_bind(address: SocketAddr, count: usize) -> Result<Vec<TcpListener>, BindError> {
    let describe = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { address },
        io::ErrorKind::PermissionDenied => BindError::Forbidden { address },
        io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress { address },
        _ => BindError::Other { address, source },
    };
    // Sockets that share a port (SO_REUSEPORT) would share it with another such program of this user just as well. A socket
    // that does not share tells whether anybody is there.
    drop(socket_listen(address, Sharing::No).map_err(describe)?);
    let first = socket_listen(address, Sharing::Yes).map_err(describe)?;
    // Port 0 has become a port.
    let address = first.local_addr().map_err(describe)?;
    let mut listeners = vec![first];
    while listeners.len() < count.max(1) {
        listeners.push(socket_listen(address, Sharing::Yes).map_err(describe)?);
    }
    Ok(listeners)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Yes,
    No,
}

fn socket_listen(address: SocketAddr, sharing: Sharing) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(sharing == Sharing::Yes)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` may both be asked for.
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
