use clap::Subcommand;

/// `maintenance`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum MaintenanceCommand {
    /// Tell whether the app is in maintenance
    #[command(alias = "list")]
    Status,
    /// Visitors get the maintenance page
    On,
    /// Visitors get the app
    Off,
}
