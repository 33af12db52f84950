use clap::{Args, Subcommand, ValueEnum};

/// `invitations`.
#[derive(Debug, Subcommand)]
pub(crate) enum InvitationsCommand {
    /// Make an invitation
    Create(InvitationsCreate),
}

/// Arguments of `invitations create`.
#[derive(Debug, Args)]
pub(crate) struct InvitationsCreate {
    /// Only for this e-mail address
    pub(crate) email: Option<String>,
}

/// `accounts`.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountsCommand {
    /// List all accounts
    List(AccountsList),
}

/// Arguments of `accounts list`.
#[derive(Debug, Args)]
pub(crate) struct AccountsList {}

/// `settings`.
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show the settings
    List(SettingsList),
    /// Change settings
    Set(SettingsSet),
}

/// Arguments of `settings list`.
#[derive(Debug, Args)]
pub(crate) struct SettingsList {}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RegistrationMode {
    /// Anybody
    Open,
    /// Nobody
    Closed,
    /// Who has an invitation
    Invitation,
}

/// Arguments of `settings set`.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct SettingsSet {
    /// Who may make an account
    #[arg(long)]
    pub(crate) registration: Option<RegistrationMode>,
    /// How many releases of an app are kept
    #[arg(long, value_name = "COUNT")]
    pub(crate) releases_kept: Option<u32>,
}
