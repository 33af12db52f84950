//! The TCP connections below: a machine that has gone without a word is noticed within seconds.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Silence after which the other end is asked whether it is there, and pause between two such questions.
const IDLE: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_secs(1);
const QUESTIONS: u32 = 3;
/// How long what was sent may go without an acknowledgement.
const SILENCE_MAX: Duration = Duration::from_secs(6);

pub(crate) fn watch_over(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE).with_interval(INTERVAL).with_retries(QUESTIONS))?;
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))
}
