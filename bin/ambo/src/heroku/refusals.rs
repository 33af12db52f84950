//! Commands of the `heroku` CLI that cannot work with any server but Heroku's own. They are refused before the CLI
//! starts: some would carry the token to hosts of Heroku's that are written into the CLI.

use crate::exit::Failure;
use crate::heroku::words::Words;

/// Why a group of commands cannot work, and what does their work here.
struct Refusal {
    /// The commands, without what stands behind a further colon.
    commands: &'static [&'static str],
    why: &'static str,
    instead: &'static str,
}

const REFUSALS: &[Refusal] = &[
    Refusal {
        commands: &["pipelines:diff"],
        why: "the CLI asks kolkrabbi.heroku.com and GitHub for it, whatever the server",
        instead: "`ambo pipelines:diff` compares the releases of the stages",
    },
    Refusal {
        commands: &["pipelines:connect", "pipelines:setup", "reviewapps:enable", "reviewapps:disable"],
        why: "the CLI connects pipelines to GitHub through kolkrabbi.heroku.com, whatever the server",
        instead: "`heroku pipelines:create` and `pipelines:add` make a pipeline; let CI push with `git push` or `ambo deploy`",
    },
    Refusal {
        commands: &["ci"],
        why: "Heroku CI runs at Heroku alone: the CLI asks kolkrabbi.heroku.com",
        instead: "run the tests in your own CI, and there `git push` or `ambo deploy` when they pass",
    },
    Refusal {
        commands: &["notifications"],
        why: "the CLI asks telex.heroku.com, whatever the server",
        instead: "`ambo releases` and `ambo logs` tell what happened",
    },
    Refusal {
        commands: &["dashboard"],
        why: "the CLI asks telex.heroku.com and api.metrics.herokai.com, whatever the server",
        instead: "`ambo apps` and `ambo ps` show how things stand",
    },
    Refusal {
        commands: &["apps:favorites"],
        why: "the CLI asks particleboard.heroku.com, whatever the server",
        instead: "`ambo apps` lists your apps",
    },
    Refusal {
        commands: &["apps:errors"],
        why: "the CLI asks api.metrics.herokai.com, whatever the server",
        instead: "`ambo logs` shows the router's errors as they happen",
    },
    Refusal {
        commands: &["ps:autoscale"],
        why: "the CLI asks api.metrics.heroku.com, whatever the server",
        instead: "`heroku ps:scale` or `ambo ps:scale` sets the count",
    },
    Refusal {
        commands: &["ps:exec"],
        why: "the CLI goes through exec-manager.heroku.com and SSH keys of its own",
        instead: "`ambo exec web.1 COMMAND`, or `ambo heroku run:inside web.1 COMMAND`, runs inside an instance",
    },
    Refusal {
        commands: &["ps:copy"],
        why: "the CLI goes through exec-manager.heroku.com and SSH keys of its own",
        instead: "`ambo exec web.1 cat FILE > FILE` copies a file out of an instance",
    },
    Refusal {
        commands: &["ps:forward", "ps:socks"],
        why: "the CLI goes through exec-manager.heroku.com and SSH keys of its own",
        instead: "`ambo exec web.1 COMMAND` reaches what listens inside an instance",
    },
    Refusal {
        commands: &["container"],
        why: "the CLI makes the registry's name out of the API's, and through a relay that gives none that exists",
        instead: "`ambo deploy` builds a Dockerfile, `ambo deploy --image IMAGE` takes a built image",
    },
    Refusal {
        commands: &["pg", "psql", "redis", "data"],
        why: "Heroku's data services are an API of their own, which Ambo does not serve",
        instead: "put the address of your database into the config: `ambo config:set DATABASE_URL=…`",
    },
    Refusal {
        commands: &["repl", "mcp:start"],
        why: "commands typed in there could not be kept from asking hosts of Heroku's with your token",
        instead: "run each command as `ambo heroku COMMAND`",
    },
    Refusal {
        commands: &["accounts"],
        why: "it switches between accounts at Heroku, written into the CLI as api.heroku.com",
        instead: "`ambo login URL` and `ambo --host URL heroku …` switch between servers",
    },
    Refusal {
        commands: &["login", "auth:login"],
        why: "the CLI would store Ambo's token where Heroku's belongs",
        instead: "`ambo login` logs in; `ambo heroku` uses that login",
    },
    Refusal {
        commands: &["logout", "auth:logout"],
        why: "the CLI would forget your login at Heroku too",
        instead: "`ambo logout` revokes and forgets the token",
    },
];

/// The failure that tells why a command cannot work; `None` when it can.
pub(crate) fn refused(words: Words<'_>) -> Option<Failure> {
    if words.is_local() {
        return None;
    }
    let commands = words.commands();
    let covers = |known: &str| {
        commands
            .iter()
            .find(|command| command.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')))
    };
    REFUSALS.iter().find_map(|refusal| {
        let command = refusal.commands.iter().find_map(|known| covers(known))?;
        let message = format!("`heroku {command}` cannot work with Ambo: {}", refusal.why);
        Some(Failure::usage(message).hint(refusal.instead))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn refused_line(line: &str) -> Option<Failure> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        refused(Words::new(&words))
    }

    #[test]
    fn commands_that_would_leave_are_refused_in_every_spelling() {
        for line in [
            "pipelines:diff -a shop",
            "pipelines diff",
            "-a shop pipelines:diff",
            "--app shop pipelines diff",
            "pipelines:connect shop --repo me/it",
            "ci:run",
            "ci",
            "ci:config:set A=1",
            "notifications",
            "apps:favorites:add",
            "apps favorites",
            "ps:autoscale:enable --min 1 --max 2",
            "ps autoscale disable",
            "ps exec",
            "ps:forward 5432",
            "container:push web",
            "container push web",
            "pg",
            "pg:psql",
            "pg backups:capture",
            "redis:cli",
            "data:pg:info",
            "login -i",
            "auth:logout",
        ] {
            let failure = refused_line(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((failure.exit, failure.hints.len()), (Exit::Usage, 1), "{line}");
        }
    }

    #[test]
    fn commands_that_work_are_let_through() {
        for line in [
            "pipelines",
            "pipelines:promote",
            "ps",
            "ps -a exec",
            "ps:scale web=2",
            "run ps exec",
            "run:inside web.1 ls",
            "apps",
            "apps:info",
            "run -- pg_dump",
            "config:set pg=1",
            "logs --tail",
            "local",
            "pg:psql --help",
            "help ci:run",
            "circus",
        ] {
            assert!(refused_line(line).is_none(), "{line}");
        }
    }
}
