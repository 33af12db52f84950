use clap::{Args, Subcommand};

/// `pipelines`.
#[derive(Debug, Subcommand)]
pub(crate) enum PipelinesCommand {
    /// List your pipelines
    List(PipelinesList),
    /// Create a pipeline, with the app in it
    Create(PipelinesCreate),
    /// Put the app into a pipeline
    Add(PipelinesAdd),
    /// Show the apps of a pipeline
    Info(PipelinesInfo),
    /// Release what the app runs to the apps of the next stage
    Promote(PipelinesPromote),
    /// Show what the app has that the apps of the next stage have not
    Diff(PipelinesDiff),
    /// Move the app to another stage
    Update(PipelinesUpdate),
    /// Take the app out of its pipeline
    #[command(visible_alias = "rm")]
    Remove(PipelinesRemove),
    /// Rename a pipeline
    Rename(PipelinesRename),
    /// Give a pipeline and all its apps to somebody else
    Transfer(PipelinesTransfer),
    /// Destroy a pipeline; its apps stay
    Destroy(PipelinesDestroy),
}

/// Arguments of `pipelines list`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesList {}

/// Arguments of `pipelines create`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesCreate {
    /// The pipeline's name
    pub(crate) name: String,
    /// The app's stage: development, staging or production
    #[arg(short, long, value_name = "STAGE")]
    pub(crate) stage: String,
}

/// Arguments of `pipelines add`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesAdd {
    /// The pipeline
    pub(crate) pipeline: String,
    /// The app's stage: development, staging or production
    #[arg(short, long, value_name = "STAGE")]
    pub(crate) stage: String,
}

/// Arguments of `pipelines info`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesInfo {
    /// The pipeline (else the app's)
    pub(crate) pipeline: Option<String>,
}

/// Arguments of `pipelines promote`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesPromote {
    /// The apps to promote to, instead of all in the next stage
    #[arg(short, long, value_name = "APP", value_delimiter = ',')]
    pub(crate) to: Vec<String>,
    /// The release to promote, instead of the one that serves
    #[arg(long, value_name = "VERSION")]
    pub(crate) release: Option<String>,
    /// Do not wait until it is done
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// Arguments of `pipelines diff`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesDiff {}

/// Arguments of `pipelines update`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesUpdate {
    /// The new stage: development, staging or production
    #[arg(short, long, value_name = "STAGE")]
    pub(crate) stage: String,
}

/// Arguments of `pipelines remove`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesRemove {}

/// Arguments of `pipelines rename`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesRename {
    /// The pipeline
    pub(crate) pipeline: String,
    /// Its new name
    pub(crate) name: String,
}

/// Arguments of `pipelines transfer`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesTransfer {
    /// The new owner's e-mail address
    pub(crate) email: String,
    /// The pipeline (else the app's)
    #[arg(short, long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// The pipeline's name once more, as confirmation
    #[arg(short, long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
}

/// Arguments of `pipelines destroy`.
#[derive(Debug, Args)]
pub(crate) struct PipelinesDestroy {
    /// The pipeline
    pub(crate) pipeline: String,
}
