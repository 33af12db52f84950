//! `platform dns`: what to tell whoever hosts the domain.

use std::net::IpAddr;

use ambo_operator::dns::{PUBLIC_ADDRESS_LABEL, routed_nodes};
use ambo_operator::install;

use super::dns_records::{Records, Wish, records};
use super::swarm_at;
use crate::args::PlatformDns;
use crate::context::Context;
use crate::exit::{Failure, Outcome};

pub(super) async fn run(context: &Context, args: PlatformDns) -> Outcome {
    let given = args.domain.as_deref().map(domain).transpose()?;
    let wish = match given {
        // Nothing to look up: this serves platforms that are on no swarm, too.
        Some(domain) if !args.address.is_empty() => Wish { domain, addresses: args.address, ..Wish::default() },
        given => wish(&args, given).await?,
    };
    let records = records(&wish);
    if records.records.is_empty() {
        return Err(Failure::failed("no node has an address that users may be sent to: name one with `--address`"));
    }
    if context.printer.is_json() {
        context.printer.json(&records)?;
    } else {
        context.printer.raw(records.to_string().as_bytes())?;
    }
    hints(context, &records)
}

/// From what the swarm knows.
async fn wish(args: &PlatformDns, given: Option<String>) -> Outcome<Wish> {
    let swarm = swarm_at(&args.engine)?;
    let installed = install::installed(&swarm).await?;
    let own = installed.domain.as_deref().map(domain).transpose()?;
    let domain = given.or_else(|| own.clone()).ok_or_else(|| {
        Failure::usage("this platform was installed before its domain was noted: name it with `--domain example.com`")
    })?;
    let nodes = swarm.nodes().await.map_err(install::InstallError::from)?;
    Ok(Wish {
        // One that answers for another domain does not answer for this one.
        is_delegable: installed.dns && own.is_none_or(|own| own == domain),
        domain,
        addresses: args.address.clone(),
        nodes: routed_nodes(&nodes),
    })
}

fn domain(text: &str) -> Outcome<String> {
    let domain = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if domain.split('.').all(is_label) && domain.parse::<IpAddr>().is_err() {
        return Ok(domain);
    }
    Err(Failure::usage(format!("`{text}` is no domain: write it as example.com")))
}

fn hints(context: &Context, records: &Records) -> Outcome {
    for address in records.private() {
        context.printer.hint(format!(
            "{address} is private: for users from elsewhere, `ambo nodes label NODE {PUBLIC_ADDRESS_LABEL}=IP` names the \
             node's public address"
        ))?;
    }
    Ok(())
}
