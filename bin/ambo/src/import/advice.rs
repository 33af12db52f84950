//! What an import cannot do by itself, with the commands that do it.

use ambo_client::{MovingAddon, MovingApp};
use serde::Serialize;

use crate::import::plan::{Action, Item, Wish};

/// Something for the user to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Advice {
    /// What, in a sentence.
    pub(super) what: String,
    /// How: commands, records, remarks.
    pub(super) how: Vec<String>,
}

impl Advice {
    fn new(what: impl Into<String>, how: impl IntoIterator<Item = String>) -> Self {
        Self { what: what.into(), how: how.into_iter().collect() }
    }
}

/// Languages for which a Dockerfile is generated, by what names their buildpack.
const BUILT: [&str; 6] = ["nodejs", "python", "ruby", "go", "rust", "static"];
/// Labels of a name below a registrable domain such as `example.com`; fewer, and the name itself may have no CNAME.
const APEX_LABELS_MAX: usize = 2;

/// All advice, in the order in which a move goes.
pub(super) fn advise(source: &MovingApp, items: &[Item], wish: &Wish) -> Vec<Advice> {
    let mut all = vec![code(source, wish)];
    all.extend(build(source));
    all.extend(scale(items, wish));
    all.extend(source.addons.iter().map(|addon| addon_advice(source, addon, wish)));
    all.extend(dns(items, wish));
    if !source.hidden.is_empty() {
        all.push(Advice::new(
            format!("The token may not see: {}", source.hidden.join(", ")),
            ["look at them in Heroku's dashboard".to_owned()],
        ));
    }
    all
}

fn code(source: &MovingApp, wish: &Wish) -> Advice {
    Advice::new(
        "Deploy the code: it is in your git repository, not at Heroku's API",
        [
            format!("heroku git:clone -a {}    # only if you have no clone", source.name),
            format!("ambo git:remote -a {}", wish.name),
            "git push ambo main".to_owned(),
        ],
    )
}

fn build(source: &MovingApp) -> Option<Advice> {
    if source.stack.as_deref() == Some("container") {
        let what = "The app is built of a Dockerfile there";
        let how = [
            "Ambo builds the `Dockerfile` of the repository; what heroku.yml says of processes goes into a `Procfile`",
        ];
        return Some(Advice::new(what, how.map(str::to_owned)));
    }
    if source.buildpacks.is_empty() {
        return None;
    }
    let is_built = |name: &String| BUILT.iter().any(|language| name.contains(language));
    let (built, foreign): (Vec<&String>, Vec<&String>) = source.buildpacks.iter().partition(|name| is_built(name));
    let mut how = Vec::new();
    if let Some(first) = built.first() {
        how.push(format!(
            "{first}: Ambo detects the language and generates a Dockerfile; the `Procfile` stays as it is"
        ));
    }
    for more in built.iter().skip(1) {
        how.push(format!("{more}: a second language needs a `Dockerfile` of your own"));
    }
    for name in foreign {
        how.push(format!("{name}: what it installs has to be put into a `Dockerfile` of your own"));
    }
    Some(Advice::new("Buildpacks do not run here; images are built of Dockerfiles", how))
}

fn scale(items: &[Item], wish: &Wish) -> Option<Advice> {
    let later = |kind: &str| -> Vec<String> {
        let of_kind = items.iter().filter(|item| item.kind == kind && item.action == Action::Later);
        of_kind.map(|item| format!("{}={}", item.name, item.value)).collect()
    };
    let (counts, memory) = (later("formation"), later("memory"));
    if counts.is_empty() {
        return None;
    }
    let mut how = vec![format!("ambo ps:scale {} -a {}", counts.join(" "), wish.name)];
    if !memory.is_empty() {
        how.push(format!("ambo limits:set {} -a {}", memory.join(" "), wish.name));
    }
    Some(Advice::new("Scale after the first deploy, or run this import again then", how))
}

fn addon_advice(source: &MovingApp, addon: &MovingAddon, wish: &Wish) -> Advice {
    let (app, name) = (&source.name, &wish.name);
    let service = addon.plan.name.split(':').next().unwrap_or_default();
    let variable = |default: &str| addon.config_vars.first().cloned().unwrap_or_else(|| default.to_owned());
    let how = match service {
        "heroku-postgresql" => {
            let variable = variable("DATABASE_URL");
            vec![
                format!("heroku maintenance:on -a {app}    # no writes from here on"),
                format!("heroku pg:backups:capture -a {app} && heroku pg:backups:download -a {app} -o {app}.dump"),
                format!("pg_restore --no-owner --no-acl --dbname \"$NEW_DATABASE_URL\" {app}.dump"),
                format!("ambo config:set {variable}=\"$NEW_DATABASE_URL\" -a {name}"),
            ]
        }
        "heroku-redis" | "rediscloud" | "redistogo" => {
            let variable = variable("REDIS_URL");
            vec![
                format!(
                    "redis-cli -u \"$(heroku config:get {variable} -a {app})\" --rdb {app}.rdb    # if it is more than a cache"
                ),
                format!("ambo config:set {variable}=\"$NEW_REDIS_URL\" -a {name}"),
            ]
        }
        "scheduler" => {
            vec!["run its jobs from a clock process in the Procfile, or from cron: `ambo run COMMAND`".to_owned()]
        }
        "papertrail" | "logentries" | "coralogix" | "logdna" | "sumologic" => {
            vec!["`ambo logs` keeps the log; a drain sends it to the vendor's own address".to_owned()]
        }
        _ if addon.config_vars.is_empty() => vec!["it sets no config; see what the app needs it for".to_owned()],
        _ => vec![
            format!(
                "its config comes over ({}) and stops working when the add-on is removed",
                addon.config_vars.join(", ")
            ),
            "get an account at the vendor itself, and set its credentials with `ambo config:set`".to_owned(),
        ],
    };
    Advice::new(format!("Add-on {} ({})", addon.name, addon.plan.name), how)
}

fn dns(items: &[Item], wish: &Wish) -> Option<Advice> {
    let target = format!("{}.{}", wish.name, wish.domain);
    let record = |item: &Item| {
        let hostname = &item.name;
        if hostname.split('.').count() <= APEX_LABELS_MAX {
            format!("{hostname}.    ALIAS (or ANAME)    {target}.    # or A with the server's address")
        } else {
            format!("{hostname}.    CNAME    {target}.")
        }
    };
    let mut how: Vec<String> = items.iter().filter(|item| item.kind == "domain").map(record).collect();
    if how.is_empty() {
        return None;
    }
    how.push("a name at the top of its zone takes ALIAS, ANAME or A in place of CNAME".to_owned());
    how.push("lower the records' TTL a day before, change them last".to_owned());
    Some(Advice::new("Change the DNS records when the app works here", how))
}
