//! `docs/heroku-cli.md`, made of the cases of all groups.

use std::fmt::Write;
use std::path::Path;

use ambo_e2e::HerokuState;

use super::GROUPS;

const HEAD: &str = "\
# The `heroku` command against Ambo

<!-- Made by the tests in e2e/tests/e2e/heroku: `AMBO_REWRITE=1 cargo nextest run -p ambo-e2e heroku::table` -->

The unmodified Heroku CLI (npm `heroku` 11.10.0) is run against a real platform by `make test`; every line below is a case of
that suite, with its exit code and its output checked. What is not listed has not been tried.
";

fn table() -> String {
    let mut text = HEAD.to_owned();
    for (title, cases) in GROUPS {
        let _ = write!(text, "\n## {title}\n\n| command | state |\n|---|---|\n");
        for case in *cases {
            let state = match case.state {
                HerokuState::Works => "works".to_owned(),
                HerokuState::Limited(limit) => format!("works; {limit}"),
                HerokuState::Cannot(reason) => format!("cannot: {reason}"),
            };
            let _ = writeln!(text, "| `heroku {}` | {state} |", case.command);
        }
    }
    text
}

#[test]
fn the_documented_table_is_what_the_suite_shows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/heroku-cli.md");
    let table = table();
    if std::env::var_os("AMBO_REWRITE").is_some() {
        std::fs::write(&path, &table).expect("the table is written");
    }
    let documented = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(documented == table, "docs/heroku-cli.md is behind the suite: run this test again with AMBO_REWRITE=1");
}

#[test]
fn no_case_is_told_twice() {
    let mut commands: Vec<&str> = GROUPS.iter().flat_map(|(_, cases)| *cases).map(|case| case.command).collect();
    commands.sort_unstable();
    let twice: Vec<&str> = commands.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
