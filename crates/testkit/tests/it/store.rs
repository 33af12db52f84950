//! The store in memory keeps the port's contract, but for leases: it has none.

use std::sync::Arc;

use ambo_store::contract::{ContractFixture, model, within_deadline};
use ambo_store::{LeaseId, Store, StoreError, Transaction};
use ambo_testkit::MemoryStore;

struct InMemory(MemoryStore);

impl ContractFixture for InMemory {
    fn shared(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }
}

fn fresh() -> InMemory {
    InMemory(MemoryStore::default())
}

mod contract {
    ambo_store::store_contract!(super::fresh(); keys watches);
}

proptest::proptest! {
    #[test]
    fn the_store_agrees_with_a_map(steps in model::steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(within_deadline(model::the_store_agrees_with_a_map(fresh().shared(), steps)));
    }
}

#[tokio::test]
async fn nothing_can_be_put_under_a_lease() {
    let store = MemoryStore::default();
    let leased = Transaction::new().put("a", "").put_leased("b", "", LeaseId("1".to_owned()));
    assert!(matches!(store.commit(leased).await, Err(StoreError::LeaseGone)));
    assert!(store.get("a").await.unwrap().is_none());
}
