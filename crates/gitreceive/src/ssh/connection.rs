//! One SSH connection: logs in by key, runs git sessions on its channels.

use std::collections::HashMap;
use std::net::SocketAddr;

use ambo_model::AppName;
use bytes::Bytes;
use futures::{StreamExt, stream};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session as SshSession, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::http::protocol_checked;
use crate::port::{AccessDenied, Caller};
use crate::server::GitServer;
use crate::session::{Ended, Exchange, Output, Session, SessionRequest, UNREACHABLE, session_start};
use crate::ssh::command::GitCommand;

/// Most channels of one connection; git opens one, a shared connection a few.
const CHANNELS_MAX: usize = 8;
/// How many chunks of a client's input wait for git.
const INPUT_CHUNKS_MAX: usize = 8;
/// Standard error on the wire (RFC 4254, section 5.2).
const STDERR: u32 = 1;

/// A connection's state. Dropped when the connection ends, which ends its sessions.
pub(crate) struct Connection {
    git: GitServer,
    peer: SocketAddr,
    caller: Option<Caller>,
    logged_in: CancellationToken,
    gone: CancellationToken,
    /// Channels whose command has not come yet.
    waiting: HashMap<ChannelId, Waiting>,
}

struct Waiting {
    channel: Channel<Msg>,
    protocol: Option<String>,
}

impl Connection {
    pub(crate) fn new(git: GitServer, peer: SocketAddr, logged_in: CancellationToken, gone: CancellationToken) -> Self {
        Self { git, peer, caller: None, logged_in, gone, waiting: HashMap::new() }
    }

    async fn account(&self, key: &PublicKey, algorithm: &Algorithm) -> Option<Caller> {
        if matches!(algorithm, Algorithm::Rsa { hash: None }) {
            tracing::info!(peer = %self.peer, "an RSA key was offered with SHA-1: the client is too old");
            return None;
        }
        let key = key_line(key)?;
        self.git.shared.gate.account_by_key(&key).await
    }

    /// Takes a channel out of the waiting ones and runs `work` on it as one of the server's sessions.
    fn channel_run<F, W>(&mut self, id: ChannelId, work: W)
    where
        W: FnOnce(Waiting, Caller, GitServer, CancellationToken) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let (Some(waiting), Some(caller)) = (self.waiting.remove(&id), self.caller) else { return };
        let gone = self.gone.clone();
        let work = work(waiting, caller, self.git.clone(), gone.clone());
        self.git.shared.sessions.spawn(async move {
            tokio::select! {
                () = work => {}
                () = gone.cancelled() => {}
            }
        });
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        if self.account(offer.public_key, offer.algorithm).await.is_some() {
            return Ok(Auth::Accept);
        }
        let fingerprint = offer.public_key.fingerprint(HashAlg::Sha256);
        tracing::info!(peer = %self.peer, %fingerprint, "unknown SSH key refused; its owner adds it with `ambo keys add`");
        Ok(Auth::reject())
    }

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.caller = self.account(key.public_key, key.algorithm).await;
        Ok(if self.caller.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_succeeded(&mut self, _session: &mut SshSession) -> Result<(), Self::Error> {
        self.logged_in.cancel();
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut SshSession,
    ) -> Result<(), Self::Error> {
        // A reply that is dropped refuses.
        if self.caller.is_some() && self.waiting.len() < CHANNELS_MAX {
            self.waiting.insert(channel.id(), Waiting { channel, protocol: None });
            reply.accept().await;
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut SshSession) -> Result<(), Self::Error> {
        self.waiting.remove(&channel);
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut SshSession,
    ) -> Result<(), Self::Error> {
        match (name, self.waiting.get_mut(&channel)) {
            ("GIT_PROTOCOL", Some(waiting)) => {
                waiting.protocol = protocol_checked(value);
                session.channel_success(channel)
            }
            _ => session.channel_failure(channel),
        }
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut SshSession) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        self.channel_run(channel, greet);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut SshSession,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        match GitCommand::parse(command) {
            Some(command) => {
                self.channel_run(channel, |waiting, caller, git, gone| git_run(command, waiting, caller, git, gone))
            }
            None => self.channel_run(channel, greet),
        }
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut SshSession,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut SshSession,
    ) -> Result<(), Self::Error> {
        // Granted, and not used: clients that ask for a terminal give up without one and would miss the greeting.
        session.channel_success(channel)
    }
}

