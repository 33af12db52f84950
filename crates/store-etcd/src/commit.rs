//! Committing a transaction: once, and with a clear answer wherever there can be one.

use ambo_store::limits::precondition_key;
use ambo_store::{Committed, Operation, Precondition, StoreError, Transaction};
use etcd_client::{Client, Compare, CompareOp, GetOptions, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse};
use tokio::time::Instant;
use uuid::Uuid;

use crate::failure::{Failure, is_full, store_error, unclear};
use crate::keys::{Keys, revision, their_revision};
use crate::members::{Answer, Members, deadline};
use crate::slots::{self, Held, Slots, Voided};
use crate::store::lease_number;

/// A revision that no key has.
const NEVER: i64 = -1;

/// Commits, and asks again for as long as that may help.
pub(crate) async fn commit(
    members: &Members,
    keys: &Keys,
    slots: &Slots,
    transaction: &Transaction,
) -> Result<Committed, StoreError> {
    let until = deadline();
    if transaction.operations.is_empty() {
        return look(members, keys, transaction, until).await;
    }
    loop {
        let (slot, since) = slots.take(members, keys, until).await?;
        let mut attempt = Attempt { members, until, transaction, slot, since, mark: Uuid::new_v4().into_bytes() };
        if let Some(committed) = attempt.run(keys).await? {
            return Ok(committed);
        }
    }
}

/// Only looks whether the preconditions hold.
async fn look(
    members: &Members,
    keys: &Keys,
    transaction: &Transaction,
    until: Instant,
) -> Result<Committed, StoreError> {
    let txn = Txn::new().when(compares(keys, transaction)).or_else(looks(keys, transaction));
    let answer = ask(members, until, &txn).await.result;
    let answer = answer.map_err(|failure| store_error("commit", failure))?;
    if answer.succeeded() {
        return Ok(committed(slots::revision(&answer)));
    }
    Err(StoreError::Conflict { key: conflict(transaction, &answer.op_responses()) })
}

/// A transaction with its slot.
struct Attempt<'a> {
    members: &'a Members,
    until: Instant,
    transaction: &'a Transaction,
    slot: Held<'a>,
    /// The slot was not changed since then.
    since: i64,
    /// What the transaction writes into the slot.
    mark: [u8; 16],
}

impl Attempt<'_> {
    /// `None` when nothing was done because the slot was gone: try another.
    async fn run(&mut self, keys: &Keys) -> Result<Option<Committed>, StoreError> {
        let txn = self.txn(keys)?;
        let Answer { result, in_doubt } = ask(self.members, self.until, &txn).await;
        match result {
            Ok(answer) if answer.succeeded() => self.succeeded(&answer, in_doubt).await.map(Some),
            Ok(answer) => self.failed(&answer, in_doubt).await,
            Err(failure) => self.refused(failure, in_doubt).await.map(Some),
        }
    }

    async fn succeeded(&mut self, answer: &TxnResponse, in_doubt: bool) -> Result<Committed, StoreError> {
        let at = slots::revision(answer);
        let did_nothing = matches!(&answer.op_responses()[..], [TxnOpResponse::Txn(inner)] if inner.succeeded());
        if !did_nothing {
            self.slot.changed_at(at);
            return Ok(committed(at));
        }
        match self.void(in_doubt).await? {
            Voided::Void => Ok(committed(at)),
            Voided::DoneAt(at) => Ok(committed(at)),
        }
    }

    /// The slot has changed, or a precondition does not hold.
    async fn failed(&mut self, answer: &TxnResponse, in_doubt: bool) -> Result<Option<Committed>, StoreError> {
        let Some(slot) = slots::first_found(answer) else {
            return if in_doubt { Err(slots::removed()) } else { Ok(None) };
        };
        if slot.mod_revision() != self.since {
            self.slot.changed_at(slot.mod_revision());
            return Ok((slot.value() == self.mark).then(|| committed(slot.mod_revision())));
        }
        match self.void(in_doubt).await? {
            Voided::Void => Err(StoreError::Conflict { key: conflict(self.transaction, &answer.op_responses()[1..]) }),
            Voided::DoneAt(at) => Ok(Some(committed(at))),
        }
    }

    async fn refused(&mut self, failure: Failure, in_doubt: bool) -> Result<Committed, StoreError> {
        if is_full(failure.error()) {
            return self.full(failure, in_doubt).await;
        }
        if in_doubt && !matches!(failure, Failure::Refused(_)) {
            return Err(unclear("commit", failure));
        }
        match self.void(in_doubt).await? {
            Voided::Void => Err(store_error("commit", failure)),
            Voided::DoneAt(at) => Ok(committed(at)),
        }
    }

    /// etcd says that it is full also of the very transaction that it does last.
    async fn full(&mut self, failure: Failure, in_doubt: bool) -> Result<Committed, StoreError> {
        let done = self.slot.done_at(self.members, self.until, &self.mark).await;
        if let Some(at) = done.map_err(|failure| unclear("commit", failure))? {
            self.slot.changed_at(at);
            return Ok(committed(at));
        }
        // A full etcd cannot change the slot either: what is under way may be done once there is space.
        if in_doubt {
            return Err(unclear("commit", failure));
        }
        self.slot.changed_at(self.since);
        Err(store_error("commit", failure))
    }

    /// Makes sure that nothing of it is done later.
    async fn void(&mut self, in_doubt: bool) -> Result<Voided, StoreError> {
        if !in_doubt {
            self.slot.changed_at(self.since);
            return Ok(Voided::Void);
        }
        self.slot.void(self.members, self.until, self.since, &self.mark).await
    }

    fn txn(&self, keys: &Keys) -> Result<Txn, StoreError> {
        let operations = self.transaction.operations.iter().map(|operation| op(keys, operation));
        let mut operations = operations.collect::<Result<Vec<TxnOp>, StoreError>>()?;
        operations.push(TxnOp::put(self.slot.key(), self.mark, None));
        let puts = |operation: &Operation| matches!(operation, Operation::Put { .. });
        if !self.transaction.operations.iter().any(puts) {
            operations = vec![unless_absent(keys, self.transaction, operations)];
        }
        let mut looked = vec![TxnOp::get(self.slot.key(), None)];
        looked.extend(looks(keys, self.transaction));
        let mut conditions = vec![self.slot.unchanged(self.since)];
        conditions.extend(compares(keys, self.transaction));
        Ok(Txn::new().when(conditions).and_then(operations).or_else(looked))
    }
}

