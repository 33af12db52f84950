//! The store on etcd (3.4 and newer): the same port and limits as SQLite's, shared by all controllers.
//!
//! A call goes to one member and, when that one does not answer, to the next. A transaction that is asked again is done once,
//! however late any copy of it arrives: see `slots`. Where it stays unknown whether it was done, the error is
//! [`StoreError::Unclear`](ambo_store::StoreError::Unclear); every other one means that nothing was changed.
//!
//! etcd's first revision, 1, stands for a store that nobody has written to: ours are its own less one.
//!
//! When things fail: half a second for a member that hangs, eight for an etcd without a majority. Watches go on with another
//! member from where they were, each over a connection of its own.
//!
//! What is absent here: how etcd is run (docs/store.md). It must keep its history for minutes
//! (`--auto-compaction-retention`), or watches that lost their member may have to list again.

mod commit;
mod failure;
mod keys;
mod members;
mod membership;
mod range;
mod settings;
mod slots;
mod store;
mod watch;

pub use membership::{EtcdMembership, EtcdPeer};
pub use settings::{EtcdSettings, EtcdTls, SettingsError};
pub use store::EtcdStore;
