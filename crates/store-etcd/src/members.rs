//! etcd's members: a call goes to the one that answered last, and to the next when that one does not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Error, Identity, TlsOptions};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::failure::{Failure, sort};
use crate::settings::EtcdSettings;

/// Longest wait for a connection.
const CONNECT_DURATION_MAX: Duration = Duration::from_millis(500);
/// Longest wait for the first member that is asked; each further one is given twice the time, so that a slow etcd is waited for
/// and a member that hangs costs little.
const ANSWER_DURATION: Duration = Duration::from_millis(500);
/// Longest wait for any member.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(4);
/// After so long no further member is asked.
const CALL_DURATION_MAX: Duration = Duration::from_secs(8);
/// Pause after every member has failed once.
const PAUSE: Duration = Duration::from_millis(50);

/// What came of asking.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// What the last member that was asked said.
    pub(crate) result: Result<T, Failure>,
    /// Whether one that was asked before may have done it, or may do it yet.
    pub(crate) in_doubt: bool,
}

#[derive(Debug)]
pub(crate) struct Members {
    settings: EtcdSettings,
    members: Vec<Member>,
    /// The one that answered last.
    current: AtomicUsize,
}

struct Member {
    url: String,
    client: OnceCell<Client>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

impl Members {
    pub(crate) fn new(settings: EtcdSettings) -> Self {
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let member = |address: &String| Member { url: format!("{scheme}://{address}"), client: OnceCell::new() };
        Self { members: settings.members.iter().map(member).collect(), settings, current: AtomicUsize::new(0) }
    }

    /// The same members, over connections of its own.
    pub(crate) fn apart(&self) -> Self {
        let apart = Self::new(self.settings.clone());
        apart.current.store(self.first(), Ordering::Relaxed);
        apart
    }

    /// Which member comes first now.
    pub(crate) fn first(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    /// Puts the member after this one first, unless another is first already.
    pub(crate) fn pass_over(&self, index: usize) {
        let next = (index + 1) % self.members.len().max(1);
        let _ = self.current.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A member's client. The first one logs in, if there is a user.
    pub(crate) async fn client(&self, index: usize) -> Result<Client, Error> {
        let Some(member) = self.members.get(index) else { return Err(Error::EndpointsNotManaged) };
        let connect = || Client::connect([member.url.as_str()], Some(options(&self.settings)));
        member.client.get_or_try_init(connect).await.cloned()
    }

    /// Asks until a member answers. What is asked may be done more than once.
    pub(crate) async fn call<T, F>(&self, ask: impl Fn(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.call_until(deadline(), ask).await.result
    }

    /// Asks until a member answers or the time is over.
    pub(crate) async fn call_until<T, F>(&self, deadline: Instant, ask: impl Fn(Client) -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut patience = ANSWER_DURATION;
        let (mut tried, mut in_doubt) = (0, false);
        loop {
            let index = self.first();
            let until = deadline.min(Instant::now() + patience);
            let answer = tokio::time::timeout_at(until, async { ask(self.client(index).await?).await }).await;
            let failure = match answer {
                Ok(Ok(answer)) => return Answer { result: Ok(answer), in_doubt },
                Ok(Err(error)) => sort(error),
                Err(_) => Failure::Unknown(Error::IoError(std::io::ErrorKind::TimedOut.into())),
            };
            in_doubt |= matches!(failure, Failure::Unknown(_));
            if matches!(failure, Failure::Refused(_)) {
                return Answer { result: Err(failure), in_doubt };
            }
            self.pass_over(index);
            if Instant::now() + PAUSE >= deadline {
                return Answer { result: Err(failure), in_doubt };
            }
            tracing::debug!(member = ?self.members.get(index), ?failure, "asking the next member of etcd");
            tried += 1;
            if tried % self.members.len().max(1) == 0 {
                patience = (patience * 2).min(ANSWER_DURATION_MAX);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Until when a call that begins now may take.
pub(crate) fn deadline() -> Instant {
    Instant::now() + CALL_DURATION_MAX
}

fn options(settings: &EtcdSettings) -> ConnectOptions {
    let mut options = ConnectOptions::new()
        .with_connect_timeout(CONNECT_DURATION_MAX)
        // A member that is cut off may go on answering what it cannot know: it must have a leader.
        .with_require_leader(true)
        .with_keep_alive(Duration::from_secs(2), Duration::from_secs(2))
        .with_auto_token_refresh(true);
    if let Some((name, password)) = &settings.user {
        options = options.with_user(name, password.reveal());
    }
    if let Some(tls) = &settings.tls {
        let mut of_tls = TlsOptions::new().ca_certificate(Certificate::from_pem(&tls.root));
        if let Some((chain, key)) = &tls.identity {
            of_tls = of_tls.identity(Identity::from_pem(chain, key.reveal()));
        }
        options = options.with_tls(of_tls);
    }
    options
}
