use clap::Args;

/// Arguments of `metrics`.
#[derive(Debug, Args)]
pub(crate) struct Metrics {
    /// How long is measured
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=600))]
    pub(crate) seconds: u32,
}
