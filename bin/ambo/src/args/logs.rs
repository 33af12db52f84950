use clap::Args;

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// How many lines of the past
    #[arg(short, long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=1_500))]
    pub(crate) num: u32,
    /// Go on with what comes
    #[arg(short, long, visible_short_alias = 'f', visible_alias = "follow")]
    pub(crate) tail: bool,
    /// Only this process (`web`) or instance (`web.1`)
    #[arg(short, long, value_name = "PROCESS|INSTANCE", visible_alias = "dyno", visible_short_alias = 'd')]
    pub(crate) ps: Option<String>,
    /// Only what the app says (`app`) or the platform (`ambo`)
    #[arg(short, long)]
    pub(crate) source: Option<String>,
}
