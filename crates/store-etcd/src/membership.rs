//! Who etcd consists of, and changing that: a member at a time, as a learner first (etcd: Runtime reconfiguration, Learner).

use ambo_store::StoreError;
use etcd_client::{Client, Error, MemberAddOptions};
use tokio::time::Instant;

use crate::failure::{Failure, store_error};
use crate::members::Members;
use crate::settings::EtcdSettings;

/// Longest wait for an answer. Whoever asks asks again, and goes by what was known meanwhile.
const ANSWER_DURATION_MAX: std::time::Duration = std::time::Duration::from_secs(2);

/// A member, as etcd lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdPeer {
    /// Its id.
    pub id: u64,
    /// The name that it was started with; none until it was.
    pub name: Option<String>,
    /// Where other members reach it: `https://host:port`.
    pub url: String,
    /// Whether it only listens so far.
    pub is_learner: bool,
}

/// Who etcd consists of.
#[derive(Debug)]
pub struct EtcdMembership(Members);

impl EtcdMembership {
    /// Asks the members that the settings name.
    #[must_use]
    pub fn new(settings: EtcdSettings) -> Self {
        Self(Members::new(settings))
    }

    /// All members.
    ///
    /// # Errors
    /// When none answers within 2 s that has a leader.
    pub async fn list(&self) -> Result<Vec<EtcdPeer>, StoreError> {
        let listed = self.ask("list the members", |mut client| async move { client.member_list().await }).await?;
        let peer = |member: &etcd_client::Member| EtcdPeer {
            id: member.id(),
            name: Some(member.name().to_owned()).filter(|name| !name.is_empty()),
            url: member.peer_urls().first().cloned().unwrap_or_default(),
            is_learner: member.is_learner(),
        };
        Ok(listed.members().iter().map(peer).collect())
    }

    /// Lets the member at this URL join, as a learner. One that was let in before is no error.
    ///
    /// # Errors
    /// When etcd refuses, since there is a learner already, or does not answer.
    pub async fn add(&self, url: &str) -> Result<(), StoreError> {
        let asked = self.ask("let a member join", |mut client| {
            let options = MemberAddOptions::new().with_is_learner();
            async move { client.member_add([url], Some(options)).await }
        });
        asked.await.map(drop).or_else(|error| done_before(error, "already exist"))
    }

    /// Gives a learner its vote. False when it has not caught up yet.
    ///
    /// # Errors
    /// When etcd refuses for another reason, or does not answer.
    pub async fn promote(&self, id: u64) -> Result<bool, StoreError> {
        let asked = self.ask("give a member its vote", |mut client| async move { client.member_promote(id).await });
        match asked.await {
            Ok(_) => Ok(true),
            Err(error) if says(&error, "in sync with leader") => Ok(false),
            Err(error) => done_before(error, "can only promote a learner").map(|()| true),
        }
    }

    /// Takes a member out. One that is out already is no error.
    ///
    /// # Errors
    /// When etcd refuses, since too few would be left, or does not answer.
    pub async fn remove(&self, id: u64) -> Result<(), StoreError> {
        let asked = self.ask("take a member out", |mut client| async move { client.member_remove(id).await });
        asked.await.map(drop).or_else(|error| done_before(error, "member not found"))
    }

    async fn ask<T, F>(&self, doing: &str, ask: impl Fn(Client) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let answer = self.0.call_until(Instant::now() + ANSWER_DURATION_MAX, ask).await;
        answer.result.map_err(|failure: Failure| store_error(doing, failure))
    }
}

/// A call that is asked again may have been done the first time.
fn done_before(error: StoreError, sign: &str) -> Result<(), StoreError> {
    if says(&error, sign) { Ok(()) } else { Err(error) }
}

/// Whether etcd says so. The texts are etcd's own (`api/v3rpc/rpctypes/error.go`).
fn says(error: &StoreError, text: &str) -> bool {
    let StoreError::Backend { source, .. } = error else { return false };
    source.to_string().contains(text)
}
