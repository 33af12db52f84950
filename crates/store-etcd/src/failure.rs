//! etcd's errors, sorted by what may be done about them.

use ambo_store::StoreError;
use etcd_client::Error;

/// gRPC's code for what the caller got wrong, and for what is not there.
const INVALID_ARGUMENT: i32 = 3;
const NOT_FOUND: i32 = 5;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const FAILED_PRECONDITION: i32 = 9;
const OUT_OF_RANGE: i32 = 11;
const UNAUTHENTICATED: i32 = 16;

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

/// Sorts an error. The texts are etcd's own (`api/v3rpc/rpctypes/error.go`).
pub(crate) fn sort(error: Error) -> Failure {
    let Error::GRpcStatus(status) = &error else {
        return match error {
            Error::TransportError(_) => Failure::NotDone(error),
            Error::LeaseKeepAliveError(_) | Error::InvalidArgs(_) | Error::InvalidUri(_) => Failure::Refused(error),
            other => Failure::Unknown(other),
        };
    };
    let said = status.message();
    if ["no leader", "tcp connect error", "not ready", "too many requests"].iter().any(|text| said.contains(text)) {
        return Failure::NotDone(error);
    }
    match status.code() as i32 {
        INVALID_ARGUMENT | NOT_FOUND | PERMISSION_DENIED | RESOURCE_EXHAUSTED | FAILED_PRECONDITION | OUT_OF_RANGE
        | UNAUTHENTICATED => Failure::Refused(error),
        _ => Failure::Unknown(error),
    }
}

/// The port's error for one that nothing more can be done about.
pub(crate) fn store_error(doing: &str, failure: Failure) -> StoreError {
    let (error, is_unknown) = match failure {
        Failure::Refused(error) | Failure::NotDone(error) => (error, false),
        Failure::Unknown(error) => (error, true),
    };
    if is_lease_gone(&error) {
        return StoreError::LeaseGone;
    }
    if let Error::GRpcStatus(status) = &error
        && status.message().contains("database space exceeded")
    {
        return StoreError::DiskFull;
    }
    let doing = match is_unknown {
        true => format!("{doing} in etcd: no answer, so it may have been done or not"),
        false => format!("{doing} in etcd"),
    };
    StoreError::Backend { doing, source: Box::new(error) }
}

/// Whether a lease is meant that has ended.
pub(crate) fn is_lease_gone(error: &Error) -> bool {
    match error {
        Error::LeaseKeepAliveError(said) => said.contains("not found"),
        Error::GRpcStatus(status) => status.message().contains("requested lease not found"),
        _ => false,
    }
}
