//! `apps info`.

use ambo_client::types::{App, Collaborator, Domain, Formation};
use jiff::Timestamp;
use serde::Serialize;

use super::git_url;
use crate::age::ago;
use crate::args::AppsInfo;
use crate::context::Context;
use crate::exit::Outcome;

/// All about an app.
#[derive(Serialize)]
struct Description {
    #[serde(flatten)]
    app: App,
    formation: Vec<Formation>,
    domains: Vec<Domain>,
    collaborators: Vec<Collaborator>,
}

pub(super) async fn info(context: &Context, args: AppsInfo) -> Outcome {
    let (client, name) = context.app_or(args.name.as_deref())?;
    let (app, formation, domains, collaborators) = futures::try_join!(
        client.app_info(&name),
        client.formation_list(&name),
        client.domain_list(&name),
        client.access_list(&name)
    )?;
    let url = git_url(client.host(), &app.name);
    let description = Description { app, formation, domains, collaborators };
    if context.printer.is_json() {
        return context.printer.json(&description);
    }
    context.printer.pairs(&pairs(&description, url, Timestamp::now()))
}

fn pairs(description: &Description, git_url: String, now: Timestamp) -> Vec<(&'static str, String)> {
    let Description { app, formation, domains, collaborators } = description;
    let listed = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
    let others = collaborators.iter().filter(|other| other.user.email != app.owner.email);
    vec![
        ("Name", app.name.clone()),
        ("Owner", app.owner.email.clone()),
        ("Collaborators", listed(others.map(|other| other.user.email.clone()).collect())),
        ("URL", app.web_url.clone().unwrap_or_default()),
        ("Git", git_url),
        ("Domains", listed(domains.iter().map(|domain| domain.hostname.clone()).collect())),
        (
            "Processes",
            listed(formation.iter().map(|entry| format!("{}={}", entry.process_type, entry.quantity)).collect()),
        ),
        ("Maintenance", if app.maintenance { "on" } else { "off" }.to_owned()),
        ("Created", ago(app.created_at, now)),
        ("Released", app.released_at.map_or_else(|| "never".to_owned(), |at| ago(at, now))),
    ]
}
