//! The fake engine keeps the contract, and breaks as asked.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

mod faults;

use std::time::Duration;

use ambo_model::{ImageReference, InstanceId};
use ambo_scheduler::Scheduler;
use ambo_scheduler::contract::ContractFixture;
use ambo_scheduler::fake::FakeEngine;

struct FakeFixture(FakeEngine);

impl FakeFixture {
    async fn new() -> Self {
        let fixture = Self(FakeEngine::new());
        fixture.0.image_lost(&fixture.image_missing());
        fixture
    }
}

#[async_trait::async_trait]
impl ContractFixture for FakeFixture {
    fn scheduler(&self) -> &dyn Scheduler {
        &self.0
    }
    fn image(&self) -> ImageReference {
        ImageReference::parse("127.0.0.1:7050/contract").unwrap()
    }
    fn image_missing(&self) -> ImageReference {
        ImageReference::parse("127.0.0.1:7050/missing").unwrap()
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(10)
    }
    async fn instance_kill(&self, instance: &InstanceId) {
        self.0.kill(instance);
    }
    async fn instance_vanish(&self, instance: &InstanceId) {
        self.0.vanish(instance);
    }
}

ambo_scheduler::contract_suite!(FakeFixture::new(); #[tokio::test(start_paused = true)]);
