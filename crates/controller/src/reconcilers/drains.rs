//! Lets each drain's delivery run, and keeps how far each has come over restarts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ambo_logs::drain::{DrainDelivery, DrainProgress, DrainTotal};
use ambo_model::DrainId;
use ambo_store::Transaction;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::controller::Controller;
use crate::drains::DrainRecord;
use crate::error::{ControllerError, chain};
use crate::keys;
use crate::records::{get, json};

/// How often it is kept how far drains have come: after a crash, lines of so long are sent twice.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);
/// How long deliveries have to send what is at hand when the platform stops.
const STOP_DURATION_MAX: Duration = Duration::from_secs(3);

/// How far each drain has come: one record, so that keeping it is one write however many drains there are.
type Cursors = BTreeMap<String, u64>;

/// The deliveries that run.
#[derive(Default)]
struct Deliveries {
    running: HashMap<DrainId, (CancellationToken, DrainProgress)>,
    tasks: JoinSet<()>,
    total: DrainTotal,
    kept: Option<Cursors>,
}

impl Controller {
    pub(crate) async fn drains_run(self: Arc<Self>) {
        let mut deliveries = Deliveries::default();
        while !self.stopping.is_cancelled() {
            if let Err(error) = self.drains_reconcile(&mut deliveries).await {
                tracing::warn!(error = %chain(&error), "cannot look after the drains now");
            }
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = self.nudge.drains_nudged() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
            while deliveries.tasks.try_join_next().is_some() {}
        }
        deliveries.running.values().for_each(|(stop, _)| stop.cancel());
        let ended = async { while deliveries.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(STOP_DURATION_MAX, ended).await;
        if let Err(error) = self.drain_cursors_keep(&mut deliveries).await {
            tracing::warn!(error = %chain(&error), "lines of the last moments will go to drains twice");
        }
    }

    async fn drains_reconcile(&self, deliveries: &mut Deliveries) -> Result<(), ControllerError> {
        if deliveries.kept.is_none() {
            let kept = get::<Cursors>(&*self.store, keys::DRAIN_CURSORS).await?;
            deliveries.kept = Some(kept.map(|found| found.value).unwrap_or_default());
        }
        let wanted = self.drains_all().await?;
        let ids: HashSet<DrainId> = wanted.iter().map(|record| record.drain.id).collect();
        deliveries.running.retain(|id, (stop, _)| {
            let stays = ids.contains(id);
            if !stays {
                stop.cancel();
            }
            stays
        });
        for record in wanted {
            if !deliveries.running.contains_key(&record.drain.id) {
                self.drain_begin(deliveries, record);
            }
        }
        self.drain_cursors_keep(deliveries).await
    }

    fn drain_begin(&self, deliveries: &mut Deliveries, record: DrainRecord) {
        let url = match self.drain_url(&record) {
            Ok(url) => url,
            Err(error) => {
                tracing::warn!(drain = %record.drain.token, error = %chain(&error), "a drain leads nowhere");
                return;
            }
        };
        let kept = deliveries.kept.as_ref().and_then(|kept| kept.get(&record.drain.id.to_string()));
        let progress = DrainProgress::at(kept.copied().unwrap_or(record.from));
        let stop = CancellationToken::new();
        let delivery = DrainDelivery {
            app: record.drain.app,
            token: record.drain.token,
            url,
            guard: self.settings.drain_guard,
            total: deliveries.total.clone(),
            progress: progress.clone(),
        };
        deliveries.running.insert(record.drain.id, (stop.clone(), progress));
        deliveries.tasks.spawn(delivery.run(Arc::clone(&self.logs), stop));
    }

    /// Writes down how far the drains have come, if any has come further.
    async fn drain_cursors_keep(&self, deliveries: &mut Deliveries) -> Result<(), ControllerError> {
        let Some(before) = &deliveries.kept else { return Ok(()) };
        let running = deliveries.running.iter();
        let cursors: Cursors = running.map(|(id, (_, progress))| (id.to_string(), progress.cursor())).collect();
        if cursors == *before {
            return Ok(());
        }
        self.store.commit(Transaction::new().put(keys::DRAIN_CURSORS, json(&cursors))).await?;
        deliveries.kept = Some(cursors);
        Ok(())
    }
}
