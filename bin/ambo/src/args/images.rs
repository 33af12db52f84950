use clap::Subcommand;

/// `images`.
#[derive(Debug, Subcommand)]
pub(crate) enum ImagesCommand {
    /// Free the disk space of images that no kept release needs
    ///
    /// The server does so every hour by itself. How many releases of an app keep their images is a setting:
    /// `ambo settings set --releases-kept COUNT`. What was pushed lately stays in any case.
    Collect,
}
