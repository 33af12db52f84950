//! etcd's errors, sorted by what may be done about them.

use std::error::Error as _;

use ambo_store::StoreError;
use etcd_client::Error;
use tonic::{Code, ConnectError, Status};

/// What members say when they have not even begun. The texts are etcd's own (`api/v3rpc/rpctypes/error.go`).
const NOT_BEGUN: [&str; 3] =
    ["etcdserver: no leader", "etcdserver: too many requests", "etcdserver: raft proposal dropped"];

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Failure {
    /// etcd has answered: no. Nothing was done.
    Refused(Error),
    /// It was not done. Another member may do it.
    NotDone(Error),
    /// It may have been done.
    Unknown(Error),
}

impl Failure {
    /// What it was sorted from.
    pub(crate) fn error(&self) -> &Error {
        match self {
            Self::Refused(error) | Self::NotDone(error) | Self::Unknown(error) => error,
        }
    }

    /// Takes it out.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) | Self::NotDone(error) | Self::Unknown(error) => error,
        }
    }
}

/// Sorts an error.
pub(crate) fn sort(error: Error) -> Failure {
    let Error::GRpcStatus(status) = &error else {
        return match error {
            Error::TransportError(_) => Failure::NotDone(error),
            Error::LeaseKeepAliveError(_) | Error::InvalidArgs(_) | Error::InvalidUri(_) => Failure::Refused(error),
            other => Failure::Unknown(other),
        };
    };
    let said = status.message();
    if !was_sent(status) || NOT_BEGUN.iter().any(|text| said.contains(text)) {
        return Failure::NotDone(error);
    }
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unauthenticated => Failure::Refused(error),
        _ => Failure::Unknown(error),
    }
}

/// Whether a member may have read the request: there was a connection to send it through.
fn was_sent(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<ConnectError>() {
            return false;
        }
        cause = error.source();
    }
    true
}

/// The port's error for what is not done, or is harmless if it was.
pub(crate) fn store_error(doing: &str, failure: Failure) -> StoreError {
    let error = failure.into_error();
    if is_lease_gone(&error) {
        return StoreError::LeaseGone;
    }
    if is_full(&error) {
        return StoreError::DiskFull;
    }
    StoreError::Backend { doing: format!("{doing} in etcd"), source: Box::new(error) }
}

/// The port's error for what may have been done.
pub(crate) fn unclear(doing: &str, failure: Failure) -> StoreError {
    StoreError::Unclear { doing: format!("{doing} in etcd"), source: Box::new(failure.into_error()) }
}

/// Whether a lease is meant that has ended.
pub(crate) fn is_lease_gone(error: &Error) -> bool {
    match error {
        Error::LeaseKeepAliveError(said) => said.contains("not found"),
        Error::GRpcStatus(status) => status.message().contains("requested lease not found"),
        _ => false,
    }
}

/// Whether etcd's quota is used up.
pub(crate) fn is_full(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status) if status.message().contains("database space exceeded"))
}

/// Whether history is meant that was compacted.
pub(crate) fn is_compacted(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status) if status.message().contains("has been compacted"))
}
