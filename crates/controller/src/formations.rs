//! Formations: wanted counts, limits and health checks per process; restarts.

use std::collections::BTreeMap;

use ambo_model::{
    App, Command, FormationEntry, HealthCheck, INSTANCES_MAX, Limits, ProcessTable, ProcessType, Timestamp,
};
use ambo_release::Restart;
use ambo_store::Transaction;

use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::jobs::Work;
use crate::records::{replace, retry_conflicts};

/// A wanted count, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// So many.
    Absolute(i64),
    /// So many more, or fewer.
    Relative(i64),
}

/// Limits, and the name of the size that they were asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// The name.
    pub name: Option<String>,
    /// The limits.
    pub limits: Limits,
}

/// A change of one process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormationChange {
    /// How many.
    pub quantity: Option<Quantity>,
    /// How large.
    pub size: Option<Size>,
}

/// One process with what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessFormation {
    /// Which.
    pub process: ProcessType,
    /// How it is started.
    pub command: Command,
    /// What is wanted.
    pub entry: FormationEntry,
    /// The health check in force.
    pub health: HealthCheck,
}

impl Controller {
    /// Every process that the app's release declares, with its wanted count.
    ///
    /// # Errors
    /// When the app is not the caller's to see.
    pub async fn formation_list(
        &self,
        caller: &Caller,
        app: &str,
    ) -> Result<(App, Vec<ProcessFormation>), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let table = self.process_table(&app).await?;
        let formations = formations(&app, &table);
        Ok((app, formations))
    }

    /// Scales processes, all of them or none.
    ///
    /// # Errors
    /// `Invalid` for a process that the release does not declare, and for counts below zero or beyond the maximum.
    pub async fn formation_scale(
        &self,
        caller: &Caller,
        app: &str,
        wanted: &BTreeMap<ProcessType, Quantity>,
        now: Timestamp,
    ) -> Result<(App, Vec<ProcessFormation>), ControllerError> {
        let change = |quantity: &Quantity| FormationChange { quantity: Some(*quantity), size: None };
        let changes = wanted.iter().map(|(process, quantity)| (process.clone(), change(quantity))).collect();
        self.formation_update(caller, app, &changes, now).await
    }

    /// Scales and sizes processes, all of them or none. Those whose limits change are restarted without downtime.
    ///
    /// # Errors
    /// As [`Controller::formation_scale`].
    pub async fn formation_update(
        &self,
        caller: &Caller,
        app: &str,
        changes: &BTreeMap<ProcessType, FormationChange>,
        now: Timestamp,
    ) -> Result<(App, Vec<ProcessFormation>), ControllerError> {
        let (app, table) = retry_conflicts(|| async {
            let mut found = self.app_find_record(caller, app, Permission::Deploy).await?;
            let table = self.process_table(&found.value).await?;
            let mut transaction = Transaction::new();
            for (process, change) in changes {
                known(&table, process, &found.value)?;
                let entry = found.value.formation.entry_mut(process);
                if let Some(quantity) = change.quantity {
                    entry.count = count(process, entry.count, quantity)?;
                }
                let Some(size) = &change.size else { continue };
                entry.size.clone_from(&size.name);
                if std::mem::replace(&mut entry.limits, size.limits) != size.limits && found.value.serving.is_some() {
                    let restart = Work::Restart { process: Some(process.clone()) };
                    transaction = self.job_put(transaction, found.value.id, restart, now);
                }
            }
            found.value.scaled = true;
            found.value.updated_at = now;
            self.store.commit(replace(transaction, &found)).await?;
            Ok::<_, ControllerError>((found.value, table))
        })
        .await?;
        let scaled: Vec<String> = changes
            .iter()
            .map(|(process, change)| {
                let name = change.size.as_ref().and_then(|size| size.name.as_ref());
                let size = name.map(|name| format!(":{name}")).unwrap_or_default();
                format!("{process}@{}{size}", app.formation.entry(process).count)
            })
            .collect();
        self.log(app.id, "api", format!("Scaled to {} by user {}", scaled.join(" "), caller.email));
        self.nudge.jobs();
        self.nudge.formations();
        let formations = formations(&app, &table);
        Ok((app, formations))
    }

    /// Sets limits; the processes concerned are restarted without downtime.
    ///
    /// # Errors
    /// `Invalid` for a process that the release does not declare.
    pub async fn limits_update(
        &self,
        caller: &Caller,
        app: &str,
        limits: &BTreeMap<ProcessType, Limits>,
        now: Timestamp,
    ) -> Result<(App, Vec<ProcessFormation>), ControllerError> {
        let changed: Vec<ProcessType> = limits.keys().cloned().collect();
        let result = self
            .formation_change(caller, app, &changed, now, |process, entry| {
                if let Some(wanted) = limits.get(process) {
                    entry.limits = *wanted;
                    entry.size = None;
                }
            })
            .await?;
        let names: Vec<&str> = changed.iter().map(ProcessType::as_str).collect();
        self.log(result.0.id, "api", format!("Set limits of {} by user {}", names.join(", "), caller.email));
        Ok(result)
    }

    /// Sets health checks, or gives the default back; the processes concerned are restarted without downtime.
    ///
    /// # Errors
    /// `Invalid` for a process that the release does not declare.
    pub async fn health_check_update(
        &self,
        caller: &Caller,
        app: &str,
        checks: &BTreeMap<ProcessType, Option<HealthCheck>>,
        now: Timestamp,
    ) -> Result<(App, Vec<ProcessFormation>), ControllerError> {
        let changed: Vec<ProcessType> = checks.keys().cloned().collect();
        let result = self
            .formation_change(caller, app, &changed, now, |process, entry| {
                if let Some(check) = checks.get(process) {
                    entry.health.clone_from(check);
                }
            })
            .await?;
        let names: Vec<&str> = changed.iter().map(ProcessType::as_str).collect();
        self.log(result.0.id, "api", format!("Set health checks of {} by user {}", names.join(", "), caller.email));
        Ok(result)
    }

    pub(crate) async fn formation_change(
        &self,
        caller: &Caller,
        app: &str,
        changed: &[ProcessType],
        now: Timestamp,
        change: impl Fn(&ProcessType, &mut FormationEntry),
    ) -> Result<(App, Vec<ProcessFormation>), ControllerError> {
        let (app, table) = retry_conflicts(|| async {
            let mut found = self.app_find_record(caller, app, Permission::Deploy).await?;
            let table = self.process_table(&found.value).await?;
            let mut transaction = Transaction::new();
            for process in changed {
                known(&table, process, &found.value)?;
                change(process, found.value.formation.entry_mut(process));
                let restart = Work::Restart { process: Some(process.clone()) };
                if found.value.serving.is_some() {
                    transaction = self.job_put(transaction, found.value.id, restart, now);
                }
            }
            found.value.updated_at = now;
            self.store.commit(replace(transaction, &found)).await?;
            Ok::<_, ControllerError>((found.value, table))
        })
        .await?;
        self.nudge.jobs();
        let formations = formations(&app, &table);
        Ok((app, formations))
    }

    /// Restarts all of an app, or one process, without downtime: new instances first, then the old ones go.
    ///
    /// # Errors
    /// `Invalid` when there is nothing to restart.
    pub async fn app_restart(
        &self,
        caller: &Caller,
        app: &str,
        restart: Restart,
        now: Timestamp,
    ) -> Result<App, ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        if app.serving.is_none() {
            return Err(ControllerError::Invalid(format!("{} runs nothing yet: deploy it first", app.name)));
        }
        if let Restart::Process(process) = &restart {
            known(&self.process_table(&app).await?, process, &app)?;
        }
        let transaction = Transaction::new().present(crate::keys::app(app.id));
        self.store.commit(self.job_put(transaction, app.id, restart.into(), now)).await?;
        self.log(app.id, "api", format!("Restart by user {}", caller.email));
        self.nudge.jobs();
        Ok(app)
    }

    /// What the app's serving release declares; nothing before the first.
    pub(crate) async fn process_table(&self, app: &App) -> Result<ProcessTable, ControllerError> {
        let Some(version) = app.serving else { return Ok(ProcessTable::default()) };
        let artifact = self.release_record(app.id, version).await?.value.artifact();
        Ok(artifact.map(|artifact| artifact.processes).unwrap_or_default())
    }
}

