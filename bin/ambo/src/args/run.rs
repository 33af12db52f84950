use clap::Args;

use super::config::{Assignment, assignment};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Leave it running and return at once; its output goes to the log
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Give it no terminal, even when there is one
    #[arg(long, visible_alias = "no-tty")]
    pub(crate) no_terminal: bool,
    /// A further variable, as in `KEY=value`; may be repeated
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) env: Vec<Assignment>,
    /// Run it with the limits of this process
    #[arg(long = "type", value_name = "PROCESS")]
    pub(crate) process: Option<String>,
    /// The command. One word goes to a shell as it is; several are taken as a program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Arguments of `exec`.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Give it no terminal, even when there is one
    #[arg(long, visible_alias = "no-tty")]
    pub(crate) no_terminal: bool,
    /// A further variable, as in `KEY=value`; may be repeated
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) env: Vec<Assignment>,
    /// The instance, as in `web.1`
    pub(crate) instance: String,
    /// The command. One word goes to a shell as it is; several are taken as a program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::args::{Cli, Command};

    fn parsed(line: &str) -> (Option<String>, Vec<String>) {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let command = match cli.command {
            Command::Run(args) => args.command,
            Command::Exec(args) => [vec![args.instance], args.command].concat(),
            other => panic!("{other:?}"),
        };
        (cli.global.app, command)
    }

    #[test]
    fn options_behind_the_command_are_the_commands() {
        let shop = Some("shop".to_owned());
        assert_eq!(
            parsed("ambo run -a shop ls -la --json"),
            (shop.clone(), vec!["ls".into(), "-la".into(), "--json".into()])
        );
        assert_eq!(parsed("ambo run -a shop -- -x"), (shop.clone(), vec!["-x".into()]));
        assert_eq!(
            parsed("ambo exec -a shop web.1 ps -a x"),
            (shop, ["web.1", "ps", "-a", "x"].map(str::to_owned).into())
        );
    }
}
