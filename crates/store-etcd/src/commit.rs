//! Committing a transaction: once, and with a clear answer wherever there can be one.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use ambo_store::limits::precondition_key;
use ambo_store::{Committed, Operation, Precondition, StoreError, Transaction};
use etcd_client::{Client, Compare, CompareOp, Txn, TxnOp, TxnOpResponse, TxnResponse};

use crate::failure::store_error;
use crate::keys::{Keys, revision, their_revision};
use crate::members::{Again, Members};
use crate::store::lease_number;

/// Commits. A transaction that was asked twice, because an answer was lost, and is refused the second time may have been done
/// the first time: then what it wrote is there.
pub(crate) async fn commit(members: &Members, keys: &Keys, transaction: &Transaction) -> Result<Committed, StoreError> {
    let txn = txn(keys, transaction)?;
    let again = if is_done_once(transaction) { Again::Yes } else { Again::No };
    let tries = AtomicUsize::new(0);
    let ask = |mut client: Client| {
        tries.fetch_add(1, Ordering::Relaxed);
        let txn = txn.clone();
        async move { client.txn(txn).await }
    };
    let answer = members.call(again, ask).await;
    let answer = answer.map_err(|failure| store_error("commit", failure))?;
    if answer.succeeded() {
        let at = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
        return Ok(Committed { revision: revision(at) });
    }
    if tries.into_inner() > 1
        && let Some(at) = done_at(members, keys, transaction).await?
    {
        return Ok(Committed { revision: revision(at) });
    }
    Err(StoreError::Conflict { key: conflict(transaction, &answer) })
}

/// etcd's revision at which everything that the transaction puts was put, if it is all there as it says.
async fn done_at(members: &Members, keys: &Keys, transaction: &Transaction) -> Result<Option<i64>, StoreError> {
    let puts = transaction.operations.iter().filter_map(|operation| match operation {
        Operation::Put { key, value, .. } => Some((key, value)),
        Operation::Delete { .. } => None,
    });
    let puts: Vec<_> = puts.collect();
    let looks: Vec<TxnOp> = puts.iter().map(|(key, _)| TxnOp::get(keys.full(key), None)).collect();
    let looks = Txn::new().and_then(looks);
    let ask = |mut client: Client| {
        let looks = looks.clone();
        async move { client.txn(looks).await }
    };
    let looked = members.call(Again::Yes, ask).await;
    let looked = looked.map_err(|failure| store_error("look at a commit", failure))?.op_responses();
    let mut at = None;
    for ((_, value), found) in puts.iter().zip(&looked) {
        let TxnOpResponse::Get(found) = found else { return Ok(None) };
        let Some(found) = found.kvs().first().filter(|found| found.value() == value.as_ref()) else { return Ok(None) };
        if *at.get_or_insert(found.mod_revision()) != found.mod_revision() {
            return Ok(None);
        }
    }
    Ok(at)
}

/// Whether doing it again is refused by its own preconditions: they name a key that it makes, changes or removes.
fn is_done_once(transaction: &Transaction) -> bool {
    let kept: HashSet<&str> = transaction.preconditions.iter().filter_map(spent).collect();
    transaction.operations.is_empty()
        || transaction.operations.iter().any(|operation| match operation {
            Operation::Put { key, .. } | Operation::Delete { key } => kept.contains(key.as_str()),
        })
}

/// The key of a precondition that does not hold any more once the key was written.
fn spent(precondition: &Precondition) -> Option<&str> {
    match precondition {
        Precondition::Absent { key } | Precondition::Unmodified { key, .. } => Some(key),
        Precondition::Present { .. } => None,
    }
}

fn txn(keys: &Keys, transaction: &Transaction) -> Result<Txn, StoreError> {
    let compares: Vec<Compare> = transaction.preconditions.iter().map(|condition| compare(keys, condition)).collect();
    let operations = transaction.operations.iter().map(|operation| op(keys, operation));
    let operations = operations.collect::<Result<Vec<TxnOp>, StoreError>>()?;
    Ok(Txn::new().when(compares).and_then(operations).or_else(looks(keys, transaction)))
}

fn compare(keys: &Keys, precondition: &Precondition) -> Compare {
    match precondition {
        Precondition::Absent { key } => Compare::create_revision(keys.full(key), CompareOp::Equal, 0),
        Precondition::Present { key } => Compare::create_revision(keys.full(key), CompareOp::Greater, 0),
        Precondition::Unmodified { key, since } => {
            Compare::mod_revision(keys.full(key), CompareOp::Equal, their_revision(*since))
        }
    }
}

fn op(keys: &Keys, operation: &Operation) -> Result<TxnOp, StoreError> {
    Ok(match operation {
        Operation::Put { key, value, lease } => {
            let lease = lease.as_ref().map(lease_number).transpose()?;
            let options = lease.map(|lease| etcd_client::PutOptions::new().with_lease(lease));
            TxnOp::put(keys.full(key), value.to_vec(), options)
        }
        Operation::Delete { key } => TxnOp::delete(keys.full(key), None),
    })
}

/// When a precondition does not hold: the keys of the preconditions, which tell whose.
fn looks(keys: &Keys, transaction: &Transaction) -> Vec<TxnOp> {
    let conditions = transaction.preconditions.iter().map(precondition_key);
    conditions.map(|key| TxnOp::get(keys.full(key), None)).collect()
}

/// The first key whose precondition does not hold.
fn conflict(transaction: &Transaction, answer: &TxnResponse) -> String {
    let looked = answer.op_responses();
    let failed = transaction.preconditions.iter().zip(&looked).find(|(condition, found)| !holds(condition, found));
    let failed = failed.map(|(condition, _)| condition).or(transaction.preconditions.first());
    failed.map_or_else(String::new, |condition| precondition_key(condition).to_owned())
}

fn holds(condition: &Precondition, found: &TxnOpResponse) -> bool {
    let TxnOpResponse::Get(found) = found else { return false };
    match (condition, found.kvs().first()) {
        (Precondition::Absent { .. }, found) => found.is_none(),
        (Precondition::Present { .. }, found) => found.is_some(),
        (Precondition::Unmodified { since, .. }, Some(found)) => found.mod_revision() == their_revision(*since),
        (Precondition::Unmodified { .. }, None) => false,
    }
}
