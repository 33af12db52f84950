//! Through SSH, as Docker's own client does: `docker system dial-stdio` on the other side.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use ambo_engine_docker::{Connector, EngineStream};
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::ConnectError;

/// A machine with `ssh` to it.
#[derive(Debug)]
pub(super) struct Ssh {
    host: String,
    port: Option<u16>,
}

impl Ssh {
    pub(super) fn to(text: &str) -> Result<Self, ConnectError> {
        let refused = || ConnectError::Ssh(text.to_owned());
        let (host, port) = match text.trim_end_matches('/').split_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| refused())?)),
            None => (text.trim_end_matches('/'), None),
        };
        // What begins with a dash would be an option of `ssh`.
        if host.is_empty() || host.starts_with('-') {
            return Err(refused());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

#[async_trait]
impl Connector for Ssh {
    async fn connect(&self) -> io::Result<Box<dyn EngineStream>> {
        let mut command = Command::new("ssh");
        command.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]);
        if let Some(port) = self.port {
            command.args(["-p", &port.to_string()]);
        }
        command.args([self.host.as_str(), "--", "docker", "system", "dial-stdio"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let (to, from) = (child.stdin.take().ok_or_else(gone)?, child.stdout.take().ok_or_else(gone)?);
        Ok(Box::new(Dialled { to, from, _child: child }))
    }
}

/// The other side's standard input and output.
struct Dialled {
    to: ChildStdin,
    from: ChildStdout,
    /// Ends with the connection.
    _child: Child,
}

impl AsyncRead for Dialled {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.from).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Dialled {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.to).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.to).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.to).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_with_or_without_a_port_and_is_never_an_option() {
        let ssh = Ssh::to("root@10.0.0.1:2222").unwrap();
        assert_eq!((ssh.host.as_str(), ssh.port), ("root@10.0.0.1", Some(2222)));
        for refused in ["", "-oProxyCommand=x", "host:port"] {
            assert!(Ssh::to(refused).is_err(), "{refused}");
        }
    }
}