/// OpenSSH's one-line form without the comment.
fn key_line(key: &PublicKey) -> Option<String> {
    let line = key.to_openssh().ok()?;
    let mut fields = line.split(' ');
    Some(format!("{} {}", fields.next()?, fields.next()?))
}

/// Tells somebody who wants a shell that there is none.
async fn greet(waiting: Waiting, caller: Caller, git: GitServer, _gone: CancellationToken) {
    let name = git.shared.gate.account_name(caller.account).await;
    let name = name.map_or(String::new(), |name| format!(" {name}"));
    let text = format!("Hi{name}! You have authenticated, but Ambo gives no shell access.");
    let (_read, write) = waiting.channel.split();
    channel_end(&write, Some(&text), 1).await;
}

/// Runs a git command on a channel.
async fn git_run(command: GitCommand, waiting: Waiting, caller: Caller, git: GitServer, gone: CancellationToken) {
    let (read, write) = waiting.channel.split();
    let GitCommand { service, app } = command;
    let repository = match AppName::parse(&app) {
        Ok(name) => git.shared.gate.authorize(caller, name.as_str(), service.action()).await,
        Err(_) => Err(AccessDenied::NotFound(app.escape_default().take(60).collect())),
    };
    let repository = match repository {
        Ok(repository) => repository,
        Err(denied) => return channel_end(&write, Some(&denied.to_string()), 1).await,
    };
    let request = SessionRequest { service, exchange: Exchange::Whole, repository, caller, protocol: waiting.protocol };
    let left = gone.child_token();
    let (sender, received) = mpsc::channel(INPUT_CHUNKS_MAX);
    let input = stream::unfold(received, async |mut received| received.recv().await.map(|chunk| (chunk, received)));
    let session = match session_start(&git.shared, request, Box::pin(input.map(Ok)), left.clone()) {
        Ok(session) => session,
        Err(refused) => return channel_end(&write, Some(&refused.to_string()), 1).await,
    };
    tokio::select! {
        () = input_carry(read, sender, left) => {}
        () = output_carry(session, &write) => {}
    }
}

/// Hands the client's bytes over until the channel closes; then the client has left. Its end of input alone says nothing: git
/// sends it after the pack and goes on listening.
async fn input_carry(mut read: ChannelReadHalf, sender: mpsc::Sender<Bytes>, left: CancellationToken) {
    let _left = left.drop_guard();
    let mut sender = Some(sender);
    loop {
        match read.wait().await {
            Some(ChannelMsg::Data { data }) => {
                if let Some(git) = &sender
                    && git.send(data).await.is_err()
                {
                    sender = None;
                }
            }
            Some(ChannelMsg::Eof) => sender = None,
            Some(ChannelMsg::Close) | None => return,
            Some(_) => {}
        }
    }
}

/// Hands git's bytes to the client, and how it ended.
async fn output_carry(mut session: Session, write: &ChannelWriteHalf<Msg>) {
    while let Some(output) = session.output.recv().await {
        let sent = match output {
            Output::Stdout(chunk) => write.data_bytes(chunk).await,
            Output::Stderr(chunk) => write.extended_data_bytes(STDERR, chunk).await,
        };
        if sent.is_err() {
            return;
        }
    }
    match session.ended.await {
        Ok(Ended::Exit(code)) => channel_end(write, None, code).await,
        Ok(Ended::Cancelled) => channel_end(write, Some("the session was ended: try again"), 1).await,
        Ok(Ended::Unreachable) => channel_end(write, Some(UNREACHABLE), 1).await,
        Ok(Ended::Failed) | Err(_) => {
            let text = "git failed on the server: try again; if it happens again, tell the operator";
            channel_end(write, Some(text), 1).await;
        }
    }
}

/// Says a last word, gives the exit status and closes. A client that has gone hears none of it.
async fn channel_end(write: &ChannelWriteHalf<Msg>, text: Option<&str>, code: u32) {
    if let Some(text) = text {
        let line = format!("{text}\r\n");
        let _ = write.extended_data_bytes(STDERR, Bytes::from(line.into_bytes())).await;
    }
    let _ = write.exit_status(code).await;
    let _ = write.eof().await;
    let _ = write.close().await;
}
