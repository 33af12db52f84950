//! Takes a git push over SSH or HTTP, gives a [`Push`].
//!
//! The system's `git` does git; this crate carries bytes to and from it, asks the [`Gate`] who may do what, and hands the
//! pushed source to the [`PushReceiver`] from inside git's own `pre-receive` hook, so that a push whose build fails is
//! rejected by git itself and moves no ref.
//!
//! What is absent here: no builds, no releases, no store.

pub mod port;

pub use port::{AccessDenied, Caller, Gate, GitAction, Push, PushOutput, PushReceiver, PushRejected, Repository};
