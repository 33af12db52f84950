//! Random transactions against a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Event, Operation, Precondition, Revision, Store, StoreError, Transaction};
use bytes::Bytes;
use futures::StreamExt;
use proptest::prelude::*;

use super::{all, next};

/// What the store should hold: value, created, modified.
type Model = BTreeMap<String, (Bytes, u64, u64)>;

/// A transaction, before it is known what is there.
#[derive(Debug, Clone)]
pub struct Step {
    conditions: Vec<(u8, u8)>,
    operations: BTreeMap<u8, Option<u8>>,
}

/// Some random steps over few keys, so that they meet.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let conditions = prop::collection::vec((0..3_u8, 0..6_u8), 0..2);
    let operations = prop::collection::btree_map(0..6_u8, prop::option::of(any::<u8>()), 0..4);
    let step = (conditions, operations).prop_map(|(conditions, operations)| Step { conditions, operations });
    prop::collection::vec(step, 1..40)
}

fn key(number: u8) -> String {
    format!("{}/{number}", if number.is_multiple_of(2) { "even" } else { "odd" })
}

/// The store agrees with the map after each step, and the whole watch is the story of the map.
pub async fn the_store_agrees_with_a_map(store: Arc<dyn Store>, steps: Vec<Step>) {
    let mut model = Model::new();
    let mut events = Vec::new();
    let mut last = Revision(0);
    for step in steps {
        let (transaction, holds) = transaction(&step, &model);
        match store.commit(transaction).await {
            Ok(committed) => {
                assert!(holds, "a precondition did not hold");
                if apply(&step, &mut model, &mut events, committed.revision.0) {
                    assert!(committed.revision > last, "a change makes a new revision");
                    last = committed.revision;
                }
                assert!(committed.revision >= last);
            }
            Err(StoreError::Conflict { .. }) => assert!(!holds, "every precondition held"),
            Err(error) => panic!("{error}"),
        }
        let found: Model = all(&*store, "", 2, false)
            .await
            .into_iter()
            .map(|entry| (entry.key, (entry.value, entry.created.0, entry.modified.0)))
            .collect();
        assert_eq!(found, model);
    }
    for prefix in ["", "even/", "odd/"] {
        let mut watch = store.watch(prefix, Revision(0)).await.expect("watches");
        for (key, value, at) in events.iter().filter(|(key, ..)| key.starts_with(prefix)) {
            let told = match next(&mut watch).await {
                Event::Put(entry) => (entry.key, Some(entry.value), entry.modified.0),
                Event::Delete { key, revision } => (key, None, revision.0),
            };
            assert_eq!(told, (key.clone(), value.clone(), *at));
        }
        assert!(futures::FutureExt::now_or_never(watch.next()).is_none());
    }
}

fn transaction(step: &Step, model: &Model) -> (Transaction, bool) {
    let mut transaction = Transaction::new();
    let mut holds = true;
    for (kind, number) in &step.conditions {
        let key = key(*number);
        let found = model.get(&key);
        let (precondition, held) = match kind {
            0 => (Precondition::Absent { key }, found.is_none()),
            1 => (Precondition::Present { key }, found.is_some()),
            _ => {
                let since = found.map_or(1, |(_, created, _)| *created);
                let held = found.is_some_and(|(_, created, modified)| created == modified);
                (Precondition::Unmodified { key, since: Revision(since) }, held)
            }
        };
        transaction.preconditions.push(precondition);
        holds &= held;
    }
    for (number, value) in &step.operations {
        let key = key(*number);
        transaction.operations.push(match value {
            Some(value) => Operation::Put { key, value: Bytes::from(vec![*value]), lease: None },
            None => Operation::Delete { key },
        });
    }
    (transaction, holds)
}

/// Does a step to the model, at a revision; says whether it changed anything.
fn apply(step: &Step, model: &mut Model, events: &mut Vec<(String, Option<Bytes>, u64)>, at: u64) -> bool {
    let before = events.len();
    for (number, value) in &step.operations {
        let key = key(*number);
        match value {
            Some(value) => {
                let value = Bytes::from(vec![*value]);
                let created = model.get(&key).map_or(at, |(_, created, _)| *created);
                model.insert(key.clone(), (value.clone(), created, at));
                events.push((key, Some(value), at));
            }
            None => {
                if model.remove(&key).is_some() {
                    events.push((key, None, at));
                }
            }
        }
    }
    events.len() > before
}
