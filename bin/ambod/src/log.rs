//! `ambod`'s own log, on standard error.

use anyhow::{Context, bail};
use tracing_subscriber::EnvFilter;

use crate::settings::Settings;

/// A library that would say a word about every question of DNS, and about every one that strangers get wrong. Said otherwise by
/// the setting.
const QUIET: &str = "hickory_server=error,hickory_net=error";

pub(crate) fn start(settings: &Settings) -> anyhow::Result<()> {
    let filter = format!("{QUIET},{}", settings.log);
    let filter: EnvFilter = filter.parse().with_context(|| format!("the setting `log` is `{}`", settings.log))?;
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format.as_str() {
        "text" => logger.with_target(false).with_ansi(false).init(),
        "json" => logger.json().init(),
        other => bail!("the setting `log-format` is `{other}`: use text or json"),
    }
    Ok(())
}
