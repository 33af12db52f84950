//! Takes a git push over SSH or HTTP, gives a [`Push`].
//!
//! The system's `git` does git; this crate carries bytes to and from it, asks the [`Gate`] who may do what, and hands the
//! pushed source to the [`PushReceiver`] from inside git's own `pre-receive` hook, so that a push whose build fails is
//! rejected by git itself and moves no ref.
//!
//! # The life of a push
//! A transport ([`GitServer::http_router`], [`SshServer`]) authenticates, authorizes and opens a session: one
//! `git receive-pack` in a process group of its own. Git unpacks into quarantine and starts the hook, which is the server
//! program under another name ([`run_hook`]). The hook calls back over a Unix socket with the secret of its push, and the
//! session that owns the secret judges the refs, waits for its turn, writes the commit's tree to a tar file and runs
//! [`PushReceiver::push_receive`], whose lines go back through the hook as `remote: …`.
//!
//! # Failure story
//! Whatever ends the session ends the push: a client that leaves, a stalled connection, the app's removal, a shutdown past
//! its deadline. The receiver's future is dropped, git gets SIGTERM and then SIGKILL, the ref stays where it was and what git
//! left in the repository is removed. Only a push that was accepted already is let finish, so that the ref follows the
//! release. Locks live in the session, never in a file, so none outlives it.
//!
//! What cannot be told: who kills the `git` process alone (SIGKILL, not Ctrl-C) leaves its helper, `ssh` or
//! `git-remote-http`, connected and listening, so that push goes on and another one waits for it.
//!
//! A push of what is deployed already never reaches us: git says `Everything up-to-date` by itself. To deploy the same commit
//! again, push an empty commit (`git commit --allow-empty`) or restart the app.
//!
//! What is absent here: no builds, no releases, no store.

mod app_gate;
mod bring;
mod cache;
pub mod dead_peer;
mod git;
mod hook;
mod hook_socket;
mod hook_wire;
mod host_key;
mod http;
mod maintenance;
mod manifest;
mod open;
mod origin;
pub mod port;
mod publish;
mod push;
mod refs;
mod repositories;
mod repository;
mod server;
mod service;
mod session;
mod settings;
mod ssh;

pub use hook::{HOOK_NAME, is_hook, run_hook};
pub use host_key::{HOST_KEY_NAMES, HostKeyError, host_keys_make};
pub use open::OpenError;
pub use port::{
    AccessDenied, Caller, Gate, GitAction, LoginRefused, Push, PushOutput, PushReceiver, PushRejected, Repository,
};
pub use repositories::{FetchedRepository, Repositories, RepositoryError};
pub use server::GitServer;
pub use settings::{GitSettings, SshSettings};
pub use ssh::{SshError, SshServer};
