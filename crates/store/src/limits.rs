//! The port's limits, for drivers: checked before a backend sees anything.

use std::collections::HashSet;
use std::time::Duration;

use crate::port::{
    KEY_BYTES_MAX, LEASE_TTL_MAX, Operation, PAGE_ENTRIES_MAX, Page, Precondition, StoreError, TRANSACTION_BYTES_MAX,
    TRANSACTION_OPERATIONS_MAX, Transaction, VALUE_BYTES_MAX,
};

/// Checks a key.
///
/// # Errors
/// [`StoreError::Limit`] says which limit.
pub fn key_check(key: &str) -> Result<(), StoreError> {
    if key.is_empty() {
        return Err(StoreError::Limit("a key must not be empty".to_owned()));
    }
    prefix_check(key)
}

/// Checks a prefix, which may be empty.
///
/// # Errors
/// [`StoreError::Limit`] says which limit.
pub fn prefix_check(prefix: &str) -> Result<(), StoreError> {
    if prefix.len() > KEY_BYTES_MAX {
        return Err(StoreError::Limit(format!("a key of {} bytes is over the limit of {KEY_BYTES_MAX}", prefix.len())));
    }
    if prefix.contains('\0') {
        return Err(StoreError::Limit("a key must not contain NUL".to_owned()));
    }
    Ok(())
}

/// Checks a page and gives its limit.
///
/// # Errors
/// [`StoreError::Limit`] says which limit.
pub fn page_check(page: &Page) -> Result<usize, StoreError> {
    match page.limit {
        None => Ok(PAGE_ENTRIES_MAX),
        Some(limit @ 1..=PAGE_ENTRIES_MAX) => Ok(limit),
        Some(limit) => Err(StoreError::Limit(format!("a page of {limit} entries: use 1 to {PAGE_ENTRIES_MAX}"))),
    }
}

/// Checks how long a lease shall live.
///
/// # Errors
/// [`StoreError::Limit`] says which limit.
pub fn ttl_check(ttl: Duration) -> Result<(), StoreError> {
    if ttl.is_zero() || ttl > LEASE_TTL_MAX {
        let max = LEASE_TTL_MAX.as_secs();
        return Err(StoreError::Limit(format!("a lease of {ttl:?}: use more than none and at most {max} seconds")));
    }
    Ok(())
}

/// Checks a transaction and gives its size in bytes.
///
/// # Errors
/// [`StoreError::Limit`] says which limit.
pub fn transaction_check(transaction: &Transaction) -> Result<usize, StoreError> {
    let count = transaction.preconditions.len() + transaction.operations.len();
    if count > TRANSACTION_OPERATIONS_MAX {
        return Err(StoreError::Limit(format!(
            "a transaction of {count} preconditions and operations is over the limit of {TRANSACTION_OPERATIONS_MAX}"
        )));
    }
    let mut bytes = 0;
    for precondition in transaction.conditions() {
        let key = precondition_key(precondition);
        key_check(key)?;
        bytes += key.len();
    }
    let mut keys = HashSet::with_capacity(transaction.operations.len());
    for operation in &transaction.operations {
        let (key, value_bytes) = match operation {
            Operation::Put { key, value, .. } => (key, value.len()),
            Operation::Delete { key } => (key, 0),
        };
        key_check(key)?;
        if value_bytes > VALUE_BYTES_MAX {
            return Err(StoreError::Limit(format!(
                "the value of `{key}` has {value_bytes} bytes, over the limit of {VALUE_BYTES_MAX}"
            )));
        }
        if !keys.insert(key) {
            return Err(StoreError::Limit(format!("`{key}` is named by two operations of one transaction")));
        }
        bytes += key.len() + value_bytes;
    }
    if bytes > TRANSACTION_BYTES_MAX {
        return Err(StoreError::Limit(format!(
            "a transaction of {bytes} bytes is over the limit of {TRANSACTION_BYTES_MAX}"
        )));
    }
    Ok(bytes)
}

/// The key that a precondition is about.
#[must_use]
pub fn precondition_key(precondition: &Precondition) -> &str {
    match precondition {
        Precondition::Absent { key } | Precondition::Present { key } | Precondition::Unmodified { key, .. } => key,
    }
}
