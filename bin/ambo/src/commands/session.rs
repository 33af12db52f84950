//! `register`, `login`, `logout`, `whoami`, `passwd`.

use ambo_client::types::{Account, AccountRole, AccountUpdate, AuthorizationCreate, Registration, Secret};
use ambo_client::{Client, ClientError, Credentials, Host};
use serde::Serialize;

use crate::args::{EmailAndPassword, Login, Passwd, Register};
use crate::context::Context;
use crate::credentials;
use crate::exit::{Failure, Outcome};
use crate::printer::Printer;
use crate::prompt;

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

pub(super) async fn register(context: &Context, args: Register) -> Outcome {
    let host = context.host_for_login(args.url.as_deref())?;
    let client = context.anonymous(host)?;
    warn_of_plain_http(&context.printer, client.host())?;
    let email = email(&args.who).await?;
    let password = match given_password(&args.who).await? {
        Some(password) => password,
        None => new_password("Password: ").await?,
    };
    let invitation = args.invitation.map(Secret::new);
    let registered = client.account_register(&Registration { email, password, invitation }).await?;
    let token = registered.access_token.token;
    keep(context, client.host(), &registered.account, token)?;
    say(context, client.host(), &registered.account, "Registered as")
}

pub(super) async fn login(context: &Context, args: Login) -> Outcome {
    let host = context.host_for_login(args.url.as_deref())?;
    let client = context.anonymous(host)?;
    warn_of_plain_http(&context.printer, client.host())?;
    let token = match args.token {
        Some(token) => Secret::new(token),
        None => token_for_password(&client, &args.who, args.expires_in).await?,
    };
    let account = client.with_credentials(Credentials::Token(token.clone())).account_info().await?;
    keep(context, client.host(), &account, token)?;
    say(context, client.host(), &account, "Logged in as")
}

pub(super) async fn logout(context: &Context) -> Outcome {
    if context.has_api_key() {
        return Err(Failure::usage("AMBO_API_KEY is set, which no logout changes")
            .hint("unset it, or revoke its token with `ambo tokens revoke`"));
    }
    let client = context.client()?;
    match client.session_end().await {
        // A token that is not valid any more needs no revoking.
        Ok(()) | Err(ClientError::Unauthorized(_) | ClientError::NotFound(_)) => {}
        Err(error) => context.printer.warn(format!("the token is forgotten here, but not revoked: {error}"))?,
    }
    context.file.forget(client.host())?;
    context.printer.note(format!("Logged out of {}", client.host()))
}

pub(super) async fn whoami(context: &Context) -> Outcome {
    let client = context.client()?;
    let account = client.account_info().await?;
    if context.printer.is_json() {
        return context.printer.json(&Who::new(client.host(), &account));
    }
    context.printer.data(&account.email)
}

pub(super) async fn passwd(context: &Context, args: Passwd) -> Outcome {
    let client = context.client()?;
    let asked = args.password.is_none() || args.new_password.is_none();
    if asked && !prompt::is_possible() {
        return Err(Failure::usage("there is no terminal to ask for the passwords")
            .hint("give them with --password and --new-password"));
    }
    let password = match args.password {
        Some(password) => Secret::new(password),
        None => Secret::new(prompt::hidden("Present password: ").await?),
    };
    let new = match args.new_password {
        Some(password) => Secret::new(password),
        None => new_password("New password: ").await?,
    };
    client.account_update(&AccountUpdate { password: Some(password), new_password: Some(new) }).await?;
    context.printer.note("Changed the password")
}

async fn token_for_password(client: &Client, who: &EmailAndPassword, expires_in_days: Option<u32>) -> Outcome<Secret> {
    let email = email(who).await?;
    let password = match given_password(who).await? {
        Some(password) => password,
        None => Secret::new(prompt::hidden("Password: ").await?),
    };
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let create = AuthorizationCreate {
        description: Some(format!("ambo on {machine}")),
        expires_in: expires_in_days.map(|days| u64::from(days) * DAY_SECONDS),
        scope: Some(vec!["global".to_owned()]),
    };
    let authorization = client.with_credentials(Credentials::Password { email, password }).token_create(&create).await;
    let authorization = authorization.map_err(|error| match error {
        error @ ClientError::Unauthorized(_) => {
            let mut failure = Failure::from(error);
            failure.hints = vec!["is the e-mail address right? `ambo register` makes an account".to_owned()];
            failure
        }
        error => error.into(),
    })?;
    let token = authorization.access_token.map(|access| access.token);
    token.ok_or_else(|| Failure::failed(format!("{} gave no token", client.host())))
}

async fn email(who: &EmailAndPassword) -> Outcome<String> {
    let email = match &who.email {
        Some(email) => email.clone(),
        None if prompt::is_possible() => prompt::line("E-mail: ").await?,
        None => {
            return Err(
                Failure::usage("there is no terminal to ask for the e-mail address").hint("give it with --email")
            );
        }
    };
    if email.trim().is_empty() {
        Err(Failure::usage("an e-mail address is needed"))
    } else {
        Ok(email.trim().to_owned())
    }
}

async fn given_password(who: &EmailAndPassword) -> Outcome<Option<Secret>> {
    if who.password_stdin {
        return prompt::piped_line().await.map(|line| Some(Secret::new(line)));
    }
    match &who.password {
        Some(password) => Ok(Some(Secret::new(password))),
        None if prompt::is_possible() => Ok(None),
        None => Err(Failure::usage("there is no terminal to ask for the password")
            .hint("give it with --password-stdin or --password")),
    }
}

/// Asks twice: what nobody sees is easily mistyped.
async fn new_password(question: &str) -> Outcome<Secret> {
    let first = prompt::hidden(question).await?;
    let second = prompt::hidden("The same once more: ").await?;
    if first == second { Ok(Secret::new(first)) } else { Err(Failure::usage("the two passwords differ")) }
}

fn warn_of_plain_http(printer: &Printer, host: &Host) -> Outcome {
    if host.exposes_tokens() {
        printer.warn(format!("{host} is no https address: others on the way can read your password and token"))?;
    }
    Ok(())
}

fn keep(context: &Context, host: &Host, account: &Account, token: Secret) -> Outcome {
    context.file.remember(host, credentials::Login { email: account.email.clone(), token })
}

fn say(context: &Context, host: &Host, account: &Account, verb: &str) -> Outcome {
    if context.has_api_key() {
        context.printer.warn("AMBO_API_KEY is set, and goes before what is stored now")?;
    }
    if context.printer.is_json() {
        return context.printer.json(&Who::new(host, account));
    }
    context.printer.data(format!("{verb} {} on {host} ({})", account.email, role(account.role)))
}

/// A role, as people call it.
pub(super) fn role(role: AccountRole) -> &'static str {
    match role {
        AccountRole::Administrator => "administrator",
        AccountRole::Member => "member",
    }
}

#[derive(Serialize)]
struct Who<'a> {
    host: String,
    #[serde(flatten)]
    account: &'a Account,
}

impl<'a> Who<'a> {
    fn new(host: &Host, account: &'a Account) -> Self {
        Self { host: host.to_string(), account }
    }
}
