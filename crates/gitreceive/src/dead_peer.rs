//! Notices peers that vanished without a word.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;

/// How long a connection may be silent before the kernel asks the peer.
const PROBE_AFTER: Duration = Duration::from_secs(15);
/// How long the kernel waits between questions.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How many questions may stay unanswered.
const PROBES_MAX: u32 = 3;
/// How long sent bytes may stay unacknowledged.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MS_MAX: u32 = 30_000;

/// Makes the kernel end a TCP connection within about half a minute after its peer vanished (a pulled cable, a lost host).
/// Without it a push by such a client would go on for a quarter of an hour. Listeners whose connections reach
/// [`GitServer::http_router`](crate::GitServer::http_router) call this for each accepted socket.
///
/// # Errors
/// When the socket is not a TCP socket.
pub fn socket_watch(socket: impl AsFd) -> io::Result<()> {
    let socket = socket.as_fd();
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, PROBE_AFTER)?;
    sockopt::set_tcp_keepintvl(socket, PROBE_EVERY)?;
    sockopt::set_tcp_keepcnt(socket, PROBES_MAX)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(socket, UNACKNOWLEDGED_MS_MAX)?;
    Ok(())
}
