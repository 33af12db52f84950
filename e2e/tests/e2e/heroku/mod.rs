//! The unmodified Heroku CLI drives the platform: one file per group of commands. How to write one: `e2e/src/heroku.rs`.

mod apps;
mod auth;
mod certs;
mod config;
mod drains;
mod git;
mod offers;
mod pipelines;
mod processes;
mod resent;
mod run;
mod sharing;
mod table;

use ambo_e2e::HerokuCase;

/// Every group with its title, in the order of the table in `docs/heroku-cli.md`.
const GROUPS: &[(&str, &[HerokuCase])] = &[
    ("Logging in", auth::CASES),
    ("Apps", apps::CASES),
    ("Creating, when the connection breaks", resent::CASES),
    ("Config and releases", config::CASES),
    ("Processes and logs", processes::CASES),
    ("Runs", run::CASES),
    ("Domains, access and keys", sharing::CASES),
    ("Certificates", certs::CASES),
    ("Pipelines", pipelines::CASES),
    ("Drains", drains::CASES),
    ("git", git::CASES),
    ("Features, buildpacks, add-ons and the rest", offers::CASES),
];
