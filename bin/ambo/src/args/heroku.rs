use clap::Args;

/// Arguments of `heroku`.
#[derive(Debug, Args)]
#[command(after_help = HEROKU_HELP, arg_required_else_help = true)]
pub(crate) struct Heroku {
    /// What to say to the `heroku` CLI, as in `ps:scale web=2` or `logs --tail`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "ARGS")]
    pub(crate) words: Vec<String>,
}

const HEROKU_HELP: &str = "\
The CLI must be installed: `npm install --global heroku`. It runs as you know it, with its own terminal and exit code,
against the server that you are logged in to with `ambo login`. The app is the one of the git remote here, unless
`-a NAME` or `-r REMOTE` says otherwise.

Your token goes to this server and nowhere else. Commands that work with Heroku's own hosts alone are refused with what
to use instead: container:*, pg:*, redis:*, data:*, ci:*, ps:exec, ps:copy, ps:forward, ps:autoscale, pipelines:diff,
pipelines:connect, pipelines:setup, notifications, dashboard, apps:favorites, apps:errors, login, logout.";
