use clap::Args;

/// How an account proves itself.
#[derive(Debug, Clone, Args)]
pub(crate) struct EmailAndPassword {
    /// The account's e-mail address (asked for when missing)
    #[arg(short, long)]
    pub(crate) email: Option<String>,
    /// The password (asked for when missing; other users of this machine can see arguments)
    #[arg(short, long, conflicts_with = "password_stdin")]
    pub(crate) password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// Arguments of `register`.
#[derive(Debug, Args)]
pub(crate) struct Register {
    /// The server, as in `https://ambo.example.com`
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) who: EmailAndPassword,
    /// An invitation's code, where the server asks for one
    #[arg(long, value_name = "CODE")]
    pub(crate) invitation: Option<String>,
}

/// Arguments of `login`.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The server, as in `https://ambo.example.com`
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) who: EmailAndPassword,
    /// Log in with a token instead of a password
    #[arg(long, conflicts_with_all = ["email", "password", "password_stdin"])]
    pub(crate) token: Option<String>,
    /// Days after which the login ends
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) expires_in: Option<u32>,
}

/// Arguments of `passwd`.
#[derive(Debug, Args)]
pub(crate) struct Passwd {
    /// The present password (asked for when missing)
    #[arg(long)]
    pub(crate) password: Option<String>,
    /// The new password (asked for when missing)
    #[arg(long)]
    pub(crate) new_password: Option<String>,
}
