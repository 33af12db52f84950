//! Rust: `Cargo.toml`.

use toml::{Table, Value};

use super::generated::{GeneratedDockerfile, Lines, shell};
use super::{fault, version};
use crate::port::BuildError;
use crate::source::SourceTree;

/// The version that is used when no toolchain file names one.
const VERSION_DEFAULT: &str = "1";

pub(super) fn plan(tree: &SourceTree) -> Result<Option<GeneratedDockerfile>, BuildError> {
    let Some(text) = tree.text("Cargo.toml") else { return Ok(None) };
    let manifest: Table = text
        .parse()
        .map_err(|error: toml::de::Error| fault(format!("`Cargo.toml` is no TOML: {}", error.message())))?;
    let web = program(tree, &manifest).map(|program| format!("bin/{program}"));
    let locked = if tree.has_file("Cargo.lock") { " --locked" } else { "" };

    let mut lines = Lines::default();
    // What an earlier build left in the cache must not come along: programs are linked anew, and the source counts as
    // changed, since cargo compares times and a commit may be older than the build before it. Dependencies stay.
    let build = format!(
        "find target/release -maxdepth 1 -type f -delete 2>/dev/null; \
         find . -name target -prune -o -type f -exec touch {{}} +; cargo build --release{locked} && mkdir /out \
         && find target/release -maxdepth 1 -type f -executable ! -name '*.so' -exec cp {{}} /out/ ';'"
    );
    lines
        .add(format!("FROM rust:{}-bookworm AS build", version_of(tree)))
        .add("WORKDIR /src")
        .add("COPY . .")
        .run_cached(&["/usr/local/cargo/registry", "/src/target"], &build)
        .add("FROM debian:bookworm-slim")
        .add("COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/")
        .user_made()
        .copied(". ./")
        .copied("--from=build /out/ bin/");
    Ok(Some(GeneratedDockerfile {
        language: "Rust",
        text: lines.finish(web.as_deref()),
        web: shell(web.as_deref()),
        leaves_out: ".git\ntarget\n",
    }))
}

/// The only program's name, if there is only one at the root.
fn program(tree: &SourceTree, manifest: &Table) -> Option<String> {
    let name = |table: &Value| table.get("name").and_then(Value::as_str).map(str::to_owned);
    let mut programs: Vec<String> = match manifest.get("bin") {
        Some(Value::Array(tables)) => tables.iter().filter_map(name).collect(),
        _ if tree.has_file("src/main.rs") => manifest.get("package").and_then(name).into_iter().collect(),
        _ => Vec::new(),
    };
    programs.extend(tree.iter().filter_map(|(path, _)| {
        let file = path.to_str()?.strip_prefix("src/bin/")?.strip_suffix(".rs")?;
        (!file.contains('/') && manifest.get("bin").is_none()).then(|| file.to_owned())
    }));
    let only = (programs.len() == 1).then(|| programs.remove(0))?;
    only.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)).then_some(only)
}

fn version_of(tree: &SourceTree) -> String {
    let from_toml = || {
        tree.text("rust-toolchain.toml")?
            .parse::<Table>()
            .ok()?
            .get("toolchain")?
            .get("channel")?
            .as_str()
            .and_then(version::plain)
    };
    let from_text = || version::plain(version::first_line(&tree.text("rust-toolchain")?)?);
    from_toml().or_else(from_text).unwrap_or_else(|| VERSION_DEFAULT.to_owned())
}
