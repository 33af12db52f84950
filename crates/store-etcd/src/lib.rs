//! The store on etcd (3.4 and newer): the same port and limits as SQLite's, shared by all controllers.
//!
//! A call goes to one member and, when that one does not answer, to the next. What is asked again is what may be asked again:
//! reads, renewals, and transactions that their own preconditions keep from being done twice. Of anything else whose answer was
//! lost the error says so: it may have been done.
//!
//! etcd's first revision, 1, stands for a store that nobody has written to: ours are its own less one.
//!
//! What is absent here: how etcd is run. It must keep its history for minutes (`--auto-compaction-retention`), or watches that
//! lost their member may have to list again.

mod commit;
mod failure;
mod keys;
mod members;
mod range;
mod settings;
mod slots;
mod store;
mod watch;

pub use settings::{EtcdSettings, EtcdTls, SettingsError};
pub use store::EtcdStore;
