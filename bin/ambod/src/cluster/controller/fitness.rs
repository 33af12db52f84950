//! Whether this controller is fit to lead: the swarm must answer through its node's engine. One whose engine is dead or cut off
//! from the swarm's leader can do nothing, however well it reaches the store.

use std::time::Duration;

use ambo_operator::swarm::{Swarm, SwarmNode};
use tokio::time::{Instant, sleep, timeout};

use super::engines::ClusterEngines;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How long the swarm may be silent before another controller had better lead. A blip of three seconds changes nothing.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one that is not fit leaves the election to others.
const STANDING_BACK_MAX: Duration = Duration::from_secs(10);

/// This controller's fitness.
#[derive(Debug)]
pub(super) struct Fitness {
    engines: ClusterEngines,
}

impl Fitness {
    pub(super) fn new(engines: ClusterEngines) -> Self {
        Self { engines }
    }

    /// Waits until the swarm answers, but no longer than others need to be elected: one that is not fit is better than none.
    pub(super) async fn attained(&self) {
        let answers = async {
            while nodes(&self.engines.swarm()).await.is_none() {
                sleep(INTERVAL).await;
            }
        };
        let _ = timeout(STANDING_BACK_MAX, answers).await;
    }

    /// Resolves when the swarm has not answered for a while, and does answer another manager.
    pub(super) async fn lost(&self) {
        let (mut known, mut heard) = (Vec::new(), Instant::now());
        loop {
            match nodes(&self.engines.swarm()).await {
                Some(nodes) => (known, heard) = (nodes, Instant::now()),
                // A swarm that has just found a leader answers both: then it is the question before that came too early.
                None if heard.elapsed() >= PATIENCE && self.another_is_fit(&known).await => {
                    match nodes(&self.engines.swarm()).await {
                        Some(nodes) => (known, heard) = (nodes, Instant::now()),
                        None => return,
                    }
                }
                None => {}
            }
            sleep(INTERVAL).await;
        }
    }

    async fn another_is_fit(&self, known: &[SwarmNode]) -> bool {
        for node in known.iter().filter(|node| node.manager_status.is_some() && !self.engines.is_local(node)) {
            if let Ok(engine) = self.engines.engine(node)
                && nodes(&Swarm(engine)).await.is_some()
            {
                return true;
            }
        }
        false
    }
}

async fn nodes(swarm: &Swarm) -> Option<Vec<SwarmNode>> {
    timeout(ANSWER_MAX, swarm.nodes()).await.ok()?.ok()
}
