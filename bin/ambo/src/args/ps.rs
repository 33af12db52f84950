use clap::{Args, Subcommand};

/// `ps`.
#[derive(Debug, Subcommand)]
pub(crate) enum PsCommand {
    /// List the running instances
    List(PsList),
    /// Set how many instances of each process run
    Scale(PsScale),
    /// Restart an app, a process or an instance
    Restart(PsRestart),
    /// Stop a run, or an instance or process, which is then started anew
    #[command(visible_alias = "kill")]
    Stop(PsStop),
}

/// Arguments of `ps list`.
#[derive(Debug, Args)]
pub(crate) struct PsList {}

/// Arguments of `ps scale`.
#[derive(Debug, Args)]
pub(crate) struct PsScale {
    /// Counts, as in `web=3`, `worker+1` or `web-1`; shows the present ones when none is given
    #[arg(value_name = "PROCESS=COUNT", value_parser = scale_change)]
    pub(crate) changes: Vec<ScaleChange>,
}

/// Arguments of `ps restart`.
#[derive(Debug, Args)]
pub(crate) struct PsRestart {
    /// A process, as in `web`, or an instance, as in `web.1` (default: all of the app)
    #[arg(value_name = "PROCESS|INSTANCE")]
    pub(crate) target: Option<String>,
}

/// Arguments of `ps stop`.
#[derive(Debug, Args)]
pub(crate) struct PsStop {
    /// A process, as in `web`, or an instance, as in `run.1`
    #[arg(value_name = "PROCESS|INSTANCE")]
    pub(crate) target: String,
}

/// One process' new count: absolute (`3`) or relative (`+1`), as the API takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScaleChange {
    pub(crate) process: String,
    pub(crate) quantity: String,
    pub(crate) size: Option<String>,
}

pub(crate) fn scale_change(text: &str) -> Result<ScaleChange, String> {
    let refused = || "write it as `web=3`, `web+1` or `web-1`".to_owned();
    // A process type may itself hold `-`, so that the last sign before the digits counts.
    let at = match text.find('=') {
        Some(at) => at,
        None => text.rfind(['+', '-']).ok_or_else(refused)?,
    };
    let (process, rest) = text.split_at(at);
    if rest.starts_with("=-") {
        return Err("a count is not negative: `web-1` takes one away, `web=0` stops all".to_owned());
    }
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let (quantity, size) = match rest.split_once(':') {
        Some((quantity, size)) => (quantity, Some(size.to_owned())),
        None => (rest, None),
    };
    let digits = quantity.strip_prefix(['+', '-']).unwrap_or(quantity);
    if process.is_empty() || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    Ok(ScaleChange { process: process.to_owned(), quantity: quantity.to_owned(), size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_changes_are_read_as_people_write_them() {
        let read = |text: &str| scale_change(text).map(|change| (change.process, change.quantity));
        let ok = |process: &str, quantity: &str| Ok((process.to_owned(), quantity.to_owned()));
        assert_eq!(read("web=3"), ok("web", "3"));
        assert_eq!(read("web+1"), ok("web", "+1"));
        assert_eq!(read("web=+1"), ok("web", "+1"));
        assert_eq!(read("web-1"), ok("web", "-1"));
        assert_eq!(read("mail-worker=2"), ok("mail-worker", "2"));
        assert_eq!(read("mail-worker-2"), ok("mail-worker", "-2"));
        assert_eq!(scale_change("web=2:Standard-1X").unwrap().size.as_deref(), Some("Standard-1X"));
        for bad in ["", "web", "web=", "=3", "web=x", "web=1.5", "web=--1", "web=-1", "mail-worker"] {
            assert!(scale_change(bad).is_err(), "{bad}");
        }
    }
}
