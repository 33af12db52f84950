use std::collections::BTreeMap;

use ambo_client::types::{ProcessLimits, Secret};
use ambo_client::{
    Addressed, MovingAddon, MovingCollaborator, MovingCoupling, MovingDomain, MovingDrain, MovingPipeline, Named,
};

use super::*;

fn source() -> MovingApp {
    let config = [("DATABASE_URL", "postgres://x"), ("DYNO", "web.1"), ("KEY", "s3cret"), ("a-b", "1")];
    let process = |process: &str, quantity, size: &str| MovingFormation {
        process: process.into(),
        quantity,
        size: Some(size.into()),
        command: None,
    };
    let domain = |hostname: &str, kind: &str| MovingDomain { hostname: hostname.into(), kind: kind.into() };
    let drain = |url: &str, addon: Option<serde_json::Value>| MovingDrain { url: url.into(), addon };
    MovingApp {
        name: "shop".into(),
        owner: Some("olga@example.com".into()),
        stack: Some("heroku-24".into()),
        config: config.map(|(key, value)| (key.to_owned(), Secret::new(value))).into_iter().collect(),
        formation: vec![process("web", 2, "Standard-2X"), process("worker", 1, "Unheard-Of")],
        domains: vec![
            domain("shop.herokuapp.com", "heroku"),
            domain("www.example.com", "custom"),
            domain("example.com", "custom"),
        ],
        addons: vec![MovingAddon {
            name: "postgresql-flat-1".into(),
            plan: Named { name: "heroku-postgresql:essential-0".into() },
            config_vars: vec!["DATABASE_URL".into()],
        }],
        collaborators: ["olga@example.com", "ann@example.com", "bob@example.com"]
            .map(|email| MovingCollaborator { user: Addressed { email: email.into() } })
            .into(),
        coupling: Some(MovingCoupling {
            pipeline: MovingPipeline { id: "1".into(), name: Some("shops".into()) },
            stage: "production".into(),
        }),
        drains: vec![drain("syslog+tls://logs.example.com:1", None), drain("https://x", Some(serde_json::json!({})))],
        buildpacks: vec!["heroku/nodejs".into(), "https://github.com/me/ffmpeg".into()],
        hidden: Vec::new(),
    }
}

fn wish() -> Wish {
    Wish {
        name: "store".into(),
        with_addon_config: true,
        overwrite: false,
        account: "ann@example.com".into(),
        domain: "ambo.example.org".into(),
    }
}

fn lines(plan: &Plan) -> String {
    let line = |item: &Item| {
        format!("{} {} {} | {} | {}", item.kind, item.name, item.value, item.action, item.note).replace("  ", " ")
    };
    plan.items.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_first_import_makes_everything_that_can_be_made() {
    let plan = plan(&source(), &Present::default(), &wish());
    insta::assert_snapshot!(lines(&plan), @r#"
    app store | make | 
    config DATABASE_URL (hidden) | make | belongs to add-on heroku-postgresql:essential-0
    config DYNO (hidden) | leave out | the platform sets it
    config KEY (hidden) | make | 
    config a-b (hidden) | leave out | is no name of a variable
    domain www.example.com | make | 
    domain example.com | make | 
    formation web 2 | after deploy | 
    memory web 1G | after deploy | size Standard-2X there
    formation worker 1 | after deploy | 
    pipeline shops production | make | 
    access olga@example.com | make | is the owner there
    access bob@example.com | make | 
    drain syslog+tls://logs.example.com:1 | make | 
    drain https://x | leave out | belongs to an add-on
    "#);
    let advice: Vec<String> =
        plan.by_hand.iter().map(|one| format!("{}\n    {}", one.what, one.how.join("\n    "))).collect();
    insta::assert_snapshot!(advice.join("\n"), @r#"
    Deploy the code: it is in your git repository, not at Heroku's API
        heroku git:clone -a shop    # only if you have no clone
        ambo git:remote -a store
        git push ambo main
    Buildpacks do not run here; images are built of Dockerfiles
        heroku/nodejs: Ambo detects the language and generates a Dockerfile; the `Procfile` stays as it is
        https://github.com/me/ffmpeg: what it installs has to be put into a `Dockerfile` of your own
    Scale after the first deploy, or run this import again then
        ambo ps:scale web=2 worker=1 -a store
        ambo limits:set web=1G -a store
    Add-on postgresql-flat-1 (heroku-postgresql:essential-0)
        heroku maintenance:on -a shop    # no writes from here on
        heroku pg:backups:capture -a shop && heroku pg:backups:download -a shop -o shop.dump
        pg_restore --no-owner --no-acl --dbname "$NEW_DATABASE_URL" shop.dump
        ambo config:set DATABASE_URL="$NEW_DATABASE_URL" -a store
    Change the DNS records when the app works here
        www.example.com.    CNAME    store.ambo.example.org.
        example.com.    ALIAS (or ANAME)    store.ambo.example.org.    # or A with the server's address
        a name at the top of its zone takes ALIAS, ANAME or A in place of CNAME
        lower the records' TTL a day before, change them last
    "#);
    let printed = format!("{plan:?}{}", serde_json::to_string(&plan).unwrap());
    assert!(!printed.contains("s3cret") && !printed.contains("postgres://"), "{printed}");
}

#[test]
fn a_second_import_makes_only_what_is_missing() {
    let present = Present {
        exists: true,
        config: [("KEY", "s3cret"), ("DATABASE_URL", "postgres://new")]
            .map(|(key, value)| (key.to_owned(), Secret::new(value)))
            .into_iter()
            .collect(),
        domains: ["www.example.com".to_owned()].into(),
        formation: BTreeMap::from([("web".to_owned(), 1), ("worker".to_owned(), 1)]),
        limits: BTreeMap::from([("web".to_owned(), ProcessLimits { memory: Some("1G".into()), cpu: None })]),
        collaborators: ["bob@example.com".to_owned()].into(),
        place: Some(("other".into(), "staging".into())),
        drains: ["syslog+tls://logs.example.com:1".to_owned()].into(),
    };
    let made = |wish: &Wish| {
        let plan = plan(&source(), &present, wish);
        let made = plan.items.iter().filter(|item| item.action == Action::Make);
        made.map(|item| format!("{} {}", item.kind, item.name)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(made(&wish()), "domain example.com, formation web, access olga@example.com");
    let overwriting = Wish { overwrite: true, ..wish() };
    assert_eq!(made(&overwriting), "config DATABASE_URL, domain example.com, formation web, access olga@example.com");
    let without = Wish { with_addon_config: false, ..overwriting };
    assert_eq!(made(&without), "domain example.com, formation web, access olga@example.com");
}
