//! The driver over the real Docker Engine: the contract of all drivers, and what is Docker's own.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

mod docker;
mod fixture;
mod speed;

use fixture::DockerFixture;

ambo_scheduler::contract_suite!(DockerFixture::new(); #[tokio::test]);
