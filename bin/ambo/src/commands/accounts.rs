//! `invitations`, `accounts`, `settings`: for administrators.

use ambo_client::types::{self, Account, InvitationCreate, PlatformSettings, PlatformSettingsUpdate};
use jiff::Timestamp;

use super::session::role;
use crate::age::{ago, until};
use crate::args::{AccountsCommand, InvitationsCommand, RegistrationMode, SettingsCommand};
use crate::context::Context;
use crate::exit::Outcome;

pub(super) async fn invitations(context: &Context, command: InvitationsCommand) -> Outcome {
    let InvitationsCommand::Create(args) = command;
    let client = context.client()?;
    let invitation = client.invitation_create(&InvitationCreate { email: args.email }).await?;
    if context.printer.is_json() {
        return context.printer.json(&invitation);
    }
    let ends = until(invitation.expires_at, Timestamp::now());
    context.printer.note(format!("Made an invitation; it expires {ends}. The invited runs:"))?;
    context.printer.data(format!("ambo register {} --invitation {}", client.host(), invitation.code.reveal()))
}

pub(super) async fn accounts(context: &Context, command: AccountsCommand) -> Outcome {
    let AccountsCommand::List(_) = command;
    let accounts = context.client()?.account_list().await?;
    if context.printer.is_json() {
        return context.printer.json(&accounts);
    }
    let now = Timestamp::now();
    let cells =
        |account: &Account| vec![account.email.clone(), role(account.role).to_owned(), ago(account.created_at, now)];
    let rows: Vec<_> = accounts.iter().map(cells).collect();
    context.printer.table(&["E-MAIL", "ROLE", "REGISTERED"], &rows, "There are no accounts.")
}

pub(super) async fn settings(context: &Context, command: SettingsCommand) -> Outcome {
    let client = context.client()?;
    let settings = match command {
        SettingsCommand::List(_) => client.settings_info().await?,
        SettingsCommand::Set(args) => {
            let update =
                PlatformSettingsUpdate { registration: args.registration.map(mode), releases_kept: args.releases_kept };
            client.settings_update(&update).await?
        }
    };
    show(context, &settings)
}

fn mode(mode: RegistrationMode) -> types::RegistrationMode {
    match mode {
        RegistrationMode::Open => types::RegistrationMode::Open,
        RegistrationMode::Closed => types::RegistrationMode::Closed,
        RegistrationMode::Invitation => types::RegistrationMode::Invitation,
    }
}

fn show(context: &Context, settings: &PlatformSettings) -> Outcome {
    if context.printer.is_json() {
        return context.printer.json(settings);
    }
    let registration = match settings.registration {
        types::RegistrationMode::Open => "open",
        types::RegistrationMode::Closed => "closed",
        types::RegistrationMode::Invitation => "invitation",
    };
    context
        .printer
        .pairs(&[("Registration", registration.to_owned()), ("Releases kept", settings.releases_kept.to_string())])
}
