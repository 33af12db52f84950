//! Passing listening sockets from one process to another, so that a port is never without one (unix(7), `SCM_RIGHTS`).
//!
//! The agent keeps copies of what the router accepts on, and the router keeps the agent's connection open. Whichever of the two
//! is started anew gets the sockets from the other; only when both are new are they bound.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ambo_router::Listeners;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Most sockets of a message; the kernel's own limit is 253.
const SOCKETS_MAX: usize = 128;
/// Longest message, in bytes.
const BYTES_MAX: usize = 256;

/// How many sockets come with the message; none means that the sender has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    http: usize,
    https: usize,
}

/// Sends copies of these; none is a message, too.
///
/// # Errors
/// When the other end is gone, or there are more than a message holds.
pub(crate) async fn send(stream: &UnixStream, listeners: &Listeners) -> io::Result<()> {
    let counts = Counts { http: listeners.http.len(), https: listeners.https.len() };
    let body = serde_json::to_vec(&counts)?;
    let sockets: Vec<BorrowedFd<'_>> = listeners.http.iter().chain(&listeners.https).map(AsFd::as_fd).collect();
    if sockets.len() > SOCKETS_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "too many sockets to pass on: use fewer router workers",
        ));
    }
    stream.async_io(Interest::WRITABLE, || send_message(stream, &body, &sockets)).await
}

fn send_message(stream: &UnixStream, body: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(sockets));
    }
    // Some hundred bytes into an empty buffer: all or nothing.
    rustix::net::sendmsg(stream, &[IoSlice::new(body)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes the sockets of the next message.
///
/// # Errors
/// When the other end is gone, or says something else.
pub(crate) async fn receive(stream: &UnixStream) -> io::Result<Listeners> {
    let (body, sockets) = stream.async_io(Interest::READABLE, || receive_message(stream)).await?;
    if body.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let counts: Counts = serde_json::from_slice(&body)?;
    if Some(sockets.len()) != counts.http.checked_add(counts.https) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "sockets were lost on their way"));
    }
    let mut sockets: Vec<TcpListener> = sockets.into_iter().map(TcpListener::from).collect();
    let https = sockets.split_off(counts.http);
    Ok(Listeners { http: sockets, https })
}

fn receive_message(stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut body = [0; BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        rustix::net::recvmsg(stream, &mut [IoSliceMut::new(&mut body)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        _ => None,
    });
    let sockets = rights.flatten().collect();
    Ok((body.get(..received.bytes).unwrap_or_default().to_vec(), sockets))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_listening_socket_goes_on_in_other_hands() {
        let bound = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = bound.local_addr().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        send(&ours, &Listeners { http: Vec::new(), https: vec![bound] }).await.unwrap();
        let mut waiting = TcpStream::connect(address).unwrap();
        let received = receive(&theirs).await.unwrap();
        assert_eq!((received.http.len(), received.https_addresses()), (0, vec![address]));
        drop(received.https[0].accept().unwrap());
        assert_eq!(waiting.read(&mut [0]).unwrap(), 0, "the connection that waited was accepted");
    }

    #[tokio::test]
    async fn having_none_is_a_message_and_being_gone_an_error() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        send(&ours, &Listeners::default()).await.unwrap();
        let received = receive(&theirs).await.unwrap();
        assert!(received.http.is_empty() && received.https.is_empty());
        drop(ours);
        assert!(receive(&theirs).await.is_err());
    }
}
