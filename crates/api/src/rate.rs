//! How many requests an account may send: a bucket that fills steadily, told in every answer as `RateLimit-Remaining`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ambo_model::AccountId;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Accounts whose buckets are kept; those that have asked for nothing for a while are forgotten first.
const BUCKETS_MAX: usize = 10_000;
/// In this time an empty bucket is full again.
const FILLED_IN: Duration = Duration::from_secs(60);

/// The buckets of all accounts.
#[derive(Debug)]
pub(crate) struct RateLimits {
    /// What a full bucket holds.
    capacity: Option<u32>,
    buckets: Mutex<HashMap<AccountId, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// No more requests for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted {
    /// How long.
    pub(crate) retry_after: Duration,
    /// How many would have been allowed in a minute.
    pub(crate) per_minute: u32,
}

/// What an account has left after a request; filled in where the account becomes known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remaining(pub(crate) Arc<OnceLock<u32>>);

impl RateLimits {
    /// So many requests a minute; any number when 0.
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { capacity: Some(per_minute).filter(|count| *count > 0), buckets: Mutex::default() }
    }

    /// Takes one request from an account's bucket, and says how many are left.
    pub(crate) fn take(&self, account: AccountId, now: Instant) -> Result<u32, Exhausted> {
        let Some(capacity) = self.capacity else { return Ok(u32::MAX) };
        let mut buckets = self.buckets.lock();
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, bucket| now.duration_since(bucket.at) < FILLED_IN);
        }
        let bucket = buckets.entry(account).or_insert(Bucket { tokens: f64::from(capacity), at: now });
        *bucket = bucket.filled(capacity, now);
        if bucket.tokens < 1.0 {
            let missing = (1.0 - bucket.tokens) / f64::from(capacity);
            return Err(Exhausted { retry_after: FILLED_IN.mul_f64(missing), per_minute: capacity });
        }
        bucket.tokens -= 1.0;
        Ok(whole(bucket.tokens))
    }

    /// What is left in an account's bucket.
    pub(crate) fn left(&self, account: AccountId, now: Instant) -> u32 {
        let Some(capacity) = self.capacity else { return u32::MAX };
        let bucket = self.buckets.lock().get(&account).map(|bucket| bucket.filled(capacity, now));
        bucket.map_or(capacity, |bucket| whole(bucket.tokens))
    }
}

impl Bucket {
    fn filled(self, capacity: u32, now: Instant) -> Self {
        let passed = now.duration_since(self.at).as_secs_f64() / FILLED_IN.as_secs_f64();
        let tokens = passed.mul_add(f64::from(capacity), self.tokens).min(f64::from(capacity));
        Self { tokens, at: now }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a u32")]
fn whole(tokens: f64) -> u32 {
    tokens.max(0.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (limits, account, now) = (RateLimits::new(60), AccountId::new(), Instant::now());
        for left in (0..60).rev() {
            assert_eq!(limits.take(account, now), Ok(left));
        }
        let refused = limits.take(account, now).unwrap_err();
        assert_eq!(refused, Exhausted { retry_after: Duration::from_secs(1), per_minute: 60 });
        assert_eq!(limits.take(AccountId::new(), now), Ok(59));
        assert_eq!(limits.left(account, now + Duration::from_secs(2)), 2);
        assert_eq!(limits.take(account, now + Duration::from_secs(600)), Ok(59));
    }

    #[test]
    fn zero_is_no_limit() {
        let limits = RateLimits::new(0);
        assert_eq!(limits.take(AccountId::new(), Instant::now()), Ok(u32::MAX));
    }
}
