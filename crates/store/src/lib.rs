//! Keys, revisions, watches and leases, in the shape of etcd; SQLite behind it here, etcd in a crate of its own, one contract suite over all.
//!
//! Feature `contract`, for tests, is the suite that every backend passes.
//!
//! What is absent here: no nouns of ours. The store keeps bytes under keys.

#[cfg(feature = "contract")]
pub mod contract;
pub mod election;
mod fenced;
pub mod limits;
pub mod migrate;
pub mod port;
pub mod sqlite;

pub use election::{Election, Leadership};
pub use fenced::FencedStore;
pub use port::{
    Committed, Entry, Event, LeaseId, Listing, Operation, Page, Precondition, Revision, Store, StoreError, Transaction,
    Watch,
};
pub use sqlite::{SqliteSettings, SqliteStore};
