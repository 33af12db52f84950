//! `maintenance`.

use ambo_client::types::AppUpdate;

use crate::args::MaintenanceCommand;
use crate::context::Context;
use crate::exit::Outcome;

pub(super) async fn run(context: &Context, command: MaintenanceCommand) -> Outcome {
    let (client, app) = context.app()?;
    let wanted = match command {
        MaintenanceCommand::Status => None,
        MaintenanceCommand::On => Some(true),
        MaintenanceCommand::Off => Some(false),
    };
    let described = match wanted {
        None => client.app_info(&app).await?,
        Some(maintenance) => {
            let update = AppUpdate { maintenance: Some(maintenance), ..AppUpdate::default() };
            client.app_update(&app, &update).await?
        }
    };
    let state = if described.maintenance { "on" } else { "off" };
    if context.printer.is_json() {
        return context.printer.json(&serde_json::json!({ "maintenance": described.maintenance }));
    }
    match wanted {
        None => context.printer.data(state),
        Some(_) => context.printer.note(format!("Maintenance of {app} is {state}")),
    }
}