fn formations(app: &App, table: &ProcessTable) -> Vec<ProcessFormation> {
    let entry = |(process, declared): (&ProcessType, &ambo_model::Process)| ProcessFormation {
        process: process.clone(),
        command: declared.command.clone(),
        entry: app.formation.entry(process),
        health: app.formation.health_check(process),
    };
    table.scalable().map(entry).collect()
}

fn known(table: &ProcessTable, process: &ProcessType, app: &App) -> Result<(), ControllerError> {
    if table.scalable().any(|(declared, _)| declared == process) {
        return Ok(());
    }
    let declared: Vec<&str> = table.scalable().map(|(process, _)| process.as_str()).collect();
    let hint = if declared.is_empty() {
        format!("{} has nothing to run yet: deploy it first", app.name)
    } else {
        format!("{} declares {}", app.name, declared.join(", "))
    };
    Err(ControllerError::Invalid(format!("Couldn't find that process type ({process}): {hint}")))
}

fn count(process: &ProcessType, before: u32, quantity: Quantity) -> Result<u32, ControllerError> {
    let wanted = match quantity {
        Quantity::Absolute(count) => count,
        Quantity::Relative(by) => i64::from(before).saturating_add(by),
    };
    u32::try_from(wanted).ok().filter(|count| *count <= INSTANCES_MAX).ok_or_else(|| {
        ControllerError::Invalid(format!("cannot scale {process} to {wanted}: use a count from 0 to {INSTANCES_MAX}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stay_between_zero_and_the_maximum() {
        let web = ProcessType::web();
        assert_eq!(count(&web, 2, Quantity::Relative(-1)).unwrap(), 1);
        assert_eq!(count(&web, 2, Quantity::Absolute(0)).unwrap(), 0);
        for absurd in
            [Quantity::Absolute(-1), Quantity::Relative(-3), Quantity::Absolute(i64::MAX), Quantity::Relative(i64::MAX)]
        {
            assert!(count(&web, 2, absurd).is_err(), "{absurd:?}");
        }
    }
}
