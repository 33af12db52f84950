//! `ambod`'s own log, on standard error.

use anyhow::{Context, bail};
use tracing_subscriber::EnvFilter;

use crate::settings::Settings;

pub(crate) fn start(settings: &Settings) -> anyhow::Result<()> {
    let filter: EnvFilter = settings.log.parse().with_context(|| format!("the setting `log` is `{}`", settings.log))?;
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format.as_str() {
        "text" => logger.with_target(false).with_ansi(false).init(),
        "json" => logger.json().init(),
        other => bail!("the setting `log-format` is `{other}`: use text or json"),
    }
    Ok(())
}