async fn ask(members: &Members, until: Instant, txn: &Txn) -> Answer<TxnResponse> {
    let ask = |mut client: Client| {
        let txn = txn.clone();
        async move { client.txn(txn).await }
    };
    members.call_until(until, ask).await
}

fn committed(theirs: i64) -> Committed {
    Committed { revision: revision(theirs) }
}

/// Removing what is not there is no change, so the slot does not change either.
fn unless_absent(keys: &Keys, transaction: &Transaction, operations: Vec<TxnOp>) -> TxnOp {
    let absent = transaction.operations.iter().map(|operation| {
        let (Operation::Put { key, .. } | Operation::Delete { key }) = operation;
        Compare::create_revision(keys.full(key), CompareOp::Equal, 0)
    });
    TxnOp::txn(Txn::new().when(absent.collect::<Vec<_>>()).or_else(operations))
}

fn compares(keys: &Keys, transaction: &Transaction) -> Vec<Compare> {
    transaction.conditions().map(|condition| compare(keys, condition)).collect()
}

fn compare(keys: &Keys, precondition: &Precondition) -> Compare {
    match precondition {
        Precondition::Absent { key } => Compare::create_revision(keys.full(key), CompareOp::Equal, 0),
        Precondition::Present { key } => Compare::create_revision(keys.full(key), CompareOp::Greater, 0),
        Precondition::Unmodified { key, since } => {
            Compare::mod_revision(keys.full(key), CompareOp::Equal, modified(*since))
        }
    }
}

/// etcd's revision of a key that was read at ours. Nothing was ever written at the first.
fn modified(since: ambo_store::Revision) -> i64 {
    if since.0 == 0 { NEVER } else { their_revision(since) }
}

fn op(keys: &Keys, operation: &Operation) -> Result<TxnOp, StoreError> {
    Ok(match operation {
        Operation::Put { key, value, lease } => {
            let lease = lease.as_ref().map(lease_number).transpose()?;
            let options = lease.map(|lease| PutOptions::new().with_lease(lease));
            TxnOp::put(keys.full(key), value.to_vec(), options)
        }
        Operation::Delete { key } => TxnOp::delete(keys.full(key), None),
    })
}

/// When a precondition does not hold: the keys of the preconditions, which tell whose.
fn looks(keys: &Keys, transaction: &Transaction) -> Vec<TxnOp> {
    let conditions = transaction.conditions().map(precondition_key);
    conditions.map(|key| TxnOp::get(keys.full(key), Some(GetOptions::new().with_keys_only()))).collect()
}

/// The first key whose precondition does not hold.
fn conflict(transaction: &Transaction, looked: &[TxnOpResponse]) -> String {
    let failed = transaction.conditions().zip(looked).find(|(condition, found)| !holds(condition, found));
    let failed = failed.map(|(condition, _)| condition).or(transaction.conditions().next());
    failed.map_or_else(String::new, |condition| precondition_key(condition).to_owned())
}

fn holds(condition: &Precondition, found: &TxnOpResponse) -> bool {
    let TxnOpResponse::Get(found) = found else { return false };
    match (condition, found.kvs().first()) {
        (Precondition::Absent { .. }, found) => found.is_none(),
        (Precondition::Present { .. }, found) => found.is_some(),
        (Precondition::Unmodified { since, .. }, Some(found)) => found.mod_revision() == modified(*since),
        (Precondition::Unmodified { .. }, None) => false,
    }
}
