//! The unmodified Heroku CLI drives the platform: one file per group of commands. How to write one: `e2e/src/heroku.rs`.

mod apps;
mod table;

use ambo_e2e::HerokuCase;

/// Every group with its title, in the order of the table in `docs/heroku-cli.md`.
const GROUPS: &[(&str, &[HerokuCase])] = &[("Apps", apps::CASES)];
