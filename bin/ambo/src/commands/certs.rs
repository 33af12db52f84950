//! `certs`.

use std::path::Path;

use ambo_client::Client;
use ambo_client::types::{Secret, SniEndpoint, SniEndpointCreate};

use crate::args::{CertsAdd, CertsCommand, CertsInfo, CertsRemove, CertsUpdate};
use crate::context::Context;
use crate::exit::{Failure, Outcome};

pub(super) async fn run(context: &Context, command: CertsCommand) -> Outcome {
    match command {
        CertsCommand::List(_) => list(context).await,
        CertsCommand::Add(args) => add(context, args).await,
        CertsCommand::Info(args) => info(context, args).await,
        CertsCommand::Update(args) => update(context, args).await,
        CertsCommand::Remove(args) => remove(context, args).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let (client, app) = context.app()?;
    let certificates = client.certificate_list(&app).await?;
    if context.printer.is_json() {
        return context.printer.json(&certificates);
    }
    let cells = |certificate: &SniEndpoint| {
        vec![
            certificate.name.clone(),
            certificate.ssl_cert.cert_domains.join(", "),
            day(certificate),
            trust(certificate).to_owned(),
            certificate.domains.len().to_string(),
        ]
    };
    let rows: Vec<_> = certificates.iter().map(cells).collect();
    let none = format!("{app} has no certificates of its own yet: it is served with the server's.");
    context.printer.table(&["NAME", "HOSTS", "EXPIRES", "ISSUER", "DOMAINS"], &rows, &none)
}

fn day(certificate: &SniEndpoint) -> String {
    certificate.ssl_cert.expires_at.strftime("%Y-%m-%d").to_string()
}

fn trust(certificate: &SniEndpoint) -> &'static str {
    match (certificate.ssl_cert.self_signed, certificate.ssl_cert.ca_signed) {
        (true, _) => "itself",
        (false, true) => "trusted",
        (false, false) => "unknown",
    }
}

async fn add(context: &Context, args: CertsAdd) -> Outcome {
    let (client, app) = context.app()?;
    let certificate = client.certificate_create(&app, &read(&args.chain, &args.key)?).await?;
    context.printer.note(format!("Added {} to {app}", certificate.name))?;
    if certificate.domains.is_empty() {
        let hosts = certificate.ssl_cert.cert_domains.join(", ");
        context
            .printer
            .hint(format!("{app} has no domain that it covers: add one of {hosts} with `ambo domains:add`"))?;
    }
    show(context, &client, &app, &certificate).await
}

async fn info(context: &Context, args: CertsInfo) -> Outcome {
    let (client, app) = context.app()?;
    let certificate = named(&client, &app, args.name).await?;
    show(context, &client, &app, &certificate).await
}

async fn update(context: &Context, args: CertsUpdate) -> Outcome {
    let (client, app) = context.app()?;
    let pem = read(&args.chain, &args.key)?;
    let old = named(&client, &app, args.name).await?;
    let certificate = client.certificate_update(&app, &old.name, &pem).await?;
    context.printer.note(format!("Replaced {} of {app}", certificate.name))?;
    show(context, &client, &app, &certificate).await
}

async fn remove(context: &Context, args: CertsRemove) -> Outcome {
    let (client, app) = context.app()?;
    client.certificate_remove(&app, &args.name).await?;
    context.printer.note(format!("Removed {} from {app}", args.name))
}

/// The certificate of a name, or the only one.
async fn named(client: &Client, app: &str, name: Option<String>) -> Outcome<SniEndpoint> {
    if let Some(name) = name {
        return Ok(client.certificate_find(app, &name).await?);
    }
    let mut all = client.certificate_list(app).await?;
    match (all.pop(), all.len()) {
        (Some(only), 0) => Ok(only),
        (Some(_), _) => Err(Failure::usage(format!("{app} has several certificates: name one, see `ambo certs`"))),
        (None, _) => Err(Failure::failed(format!("{app} has no certificates: add one with `ambo certs:add`"))),
    }
}

fn read(chain: &Path, key: &Path) -> Outcome<SniEndpointCreate> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))
    };
    Ok(SniEndpointCreate { certificate_chain: read(chain)?, private_key: Secret::new(read(key)?) })
}

async fn show(context: &Context, client: &Client, app: &str, certificate: &SniEndpoint) -> Outcome {
    if context.printer.is_json() {
        return context.printer.json(certificate);
    }
    let all = client.domain_list(app).await?;
    let shown = all.iter().filter(|domain| certificate.domains.contains(&domain.id));
    let domains: Vec<&str> = shown.map(|domain| domain.hostname.as_str()).collect();
    let facts = &certificate.ssl_cert;
    let pairs = [
        ("Name", certificate.name.clone()),
        ("Hosts", facts.cert_domains.join(", ")),
        ("Domains", domains.join(", ")),
        ("Subject", facts.subject.clone()),
        ("Issuer", format!("{} ({})", facts.issuer, trust(certificate))),
        ("Good from", facts.starts_at.to_string()),
        ("Good until", facts.expires_at.to_string()),
    ];
    context.printer.pairs(&pairs)
}
